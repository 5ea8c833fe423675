//! How the storage is, all in one: for the page, the API and `doctor`.

use std::sync::Arc;

use super::{ScrubReport, StorageCheck, scrubbing::faulty};
use crate::{
    app::App,
    blobs::Status,
    config::Backend,
    domain::{
        access::{Action, Actor, decide},
        jobs::{Job, Progress, State},
        storage::{self, Migration},
    },
    error::Result,
    id::Id,
    store::ReadTx,
};

#[derive(Clone, Debug)]
pub struct StorageStanding {
    pub status: Status,
    /// The last since the portal started.
    pub check: Option<Arc<StorageCheck>>,
    pub scrub: ScrubReport,
    pub scrub_work: Option<LongWork>,
    pub next_scrub: Option<jiff::Timestamp>,
    pub migration: Option<Migration>,
    pub migration_work: Option<LongWork>,
}

/// A long job that has not ended.
#[derive(Clone, Debug)]
pub struct LongWork {
    pub job: Id<Job>,
    pub progress: Option<Progress>,
    /// Why it waits, when it does.
    pub waits: Option<String>,
}

impl LongWork {
    fn of(tx: &ReadTx, id: Id<Job>) -> Result<Option<Self>> {
        let job = tx.get::<Job>(&id)?;
        let pending = job.filter(|job| matches!(job.state, State::Queued | State::Running));
        Ok(pending.map(|job| LongWork { job: id, progress: job.progress, waits: job.error }))
    }
}

impl StorageStanding {
    pub fn is_on_s3(&self) -> bool {
        self.status.backend == Backend::S3
    }
}

impl App {
    pub async fn storage_standing(&self, actor: &Actor) -> Result<StorageStanding> {
        decide(actor, Action::Operate)?;
        let status = self.blobs.status().await?;
        let check = self.last_check.load_full();
        self.store
            .read(move |tx| {
                let scrubbing = storage::scrubbing(tx)?;
                let migration = storage::migration(tx)?;
                let work = |job: Option<Id<Job>>| match job {
                    Some(job) => LongWork::of(tx, job),
                    None => Ok(None),
                };
                Ok(StorageStanding {
                    status,
                    check,
                    scrub_work: work(scrubbing.run.as_ref().map(|run| run.job))?,
                    scrub: ScrubReport { run: scrubbing.run, faulty: faulty(tx)? },
                    next_scrub: scrubbing.next_run,
                    migration_work: work(migration.as_ref().map(|migration| migration.job))?,
                    migration,
                })
            })
            .await
    }
}
