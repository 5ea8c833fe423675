//! Removes bytes that nothing refers to. May run twice: what is gone stays gone. The order of its
//! steps is the protocol in [`blobs`](crate::blobs): the cutoff first, then the look for
//! references, then the removal.

use jiff::SignedDuration;

use crate::{
    app::App,
    domain::blobs,
    error::{Error, Result},
    hash::ContentHash,
};

/// How long a removal is put off while a backup needs the bytes.
const PUT_OFF_S: u64 = 60;

/// How long an upload may take from its last byte to its record; a form with many files takes a
/// while.
pub(in crate::app) const GRACE: SignedDuration = SignedDuration::from_hours(24);

pub async fn run(app: &App, hash: ContentHash) -> Result<()> {
    let Some(_removal) = app.pins.removal().await else {
        return Err(Error::Busy {
            message: "A backup is being made, which may need this file.".into(),
            retry_after_s: PUT_OFF_S,
        });
    };
    let cutoff = app.clock.now() - GRACE;
    // A file without a record goes with the first sweep after that portal.
    let is_shared = app.portal_that_shares_files().await?.is_some();
    if app.store.write(move |tx| blobs::forget(tx, hash)).await? && !is_shared {
        app.blobs.remove(hash, cutoff).await?;
    }
    Ok(())
}
