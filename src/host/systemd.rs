//! The services of the machine, which systemd keeps.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use jiff::Timestamp;

use super::commands::{self, Ended};
use crate::error::Result;

/// True when systemd runs this machine (sd_booted(3)).
pub fn are_kept() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// The version of systemd, such as 252.
pub fn version() -> Result<u32> {
    let text = commands::run("systemctl", ["--version"])?;
    let number = text.split_whitespace().nth(1).and_then(|number| number.parse().ok());
    number.ok_or_else(|| anyhow!("systemctl does not tell its version: {text}").into())
}

/// A unit as systemd sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// There is such a unit.
    pub is_known: bool,
    /// Such as `active`, `activating`, `inactive` or `failed`.
    pub state: String,
    /// More exactly, such as `running`, `listening` or `auto-restart`.
    pub detail: String,
    /// Since when the state is so.
    pub since: Option<Timestamp>,
    /// `success`, or how it ended, such as `exit-code` or `watchdog`.
    pub result: String,
    /// Of the main process; `None` when none runs.
    pub pid: Option<u32>,
    /// How often it was started again since somebody started it.
    pub restarts: u32,
    /// Started with the machine.
    pub is_enabled: bool,
}

impl Unit {
    pub fn is_active(&self) -> bool {
        matches!(self.state.as_str(), "active" | "reloading")
    }
}

/// Asks systemd about a unit.
pub fn look(name: &str) -> Result<Unit> {
    let properties = "LoadState,ActiveState,SubState,StateChangeTimestamp,Result,MainPID,\
                      NRestarts,UnitFileState";
    let told = commands::run("systemctl", ["show", "--timestamp=unix", "-p", properties, name])?;
    Ok(unit(&told))
}

/// Below which folders a service may write, beside the one for its state.
pub fn writable_folders(name: &str) -> Result<Vec<PathBuf>> {
    let told = commands::run("systemctl", ["show", "-P", "ReadWritePaths", name])?;
    // With a sign in front when it need not exist, or is seen from the service's own root.
    let paths = told.split_whitespace().map(|path| path.trim_start_matches(['-', '+', '"']));
    Ok(paths.map(|path| PathBuf::from(path.trim_end_matches('"'))).collect())
}

fn unit(told: &str) -> Unit {
    let properties: BTreeMap<&str, &str> =
        told.lines().filter_map(|line| line.split_once('=')).collect();
    let text = |name: &str| properties.get(name).copied().unwrap_or_default();
    let since = text("StateChangeTimestamp").strip_prefix('@').and_then(|at| at.parse().ok());
    Unit {
        is_known: text("LoadState") == "loaded",
        state: text("ActiveState").into(),
        detail: text("SubState").into(),
        since: since.and_then(|second| Timestamp::from_second(second).ok()),
        result: text("Result").into(),
        pid: text("MainPID").parse().ok().filter(|pid| *pid > 0),
        restarts: text("NRestarts").parse().unwrap_or(0),
        is_enabled: text("UnitFileState") == "enabled",
    }
}

/// Reads the unit files anew.
pub fn reload() -> Result<()> {
    commands::run("systemctl", ["daemon-reload"]).map(drop)
}

/// Lets units be started with the machine.
pub fn enable(units: [&str; 2]) -> Result<()> {
    commands::run("systemctl", ["enable", "--quiet", units[0], units[1]]).map(drop)
}

pub fn disable(units: [&str; 2]) -> Result<()> {
    commands::run("systemctl", ["disable", "--quiet", units[0], units[1]]).map(drop)
}

/// Starts units and waits until they are ready, also those that have failed too often.
pub fn start(units: [&str; 2]) -> Result<()> {
    forget_failures(units)?;
    commands::run("systemctl", ["start", units[0], units[1]]).map(drop)
}

/// Stops units and waits for their end. They go together: a socket that stays would start its
/// service again.
pub fn stop(units: [&str; 2]) -> Result<()> {
    commands::run("systemctl", ["stop", units[0], units[1]]).map(drop)
}

/// Stops a unit and starts it again; waits until it is ready.
pub fn restart(unit: &str) -> Result<()> {
    commands::run("systemctl", ["restart", unit]).map(drop)
}

/// [`restart`] that waits for nothing.
pub fn begin_restart(unit: &str) -> Result<()> {
    commands::run("systemctl", ["restart", "--no-block", unit]).map(drop)
}

/// Ends the processes of a unit at once. systemd then does what the unit says about its end.
pub fn kill(unit: &str) -> Result<()> {
    // Refused when there is none.
    commands::attempt("systemctl", ["kill", "--signal=KILL", unit]).map(drop)
}

/// What a program may do that is run once, as another user, with nothing to write to and nobody else
/// to talk to.
#[derive(Clone, Debug)]
pub struct Cage<'a> {
    pub user: &'a str,
    /// With variables; it may be missing.
    pub environment_file: &'a str,
    pub writable: Option<&'a Path>,
    /// Then it is ended.
    pub seconds_max: u64,
}

/// Runs a program in such a cage (systemd-run(1)) to its end, which may be its being ended.
pub fn run_caged(cage: &Cage, program: &Path, arguments: &[&str]) -> Result<Ended> {
    let mut all: Vec<String> =
        ["--quiet", "--wait", "--pipe", "--collect"].map(String::from).to_vec();
    let mut property = |text: String| all.extend(["--property".into(), text]);
    property(format!("User={}", cage.user));
    property(format!("EnvironmentFile=-{}", cage.environment_file));
    property(format!("RuntimeMaxSec={}", cage.seconds_max));
    // It may visit itself.
    let network = ["IPAddressDeny=any", "IPAddressAllow=localhost"];
    let rights = ["ProtectSystem=strict", "PrivateTmp=yes", "NoNewPrivileges=yes", "Nice=10"];
    for fixed in network.into_iter().chain(rights) {
        property(fixed.into());
    }
    if let Some(folder) = cage.writable {
        property(format!("ReadWritePaths={}", folder.display()));
    }
    all.push("--".into());
    all.push(program.display().to_string());
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let ended = commands::attempt("systemd-run", all)?;
    ended.ok_or_else(|| anyhow!("this machine has no program “systemd-run”").into())
}

/// What failed too often is not started any more until this.
pub fn forget_failures(units: [&str; 2]) -> Result<()> {
    // Refused for a unit that is not loaded, which has no failures either.
    commands::attempt("systemctl", ["reset-failed", units[0], units[1]]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_tells_is_understood() {
        let told = "LoadState=loaded\nActiveState=active\nSubState=running\n\
                    StateChangeTimestamp=@1795000000\nResult=success\nMainPID=77\nNRestarts=2\n\
                    UnitFileState=enabled\n";
        let unit = unit(told);
        assert!(unit.is_known && unit.is_active() && unit.is_enabled, "{unit:?}");
        assert_eq!((unit.pid, unit.restarts), (Some(77), 2));
        assert_eq!(unit.since.map(Timestamp::as_second), Some(1_795_000_000));
        let absent = super::unit("LoadState=not-found\nActiveState=inactive\nMainPID=0\n");
        assert!(!absent.is_known && !absent.is_active() && absent.pid.is_none());
    }
}
