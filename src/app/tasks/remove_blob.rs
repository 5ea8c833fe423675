//! Removes bytes that nothing refers to. May run twice: what is gone stays gone. The order of its
//! steps is the protocol in [`blobs`](crate::blobs): the cutoff first, then the look for
//! references, then the removal.

use jiff::SignedDuration;

use crate::{
    app::App,
    domain::{
        blobs,
        jobs::{self, Task},
    },
    error::Result,
    hash::ContentHash,
};

/// How long a removal is put off while a backup needs the bytes.
const PUT_OFF: SignedDuration = SignedDuration::from_mins(1);

/// How long an upload may take from its last byte to its record; a form with many files takes a
/// while.
pub(in crate::app) const GRACE: SignedDuration = SignedDuration::from_hours(24);

pub async fn run(app: &App, hash: ContentHash) -> Result<()> {
    let Some(_removal) = app.pins.removal().await else {
        let later = Task::RemoveBlob { blob: hash };
        return app.store.write(|tx| jobs::enqueue_after(tx, later, PUT_OFF).map(drop)).await;
    };
    let cutoff = app.clock.now() - GRACE;
    if app.store.write(move |tx| blobs::forget(tx, hash)).await? {
        app.blobs.remove(hash, cutoff).await?;
    }
    Ok(())
}
