//! Files that wait for S3 go on their way as soon as it works again. So while it does not, their jobs
//! need not look for themselves again and again.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    app::{App, stops_within},
    domain::jobs,
    error::Result,
};

/// Jobs of one transaction.
const STEP: usize = 500;
/// What is put off again meanwhile must not keep this going.
const STEPS_MAX: usize = 1_000;
/// Who has just found S3 away is put off by then, and hurried with the others.
const PAUSE: Duration = Duration::from_secs(1);

pub(in crate::app) async fn run(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let Some(mut takes_files) = app.blobs.watch_remote() else { return };
    // Also after a start: it may have come back while the portal was not there.
    loop {
        let is_back = *takes_files.borrow_and_update();
        if is_back {
            if stops_within(&mut stopped, PAUSE).await {
                return;
            }
            if let Err(fault) = app.hurry_moves().await {
                tracing::warn!("files that wait for S3 go later: {}", fault.chain());
            }
        }
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            changed = takes_files.changed() => if changed.is_err() { return },
        }
    }
}

impl App {
    /// Lets all moves begin that were put off.
    pub(super) async fn hurry_moves(&self) -> Result<()> {
        for _ in 0..STEPS_MAX {
            if self.store.write(|tx| jobs::hurry_moves(tx, STEP)).await? < STEP {
                break;
            }
        }
        Ok(())
    }
}
