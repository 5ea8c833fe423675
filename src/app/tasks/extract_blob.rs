//! Reads a file in the sandbox: text, thumbnail, pages. May run twice: the same comes out.

use crate::{
    app::{App, extraction::Read},
    domain::{blobs, versions},
    error::{Error, Result},
    hash::ContentHash,
};

pub async fn run(app: &App, hash: ContentHash) -> Result<()> {
    let filename = app.store.read(move |tx| versions::some_filename(tx, hash)).await?;
    // Nothing refers to it any more: another job removes it.
    let Some(filename) = filename else { return Ok(()) };
    match app.extract(hash, &filename).await? {
        Read::Done(extraction) => {
            app.store.write(move |tx| blobs::mark_extracted(tx, hash, extraction)).await
        }
        Read::Again(fault) => Err(Error::Internal(fault)),
    }
}
