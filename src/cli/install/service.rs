//! The portal as a service of the machine, and the way to it.

use std::{path::PathBuf, time::Duration};

use super::{
    portal,
    step::{Step, Undo},
};
use crate::{
    cli::Exit,
    error::Result,
    host::{
        files::{self, Rights},
        firewall,
        places::{PORTS, SERVICE, SOCKET, UNIT_FOLDER},
        systemd,
    },
};

const SOCKET_TEXT: &str = include_str!("units/appliance.socket");
const SERVICE_TEXT: &str = include_str!("units/appliance.service");

/// Settings that an earlier systemd does not know and would complain about, and the first that does.
const YOUNG_SETTINGS: [&str; 2] = ["RestartSteps=", "RestartMaxDelaySec="];
const YOUNG_SETTINGS_SINCE: u32 = 254;
/// systemd says that it is ready before its socket answers us.
const PATIENCE: Duration = Duration::from_secs(20);

/// The files that tell systemd of the portal.
pub struct Units;

impl Units {
    pub fn files() -> Result<[(PathBuf, String); 2]> {
        let folder = PathBuf::from(UNIT_FOLDER);
        let is_young = systemd::version()? >= YOUNG_SETTINGS_SINCE;
        let is_known = |line: &&str| {
            is_young || !YOUNG_SETTINGS.iter().any(|setting| line.starts_with(setting))
        };
        let service: String = SERVICE_TEXT.split_inclusive('\n').filter(is_known).collect();
        Ok([(folder.join(SOCKET), SOCKET_TEXT.into()), (folder.join(SERVICE), service)])
    }
}

impl Step for Units {
    fn what(&self) -> String {
        format!("{SOCKET} and {SERVICE} in {UNIT_FOLDER}")
    }

    fn is_so(&self) -> Result<bool> {
        for (path, text) in Units::files()? {
            if files::read(&path)?.as_deref() != Some(text.as_bytes()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn apply(&self, undo: &mut Vec<Undo>) -> Result<Exit> {
        // Undone after the files are as they were.
        undo.push(Undo::ReadUnits);
        for (path, text) in Units::files()? {
            let before = Undo::of_file(&path)?;
            files::replace(&path, text.as_bytes(), Rights::root(0o644))?;
            undo.push(before);
        }
        systemd::reload()?;
        Ok(Exit::Done)
    }

    fn removal(&self, purges: bool) -> Vec<Undo> {
        let folder = PathBuf::from(UNIT_FOLDER);
        let units = [SOCKET, SERVICE];
        // Undone in the order from the last to the first.
        let mut acts = vec![Undo::ReadUnits];
        acts.extend(units.map(|unit| Undo::RemoveFile(folder.join(unit))));
        if purges {
            // What “systemctl edit” made.
            acts.extend(units.map(|unit| Undo::RemoveFolder(folder.join(format!("{unit}.d")))));
        }
        acts
    }
}

/// The ports are open in a firewall of this machine, if there is one.
pub struct Firewall;

impl Step for Firewall {
    fn what(&self) -> String {
        format!("Ports {} and {} open in an active firewall (ufw)", PORTS[0], PORTS[1])
    }

    fn is_so(&self) -> Result<bool> {
        Ok(firewall::closed(&PORTS)?.is_empty())
    }

    fn apply(&self, undo: &mut Vec<Undo>) -> Result<Exit> {
        for port in firewall::closed(&PORTS)? {
            firewall::open(port)?;
            undo.push(Undo::ClosePort(port));
        }
        Ok(Exit::Done)
    }

    fn removal(&self, _purges: bool) -> Vec<Undo> {
        PORTS.into_iter().map(Undo::ClosePort).collect()
    }
}

/// It runs, and will after the next start of the machine.
pub struct Serving;

impl Step for Serving {
    fn what(&self) -> String {
        format!("{SERVICE} started, with the machine too, and ready")
    }

    fn is_so(&self) -> Result<bool> {
        let (socket, service) = (systemd::look(SOCKET)?, systemd::look(SERVICE)?);
        let both = |is_so: fn(&systemd::Unit) -> bool| is_so(&socket) && is_so(&service);
        Ok(both(systemd::Unit::is_active) && both(|unit| unit.is_enabled))
    }

    fn apply(&self, undo: &mut Vec<Undo>) -> Result<Exit> {
        if !systemd::look(SERVICE)?.is_known || systemd::look(SERVICE)?.state == "inactive" {
            undo.push(Undo::StopServing);
        }
        systemd::enable([SOCKET, SERVICE])?;
        systemd::start([SOCKET, SERVICE]).map_err(portal::reason)?;
        portal::wait_until_it_answers(PATIENCE)?;
        Ok(Exit::Done)
    }

    fn removal(&self, _purges: bool) -> Vec<Undo> {
        vec![Undo::StopServing]
    }
}
