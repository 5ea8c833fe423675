//! What happens by itself: backups and drills as the plan says.

use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{BackupWanted, Target, looking, restore};
use crate::{
    app::{App, Reporter, Step},
    backup::{Key, Lock, Passphrase, Retention, Signers, Trust},
    domain::{
        backups::{self, Kind, Plan, Run},
        jobs::{self, Job, Progress},
    },
    error::{Error, Result},
    id::Id,
    size::Size,
};

const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// What came of a run.
struct Outcome {
    summary: String,
    size_bytes: u64,
    damages: Vec<String>,
}

impl App {
    /// Queues the jobs that are due by the plan. The keeper calls it every minute.
    pub async fn queue_backups(&self) -> Result<()> {
        if self.store.read(backups::is_due).await? {
            self.store.write(backups::queue_due).await?;
        }
        Ok(())
    }

    /// Makes the backup of the plan and removes old ones; the job fails when it did.
    pub(in crate::app) async fn back_up_as_planned(&self, job: Id<Job>) -> Result<()> {
        let plan = self.store.read(backups::plan).await?;
        let place = place(self, &plan);
        let begin = self.clock.now();
        let (reporter, steps) = Reporter::new();
        let outcome = self.watched(job, steps, self.planned(&plan, reporter)).await;
        self.note_run(Kind::Backup, place.clone(), begin, Some(outcome)).await?;
        // A step of its own: whatever becomes of it, the backup is made and need not be made again.
        let begin = self.clock.now();
        let outcome = self.prune_as_planned(&plan).await;
        match self.note_run(Kind::Prune, place, begin, outcome.transpose()).await {
            Err(fault) => {
                tracing::warn!("removing old backups, left for the next time: {}", fault.chain());
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn planned(&self, plan: &Plan, reporter: Reporter) -> Result<Outcome> {
        let target = match &plan.repository {
            Some(place) => Target::Repository(place.clone()),
            None => Target::Folder,
        };
        let wanted =
            BackupWanted { target, lock: lock(plan), key: Key::None, is_records_only: false };
        let made = self.back_up(wanted, &reporter).boxed().await?;
        let summary = format!(
            "{} records and {} files; {} written",
            made.records,
            made.files,
            Size(made.written_bytes)
        );
        Ok(Outcome { summary, size_bytes: made.written_bytes, damages: made.damages })
    }

    /// `None` when there was nothing to remove.
    async fn prune_as_planned(&self, plan: &Plan) -> Result<Option<Outcome>> {
        let retention = Retention {
            last: plan.keep_last,
            daily: plan.keep_daily,
            weekly: plan.keep_weekly,
            monthly: plan.keep_monthly,
        };
        if retention.is_empty() {
            return Ok(None);
        }
        let key = self.repository_keys().await?;
        let _turn = self.following.pause().await;
        let place = place(self, plan);
        let trust = Trust { key, signers: self.own_or(Signers::Any).await? };
        let pruned = looking::prune(&self.config, &place, trust, retention, &self.clock);
        let pruned = pruned.boxed().await?;
        let summary =
            format!("{} removed, {} kept", pruned.snapshots_removed, pruned.snapshots_kept);
        // One that failed before is over with the first that does not.
        let is_told = pruned.snapshots_removed > 0 || self.last_prune_failed().await?;
        Ok(is_told.then_some(Outcome { summary, size_bytes: 0, damages: Vec::new() }))
    }

    async fn last_prune_failed(&self) -> Result<bool> {
        self.store
            .read(|tx| Ok(backups::last(tx, Kind::Prune)?.is_some_and(|run| run.fault.is_some())))
            .await
    }

    pub(in crate::app) async fn drill_as_planned(&self, job: Id<Job>) -> Result<()> {
        let plan = self.store.read(backups::plan).await?;
        let place = place(self, &plan);
        let begin = self.clock.now();
        let (reporter, steps) = Reporter::new();
        let outcome = self.watched(job, steps, self.planned_drill(plan, reporter)).await;
        self.note_run(Kind::Drill, place, begin, Some(outcome)).await
    }

    async fn planned_drill(&self, plan: Plan, reporter: Reporter) -> Result<Outcome> {
        let source = restore::newest(&self.config, plan.repository.as_deref(), self.clock.now())?;
        let key = match &plan.repository {
            Some(_) => self.repository_keys().await?,
            None => Key::of(&lock(&plan)),
        };
        let drilled = self.drill(source, key, &reporter).await.map_err(for_good)?;
        Ok(Outcome {
            summary: format!(
                "{} records and {} files came back; {} files read, {} searches, {} of them for phrases \
                 in texts{}",
                drilled.records,
                drilled.files,
                drilled.files_read,
                drilled.searches,
                drilled.phrases,
                drilled.warnings.first().map_or(String::new(), |warning| format!(". {warning}")),
            ),
            size_bytes: 0,
            damages: drilled.damages,
        })
    }

    /// Reads all backups of the plan again, or one archive.
    pub(in crate::app) async fn verify_as_planned(
        &self,
        job: Id<Job>,
        archive: Option<String>,
    ) -> Result<()> {
        let plan = self.store.read(backups::plan).await?;
        let place = match &archive {
            Some(name) => self.archive_path(name)?.display().to_string(),
            None => place(self, &plan),
        };
        let begin = self.clock.now();
        let (reporter, steps) = Reporter::new();
        let work = self.planned_look(place.clone(), reporter);
        let outcome = self.watched(job, steps, work).await;
        self.note_run(Kind::Verify, place, begin, Some(outcome)).await
    }

    async fn planned_look(&self, place: String, reporter: Reporter) -> Result<Outcome> {
        let found =
            self.verify_backups(Some(place), Trust::default(), (true, false), &reporter).boxed();
        let found = found.await?;
        Ok(Outcome {
            summary: format!(
                "backups read: {}, with files: {}{}",
                found.snapshots,
                found.files,
                found.warnings.first().map_or(String::new(), |warning| format!(". {warning}")),
            ),
            size_bytes: 0,
            damages: found.damages,
        })
    }

    /// Runs `work` and notes in the job how far it is.
    async fn watched(
        &self,
        job: Id<Job>,
        steps: watch::Receiver<Step>,
        work: impl Future<Output = Result<Outcome>>,
    ) -> Result<Outcome> {
        tokio::select! {
            outcome = work => outcome,
            fault = self.note_progress(job, steps) => Err(fault),
        }
    }

    /// Never ends but with a fault.
    async fn note_progress(&self, job: Id<Job>, mut steps: watch::Receiver<Step>) -> Error {
        loop {
            tokio::time::sleep(PROGRESS_EVERY).await;
            if !steps.has_changed().unwrap_or(false) {
                continue;
            }
            let Step { done, total, .. } = steps.borrow_and_update().clone();
            let progress = Progress { done, total };
            let noted = self.store.write(move |tx| jobs::note_progress(tx, job, progress)).await;
            if let Err(fault) = noted {
                return fault;
            }
        }
    }

    /// Remembers what came of a run, unless it was none.
    async fn note_run(
        &self,
        kind: Kind,
        place: String,
        started_at: Timestamp,
        outcome: Option<Result<Outcome>>,
    ) -> Result<()> {
        // What was put off comes again, and is told then.
        let outcome = match outcome {
            None => return Ok(()),
            Some(Err(fault @ Error::Busy { .. })) => return Err(fault),
            Some(outcome) => outcome,
        };
        let (summary, size_bytes, fault) = match &outcome {
            Ok(outcome) => {
                let fault = outcome.damages.first().map(|first| match outcome.damages.len() {
                    1 => first.clone(),
                    count => format!("{first} And {} more.", count - 1),
                });
                (outcome.summary.clone(), outcome.size_bytes, fault)
            }
            Err(fault) => (String::new(), 0, Some(fault.chain())),
        };
        self.store
            .write(move |tx| {
                let (id, finished_at) = (tx.new_id(), tx.now());
                let run =
                    Run { id, kind, place, started_at, finished_at, size_bytes, summary, fault };
                backups::note_run(tx, run)
            })
            .await?;
        outcome.map(drop)
    }
}

/// A drill that has no room, or meets another one, comes again when it is due: it must not try all day.
fn for_good(fault: Error) -> Error {
    match fault {
        Error::Busy { message, .. } | Error::Full(message) => Error::invalid(message),
        other => other,
    }
}

/// Where the backups of a plan are.
fn place(app: &App, plan: &Plan) -> String {
    let folder = || app.config.data.join(super::FOLDER).display().to_string();
    plan.repository.clone().unwrap_or_else(folder)
}

pub(super) fn lock(plan: &Plan) -> Lock {
    if !plan.passphrase.is_empty() {
        return Lock::Passphrase(Passphrase(plan.passphrase.clone()));
    }
    match plan.recipients.is_empty() {
        true => Lock::Open,
        false => Lock::Recipients(plan.recipients.clone()),
    }
}
