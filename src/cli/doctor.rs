//! `appliance doctor`: looks for what is wrong, around the portal and in it, and says how to mend
//! it. Works also when the portal does not.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use clap::Args;
use serde_json::json;

use super::{
    Common, Exit, Failure, Shell,
    ask::runtime,
    output::{self, Color, colored},
    status,
};
use crate::{
    app::{App, Finding, Level, Reporter},
    config::{Config, load},
    control::{Refused, Reply, Request, Status, ask_or_open},
    host::{clock, disk, owner, ports},
    size::Size,
};

/// Room for the database to grow while somebody reacts to a warning.
const ROOM_ADVISED_BYTES: u64 = 1 << 30;
const FOREIGN_SHOWN_MAX: usize = 3;

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
        false => output::print(&shown(&findings))?,
    }
    let has_problem = findings.iter().any(|finding| finding.level == Level::Problem);
    Ok(if has_problem { Exit::Partly } else { Exit::Done })
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
    findings.extend(folder_findings(&config.data));
    findings.extend(disk_finding(config));
    findings.push(port_finding(config.listen, status.as_ref()));
    findings.extend(clock_finding());
    if config.data.join(App::DATABASE).exists() {
        findings.extend(runtime.block_on(inside(config)));
    }
    Ok(findings)
}

fn server_finding(status: Option<&Status>) -> Finding {
    let about = "server";
    let own = env!("CARGO_PKG_VERSION");
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

fn folder_findings(data: &Path) -> Vec<Finding> {
    let about = "data folder";
    let name = data.display();
    let metadata = match data.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("{name} does not exist yet: “appliance serve” makes it.");
            return vec![Finding::fine(about, message)];
        }
        Err(error) => {
            let message = format!("{name} cannot be looked at: {error}.");
            return vec![Finding::problem(about, message, "Look again as root.")];
        }
    };
    if !metadata.is_dir() {
        let message = format!("{name} is not a folder.");
        return vec![Finding::problem(about, message, "Name another one with --data.")];
    }
    let mut findings = Vec::new();
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        findings.push(Finding::warning(
            about,
            format!("{name} is open to other users of this machine (mode {mode:o})."),
            format!("chmod 700 {name}"),
        ));
    }
    findings.extend(owner_findings(data));
    if findings.is_empty() {
        findings.push(Finding::fine(
            about,
            format!("{name} belongs to one user and is closed to others."),
        ));
    }
    findings
}

fn owner_findings(data: &Path) -> Vec<Finding> {
    let about = "data folder";
    let name = data.display();
    let user = match owner::owner(data) {
        Ok(Some((user, _))) => user,
        _ => return Vec::new(),
    };
    let own = owner::own_user();
    if own != user && own != 0 {
        return vec![Finding::problem(
            about,
            format!("{name} belongs to another user (id {user}; you are {own})."),
            "Call the verbs as that user, or as root.",
        )];
    }
    match owner::foreign_files(data, user, 2, FOREIGN_SHOWN_MAX) {
        Ok(foreign) if foreign.is_empty() => Vec::new(),
        Ok(foreign) => {
            let names: Vec<String> =
                foreign.iter().map(|path| path.display().to_string()).collect();
            vec![Finding::problem(
                about,
                format!("Not everything in it belongs to the same user: {} …", names.join(", ")),
                format!("chown -R --reference={name} {name}"),
            )]
        }
        Err(error) => {
            let message = format!("Its files cannot be listed: {error}.");
            vec![Finding::problem(about, message, "Look again as root.")]
        }
    }
}

fn disk_finding(config: &Config) -> Option<Finding> {
    let about = "disk space";
    let existing = config.data.ancestors().find(|folder| folder.exists())?;
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let space = match disk::space(existing) {
        Ok(space) => space,
        Err(fault) => {
            let message = format!("The free space cannot be read: {}.", fault.chain());
            return Some(Finding::warning(about, message, "Look with: df -h"));
        }
    };
    let reserve_bytes = u64::from(config.uploads.reserve_mb) << 20;
    let free = Size(space.free_bytes);
    let remedy = format!("Make room on the disk of {}.", config.data.display());
    Some(if space.free_bytes <= reserve_bytes {
        let message =
            format!("Uploads are refused: {free} free, and {} are kept.", Size(reserve_bytes));
        Finding::problem(about, message, remedy)
    } else if space.free_bytes - reserve_bytes < ROOM_ADVISED_BYTES {
        Finding::warning(about, format!("Little is left: {free} free."), remedy)
    } else {
        Finding::fine(about, format!("{free} of {} free.", Size(space.total_bytes)))
    })
}

fn port_finding(listen: SocketAddr, status: Option<&Status>) -> Finding {
    let about = "port";
    if let Some(status) = status {
        return Finding::fine(about, format!("The server listens on {}.", status.listens_on));
    }
    match TcpListener::bind(listen) {
        Ok(_) => Finding::fine(about, format!("{listen} is free.")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let holder = match ports::listener(listen.port()) {
                Some(process) => format!("{listen} is in use by {process}."),
                None => format!("{listen} is in use by a process of another user."),
            };
            Finding::problem(about, holder, "Stop it, or choose another: --listen 127.0.0.1:8081")
        }
        Err(error) => {
            let message = format!("{listen} cannot be used: {error}.");
            Finding::problem(about, message, "Choose another: --listen 127.0.0.1:8080")
        }
    }
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

fn shown(findings: &[Finding]) -> String {
    let widest = findings.iter().map(|finding| finding.about.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let (word, color) = match finding.level {
            Level::Fine => ("fine    ", Color::Green),
            Level::Warning => ("warning ", Color::Yellow),
            Level::Problem => ("problem ", Color::Red),
        };
        let Finding { about, message, remedy, .. } = finding;
        text.push_str(&format!("{} {about:widest$}  {message}\n", colored(word, color)));
        if let Some(remedy) = remedy {
            text.push_str(&format!("{:9}{:widest$}  → {remedy}\n", "", ""));
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count() as u64;
    let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
    text.push_str(&match (problems, warnings) {
        (0, 0) => "\nAll is well.\n".into(),
        _ => format!(
            "\n{}, {}.\n",
            output::counted(problems, "problem", "problems"),
            output::counted(warnings, "warning", "warnings")
        ),
    });
    text
}
