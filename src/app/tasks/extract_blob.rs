//! Reads a file in the sandbox: text, thumbnail, pages. May run twice: the same comes out.

use crate::{
    app::{App, extraction::Read},
    domain::{blobs, versions},
    error::{Error, Result},
    hash::ContentHash,
};

pub async fn run(app: &App, hash: ContentHash) -> Result<()> {
    let version = app.store.read(move |tx| versions::first_of_blob(tx, hash)).await?;
    // Nothing refers to it any more: another job removes it.
    let Some(version) = version else { return Ok(()) };
    match app.extract(hash, &version.filename).await? {
        Read::Done(extraction) => {
            app.store.write(move |tx| blobs::mark_extracted(tx, hash, extraction)).await
        }
        Read::Again(fault) => Err(Error::Internal(fault)),
    }
}
