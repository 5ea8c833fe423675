//! Reads a file in the sandbox: text, thumbnail, pages. May run twice: the same comes out.

use crate::{
    app::App,
    domain::{blobs, versions},
    error::Result,
    hash::ContentHash,
    store::ReadTx,
};

pub async fn run(app: &App, hash: ContentHash) -> Result<()> {
    let named = move |tx: &ReadTx| match blobs::find(tx, hash)? {
        Some(blob) => versions::named_for_reading(tx, &blob),
        None => Ok(None),
    };
    let version = app.store.read(named).await?;
    // Nothing refers to it any more: another job removes it.
    let Some(version) = version else { return Ok(()) };
    let extraction = app.extract(hash, &version.filename).await?;
    app.store.write(move |tx| blobs::mark_extracted(tx, hash, extraction)).await
}
