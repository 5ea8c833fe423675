//! `appliance start`, `stop` and `restart`: the portal as a service of this machine.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{Exit, Failure, Shell, ask::runtime, output, status};
use crate::{
    control::Status,
    error::Error,
    host::{
        owner,
        places::{DATA, SERVICE, SOCKET, USER},
        processes,
        systemd::{self, Unit},
    },
};

/// A server that nobody else ends finishes what is under way within this time.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn start(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    if !is_service(shell)? {
        return Err(by_hand(shell, "appliance serve"));
    }
    let begin = Instant::now();
    if runtime()?.block_on(status::of_server(shell))?.is_some() {
        return told(shell, arguments, "It runs already", None);
    }
    as_root("start")?;
    systemd::start([SOCKET, SERVICE]).map_err(did_not_start)?;
    told(shell, arguments, "Started", Some(begin))
}

/// Visitors wait meanwhile: the socket stays.
pub fn restart(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    if !is_service(shell)? {
        return Err(by_hand(shell, "appliance stop, then appliance serve"));
    }
    as_root("restart")?;
    let begin = Instant::now();
    systemd::forget_failures([SOCKET, SERVICE])?;
    systemd::start([SOCKET, SERVICE])
        .and_then(|()| systemd::restart(SERVICE))
        .map_err(did_not_start)?;
    told(shell, arguments, "Restarted", Some(begin))
}

pub fn stop(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    let begin = Instant::now();
    if is_service(shell)? {
        let is_up =
            systemd::look(SERVICE)?.state != "inactive" || systemd::look(SOCKET)?.is_active();
        if is_up {
            as_root("stop")?;
            systemd::stop(&[SOCKET, SERVICE])?;
        }
    } else {
        let Some(status) = runtime()?.block_on(status::of_server(shell))? else {
            return Err(not_running(shell));
        };
        end(&status)?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    match arguments.json {
        true => output::print_json(&json!({ "running": false, "seconds": seconds }))?,
        false => output::print(&format!("Stopped in {seconds:.1} seconds.\n"))?,
    }
    Ok(Exit::Done)
}

/// What systemd knows of the installed portal.
///
/// # Errors
/// With what to do instead, where there is none.
pub fn installed() -> Result<Unit, Failure> {
    let unit = if systemd::are_kept() { Some(systemd::look(SERVICE)?) } else { None };
    unit.filter(|unit| unit.is_known).ok_or_else(|| {
        Failure::from(Error::NotFound(
            "The portal is not installed as a service on this machine. “appliance install” does \
             that; a portal that was started by hand writes its log to where it was started."
                .into(),
        ))
    })
}

/// Whether the data folder that was asked for is the one of the installed service.
pub fn is_service(shell: &Shell) -> Result<bool, Failure> {
    let is_installed = || Ok::<_, Failure>(systemd::look(SERVICE)?.is_known);
    Ok(shell.config.data.as_os_str() == DATA && systemd::are_kept() && is_installed()?)
}

/// Makes sure that the service, which does the work, sees a place: its sandbox hides people's folders
/// and temporary ones, and closes the rest but for a few.
pub fn must_reach(shell: &Shell, place: &str) -> Result<(), Failure> {
    let path = Path::new(place);
    if !path.is_absolute() || !is_service(shell)? || !systemd::look(SERVICE)?.is_active() {
        return Ok(());
    }
    let mut folders = systemd::writable_folders(SERVICE)?;
    folders.push(DATA.into());
    if folders.iter().any(|folder| path.starts_with(folder)) {
        return Ok(());
    }
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    Err(Failure::usage(format!(
        "The service cannot write to {place}: it is locked into {}. Choose a folder there that \
         belongs to its user (install -d -o {USER} FOLDER), or open another with ReadWritePaths= \
         in “systemctl edit {SERVICE}”.",
        folders.join(", ")
    )))
}

fn as_root(verb: &str) -> Result<(), Failure> {
    match owner::own_user() {
        0 => Ok(()),
        _ => Err(Failure::usage(format!("Only root can do this: sudo appliance {verb}"))),
    }
}

fn did_not_start(fault: Error) -> Failure {
    match super::install::last_words() {
        Some(words) => Failure::from(Error::conflict(format!(
            "The portal does not start: {} More: appliance logs",
            ended(&words)
        ))),
        None => Failure::from(fault),
    }
}

/// With a full stop.
fn ended(sentence: &str) -> String {
    match sentence.ends_with(['.', '!', '?']) {
        true => sentence.into(),
        false => format!("{sentence}."),
    }
}

fn told(
    shell: &Shell,
    arguments: &Arguments,
    what: &str,
    begin: Option<Instant>,
) -> Result<Exit, Failure> {
    let Some(status) = runtime()?.block_on(status::of_server(shell))? else {
        return Err(not_running(shell));
    };
    let seconds = begin.map(|begin| begin.elapsed().as_secs_f64());
    if arguments.json {
        output::print_json(&json!({
            "running": true, "url": status.url, "pid": status.pid, "seconds": seconds,
        }))?;
        return Ok(Exit::Done);
    }
    let took = seconds.map(|seconds| format!(" in {seconds:.1} seconds")).unwrap_or_default();
    output::print(&format!("{what}{took}: {} (process {}).\n", status.url, status.pid))?;
    Ok(Exit::Done)
}

/// Ends a server that nobody keeps running.
fn end(status: &Status) -> Result<(), Failure> {
    let pid = i32::try_from(status.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| anyhow::anyhow!("the server has no process id"))?;
    kill_process(pid, Signal::TERM).map_err(std::io::Error::from).map_err(Error::from)?;
    let begin = Instant::now();
    while processes::is_running(status.pid) {
        if begin.elapsed() > PATIENCE {
            return Err(Failure::in_use(format!(
                "Process {} was asked to end and is still there after {} seconds.",
                status.pid,
                PATIENCE.as_secs()
            )));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn not_running(shell: &Shell) -> Failure {
    let data = shell.config.data.display();
    Failure::from(Error::NotFound(format!("No portal is running on {data}.")))
}

fn by_hand(shell: &Shell, how: &str) -> Failure {
    let data = shell.config.data.display();
    Failure::from(Error::NotFound(format!(
        "No service of this machine runs on {data}. By hand: {how}. As a service: appliance install"
    )))
}
