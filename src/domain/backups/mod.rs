//! Backups: the plan by which they are made, and what became of each.

pub mod schedule;
mod standing;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::standing::{Standing, standing};
use super::{
    access::{Action, Actor, decide},
    events::{self, Verb},
    jobs::{self, Task},
};
use crate::{
    error::{Error, Result},
    id::Id,
    store::{ReadTx, Record, Table, WriteTx},
    together::together,
};

/// Runs that are remembered.
const RUNS_KEPT: usize = 200;

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
    /// Since when it is on, without a pause.
    pub on_since: Option<Timestamp>,
    /// It was on, and is off since the portal came out of a backup; nobody has decided yet.
    pub is_held: bool,
    pub next_run: Option<Timestamp>,
    pub next_drill: Option<Timestamp>,
    /// The secret keys of the encrypted repositories that this portal began, by their ids: with them
    /// it can look after its own backups.
    pub keys: BTreeMap<Uuid, String>,
    /// The repositories that this portal writes to, by their places.
    pub seals: BTreeMap<String, Seal>,
    /// The secret key that signs the backups of this portal, and of what is restored from them; empty
    /// before the first one.
    pub signer: String,
}

/// What a repository is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    pub id: Uuid,
    /// The key that everything in it is encrypted to; `None` when nothing is.
    pub public: Option<String>,
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
            on_since: None,
            is_held: false,
            next_run: None,
            next_drill: None,
            keys: BTreeMap::new(),
            seals: BTreeMap::new(),
            signer: String::new(),
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

    /// Whether the portal can open what it backs up, and rehearse it. What is encrypted to public keys only
    /// the owner of a secret one opens, unless this is a repository whose own key the portal keeps.
    pub fn can_be_rehearsed(&self) -> bool {
        let seal = self.repository.as_ref().and_then(|place| self.seals.get(place));
        self.recipients.is_empty() || seal.is_some_and(|seal| self.keys.contains_key(&seal.id))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Backup,
    Drill,
    /// Old backups were removed.
    Prune,
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

impl Run {
    /// Whether it says how things stand. One from a time that is yet to come was noted by a clock that was
    /// wrong, and would hide all others until then.
    pub fn is_told(&self, now: Timestamp) -> bool {
        self.finished_at <= now
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
    makes_sense(&new, tx.now())?;
    let old = plan(tx)?;
    let now = tx.now();
    let mut plan =
        Plan { keys: old.keys, seals: old.seals, signer: old.signer, is_held: false, ..new };
    plan.on_since = plan.is_on.then(|| old.on_since.unwrap_or(now));
    plan.next_run = plan.is_on.then(|| plan.next_after(now));
    let rehearses = plan.drill_every_days > 0 && plan.can_be_rehearsed();
    plan.next_drill = (plan.is_on && rehearses).then(|| drill_after(&plan, now));
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

/// # Errors
/// `Invalid` with everything about its times and places that is not possible.
pub fn makes_sense(plan: &Plan, now: Timestamp) -> Result<()> {
    let require = |is_so: bool, field: &'static str, message: &str| match is_so {
        true => Ok(()),
        false => Err(Error::invalid_field(field, message)),
    };
    let has_place = plan.ship_every_seconds == 0 || plan.repository.is_some();
    let cron = match plan.cron.as_str() {
        "" => Ok(()),
        cron => schedule::next_of(cron, now).map(drop),
    };
    together((
        require(
            (1..=24 * 31).contains(&plan.every_hours),
            "every_hours",
            "Between two backups lie 1 to 744 hours.",
        ),
        require(plan.minute_of_day < 24 * 60, "at", "A time of day looks like 03:00."),
        cron,
        require(
            has_place,
            "ship_every_seconds",
            "Changes can only be shipped to a repository. Name one.",
        ),
    ))
    .map(drop)
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

/// Remembers which repository is at a place, and its secret key when that is known.
pub fn remember(tx: &mut WriteTx, place: String, seal: Seal, secret: Option<String>) -> Result<()> {
    let mut plan = plan(tx)?;
    if let Some(secret) = secret {
        plan.keys.insert(seal.id, secret);
    }
    plan.seals.insert(place, seal);
    tx.put(&plan)
}

/// Keeps the key that signs backups, unless there is one; the one that counts.
pub fn found_signer(tx: &mut WriteTx, new: String) -> Result<String> {
    let mut plan = plan(tx)?;
    if plan.signer.is_empty() {
        plan.signer = new;
        tx.put(&plan)?;
    }
    Ok(plan.signer)
}

/// Takes whatever repository is at a place from now on for the right one.
///
/// # Errors
/// `NotFound` when nothing is known of that place.
pub fn trust(tx: &mut WriteTx, actor: &Actor, place: &str) -> Result<()> {
    decide(actor, Action::Operate)?;
    let mut plan = plan(tx)?;
    let Some(seal) = plan.seals.remove(place) else {
        return Err(Error::NotFound(format!("This portal has written no backups to {place}.")));
    };
    // What it wrote before may be looked for with its key, but a changed one must not be refused.
    plan.keys.remove(&seal.id);
    tx.put(&plan)
}

/// Queues what is due by the plan, and sets its next time. Nothing piles up: what still waits or
/// runs is not queued again.
pub fn queue_due(tx: &mut WriteTx) -> Result<()> {
    let mut plan = plan(tx)?;
    let now = tx.now();
    let (next_run, next_drill) = (plan.next_after(now), drill_after(&plan, now));
    if is_over(plan.next_run, next_run, now) {
        plan.next_run = Some(next_run);
        enqueue_once(tx, Task::BackUp)?;
    }
    if is_over(plan.next_drill, next_drill, now) {
        plan.next_drill = Some(next_drill);
        enqueue_once(tx, Task::Drill)?;
    }
    tx.put(&plan)
}

/// Whether a moment has come; or lies behind the one that would be chosen now, as after a clock that
/// was ahead for a while.
fn is_over(set: Option<Timestamp>, anew: Timestamp, now: Timestamp) -> bool {
    set.is_some_and(|set| set <= now || set > anew)
}

/// True when [`queue_due`] has something to do: a look costs no commit.
pub fn is_due(tx: &ReadTx) -> Result<bool> {
    let plan = plan(tx)?;
    let now = tx.now();
    Ok(is_over(plan.next_run, plan.next_after(now), now)
        || is_over(plan.next_drill, drill_after(&plan, now), now))
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

/// Remembers a run, and forgets the oldest ones; but the last that was good of its kind stays.
pub fn note_run(tx: &mut WriteTx, run: Run) -> Result<()> {
    tx.draw_on_reserve();
    tx.put(&run)?;
    let now = tx.now();
    let (mut old, mut good) = (Vec::new(), BTreeSet::new());
    for (number, run) in tx.records::<Run>().backward().iter()?.enumerate() {
        let run = run?;
        let is_last_good = run.fault.is_none() && run.is_told(now) && good.insert(run.kind);
        if number >= RUNS_KEPT && !is_last_good {
            old.push(run.id);
        }
    }
    for id in old {
        tx.remove::<Run>(&id)?;
    }
    Ok(())
}

/// The last run of a kind.
pub fn last(tx: &ReadTx, kind: Kind) -> Result<Option<Run>> {
    let mut runs = tx.records::<Run>().backward().iter()?;
    let is_it = |run: &Run| run.kind == kind && run.is_told(tx.now());
    runs.find(|run| run.as_ref().map_or(true, is_it)).transpose()
}

/// The runs that are remembered, the newest first.
pub fn runs(tx: &ReadTx, limit: usize) -> Result<Vec<Run>> {
    tx.records::<Run>().backward().iter()?.take(limit).collect()
}
