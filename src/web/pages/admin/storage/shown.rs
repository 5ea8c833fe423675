//! The storage in the words of its page.

use jiff::Timestamp;

use super::{
    Cache, CheckShown, Counted, Direction, FaultyRow, LastMigration, LastScrub, MigrationShown,
    ScrubShown, Spool, StorageWork, UnderWay, UsageRow,
};
use crate::{
    app::{
        App, BreakerStatus, CheckOutcome, CheckStep, FaultyFile, FilesStatus, LongWork,
        StorageCheck, StorageStanding,
    },
    config::Backend,
    domain::storage::{Amount, Migration, ScrubRun, Usage},
    web::pages::{Moment, Tone, admin::dashboard::HealthCheck},
};

pub fn home(standing: &StorageStanding) -> String {
    match &standing.status.remote {
        Some(remote) if standing.is_on_s3() => remote.name.clone(),
        _ => "The disk of this machine".into(),
    }
}

pub fn spool(status: &FilesStatus, now: Timestamp) -> Spool {
    Spool {
        waiting: Counted { files: status.spooled.files, bytes: status.spooled.bytes },
        since: status.spooled_since.map(|since| Moment::new(since, now)),
        bytes_max: status.spool_bytes_max,
    }
}

pub fn remote(status: &FilesStatus, now: Timestamp) -> Option<[Direction; 2]> {
    let direction = |name, breaker: &BreakerStatus| Direction {
        name,
        broken_since: breaker.open_since.map(|since| Moment::new(since, now)),
        last_error: breaker
            .last_error
            .as_ref()
            .map(|error| (Moment::new(error.at, now), error.message.clone())),
    };
    let remote = status.remote.as_ref()?;
    Some([direction("Reading", &remote.reads), direction("Writing", &remote.writes)])
}

pub fn cache(status: &FilesStatus) -> Option<Cache> {
    status.cache.as_ref().map(|cache| Cache {
        used: Counted { files: cache.used.files, bytes: cache.used.bytes },
        bytes_max: cache.bytes_max,
    })
}

pub fn check(check: &StorageCheck, now: Timestamp) -> CheckShown {
    let steps = check.steps.iter().map(step).collect();
    CheckShown { at: Moment::new(check.at, now), steps }
}

fn step(step: &CheckStep) -> HealthCheck {
    let (tone, detail) = match &step.outcome {
        CheckOutcome::Works => (Tone::Good, format!("Works ({}).", step.permission)),
        CheckOutcome::Missing(advice) => (Tone::Warning, advice.clone()),
        CheckOutcome::Fails { advice, detail } if detail.is_empty() => (Tone::Bad, advice.clone()),
        CheckOutcome::Fails { advice, detail } => {
            (Tone::Bad, format!("{advice} S3 says: {detail}"))
        }
        CheckOutcome::Skipped => {
            (Tone::Plain, "Not tried, because an earlier step failed.".to_owned())
        }
    };
    HealthCheck { name: step.what.to_string(), tone, detail }
}

pub fn usage(usage: &Usage) -> Vec<UsageRow> {
    let mut rows = Vec::new();
    for organization in &usage.organizations {
        let name = organization.name.clone();
        rows.push(UsageRow { name, is_total: true, versions: counted(organization.total) });
        rows.extend(organization.kinds.iter().map(|(kind, amount)| UsageRow {
            name: kind.label().into(),
            is_total: false,
            versions: counted(*amount),
        }));
    }
    rows
}

fn counted(amount: Amount) -> Counted {
    Counted { files: amount.files, bytes: amount.bytes }
}

pub fn work(app: &App, standing: StorageStanding, now: Timestamp) -> StorageWork {
    let backend = standing.status.backend;
    let scrub = ScrubShown {
        last: standing.scrub.run.map(|run| last_scrub(&run, standing.scrub_work.is_some(), now)),
        under_way: standing.scrub_work.map(under_way),
        next: standing.next_scrub.map(|next| Moment::new(next, now)),
        days: app.config.storage.scrub_days,
        faulty: standing.scrub.faulty.iter().map(|file| faulty(file, now)).collect(),
    };
    let is_moving = standing.migration_work.is_some();
    let migration = standing.status.remote.map(|_| MigrationShown {
        last: standing.migration.map(|migration| last_migration(migration, is_moving, now)),
        under_way: standing.migration_work.map(under_way),
        old_home: if backend == Backend::S3 { "the disk" } else { "S3" },
        to_home: if backend == Backend::S3 { "s3" } else { "disk" },
    });
    StorageWork { scrub, migration }
}

fn under_way(work: LongWork) -> UnderWay {
    let percent = work.progress.and_then(|progress| {
        let total = progress.total.filter(|total| *total > 0)?;
        Some((progress.done.min(total) * 100 / total) as u32)
    });
    UnderWay { job: work.job.to_string(), percent, waits: work.waits }
}

fn last_scrub(run: &ScrubRun, is_under_way: bool, now: Timestamp) -> LastScrub {
    LastScrub {
        started: Moment::new(run.started_at, now),
        was_stopped: run.finished_at.is_none() && !is_under_way,
        read: Counted { files: run.files, bytes: run.bytes },
        healed: run.healed,
        faulty: run.faulty,
    }
}

fn faulty(file: &FaultyFile, now: Timestamp) -> FaultyRow {
    let documents =
        file.documents.iter().map(|(id, title)| (format!("/documents/{id}"), title.clone()));
    FaultyRow {
        sentence: file.sentence(),
        documents: documents.collect(),
        found: Moment::new(file.fault.found_at, now),
    }
}

fn last_migration(migration: Migration, is_under_way: bool, now: Timestamp) -> LastMigration {
    LastMigration {
        started: Moment::new(migration.started_at, now),
        was_stopped: migration.finished_at.is_none() && !is_under_way,
        to: if migration.to == Backend::S3 { "S3" } else { "the disk" },
        copied: counted(migration.copied),
        known: counted(migration.known),
        removed: migration.removes_old.then(|| counted(migration.removed)),
        faults_unnamed: migration.faults_total - migration.faults.len() as u64,
        faults: migration.faults,
    }
}
