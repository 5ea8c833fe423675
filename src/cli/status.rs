//! `appliance status`: does the portal run, and how is it?

use clap::Args;
use serde_json::{Value, json};

use super::{
    Exit, Failure, Shell,
    ask::runtime,
    output::{self, Color, colored},
    service, update,
};
use crate::{
    app::{CertificateSource, HttpsStanding, Reporter},
    clock::Clock,
    control::{AskError, Reply, Request, Status, ask},
    error::Error,
    host::{
        places::SERVICE,
        systemd::{self, Unit},
    },
    size::Size,
};

/// A disk with less free than a tenth is worth a color.
const FREE_ADVISED_PERCENT: u64 = 10;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    let unit = match service::is_service(shell)? {
        true => Some(systemd::look(SERVICE)?),
        false => None,
    };
    let Some(status) = runtime()?.block_on(of_server(shell))? else {
        let failure = not_running(shell, unit.as_ref());
        if arguments.json {
            output::print_json(&json!({
                "running": false,
                "why": failure.sentence(),
                "service": unit.as_ref().map(service_as_json),
            }))?;
        }
        return Err(failure);
    };
    match arguments.json {
        true => output::print_json(&as_json(&status, unit.as_ref())?)?,
        false => output::print(&shown(&status, unit.as_ref()))?,
    }
    Ok(Exit::Done)
}

/// What the server that runs on the data folder says of itself; `None` when none runs.
pub async fn of_server(shell: &Shell) -> Result<Option<Status>, Failure> {
    match ask(&shell.config.data, &Request::Status, &Reporter::unheard()).await {
        Ok(Some(Reply::Status(status))) => Ok(Some(*status)),
        Ok(Some(other)) => Err(super::ask::unexpected(&other)),
        Ok(None) => Ok(None),
        Err(AskError::Silent) => Err(Failure::in_use(format!(
            "A server runs on {} and does not answer. Look at its log, or restart it.",
            shell.config.data.display()
        ))),
        Err(AskError::Failed(error)) => Err(error.into()),
    }
}

fn not_running(shell: &Shell, unit: Option<&Unit>) -> Failure {
    let data = shell.config.data.display();
    let Some(unit) = unit else {
        return Failure::from(Error::NotFound(format!(
            "No portal is running on {data}. Start it with “appliance serve”."
        )));
    };
    Failure::from(Error::NotFound(match unit.state.as_str() {
        "inactive" => "The portal is stopped. Start it: appliance start".into(),
        "activating" if unit.detail == "start" => {
            "The portal is just starting. Look again, or follow it: appliance logs -f".into()
        }
        _ => {
            let words = super::install::last_words();
            let words = words.map(|words| format!(" Its last error: {words}")).unwrap_or_default();
            format!(
                "The portal does not run: it ended ({}) and is started again and again.{words}",
                unit.result
            )
        }
    }))
}

fn as_json(status: &Status, unit: Option<&Unit>) -> Result<Value, Failure> {
    let mut json = serde_json::to_value(status).map_err(|fault| anyhow::anyhow!(fault))?;
    json["earlier_version"] = json!(unit.and_then(|_| update::earlier(&status.version)));
    json["running"] = true.into();
    json["service"] = json!(unit.map(service_as_json));
    Ok(json)
}

fn service_as_json(unit: &Unit) -> Value {
    json!({
        "state": unit.state,
        "detail": unit.detail,
        "since": unit.since,
        "restarts": unit.restarts,
        "is_enabled": unit.is_enabled,
    })
}

fn shown(status: &Status, unit: Option<&Unit>) -> String {
    let mut lines = vec![
        ("address", status.url.clone()),
        ("version", format!("{} (process {})", status.version, status.pid)),
        ("running", running(status)),
    ];
    lines.extend(unit.map(|unit| ("service", of_unit(unit))));
    if let Some(earlier) = unit.and_then(|_| update::earlier(&status.version)) {
        lines.push(("earlier", format!("{earlier}: appliance rollback")));
    }
    lines.extend(status.https.as_deref().map(|standing| ("HTTPS", https(standing))));
    lines.extend([
        ("memory", Size(status.memory_bytes).to_string()),
        ("disk", disk(status)),
        ("storage", storage(status)),
        ("people", people(status)),
        ("jobs", jobs(status)),
        ("index", index(status)),
        ("backups", backups(status)),
    ]);
    lines
        .iter()
        .map(|(name, text)| format!("{} {text}\n", colored(&format!("{name:9}"), Color::Dim)))
        .collect()
}

