//! How the program and its machine are, for those who operate the portal.

use actix_web::web::{Data, Json as Answer};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    app::{App, LOG_LINES_MAX, Level, System},
    error::Error,
    log_tail::{LogLevel, LogLine, LogWanted},
    web::{auth::Member, body::Query, fault::Result},
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "System")]
pub struct SystemView {
    version: &'static str,
    started_at: Timestamp,
    process: ProcessView,
    machine: MachineView,
    disk: DiskView,
    store: StoreView,
    index: IndexView,
    jobs: JobsView,
    /// What does not work about where files rest, in a sentence; `null` when all is well.
    storage_fault: Option<String>,
    /// Files that wait to be moved there.
    files_waiting: u64,
    /// When the first certificate ends; `null` without one.
    certificate_until: Option<Timestamp>,
    /// What is wrong with it, in a sentence.
    certificate_fault: Option<String>,
    backups: BackupsView,
    /// Since the start of the process.
    logged_errors: u64,
    logged_warnings: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SystemProcess")]
struct ProcessView {
    pid: u32,
    memory_bytes: u64,
    open_files: u64,
    /// `null` when there is no limit.
    open_files_max: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SystemMachine")]
struct MachineView {
    name: String,
    system: String,
    cores: u64,
    memory_bytes: u64,
    /// On average in the last 1, 5 and 15 minutes.
    load: [f64; 3],
    up_seconds: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SystemDisk")]
struct DiskView {
    size_bytes: u64,
    free_bytes: u64,
    /// What is kept free for what makes room again.
    reserve_bytes: u64,
    /// `ok`, `nearly full` (uploads and backups wait) or `full` (only what makes room is written).
    state: &'static str,
    /// How long it lasts, in a sentence.
    forecast: String,
    /// Whether somebody should do something about it.
    needs_a_look: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SystemStore")]
struct StoreView {
    size_bytes: u64,
    /// The number of the last change.
    latest_change: u64,
    /// Since the start of the process.
    commits: u64,
    failed_commits: u64,
    /// Because only the reserve of the disk was left.
    refused_writes: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SystemIndex")]
struct IndexView {
    size_bytes: u64,
    documents: u64,
    /// Changes that it has yet to follow.
    behind: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SystemJobs")]
struct JobsView {
    waiting: u64,
    running: u64,
    failed: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SystemBackups")]
struct BackupsView {
    /// `ok`, `off` or `failing`.
    state: &'static str,
    last_success: Option<Timestamp>,
    next_run: Option<Timestamp>,
    /// Sentences.
    faults: Vec<String>,
}

impl From<System> for SystemView {
    fn from(system: System) -> Self {
        let certificates = &system.https.certificates;
        let fault = certificates.iter().find_map(|one| one.fault.as_ref());
        SystemView {
            version: crate::version::number(),
            started_at: system.started_at,
            process: ProcessView {
                pid: system.pid,
                memory_bytes: system.memory_bytes,
                open_files: system.open_files,
                open_files_max: system.open_files_max,
            },
            disk: DiskView {
                size_bytes: system.space.total_bytes,
                free_bytes: system.space.free_bytes,
                reserve_bytes: system.reserve_bytes,
                state: system.room.word(),
                needs_a_look: system.forecast.level != Level::Fine,
                forecast: system.forecast.message,
            },
            store: StoreView {
                size_bytes: system.files.store_bytes,
                latest_change: system.latest_change,
                commits: system.commits,
                failed_commits: system.failed_commits,
                refused_writes: system.refused_writes,
            },
            index: IndexView {
                size_bytes: system.files.index_bytes,
                documents: system.index_entries,
                behind: system.index_lag,
            },
            jobs: JobsView {
                waiting: system.jobs.waiting,
                running: system.jobs.running,
                failed: system.jobs.failed,
            },
            storage_fault: system.storage.degraded(),
            files_waiting: system.storage.spooled.files,
            certificate_until: certificates.iter().filter_map(|one| one.valid_until).min(),
            certificate_fault: fault.map(|fault| fault.message.clone()),
            backups: BackupsView {
                state: system.backups.word(),
                last_success: system.backups.last_success,
                next_run: system.backups.next_run,
                faults: system.backups.faults,
            },
            machine: MachineView {
                name: system.machine.name,
                system: system.machine.system,
                cores: system.machine.cores,
                memory_bytes: system.machine.memory_bytes,
                load: system.machine.load,
                up_seconds: system.machine.up_seconds,
            },
            logged_errors: system.logged_errors,
            logged_warnings: system.logged_warnings,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogQuery {
    /// `error`, `warn`, `info` or `debug`: this grave or graver.
    level: String,
    /// What a line must contain, in any case of letters.
    text: String,
    /// At most 500.
    limit: usize,
}

impl Default for LogQuery {
    fn default() -> Self {
        LogQuery { level: String::new(), text: String::new(), limit: 100 }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Log")]
pub struct LogView {
    /// The latest first.
    lines: Vec<LineView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LogLine")]
struct LineView {
    at: Timestamp,
    level: &'static str,
    /// The part of the program that said it.
    target: String,
    text: String,
}

impl From<LogLine> for LineView {
    fn from(line: LogLine) -> Self {
        LineView { at: line.at, level: line.level.name(), target: line.target, text: line.text }
    }
}

pub async fn show(app: Data<App>, member: Member) -> Result<Answer<SystemView>> {
    Ok(Answer(app.system(&member.actor()).await?.into()))
}

pub async fn log(
    app: Data<App>,
    member: Member,
    Query(query): Query<LogQuery>,
) -> Result<Answer<LogView>> {
    let level = match query.level.as_str() {
        "" => None,
        name => Some(LogLevel::by_name(name).ok_or_else(|| {
            Error::invalid_field("level", "The level is error, warn, info or debug.")
        })?),
    };
    let wanted = LogWanted { level, text: query.text, limit: query.limit.min(LOG_LINES_MAX) };
    let lines = app.log_lines(&member.actor(), wanted)?;
    Ok(Answer(LogView { lines: lines.into_iter().map(LineView::from).collect() }))
}
