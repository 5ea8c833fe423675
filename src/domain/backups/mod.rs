//! Backups: the plan by which they are made, and what became of each.

pub mod schedule;

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    access::{Action, Actor, decide},
    events::{self, Verb},
    jobs::{self, Task},
};
use crate::{
    error::{Error, Result},
    id::Id,
    store::{ReadTx, Record, Table, WriteTx},
};

/// Runs that are remembered.
const RUNS_KEPT: usize = 200;
/// So long after its time a backup is overdue.
const PATIENCE: SignedDuration = SignedDuration::from_hours(2);

/// When, where to, and how long backups are kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    pub is_on: bool,
    /// A repository: a folder or `s3://bucket/prefix`. Without one, archives in the backups folder.
    pub repository: Option<String>,
    /// 24 is every day.
    pub every_hours: u32,
    /// Minutes after midnight UTC of the first run of a day.
    pub minute_of_day: u32,
    /// A cron line. When there is one it says when, and the two above do not count.
    pub cron: String,
    pub keep_last: u32,
    pub keep_daily: u32,
    pub keep_weekly: u32,
    pub keep_monthly: u32,
    /// Public keys of age.
    pub recipients: Vec<String>,
    pub passphrase: String,
    /// How often changes are shipped to the repository; 0 is never.
    pub ship_every_seconds: u32,
    /// How often restoring is rehearsed; 0 is never.
    pub drill_every_days: u32,
    pub next_run: Option<Timestamp>,
    pub next_drill: Option<Timestamp>,
    /// The secret keys of the encrypted repositories that this portal began, by their ids: with them
    /// it can look after its own backups.
    pub keys: BTreeMap<Uuid, String>,
}

impl fmt::Debug for Plan {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("is_on", &self.is_on)
            .field("repository", &self.repository)
            .field("next_run", &self.next_run)
            .finish_non_exhaustive()
    }
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            is_on: false,
            repository: None,
            every_hours: 24,
            minute_of_day: 3 * 60,
            cron: String::new(),
            keep_last: 3,
            keep_daily: 7,
            keep_weekly: 5,
            keep_monthly: 12,
            recipients: Vec::new(),
            passphrase: String::new(),
            ship_every_seconds: 0,
            drill_every_days: 7,
            next_run: None,
            next_drill: None,
            keys: BTreeMap::new(),
        }
    }
}

impl Record for Plan {
    const TABLE: Table = Table { number: 20, name: "backup_plan" };

    type Key = ();

    fn key(&self) -> Self::Key {}
}

impl Plan {
    pub fn is_encrypted(&self) -> bool {
        !self.passphrase.is_empty() || !self.recipients.is_empty()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Backup,
    Drill,
    /// Backups were read again.
    Verify,
    /// This portal came out of a backup.
    Restore,
}

/// One backup or drill that was made, or failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    pub id: Id<Run>,
    pub kind: Kind,
    /// A file, a folder or a bucket.
    pub place: String,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    #[serde(default)]
    pub size_bytes: u64,
    /// A sentence about what came of it.
    pub summary: String,
    /// Why it failed, or what was wrong; a sentence.
    #[serde(default)]
    pub fault: Option<String>,
}

impl Record for Run {
    const TABLE: Table = Table { number: 21, name: "backup_runs" };

    type Key = Id<Run>;

    fn key(&self) -> Self::Key {
        self.id
    }
}

pub fn plan(tx: &ReadTx) -> Result<Plan> {
    Ok(tx.get(&())?.unwrap_or_default())
}

/// Sets the plan; the keys of repositories and the times of the next runs are kept by the portal.
///
/// # Errors
/// `Invalid` for what makes no sense.
pub fn set_plan(tx: &mut WriteTx, actor: &Actor, new: Plan) -> Result<Plan> {
    decide(actor, Action::Operate)?;
    if !(1..=24 * 31).contains(&new.every_hours) {
        return Err(Error::invalid_field("every_hours", "Between two backups lie 1 to 744 hours."));
    }
    if new.minute_of_day >= 24 * 60 {
        return Err(Error::invalid_field("at", "A time of day looks like 03:00."));
    }
    if !new.cron.is_empty() {
        schedule::next_of(&new.cron, tx.now())?;
    }
    if new.ship_every_seconds > 0 && new.repository.is_none() {
        return Err(Error::invalid_field(
            "ship_every_seconds",
            "Changes can only be shipped to a repository. Name one.",
        ));
    }
    let old = plan(tx)?;
    let now = tx.now();
    let mut plan = Plan { keys: old.keys, ..new };
    plan.next_run = plan.is_on.then(|| plan.next_after(now));
    plan.next_drill = (plan.is_on && plan.drill_every_days > 0).then(|| drill_after(&plan, now));
    tx.put(&plan)?;
    let nobody = Id::<Plan>::from_uuid(Uuid::nil());
    let detail = if plan.is_on { "backups on" } else { "backups off" };
    let organization = actor.organization;
    events::record(
        tx,
        actor,
        organization,
        Verb::SettingsChanged,
        nobody,
        "the portal",
        Some(detail),
    )?;
    Ok(plan)
}

