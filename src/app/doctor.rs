//! What may be wrong with a portal from the inside: jobs that failed, a search index that lags, a
//! weak sandbox. What concerns the machine around it, the command `doctor` looks at itself.

use std::{net::IpAddr, sync::Arc, time::Duration};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{App, FaultyFile};
use crate::{
    blobs::{Backend, Status},
    domain::{
        events::Event,
        jobs::{self, State},
        users,
    },
    error::Result,
    extract::SandboxReport,
    host::limits,
    size::counted,
    store::ReadTx,
};

/// How long the search index may take to catch up before that is worth a word.
const INDEX_PATIENCE: Duration = Duration::from_secs(5);
/// A job that is due for longer than this waits for something.
const JOB_PATIENCE: SignedDuration = SignedDuration::from_mins(10);
/// Clocks of machines drift; more than this is no drift.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);
/// Each connection and each open file takes one.
const OPEN_FILES_ADVISED: u64 = 4_096;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    pub level: Level,
    /// Such as `jobs`.
    pub about: String,
    /// A sentence.
    pub message: String,
    /// What to do; there is always something when the level is not `Fine`.
    pub remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Fine,
    /// Works, and could work better or stop working.
    Warning,
    /// Something does not work.
    Problem,
}

impl Finding {
    pub fn fine(about: &str, message: impl Into<String>) -> Self {
        Finding { level: Level::Fine, about: about.into(), message: message.into(), remedy: None }
    }

    pub fn warning(about: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding {
            level: Level::Warning,
            about: about.into(),
            message: message.into(),
            remedy: Some(remedy.into()),
        }
    }

    pub fn problem(about: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { level: Level::Problem, ..Finding::warning(about, message, remedy) }
    }
}

impl App {
    /// Looks at the portal from the inside. `is_serving` when the server does so itself.
    pub async fn doctor(self: &Arc<Self>, is_serving: bool) -> Result<Vec<Finding>> {
        let mut findings = self.store.read(move |tx| from_records(tx, is_serving)).await?;
        findings.push(self.index_finding(is_serving).await);
        findings.push(match self.extractor.sandbox_report().await {
            Ok(report) => sandbox_finding(&report, self.config.worker.allow_unsandboxed),
            Err(fault) => Finding::problem(
                "sandbox",
                format!("Files cannot be read for their text: {}", fault.sentence()),
                "Look at the log. Uploads still work; their text is not found.",
            ),
        });
        // Without a server nobody has looked.
        self.look_at_bucket().await;
        findings.push(storage_finding(&self.blobs.status().await?));
        findings.extend(damage_finding(&self.scrub_report().await?.faulty));
        findings.extend(self.s3_finding().await);
        findings.push(self.disk_forecast().await?);
        findings.push(self.consistency_finding().await?);
        findings.push(self.backup_finding().await?);
        findings.push(open_files_finding());
        if is_serving {
            findings.extend(self.https_findings().await?);
        }
        findings.extend(self.unknown_proxy.get().map(proxy_finding));
        Ok(findings)
    }

    async fn index_finding(self: &Arc<Self>, is_serving: bool) -> Finding {
        let about = "search index";
        // The server's indexer must manage by itself; without a server there is none.
        let caught_up = match is_serving {
            true => {
                let latest = *self.store.latest_change().borrow();
                self.reached.wait(latest, INDEX_PATIENCE).await;
                Ok(())
            }
            false => match tokio::time::timeout(INDEX_PATIENCE, self.catch_up()).await {
                Ok(caught_up) => caught_up,
                Err(_) => Ok(()),
            },
        };
        if let Err(fault) = caught_up {
            let message = format!("The search index cannot be written: {}.", fault.chain());
            return Finding::problem(about, message, "Build it anew: appliance reindex");
        }
        let latest = *self.store.latest_change().borrow();
        match self.index_lag(latest) {
            0..=100 => Finding::fine(about, "The search index is up to date."),
            behind if is_serving => Finding::warning(
                about,
                format!("The search index is {behind} changes behind."),
                "Wait a while and look again; if the number does not fall, look at the log, then \
                 build it anew: appliance reindex",
            ),
            behind => Finding::warning(
                about,
                format!("The search index is {behind} changes behind."),
                "Start the server: it catches up by itself.",
            ),
        }
    }
}

fn storage_finding(status: &Status) -> Finding {
    let about = "file storage";
    if let Some((sentence, remedy)) = status.disowned().filter(|_| status.outage().is_none()) {
        return match status.degraded() {
            Some(_) => Finding::problem(
                about,
                format!("{sentence} New files stay on this machine, and nothing is removed there."),
                remedy,
            ),
            None => Finding::warning(
                about,
                format!("{sentence} It reads them, and removes nothing there."),
                remedy,
            ),
        };
    }
    match (status.outage(), &status.remote) {
        (Some(sentence), _) => Finding::problem(
            about,
            sentence,
            "Uploads go on as long as there is room for them here, and files move by themselves when \
             it works again. Look at the provider, the network and the [storage] settings.",
        ),
        (None, Some(remote)) if status.backend == Backend::S3 => {
            Finding::fine(about, format!("Files are kept on {}.", remote.name))
        }
        (None, _) => Finding::fine(about, "Files are kept on this machine."),
    }
}

