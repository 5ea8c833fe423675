//! A step of the installation, and what undoes it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::portal::LOST_AND_FOUND;
use crate::{
    cli::Exit,
    error::Result,
    host::{
        accounts,
        files::{self, Rights},
        firewall, folders,
        places::{SERVICE, SOCKET},
        systemd,
    },
};

/// One thing that is so on a machine with a portal.
pub trait Step {
    /// What will be so; one line.
    fn what(&self) -> String;

    /// Whether it is so already.
    fn is_so(&self) -> Result<bool>;

    /// Makes it so, and notes how to undo each part as soon as it is done. [`Exit::Partly`] when it is
    /// so and not all is well.
    fn apply(&self, undo: &mut Vec<Undo>) -> Result<Exit>;

    /// What `uninstall` takes away; with `purges` also what people keep in the portal.
    fn removal(&self, purges: bool) -> Vec<Undo>;
}

/// Takes back one thing. Where it is not there any more, nothing happens.
pub enum Undo {
    RemoveFile(PathBuf),
    /// With everything in it.
    RemoveFolder(PathBuf),
    /// What is in it; the folder stays.
    EmptyFolder(PathBuf),
    /// A file as it was.
    WriteBack(PathBuf, Vec<u8>, Rights),
    /// A folder to whom it belonged; what is in it stays.
    GiveBack(PathBuf, Rights),
    RemoveUser(&'static str),
    ClosePort(u16),
    /// No longer runs, and is not started with the machine.
    StopServing,
    /// Units whose files have changed.
    ReadUnits,
    /// With the program and the files as they were.
    ServeAgain,
}

impl Undo {
    /// What takes back that the file is made or replaced; asked before that.
    pub fn of_file(path: &Path) -> Result<Self> {
        Ok(match (files::read(path)?, Rights::of(path)?) {
            (Some(content), Some(rights)) => Undo::WriteBack(path.into(), content, rights),
            _ => Undo::RemoveFile(path.into()),
        })
    }

    /// What happens; one line.
    pub fn what(&self) -> String {
        match self {
            Undo::RemoveFile(path) => format!("remove {}", path.display()),
            Undo::RemoveFolder(path) => format!("remove {} with everything in it", path.display()),
            Undo::EmptyFolder(path) => format!("remove what is in {}", path.display()),
            Undo::WriteBack(path, ..) => format!("put {} back as it was", path.display()),
            Undo::GiveBack(path, _) => format!("give {} back its owner and mode", path.display()),
            Undo::RemoveUser(name) => format!("remove the user “{name}”"),
            Undo::ClosePort(port) => format!("close port {port} in the firewall (ufw)"),
            Undo::StopServing => format!("stop and disable {SOCKET} and {SERVICE}"),
            Undo::ReadUnits => "let systemd read its units again".into(),
            Undo::ServeAgain => format!("start {SERVICE} again"),
        }
    }

    pub fn is_needed(&self) -> Result<bool> {
        Ok(match self {
            Undo::RemoveFile(path) | Undo::RemoveFolder(path) | Undo::EmptyFolder(path) => {
                path.symlink_metadata().is_ok()
            }
            Undo::RemoveUser(name) => accounts::find(name)?.is_some(),
            Undo::ClosePort(port) => !firewall::opened_by_us(&[*port])?.is_empty(),
            Undo::StopServing => {
                systemd::look(SOCKET)?.is_known || systemd::look(SERVICE)?.is_known
            }
            Undo::WriteBack(..) | Undo::GiveBack(..) | Undo::ReadUnits | Undo::ServeAgain => true,
        })
    }

    pub fn carry_out(&self) -> Result<()> {
        match self {
            Undo::RemoveFile(path) => {
                files::remove_drafts(path);
                gone(path, fs::remove_file(path))
            }
            Undo::RemoveFolder(path) => gone(path, folders::remove(path)),
            Undo::EmptyFolder(path) => gone(path, folders::empty(path, Some(LOST_AND_FOUND))),
            Undo::WriteBack(path, content, rights) => {
                files::replace(path, content.as_slice(), *rights)
            }
            Undo::GiveBack(path, rights) => rights.give_to(path),
            Undo::RemoveUser(name) => accounts::remove_user(name),
            Undo::ClosePort(port) => firewall::close(*port),
            Undo::StopServing => stop_serving(),
            Undo::ReadUnits => {
                systemd::reload()?;
                systemd::forget_failures([SOCKET, SERVICE])
            }
            Undo::ServeAgain => {
                systemd::reload()?;
                systemd::start([SOCKET, SERVICE])?;
                systemd::restart(SERVICE)
            }
        }
    }
}

/// As far as systemd still knows the units: whoever removed one may have been cut off.
fn stop_serving() -> Result<()> {
    let mut known = Vec::new();
    for unit in [SOCKET, SERVICE] {
        if systemd::look(unit)?.is_known {
            known.push(unit);
        }
    }
    if known.is_empty() {
        return Ok(());
    }
    let stopped = systemd::stop(&known);
    systemd::disable(&known)?;
    stopped
}

fn gone(path: &Path, removed: io::Result<()>) -> Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A disk of its own is mounted there: it is empty now, and stays.
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(()),
        removed => Ok(removed.with_context(|| format!("removing {}", path.display()))?),
    }
}