/// Queues a backup, a drill or a look at the backups for somebody who does not want to wait for the
/// plan; what is under way already is not queued again.
pub fn order(tx: &mut WriteTx, actor: &Actor, task: Task) -> Result<()> {
    decide(actor, Action::Operate)?;
    let what = match &task {
        Task::BackUp => "a backup",
        Task::Drill => "a rehearsal of a restore",
        _ => "a check of backups",
    };
    enqueue_once(tx, task)?;
    note(tx, actor, Verb::BackupStarted, what)
}

/// Leaves an event about a backup.
pub fn note(tx: &mut WriteTx, actor: &Actor, verb: Verb, name: &str) -> Result<()> {
    let nobody = Id::<Plan>::from_uuid(Uuid::nil());
    events::record(tx, actor, actor.organization, verb, nobody, name, None)
}

/// Remembers the secret key of a repository.
pub fn keep_key(tx: &mut WriteTx, repository: Uuid, secret: &str) -> Result<()> {
    let mut plan = plan(tx)?;
    plan.keys.insert(repository, secret.into());
    tx.put(&plan)
}

/// Queues what is due by the plan, and sets its next time. Nothing piles up: what still waits or
/// runs is not queued again.
pub fn queue_due(tx: &mut WriteTx) -> Result<()> {
    let mut plan = plan(tx)?;
    let now = tx.now();
    if plan.next_run.is_some_and(|next| next <= now) {
        plan.next_run = Some(plan.next_after(now));
        enqueue_once(tx, Task::BackUp)?;
    }
    if plan.next_drill.is_some_and(|next| next <= now) {
        plan.next_drill = Some(drill_after(&plan, now));
        enqueue_once(tx, Task::Drill)?;
    }
    tx.put(&plan)
}

/// True when [`queue_due`] has something to do: a look costs no commit.
pub fn is_due(tx: &ReadTx) -> Result<bool> {
    let plan = plan(tx)?;
    Ok([plan.next_run, plan.next_drill].into_iter().flatten().any(|next| next <= tx.now()))
}

pub fn enqueue_once(tx: &mut WriteTx, task: Task) -> Result<()> {
    if !jobs::is_under_way(tx, &task)? {
        jobs::enqueue(tx, task)?;
    }
    Ok(())
}

/// Some hours after the backup of that day.
fn drill_after(plan: &Plan, now: Timestamp) -> Timestamp {
    let days = i64::from(plan.drill_every_days.max(1));
    plan.next_after(now) + SignedDuration::from_hours(24 * (days - 1) + 3)
}

/// Remembers a run, and forgets the oldest ones.
pub fn note_run(tx: &mut WriteTx, run: Run) -> Result<()> {
    tx.draw_on_reserve();
    tx.put(&run)?;
    let old: Vec<Run> =
        tx.records::<Run>().backward().iter()?.skip(RUNS_KEPT).collect::<Result<_>>()?;
    for run in old {
        tx.remove::<Run>(&run.id)?;
    }
    Ok(())
}

/// The runs that are remembered, the newest first.
pub fn runs(tx: &ReadTx, limit: usize) -> Result<Vec<Run>> {
    tx.records::<Run>().backward().iter()?.take(limit).collect()
}

/// How backups stand: for the dashboard, the health page and `doctor`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Standing {
    pub is_on: bool,
    pub last_success: Option<Timestamp>,
    pub next_run: Option<Timestamp>,
    pub last_drill: Option<Timestamp>,
    pub is_encrypted: bool,
    /// What is wrong now: the last backup or drill failed, or one is overdue. Sentences.
    pub faults: Vec<String>,
}

impl Standing {
    pub fn word(&self) -> &'static str {
        match (self.faults.is_empty(), self.is_on) {
            (false, _) => "failing",
            (true, true) => "ok",
            (true, false) => "off",
        }
    }
}

pub fn standing(tx: &ReadTx) -> Result<Standing> {
    let plan = plan(tx)?;
    let runs = runs(tx, RUNS_KEPT)?;
    let last = |kind| runs.iter().find(|run| run.kind == kind);
    let good = |kind| runs.iter().find(|run| run.kind == kind && run.fault.is_none());
    let mut faults = Vec::new();
    for (kind, name) in [
        (Kind::Backup, "backup"),
        (Kind::Drill, "rehearsal of a restore"),
        (Kind::Verify, "check of the backups"),
    ] {
        if let Some(fault) = last(kind).and_then(|run| run.fault.as_ref()) {
            faults.push(format!("The last {name} failed: {fault}"));
        }
    }
    let restored = last(Kind::Restore)
        .filter(|run| good(Kind::Backup).is_none_or(|backup| backup.finished_at < run.finished_at));
    if let Some(fault) = restored.and_then(|run| run.fault.as_ref()) {
        faults.push(format!("The backup that this portal came from was not complete: {fault}"));
    }
    let last_success = good(Kind::Backup).map(|run| run.finished_at);
    let is_late = |at: Timestamp| tx.now().duration_since(plan.next_after(at)) > PATIENCE;
    if plan.is_on && last_success.is_some_and(is_late) {
        faults.push("The last successful backup is older than the plan allows.".into());
    }
    Ok(Standing {
        is_on: plan.is_on,
        last_success,
        next_run: plan.next_run,
        last_drill: good(Kind::Drill).map(|run| run.finished_at),
        is_encrypted: plan.is_encrypted(),
        faults,
    })
}
