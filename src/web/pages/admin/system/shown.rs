//! Figures as people read them.

use jiff::Timestamp;

use super::{Disk, Fact, FactGroup};
use crate::{
    app::{CertificateSource, HttpsStanding, Level, System},
    config::Backend,
    web::pages::{
        Moment, Tone,
        admin::dashboard::HealthCheck,
        format::{bytes, counted, number, span_s},
    },
};

pub fn parts(system: &System) -> Vec<HealthCheck> {
    vec![
        disk_part(system),
        store(system),
        index(system),
        queue(system),
        storage(system),
        certificate(&system.https),
        backup(system),
    ]
}

fn part(name: &str, tone: Tone, detail: impl Into<String>) -> HealthCheck {
    HealthCheck { name: name.into(), tone, detail: detail.into() }
}

fn disk_part(system: &System) -> HealthCheck {
    let forecast = &system.forecast;
    let tone = match forecast.level {
        Level::Fine => Tone::Good,
        Level::Warning => Tone::Warning,
        Level::Problem => Tone::Bad,
    };
    let remedy = forecast.remedy.as_ref().map(|remedy| format!(" {remedy}")).unwrap_or_default();
    part("Disk", tone, format!("{}{remedy}", forecast.message))
}

fn store(system: &System) -> HealthCheck {
    let commits = counted(system.commits, "commit", "commits");
    match (system.failed_commits, system.refused_writes) {
        (0, 0) => part("Records", Tone::Good, format!("{commits} since the start, none failed.")),
        (0, refused) => {
            let writes = counted(refused, "change was", "changes were");
            let detail = format!("{writes} refused since the start, because the disk was full.");
            part("Records", Tone::Warning, detail)
        }
        (failed, _) => {
            let detail =
                format!("{} of {commits} failed since the start. See the log.", number(failed));
            part("Records", Tone::Warning, detail)
        }
    }
}

fn index(system: &System) -> HealthCheck {
    match system.index_lag {
        // What people do at this very moment is on its way.
        0..=100 => part("Search index", Tone::Good, "Up to date."),
        behind => {
            let changes = counted(behind, "change", "changes");
            let detail =
                format!("{changes} behind. If the number does not fall: appliance reindex");
            part("Search index", Tone::Warning, detail)
        }
    }
}

fn queue(system: &System) -> HealthCheck {
    let jobs = &system.jobs;
    let text = format!("{} running, {} waiting", number(jobs.running), number(jobs.waiting));
    match jobs.failed {
        0 => part("Jobs", Tone::Good, format!("{text}, none failed.")),
        failed => {
            let detail = format!("{text}, {} failed: see “Jobs”.", number(failed));
            part("Jobs", Tone::Warning, detail)
        }
    }
}

fn storage(system: &System) -> HealthCheck {
    let status = &system.storage;
    if let Some(sentence) = status.degraded() {
        return part("File storage", Tone::Bad, sentence);
    }
    let home = match (&status.remote, status.backend) {
        (Some(remote), Backend::S3) => remote.name.as_str(),
        _ => "this machine",
    };
    let waiting = match status.spooled.files {
        0 => "none waits".to_owned(),
        1 => "one waits to be moved there".to_owned(),
        files => format!("{} wait to be moved there", number(files)),
    };
    part("File storage", Tone::Good, format!("Files rest on {home}; {waiting}."))
}

fn certificate(https: &HttpsStanding) -> HealthCheck {
    let name = "Certificate";
    if let Some(fault) = https.certificates.iter().find_map(|one| one.fault.as_ref()) {
        return part(name, Tone::Bad, format!("{} {}", fault.message, fault.remedy));
    }
    let until = https.certificates.iter().filter_map(|one| one.valid_until).min();
    match (https.source, until) {
        (CertificateSource::None, _) => {
            part(name, Tone::Plain, "HTTPS is not spoken here; a proxy in front may do so.")
        }
        (CertificateSource::SelfSigned, _) => {
            part(name, Tone::Warning, "It vouches for itself, so browsers warn.")
        }
        (_, Some(until)) => {
            part(name, Tone::Good, format!("Valid until {}.", until.strftime("%-d %B %Y")))
        }
        (_, None) => part(name, Tone::Plain, "The first one is on its way."),
    }
}

fn backup(system: &System) -> HealthCheck {
    let standing = &system.backups;
    let last = match standing.last_success {
        Some(at) => format!("The last good one is of {}.", at.strftime("%-d %B %Y, %H:%M UTC")),
        None => "There is none yet.".to_owned(),
    };
    match (standing.faults.first(), standing.is_on) {
        (Some(fault), _) => part("Backups", Tone::Bad, fault.as_str()),
        (None, true) => part("Backups", Tone::Good, last),
        (None, false) => part("Backups", Tone::Warning, format!("{last} None are planned.")),
    }
}

pub fn facts(system: &System, now: Timestamp) -> Vec<FactGroup> {
    let text = |text: String| Fact::Text(text);
    let machine = &system.machine;
    let files = match system.open_files_max {
        Some(most) => format!("{} of at most {}", number(system.open_files), number(most)),
        None => number(system.open_files),
    };
    let load = machine.load.map(|load| format!("{load:.2}")).join(", ");
    vec![
        FactGroup {
            id: "program",
            title: "Program",
            facts: vec![
                ("Version", text(crate::version::number().into())),
                ("Running since", Fact::At(Moment::new(system.started_at, now))),
                ("Process", text(system.pid.to_string())),
                ("Memory", text(bytes(system.memory_bytes))),
                ("Open files", text(files)),
                ("Errors in the log", text(number(system.logged_errors))),
                ("Warnings in the log", text(number(system.logged_warnings))),
            ],
        },
        FactGroup {
            id: "machine",
            title: "Machine",
            facts: vec![
                ("Name", text(machine.name.clone())),
                ("System", text(machine.system.clone())),
                ("Up for", text(span_s(machine.up_seconds))),
                ("Processors", text(number(machine.cores))),
                ("Memory", text(bytes(machine.memory_bytes))),
                ("Load, 1, 5 and 15 minutes", text(load)),
            ],
        },
        FactGroup {
            id: "data",
            title: "Data",
            facts: vec![
                ("Records", text(bytes(system.files.store_bytes))),
                ("Changes so far", text(number(system.latest_change))),
                ("Search index", text(bytes(system.files.index_bytes))),
                ("Documents in it", text(number(system.index_entries))),
            ],
        },
    ]
}

pub fn disk(system: &System) -> Disk {
    let total_bytes = system.space.total_bytes.max(1);
    let used_bytes = total_bytes.saturating_sub(system.space.free_bytes);
    Disk {
        used_bytes,
        free_bytes: system.space.free_bytes,
        reserve_bytes: system.reserve_bytes,
        total_bytes,
        high_bytes: total_bytes.saturating_sub(system.reserve_bytes),
        critical_bytes: total_bytes.saturating_sub(system.reserve_bytes / 2),
    }
}
