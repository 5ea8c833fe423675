//! Reads a file in the sandbox: text, thumbnail, pages. May run twice: the same comes out.

use crate::{
    app::App,
    domain::{blobs, versions},
    error::Result,
    hash::ContentHash,
};

pub async fn run(app: &App, hash: ContentHash) -> Result<()> {
    let version = app.store.read(move |tx| versions::first_of_blob(tx, hash)).await?;
    // Nothing refers to it any more: another job removes it.
    let Some(version) = version else { return Ok(()) };
    let extraction = app.extract(hash, &version.filename).await?;
    app.store.write(move |tx| blobs::mark_extracted(tx, hash, extraction)).await
}
