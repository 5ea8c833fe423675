//! What simply is, at the moment when somebody asks.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::PREFIX;
use crate::{
    app::App,
    clock::Clock,
    domain::{
        backups,
        jobs::{self, State},
    },
    error::Result,
    host::{limits, processes},
    space::Space,
};

/// Those that wait for somebody; the others are history.
const STATES: [State; 3] = [State::Queued, State::Running, State::Failed];

/// All of it, before it is written down.
pub(super) struct Now {
    connections: usize,
    jobs: Vec<(State, u64)>,
    index_lag: u64,
    files: crate::app::DataFiles,
    space: Space,
    reserve_bytes: u64,
    spool_files: u64,
    spool_bytes: u64,
    breakers: [(&'static str, bool); 2],
    certificates: Vec<(String, Timestamp)>,
    backup_on: bool,
    backup_failing: bool,
    last_backup: Option<Timestamp>,
    log: (u64, u64),
}

impl Now {
    pub async fn look(app: &App, connections: usize) -> Result<Self> {
        let (latest, backups, jobs) = app
            .store
            .read(|tx| {
                let jobs: Result<_> =
                    STATES.into_iter().map(|state| Ok((state, jobs::count(tx, state)?))).collect();
                Ok((tx.latest_change()?, backups::standing(tx)?, jobs?))
            })
            .await?;
        let storage = app.blobs.status().await?;
        let (files, space) = app.data_files().await?;
        let https = app.https_standing().await?;
        let is_open = |of: fn(&crate::blobs::RemoteStatus) -> &crate::blobs::BreakerStatus| {
            storage.remote.as_ref().is_some_and(|remote| of(remote).open_since.is_some())
        };
        Ok(Now {
            connections,
            jobs,
            index_lag: app.index_lag(latest),
            files,
            space,
            reserve_bytes: app.reserve.bytes(),
            spool_files: storage.spooled.files,
            spool_bytes: storage.spooled.bytes,
            breakers: [
                ("read", is_open(|remote| &remote.reads)),
                ("write", is_open(|remote| &remote.writes)),
            ],
            certificates: https
                .certificates
                .into_iter()
                .filter_map(|one| Some((one.domain, one.valid_until?)))
                .collect(),
            backup_on: backups.is_on,
            backup_failing: !backups.faults.is_empty(),
            last_backup: backups.last_success,
            log: app.log_tail().counts(),
        })
    }
}

type Labelled<L> = Family<L, Gauge>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Domain {
    domain: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Level {
    level: &'static str,
}

/// What is written down.
#[derive(Default)]
pub(super) struct Gauges {
    connections: Gauge,
    jobs: Labelled<JobState>,
    index_lag: Gauge,
    index_bytes: Gauge,
    store_bytes: Gauge,
    disk_bytes: Gauge,
    disk_free_bytes: Gauge,
    disk_reserve_bytes: Gauge,
    spool_files: Gauge,
    spool_bytes: Gauge,
    breakers: Labelled<Direction>,
    certificates: Labelled<Domain>,
    backup_on: Gauge,
    backup_failing: Gauge,
    /// Nothing until there was one: a date of 1970 would be a wrong one.
    last_backup: Labelled<[(&'static str, &'static str); 0]>,
    log: Family<Level, Counter>,
    resident_bytes: Gauge,
    open_files: Gauge,
    open_files_max: Gauge,
    started_at: Gauge,
    cpu_seconds: Counter<f64, AtomicU64>,
}

impl Gauges {
    pub fn register(registry: &mut Registry) -> Self {
        let gauges = Gauges::default();
        gauges.register_process(registry.sub_registry_with_prefix("process"));
        gauges.register_own(registry.sub_registry_with_prefix(PREFIX));
        gauges.started_at.set(Clock::system().now().as_second());
        gauges
    }

    fn register_process(&self, registry: &mut Registry) {
        let mut line = |name: &str, help: &str, unit, gauge| add(registry, name, help, unit, gauge);
        line("resident_memory", "Memory in use", Some(Unit::Bytes), &self.resident_bytes);
        line("open_fds", "Open files and connections", None, &self.open_files);
        line("max_fds", "How many may be open at the same time", None, &self.open_files_max);
        line(
            "start_time",
            "When the process began, since 1970",
            Some(Unit::Seconds),
            &self.started_at,
        );
        let cpu = self.cpu_seconds.clone();
        registry.register_with_unit("cpu", "Time of the processor", Unit::Seconds, cpu);
    }

    fn register_own(&self, registry: &mut Registry) {
        let bytes = || Some(Unit::Bytes);
        let mut line = |name: &str, help: &str, unit, gauge| add(registry, name, help, unit, gauge);
        line("http_connections", "Open connections", None, &self.connections);
        line(
            "index_lag_changes",
            "Changes that the search index has yet to follow",
            None,
            &self.index_lag,
        );
        line("index_size", "The files of the search index", bytes(), &self.index_bytes);
        line(
            "store_size",
            "The file of the database, as far as it takes room",
            bytes(),
            &self.store_bytes,
        );
        line("disk_size", "The file system of the data folder", bytes(), &self.disk_bytes);
        line("disk_free", "What is free on it", bytes(), &self.disk_free_bytes);
        line("disk_reserve", "What is kept free on it", bytes(), &self.disk_reserve_bytes);
        line(
            "spool_files",
            "Files that wait to be moved to where files rest",
            None,
            &self.spool_files,
        );
        line("spool_size", "Their size", bytes(), &self.spool_bytes);
        line("backup_enabled", "1 when backups are planned", None, &self.backup_on);
        line(
            "backup_failing",
            "1 when the last backup or drill failed, or one is overdue",
            None,
            &self.backup_failing,
        );
        registry.register("jobs", "Jobs by state", self.jobs.clone());
        registry.register(
            "s3_breaker_open",
            "1 while S3 does not answer, by direction",
            self.breakers.clone(),
        );
        registry.register_with_unit(
            "certificate_expiry_timestamp",
            "When the certificate of a domain ends, since 1970",
            Unit::Seconds,
            self.certificates.clone(),
        );
        registry.register_with_unit(
            "backup_last_success_timestamp",
            "When the last good backup was made, since 1970",
            Unit::Seconds,
            self.last_backup.clone(),
        );
        registry.register(
            "log_messages",
            "Lines of the log that are errors or warnings",
            self.log.clone(),
        );
    }

    pub fn set(&self, now: &Now) {
        self.connections.set(now.connections as i64);
        for (state, count) in &now.jobs {
            set(&self.jobs.get_or_create(&JobState { state: state.name() }), *count);
        }
        set(&self.index_lag, now.index_lag);
        set(&self.index_bytes, now.files.index_bytes);
        set(&self.store_bytes, now.files.store_bytes);
        set(&self.disk_bytes, now.space.total_bytes);
        set(&self.disk_free_bytes, now.space.free_bytes);
        set(&self.disk_reserve_bytes, now.reserve_bytes);
        set(&self.spool_files, now.spool_files);
        set(&self.spool_bytes, now.spool_bytes);
        for (direction, is_open) in now.breakers {
            self.breakers.get_or_create(&Direction { direction }).set(is_open.into());
        }
        // A domain that is gone is not shown any more.
        self.certificates.clear();
        for (domain, until) in &now.certificates {
            let domain = Domain { domain: domain.clone() };
            self.certificates.get_or_create(&domain).set(until.as_second());
        }
        self.backup_on.set(now.backup_on.into());
        self.backup_failing.set(now.backup_failing.into());
        if let Some(at) = now.last_backup {
            self.last_backup.get_or_create(&[]).set(at.as_second());
        }
        for (level, count) in [("error", now.log.0), ("warn", now.log.1)] {
            // Counted elsewhere, and only taken over.
            let counter = self.log.get_or_create(&Level { level });
            counter.inner().store(count, Ordering::Relaxed);
        }
        set(&self.resident_bytes, processes::own_memory_bytes());
        set(&self.open_files, processes::own_open_files());
        set(&self.open_files_max, limits::open_files().unwrap_or(u64::MAX));
        let seconds = processes::own_processor_seconds();
        self.cpu_seconds.inner().store(seconds.to_bits(), Ordering::Relaxed);
    }
}

fn set(gauge: &Gauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// Registers a gauge.
fn add(registry: &mut Registry, name: &str, help: &str, unit: Option<Unit>, gauge: &Gauge) {
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, gauge.clone()),
        None => registry.register(name, help, gauge.clone()),
    }
}
