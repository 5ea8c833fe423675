//! Moves bytes from the spool to where files rest: the disk, or S3. May run twice: a move that has
//! happened is found to have happened. While S3 is away it is put off, and hurried when that works again
//! (`app::storage::hurrying`).

use jiff::SignedDuration;

use crate::{
    app::App,
    domain::{
        blobs::{self, Place},
        jobs::{self, Task},
    },
    error::{Error, Result},
    hash::ContentHash,
};

/// In an outage thousands wait: none of them need look by itself.
const OUTAGE_S: u64 = 600;
/// Between its arrival and its job, a file of the spool is no stray.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

pub async fn run(app: &App, hash: ContentHash) -> Result<()> {
    if app.store.read(move |tx| blobs::find(tx, hash)).await?.is_none() {
        return Ok(());
    }
    app.blobs.store(hash).await.map_err(|fault| put_off(app, fault))?;
    app.store.write(move |tx| blobs::mark_stored(tx, hash)).await
}

fn put_off(app: &App, fault: Error) -> Error {
    let takes_files = app.blobs.watch_remote().is_none_or(|takes_files| *takes_files.borrow());
    match fault {
        Error::Busy { message, retry_after_s } if !takes_files => {
            Error::Busy { message, retry_after_s: retry_after_s.max(OUTAGE_S) }
        }
        other => other,
    }
}

impl App {
    /// Sends files on their way that lie in the spool although their records say that they are stored:
    /// somebody has brought content again that only S3 had.
    pub async fn move_strays(&self) -> Result<()> {
        let old = self.blobs.spooled_before(self.clock.now() - PATIENCE).await?;
        for hash in old {
            let is_stray = self.store.read(move |tx| {
                Ok(blobs::find(tx, hash)?.is_some_and(|blob| blob.place == Place::Stored))
            });
            if is_stray.await? {
                self.store
                    .write(move |tx| {
                        blobs::mark_spooled(tx, hash)?;
                        jobs::enqueue(tx, Task::StoreBlob { blob: hash })
                    })
                    .await?;
            }
        }
        Ok(())
    }
}
