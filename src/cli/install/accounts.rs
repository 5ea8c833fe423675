//! Who works on the portal: the user as whom it runs, and the first administrator.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, anyhow};

use super::{
    portal::installed_status,
    step::{Step, Undo},
};
use crate::{
    cli::Exit,
    error::{Error, Result},
    host::{
        accounts,
        places::{DATA, PROGRAM, USER},
    },
};

/// # Errors
/// `Conflict` when there is a user of that name who is somebody else's: a person, or another service.
pub fn check() -> Result<()> {
    match accounts::home(USER)? {
        Some(home) if Path::new(&home) != Path::new(DATA) => Err(Error::conflict(format!(
            "There is a user “{USER}” with the home {home} on this machine already, who is not the \
             portal's. Rename or remove that user, and try again."
        ))),
        _ => Ok(()),
    }
}

/// A user of the machine who owns the data and nothing else.
pub struct Account;

impl Step for Account {
    fn what(&self) -> String {
        format!("The user “{USER}”, as whom the portal runs and nobody signs in")
    }

    fn is_so(&self) -> Result<bool> {
        Ok(accounts::find(USER)?.is_some())
    }

    fn apply(&self, undo: &mut Vec<Undo>) -> Result<Exit> {
        accounts::add_system_user(USER, Path::new(DATA))?;
        undo.push(Undo::RemoveUser(USER));
        Ok(Exit::Done)
    }

    fn removal(&self, purges: bool) -> Vec<Undo> {
        // As long as there are data, they have an owner.
        if purges { vec![Undo::RemoveUser(USER)] } else { Vec::new() }
    }
}

/// The ids of the portal's user, which an earlier step has made.
pub fn portal_user() -> Result<accounts::Ids> {
    let found = accounts::find(USER)?;
    found.ok_or_else(|| anyhow!("there is no user “{USER}” on this machine").into())
}

/// The first administrator of a portal that nobody administers yet.
pub struct FirstAdministrator {
    pub name: String,
    pub email: String,
    pub password: String,
}

impl Step for FirstAdministrator {
    fn what(&self) -> String {
        format!("“{}” administers the portal, unless somebody does already", self.name)
    }

    fn is_so(&self) -> Result<bool> {
        Ok(installed_status()?.is_some_and(|status| status.is_set_up))
    }

    fn apply(&self, _undo: &mut Vec<Undo>) -> Result<Exit> {
        if self.is_so()? {
            return Ok(Exit::Done);
        }
        let mut child = Command::new(PROGRAM)
            .args(["user", "add", &self.name, "--email", &self.email, "--admin"])
            .args(["--password-file", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("adding the administrator")?;
        let mut input = child.stdin.take().context("adding the administrator")?;
        writeln!(input, "{}", self.password).context("handing over the password")?;
        drop(input);
        let ended = child.wait_with_output().context("adding the administrator")?;
        if ended.status.success() {
            return Ok(Exit::Done);
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        let said = said.trim().trim_start_matches("error: ");
        Err(anyhow!("{said}").context("adding the administrator").into())
    }

    fn removal(&self, _purges: bool) -> Vec<Undo> {
        Vec::new()
    }
}