fn running(status: &Status) -> String {
    let seconds = Clock::system().now().duration_since(status.started_at).as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let span = match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} seconds"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    };
    let since = output::minute(status.started_at);
    format!("{}, since {since}", colored(&format!("for {span}"), Color::Green))
}

fn of_unit(unit: &Unit) -> String {
    let mut text = format!("{SERVICE} is {}", unit.state);
    if !unit.is_enabled {
        text.push_str(&colored(", not started with the machine", Color::Yellow));
    }
    if unit.restarts > 0 {
        let times = output::counted(unit.restarts.into(), "time", "times");
        let restarts = format!(", started again {times}: see “appliance errors”");
        text.push_str(&colored(&restarts, Color::Yellow));
    }
    text
}

fn https(standing: &HttpsStanding) -> String {
    let faulty = standing.certificates.iter().find(|one| one.fault.is_some());
    if let Some(fault) = faulty.and_then(|one| one.fault.as_ref()) {
        return colored(&format!("{} More: appliance doctor", fault.message), Color::Red);
    }
    let earliest = standing.certificates.iter().filter_map(|one| one.valid_until).min();
    match (standing.source, earliest) {
        (CertificateSource::None, _) => "not spoken".into(),
        (CertificateSource::SelfSigned, _) => {
            colored("the certificate vouches for itself; browsers warn", Color::Yellow)
        }
        (_, Some(until)) => format!("the certificate is valid until {}", output::minute(until)),
        (_, None) => colored("the certificate is on its way", Color::Yellow),
    }
}

fn disk(status: &Status) -> String {
    let (free, total) = (status.disk_free_bytes, status.disk_total_bytes);
    let text = format!("{} of {} free", Size(free), Size(total));
    match free < total / 100 * FREE_ADVISED_PERCENT {
        true => colored(&text, Color::Yellow),
        false => text,
    }
}

fn storage(status: &Status) -> String {
    if let Some(fault) = &status.storage_fault {
        return colored(fault, Color::Red);
    }
    match status.files_waiting {
        0 => format!("files on {}", status.storage),
        waiting => {
            let files = output::counted(waiting, "waits", "wait");
            format!("files on {}; {files} to be moved there", status.storage)
        }
    }
}

fn people(status: &Status) -> String {
    match status.is_set_up {
        true => status.people.to_string(),
        false => {
            let advice = "nobody administers the portal yet: appliance setup-link";
            format!("{}; {}", status.people, colored(advice, Color::Yellow))
        }
    }
}

fn jobs(status: &Status) -> String {
    let text = format!("{} running, {} waiting", status.jobs_running, status.jobs_waiting);
    match status.jobs_failed {
        0 => text,
        failed => format!("{text}, {}", colored(&format!("{failed} failed"), Color::Red)),
    }
}

fn index(status: &Status) -> String {
    match status.index_behind {
        0 => "up to date".into(),
        behind => format!("{behind} changes behind"),
    }
}

fn backups(status: &Status) -> String {
    let standing = &status.backups;
    if let Some(fault) = standing.faults.first() {
        return colored(fault, Color::Red);
    }
    let last = match standing.last_success {
        Some(last) => format!("the last {}", output::minute(last)),
        None => "none yet".into(),
    };
    match (standing.is_on, standing.next_run) {
        (true, Some(next)) => format!("{last}, the next {}", output::minute(next)),
        (true, None) => last,
        (false, _) => {
            let advice = "none by themselves: appliance backup plan --on";
            format!("{last}; {}", colored(advice, Color::Yellow))
        }
    }
}
