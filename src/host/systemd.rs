//! The services of the machine, which systemd keeps.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::anyhow;
use jiff::Timestamp;

use super::{
    clock,
    commands::{self, Ended},
};
use crate::{clock::Clock, error::Result};

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
    // The times of all versions are alike only where they are numbers.
    let properties = "LoadState,ActiveState,SubState,StateChangeTimestampMonotonic,Result,MainPID,\
                      NRestarts,UnitFileState";
    let told = commands::run("systemctl", ["show", "-p", properties, name])?;
    Ok(unit(&told, Clock::system().now() - clock::since_boot()))
}

/// Below which folders a service may write, beside the one for its state.
pub fn writable_folders(name: &str) -> Result<Vec<PathBuf>> {
    let told = commands::run("systemctl", ["show", "-P", "ReadWritePaths", name])?;
    // With a sign in front when it need not exist, or is seen from the service's own root.
    let paths = told.split_whitespace().map(|path| path.trim_start_matches(['-', '+', '"']));
    Ok(paths.map(|path| PathBuf::from(path.trim_end_matches('"'))).collect())
}

/// `booted_at` is when the machine started.
fn unit(told: &str, booted_at: Timestamp) -> Unit {
    let properties: BTreeMap<&str, &str> =
        told.lines().filter_map(|line| line.split_once('=')).collect();
    let text = |name: &str| properties.get(name).copied().unwrap_or_default();
    let since_boot_us = text("StateChangeTimestampMonotonic").parse().ok().filter(|us| *us > 0);
    let since = since_boot_us.and_then(|us| booted_at.checked_add(Duration::from_micros(us)).ok());
    Unit {
        is_known: text("LoadState") == "loaded",
        state: text("ActiveState").into(),
        detail: text("SubState").into(),
        // Two looks at the same unit differ by less than that.
        since: since.and_then(|at| at.round(jiff::Unit::Second).ok()),
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

pub fn disable(units: &[&str]) -> Result<()> {
    commands::run("systemctl", [&["disable", "--quiet"], units].concat()).map(drop)
}

/// Starts units and waits until they are ready, also those that have failed too often.
pub fn start(units: [&str; 2]) -> Result<()> {
    forget_failures(units)?;
    commands::run("systemctl", ["start", units[0], units[1]]).map(drop)
}

/// Stops units and waits for their end. They go together: a socket that stays would start its
/// service again.
pub fn stop(units: &[&str]) -> Result<()> {
    commands::run("systemctl", [&["stop"], units].concat()).map(drop)
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

/// On which addresses a socket unit listens.
pub fn listens(name: &str) -> Result<Vec<SocketAddr>> {
    let told = commands::run("systemctl", ["show", "-P", "Listen", name])?;
    Ok(addresses(&told))
}

/// What a socket unit calls the sockets that it hands over: its own name when nobody chose one.
pub fn descriptor_name(name: &str) -> Result<String> {
    let told = commands::run("systemctl", ["show", "-P", "FileDescriptorName", name])?;
    Ok(told.trim().to_owned())
}

/// Such as `[::]:80 (Stream)`, one in each line.
fn addresses(told: &str) -> Vec<SocketAddr> {
    told.lines()
        .filter_map(|line| line.strip_suffix(" (Stream)"))
        .filter_map(|address| address.trim_start_matches("Listen=").parse().ok())
        .collect()
}

/// What a program may do that is run once and that nobody vouches for. As a user of its own, who is
/// gone afterwards, with nothing inherited, with no network but its own, with bounded memory, in a
/// system on which it can write nothing and where the data of others are not there.
#[derive(Clone, Debug, Default)]
pub struct Cage<'a> {
    /// A folder that it sees where it is, and may write to.
    pub writable: Option<&'a Path>,
    /// By which it is let into that folder.
    pub group: Option<&'a str>,
    /// With variables; it may be missing.
    pub environment_file: Option<&'a str>,
    /// A folder that is not there for it, wherever it really lies.
    pub hidden: Option<&'a Path>,
    /// No file becomes larger.
    pub file_bytes_max: u64,
    /// Then it is ended.
    pub seconds_max: u64,
}

/// What every caged program is bound by (systemd.exec(5), systemd.resource-control(5)).
const BARS: [&str; 40] = [
    "DynamicUser=yes",
    "CapabilityBoundingSet=",
    "NoNewPrivileges=yes",
    "RestrictSUIDSGID=yes",
    "UMask=0077",
    "KeyringMode=private",
    // It may visit itself.
    "PrivateNetwork=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "IPAddressDeny=any",
    "IPAddressAllow=localhost",
    "PrivateIPC=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "DevicePolicy=closed",
    // Data of services, backups, and the sockets by which services are asked for something.
    "TemporaryFileSystem=/var/lib:ro /var/backups:ro /srv:ro /mnt:ro /media:ro",
    "InaccessiblePaths=-/run/dbus -/run/systemd/private -/run/systemd/journal -/run/user",
    "InaccessiblePaths=-/run/docker.sock -/run/containerd -/run/lock -/var/run/docker.sock",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "MemoryMax=50%",
    "MemorySwapMax=0",
    "TasksMax=512",
    "LimitNOFILE=4096",
    "LimitCORE=0",
    "Nice=10",
    "CPUWeight=20",
    "TimeoutStopSec=5s",
];
/// As in the unit of the service.
const CALLS: [&str; 5] = [
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallFilter=prlimit64 setrlimit setpriority seccomp",
    "SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    "SystemCallErrorNumber=EPERM",
];
/// A list of a hundred damages is some kilobytes.
const SAID_BYTES_MAX: u64 = 1 << 20;
/// To set the cage up, and to take it down.
const SECONDS_BESIDE: u64 = 60;

/// Runs a program in such a cage (systemd-run(1)) to its end, which may be its being ended.
pub fn run_caged(cage: &Cage, program: &Path, arguments: &[&str]) -> Result<Ended> {
    let mut command = commands::of_machine("systemd-run");
    command.args(["--quiet", "--wait", "--pipe", "--collect"]);
    let mut property = |text: String| {
        command.arg(format!("--property={text}"));
    };
    for fixed in BARS.into_iter().chain(CALLS) {
        property(fixed.into());
    }
    property(format!("RuntimeMaxSec={}", cage.seconds_max));
    property(format!("LimitFSIZE={}", cage.file_bytes_max));
    if let Some(path) = cage.environment_file {
        property(format!("EnvironmentFile=-{path}"));
    }
    if let Some(group) = cage.group {
        property(format!("SupplementaryGroups={group}"));
    }
    // A link in it leads elsewhere.
    if let Some(real) = cage.hidden.and_then(|folder| folder.canonicalize().ok())
        && !real.starts_with("/var/lib")
    {
        property(format!("InaccessiblePaths=-{}", real.display()));
    }
    if let Some(folder) = cage.writable {
        property(format!("BindPaths={}", folder.display()));
        property(format!("ReadWritePaths={}", folder.display()));
    }
    command.arg("--").arg(program).args(arguments);
    let limit = Duration::from_secs(cage.seconds_max + SECONDS_BESIDE);
    let ended = commands::attempt_within(limit, SAID_BYTES_MAX, command)?;
    ended.ok_or_else(|| anyhow!("systemd-run does not end").into())
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
    fn the_addresses_of_a_socket_are_understood() {
        let told = "[::]:80 (Stream)\n0.0.0.0:443 (Stream)\n/run/x (Stream)\n[::]:9 (Datagram)\n";
        let known = ["[::]:80", "0.0.0.0:443"].map(|address| address.parse().unwrap());
        assert_eq!(addresses(told), known);
    }

    #[test]
    fn what_systemd_tells_is_understood() {
        let told = "LoadState=loaded\nActiveState=active\nSubState=running\n\
                    StateChangeTimestampMonotonic=60250000\nResult=success\nMainPID=77\n\
                    NRestarts=2\nUnitFileState=enabled\n";
        let booted_at = Timestamp::from_second(1_795_000_000).unwrap();
        let unit = unit(told, booted_at);
        assert!(unit.is_known && unit.is_active() && unit.is_enabled, "{unit:?}");
        assert_eq!((unit.pid, unit.restarts), (Some(77), 2));
        assert_eq!(unit.since.map(Timestamp::as_second), Some(1_795_000_060));
        let told = "LoadState=not-found\nActiveState=inactive\nMainPID=0\n\
                    StateChangeTimestampMonotonic=0\n";
        let absent = super::unit(told, booted_at);
        assert!(!absent.is_known && !absent.is_active() && absent.pid.is_none());
        assert_eq!(absent.since, None, "it never changed");
    }
}
