//! `appliance doctor`: looks for what is wrong, around the portal and in it, and says how to mend
//! it. Works also when the portal does not.

mod files;
mod network;

use clap::Args;
use serde_json::json;

use super::{Common, Exit, Failure, Shell, ask::runtime, findings, output, service, status};
use crate::{
    app::{App, Finding, Reporter},
    config::{Config, load},
    control::{Refused, Reply, Request, Status, ask_or_open},
    host::{
        clock,
        places::{SERVICE, SOCKET},
        systemd::{self, Unit},
    },
};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Failure> {
    let findings = match load(&common.sources(Vec::new())) {
        Ok(loaded) => {
            let source = match &loaded.file {
                Some(file) => format!("The configuration in {} is fine.", file.display()),
                None => "The configuration is fine; there is no file.".into(),
            };
            let mut findings = vec![Finding::fine("configuration", source)];
            findings.extend(examine(&common.shell()?)?);
            findings
        }
        // Without it nobody knows which folder and which port to look at.
        Err(problems) => problems
            .0
            .into_iter()
            .map(|problem| {
                Finding::problem("configuration", problem, "Correct it, then look again.")
            })
            .collect(),
    };
    match arguments.json {
        true => output::print_json(&json!({ "findings": findings }))?,
        false => output::print(&format!(
            "{}\n{}\n",
            findings::lines(&findings),
            findings::summary(&findings)
        ))?,
    }
    Ok(if findings::has_problem(&findings) { Exit::Partly } else { Exit::Done })
}

fn examine(shell: &Shell) -> Result<Vec<Finding>, Failure> {
    let runtime = runtime()?;
    let config = &shell.config;
    let (status, mut findings) = match runtime.block_on(status::of_server(shell)) {
        Ok(status) => (status, Vec::new()),
        Err(silent) => {
            let remedy = "Look at its log, or end it and start it again.";
            (None, vec![Finding::problem("server", silent.sentence(), remedy)])
        }
    };
    findings.push(server_finding(status.as_ref()));
    if service::is_service(shell)? {
        findings.push(unit_finding(&systemd::look(SERVICE)?));
        findings.extend(files::of_installation());
    }
    findings.extend(files::of_data(&config.data));
    findings.extend(files::put_aside(&config.data));
    findings.extend(files::room(config));
    findings.push(network::port(config.listen, status.as_ref()));
    findings.extend(runtime.block_on(network::from_outside(config, status.as_ref())));
    findings.extend(network::metadata_service());
    findings.extend(clock_finding());
    if config.data.join(App::DATABASE).exists() {
        findings.extend(runtime.block_on(inside(config)));
    }
    Ok(findings)
}

fn server_finding(status: Option<&Status>) -> Finding {
    let about = "server";
    let own = crate::version::number();
    match status {
        None => Finding::fine(about, "No server is running on this data folder."),
        Some(status) if status.version != own => Finding::warning(
            about,
            format!("The server that runs is version {}, and this program {own}.", status.version),
            "Restart the server.",
        ),
        Some(status) => {
            Finding::fine(about, format!("Running on {} as process {}.", status.url, status.pid))
        }
    }
}

fn unit_finding(unit: &Unit) -> Finding {
    let about = "service";
    if !unit.is_active() && unit.state != "inactive" {
        let message = format!("{SERVICE} ended ({}) and is {}.", unit.result, unit.state);
        return Finding::problem(about, message, "See why: appliance errors");
    }
    if !unit.is_enabled {
        let message = format!("{SERVICE} is not started with the machine.");
        return Finding::warning(about, message, format!("systemctl enable {SERVICE} {SOCKET}"));
    }
    if unit.restarts > 0 {
        let times = output::counted(unit.restarts.into(), "time", "times");
        let message = format!("{SERVICE} ended by itself and was started again {times}.");
        return Finding::warning(
            about,
            message,
            "See why: appliance errors. Then: appliance restart",
        );
    }
    Finding::fine(about, format!("{SERVICE} is {}.", unit.state))
}

fn clock_finding() -> Option<Finding> {
    let about = "time service";
    Some(match clock::is_synchronized()? {
        true => Finding::fine(about, "The clock follows a time service."),
        false => Finding::warning(
            about,
            "The clock follows no time service.",
            "Let it: timedatectl set-ntp true",
        ),
    })
}

/// What the portal finds in itself; in a server that runs, or opened for this.
async fn inside(config: &Config) -> Vec<Finding> {
    let asked = ask_or_open(config, Request::Doctor, &Reporter::unheard()).await;
    match opened(asked) {
        Ok(findings) => findings,
        Err(Refused::InUse(error)) => {
            vec![Finding::problem("data", error.to_string(), "If it never is, look at the log.")]
        }
        Err(Refused::NoPortal(error) | Refused::Failed(error)) => {
            let message = format!("The data cannot be opened: {}.", error.chain());
            vec![Finding::problem(
                "data",
                message,
                "Look at the log; restore a backup if it is damaged.",
            )]
        }
    }
}

fn opened(asked: Result<Reply, Refused>) -> Result<Vec<Finding>, Refused> {
    match asked? {
        Reply::Findings(findings) => Ok(findings),
        other => Err(Refused::Failed(anyhow::anyhow!("another answer came: {other:?}").into())),
    }
}
