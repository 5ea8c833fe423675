//! Moves bytes from the spool to the object store. May run twice: a move that has happened is
//! found to have happened.

use crate::{app::App, domain::blobs, error::Result, hash::ContentHash};

pub async fn run(app: &App, hash: ContentHash) -> Result<()> {
    if app.store.read(move |tx| blobs::find(tx, hash)).await?.is_none() {
        return Ok(());
    }
    app.blobs.store(hash).await?;
    app.store.write(move |tx| blobs::mark_stored(tx, hash)).await
}
