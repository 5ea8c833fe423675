//! How the program and its machine are, for those who operate the portal: all of it in one look.

use jiff::Timestamp;

use super::{App, DataFiles, FilesStatus, Finding, HttpsStanding};
use crate::{
    domain::{
        access::{Action, Actor, decide},
        backups::{self, Standing},
        jobs::{self, State},
    },
    error::Result,
    host::{
        limits,
        machine::{self, Machine},
        processes,
    },
    log_tail::{LogLine, LogWanted},
    space::{Room, Space},
};

/// What is shown of the log at once.
pub const LOG_LINES_MAX: usize = 500;

#[derive(Clone, Debug)]
pub struct System {
    pub started_at: Timestamp,
    pub pid: u32,
    pub memory_bytes: u64,
    pub open_files: u64,
    /// `None` when there is no limit.
    pub open_files_max: Option<u64>,
    pub machine: Machine,
    pub space: Space,
    pub reserve_bytes: u64,
    pub room: Room,
    /// How long the disk lasts.
    pub forecast: Finding,
    pub files: DataFiles,
    /// The last change that was committed.
    pub latest_change: u64,
    pub commits: u64,
    pub failed_commits: u64,
    pub refused_writes: u64,
    /// Documents that can be found.
    pub index_entries: u64,
    pub index_lag: u64,
    pub jobs: JobCounts,
    pub storage: FilesStatus,
    pub https: HttpsStanding,
    pub backups: Standing,
    /// Since the start of the process.
    pub logged_errors: u64,
    pub logged_warnings: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct JobCounts {
    pub waiting: u64,
    pub running: u64,
    pub failed: u64,
}

impl App {
    pub async fn system(&self, actor: &Actor) -> Result<System> {
        decide(actor, Action::Operate)?;
        let (latest_change, backups, jobs) = self
            .store
            .read(|tx| {
                let jobs = JobCounts {
                    waiting: jobs::count(tx, State::Queued)?,
                    running: jobs::count(tx, State::Running)?,
                    failed: jobs::count(tx, State::Failed)?,
                };
                Ok((tx.latest_change()?, backups::standing(tx)?, jobs))
            })
            .await?;
        let (files, space) = self.data_files().await?;
        let index = self.index.clone();
        let index = crate::blocking::blocking(move || index.status()).await?;
        let figures = self.store.figures();
        let (logged_errors, logged_warnings) = self.log_tail().counts();
        Ok(System {
            started_at: self.started_at,
            pid: std::process::id(),
            memory_bytes: processes::own_memory_bytes(),
            open_files: processes::own_open_files(),
            open_files_max: limits::open_files(),
            machine: machine::look(),
            space,
            reserve_bytes: self.reserve.bytes(),
            room: self.reserve.room()?,
            forecast: self.disk_forecast().await?,
            files,
            latest_change,
            commits: figures.commits.get(),
            failed_commits: figures.failed_commits.get(),
            refused_writes: figures.refused_writes.get(),
            index_entries: index.entries,
            index_lag: self.index_lag(latest_change),
            jobs,
            storage: self.blobs.status().await?,
            https: self.https_standing().await?,
            backups,
            logged_errors,
            logged_warnings,
        })
    }

    /// The last lines of the log, the latest first.
    pub fn log_lines(&self, actor: &Actor, wanted: LogWanted) -> Result<Vec<LogLine>> {
        decide(actor, Action::Operate)?;
        let limit = wanted.limit.min(LOG_LINES_MAX);
        Ok(self.log_tail().lines(&LogWanted { limit, ..wanted }))
    }
}