/// What reading the files again has found.
fn damage_finding(faulty: &[FaultyFile]) -> Option<Finding> {
    let first = faulty.first()?;
    let documents: Vec<_> = first.documents.iter().map(|(_, title)| format!("“{title}”")).collect();
    let belongs = match documents.is_empty() {
        true => String::new(),
        false => format!(" It belongs to {}.", documents.join(", ")),
    };
    let others = match faulty.len() - 1 {
        0 => String::new(),
        1 => " And one other.".to_owned(),
        more => format!(" And {more} others."),
    };
    Some(Finding::problem(
        "files",
        format!("{}{belongs}{others}", first.sentence()),
        "There is no good copy: restore it from a backup, or upload it again. “Storage” in the \
         administration lists all of them.",
    ))
}

fn from_records(tx: &ReadTx, is_serving: bool) -> Result<Vec<Finding>> {
    Ok(vec![administrator_finding(tx)?, jobs_finding(tx, is_serving)?, time_finding(tx)?])
}

fn administrator_finding(tx: &ReadTx) -> Result<Finding> {
    Ok(match users::has_administrator(tx)? {
        true => Finding::fine("accounts", "Somebody can administer the portal."),
        false => Finding::warning(
            "accounts",
            "Nobody can administer the portal yet.",
            "Open the link that “appliance setup-link” prints, or: appliance user add NAME --email \
             ADDRESS --admin",
        ),
    })
}

fn jobs_finding(tx: &ReadTx, is_serving: bool) -> Result<Finding> {
    let counts = jobs::counts(tx)?;
    let count = |wanted| counts.iter().find(|(state, _)| *state == wanted).map_or(0, |one| one.1);
    let (failed, queued) = (count(State::Failed), count(State::Queued));
    if failed > 0 {
        return Ok(Finding::warning(
            "jobs",
            format!("{} failed and will not be tried again.", counted(failed, "job", "jobs")),
            "See “Jobs” in the administration for the reasons, and retry them there.",
        ));
    }
    let waits = jobs::next_due(tx)?.map(|due| tx.now().duration_since(due));
    if is_serving && waits.is_some_and(|waits| waits > JOB_PATIENCE) {
        return Ok(Finding::warning(
            "jobs",
            format!("{} waiting for more than ten minutes.", counted(queued, "job", "jobs")),
            "See “Jobs” in the administration, and the log. More at a time: worker.jobs in the \
             configuration.",
        ));
    }
    Ok(Finding::fine("jobs", format!("No job failed; {queued} waiting.")))
}

/// A clock that went back makes new sessions old and new documents sort before old ones.
fn time_finding(tx: &ReadTx) -> Result<Finding> {
    let newest = tx.records::<Event>().backward().iter()?.next().transpose()?;
    let ahead = newest.map(|event| event.at.duration_since(tx.now()));
    Ok(match ahead {
        Some(ahead) if ahead > CLOCK_TOLERANCE => Finding::problem(
            "clock",
            format!("The clock is {ahead:#} behind the last thing that was noted."),
            "Set the clock of this machine: timedatectl set-ntp true",
        ),
        _ => Finding::fine("clock", "The clock goes on from what was noted last."),
    })
}

fn sandbox_finding(report: &SandboxReport, allow_unsandboxed: bool) -> Finding {
    let about = "sandbox";
    let walls = &report.walls;
    if !walls.seccomp && !allow_unsandboxed {
        return Finding::problem(
            about,
            "Files are not read for their text and images: the kernel has no system call filter \
             (seccomp) for the process that reads them.",
            "Use a kernel with seccomp, and a container that allows it. Where all files come from \
             people you trust, worker.allow_unsandboxed = true in the configuration does without. \
             Then retry the failed jobs.",
        );
    }
    if !report.holds() {
        let open: Vec<&str> = report
            .attempts
            .iter()
            .filter(|attempt| !attempt.refused)
            .map(|attempt| attempt.what.as_str())
            .collect();
        return Finding::problem(
            about,
            format!(
                "A file that is read for its text could do what it must not: {}.",
                open.join(", ")
            ),
            "Use a kernel with seccomp and landlock (Linux 5.13 or later), and a container that \
             allows both.",
        );
    }
    if walls.are_complete() {
        return Finding::fine(about, "Files are read in a complete sandbox.");
    }
    Finding::warning(
        about,
        format!(
            "The sandbox holds, but not all of its walls stand (landlock: {:?}, seccomp: {}, \
             limits: {}).",
            walls.landlock,
            yes_or_no(walls.seccomp),
            yes_or_no(walls.resource_limits)
        ),
        "Use Linux 5.13 or later with landlock among its security modules.",
    )
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

fn proxy_finding(address: &IpAddr) -> Finding {
    Finding::warning(
        "proxy",
        format!(
            "Requests come through a proxy at {address} that the portal does not know: all visitors \
             seem to have its address, and guessing passwords is not limited by address."
        ),
        format!("Name it in the configuration: trusted_proxies = [\"{address}\"]"),
    )
}

fn open_files_finding() -> Finding {
    let about = "open files";
    match limits::open_files() {
        Some(limit) if limit < OPEN_FILES_ADVISED => Finding::warning(
            about,
            format!("Only {limit} files and connections may be open at the same time."),
            format!("Raise the limit: LimitNOFILE={OPEN_FILES_ADVISED} in the unit, or ulimit -n"),
        ),
        Some(limit) => {
            Finding::fine(about, format!("{limit} files and connections may be open at a time."))
        }
        None => Finding::fine(about, "Any number of files and connections may be open."),
    }
}
