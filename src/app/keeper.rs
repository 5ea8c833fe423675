//! The keeper: what must happen now and then without anybody asking. Sessions that ran out, the
//! trash after its thirty days, old jobs and events, the change log below its slowest reader, bytes that an
//! interrupted upload left behind.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures_util::{StreamExt, pin_mut};
use jiff::SignedDuration;
use tokio::sync::watch;

use super::{App, backup::portal_that_shares_files, stops_within, tasks::GRACE};
use crate::{
    blobs::Removal,
    blocking::blocking,
    domain::{
        blobs as blob_records, documents, events, jobs, organizations::Organization, sessions,
    },
    error::Result,
};

const EVERY: Duration = Duration::from_secs(60);
/// Looking through all files is dear: rounds of [`EVERY`] between two sweeps for orphans.
const ROUNDS_PER_ORPHAN_SWEEP: u64 = 6 * 60;
/// At the start nothing is removed from a bucket yet.
const ROUND_AFTER_PROBATION: u64 = 10;
/// One transaction of sweeping; more is left for the next.
const STEP: usize = 500;
const STEPS_MAX: usize = 200;
const JOBS_KEPT: SignedDuration = SignedDuration::from_hours(48);
/// The change log keeps a little more than its readers need, for a look at what happened.
const CHANGES_KEPT: u64 = 10_000;

pub(super) async fn run(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    for round in 0.. {
        tidy(&app, round).await;
        if stops_within(&mut stopped, EVERY).await {
            return;
        }
    }
}

/// One chore after the other; one that fails does not keep the others from being done.
async fn tidy(app: &App, round: u64) {
    app.look_at_bucket().await;
    tell("forgetting what is over", app.keep_tidy().await);
    tell("sending files on their way", app.move_strays().await);
    tell("beginning the backups that are due", app.queue_backups().await);
    tell("beginning to read files again", app.queue_scrub().await);
    if round == ROUND_AFTER_PROBATION || round.is_multiple_of(ROUNDS_PER_ORPHAN_SWEEP) {
        let before = app.clock.now() - GRACE;
        tell("removing unfinished files", app.blobs.sweep_incoming(before).await);
        tell("removing files without records", app.sweep_orphans().await);
        tell("ending unfinished uploads to S3", app.blobs.sweep_uploads(before).await);
    }
}

fn tell<T>(chore: &str, done: Result<T>) {
    if let Err(fault) = done {
        tracing::error!("{chore} failed: {}", fault.chain());
    }
}

impl App {
    /// Looks whose the files in the bucket are, so that a portal that is no longer their owner stops
    /// within a minute.
    pub async fn look_at_bucket(&self) {
        if let Err(fault) = self.blobs.look_at_owner().await {
            // An outage is in the log already, once.
            tracing::debug!("the owner of the bucket cannot be looked at: {}", fault.chain());
        }
    }

    /// One round of what needs no look at the files; tests call it after moving the clock.
    pub async fn keep_tidy(&self) -> Result<()> {
        for _ in 0..STEPS_MAX {
            let sessions = self.store.write(|tx| sessions::sweep(tx, STEP)).await?;
            let before = self.clock.now() - JOBS_KEPT;
            let jobs = self.store.write(move |tx| jobs::sweep(tx, before, STEP)).await?;
            let trashed = self.store.write(empty_all_trash).await?;
            let days = i64::from(self.config.audit.keep_days);
            let before = self.clock.now() - SignedDuration::from_hours(24 * days);
            let events = self.store.write(move |tx| events::sweep(tx, before, STEP)).await?;
            let seen = self.index.needless_until().saturating_sub(CHANGES_KEPT);
            let changes = self.store.write(move |tx| tx.trim_changes(seen, STEP)).await?;
            if sessions.max(jobs).max(trashed).max(events).max(changes) < STEP {
                break;
            }
        }
        Ok(())
    }

    /// Removes bytes that have no record: an upload was cut off between the two, or a portal that needed
    /// them is not kept aside any more. What is in a bucket of another portal is not ours to judge.
    pub async fn sweep_orphans(&self) -> Result<u64> {
        if let Some(aside) = self.portal_that_shares_files().await? {
            tracing::info!(
                "files without records stay: the portal in {} may need them. They go when that folder is \
                 removed",
                aside.display()
            );
            return Ok(0);
        }
        let cutoff = self.clock.now() - GRACE;
        let mut removed = 0;
        let listed = self.blobs.list_own().await?;
        pin_mut!(listed);
        while let Some(blob) = listed.next().await {
            let hash = blob?.hash;
            if self.store.read(move |tx| blob_records::find(tx, hash)).await?.is_none() {
                let removal = self.blobs.remove(hash, cutoff).await?;
                removed += u64::from(removal == Removal::Removed);
            }
        }
        Ok(removed)
    }

    /// The folder of a portal that is kept aside and needs files which this one may not know. Meanwhile
    /// none is removed.
    pub(super) async fn portal_that_shares_files(&self) -> Result<Option<PathBuf>> {
        let data = self.config.data.clone();
        blocking(move || portal_that_shares_files(&data)).await
    }
}

fn empty_all_trash(tx: &mut crate::store::WriteTx) -> Result<usize> {
    let organizations: Vec<Organization> = tx.records().iter()?.collect::<Result<_>>()?;
    let mut most = 0;
    for organization in organizations {
        most = most.max(documents::empty_trash(tx, organization.id, STEP)?);
    }
    Ok(most)
}
