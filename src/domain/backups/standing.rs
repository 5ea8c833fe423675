//! Whether backups are made as they should be, and what is wrong when they are not.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Kind, RUNS_KEPT, plan, runs};
use crate::{error::Result, store::ReadTx};

/// So long after its time a backup is overdue.
const PATIENCE: SignedDuration = SignedDuration::from_hours(2);

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
    // More than that only of kinds, each of which may have a last good one.
    let mut runs = runs(tx, 2 * RUNS_KEPT)?;
    runs.retain(|run| run.is_told(tx.now()));
    let last = |kind| runs.iter().find(|run| run.kind == kind);
    let good = |kind| runs.iter().find(|run| run.kind == kind && run.fault.is_none());
    let mut faults = Vec::new();
    for (kind, name) in [
        (Kind::Backup, "backup"),
        (Kind::Drill, "rehearsal of a restore"),
        (Kind::Prune, "removal of old backups"),
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
    match last_success.or(plan.on_since) {
        Some(at) if plan.is_on && is_late(at) => faults.push(match last_success {
            Some(_) => "The last successful backup is older than the plan allows.".into(),
            None => "No backup has succeeded since the plan was switched on.".into(),
        }),
        _ => {}
    }
    if plan.is_held {
        faults.push(
            "This portal came out of a backup, and its plan is off so that it does not write where \
             the other one does. Switch the plan on if this portal is the one that stays, or off if it \
             is a copy: appliance backup plan --on, or --off"
                .into(),
        );
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
