//! Where the configuration and the data are.

use std::{fs, path::Path};

use anyhow::{Context, anyhow};

use super::{
    accounts::portal_user,
    step::{Step, Undo},
};
use crate::{
    cli::Exit,
    config::{self, Key, SYSTEM_FILE, TEMPLATE},
    error::{Error, Result},
    host::{
        files::{self, Rights},
        folders,
        places::{CONFIG_FOLDER, DATA, ENVIRONMENT_FILE},
    },
};

/// What a new file with variables begins with.
const VARIABLES: &str = "\
# Variables of the environment for the service, such as
# AWS_ACCESS_KEY_ID=…
# APPLIANCE_LOG_LEVEL=debug
# They win over appliance.toml. Afterwards: appliance restart
";

/// The folder of the configuration; only root and the portal look into it.
pub struct Folder;

impl Step for Folder {
    fn what(&self) -> String {
        format!("The folder {CONFIG_FOLDER} for the configuration")
    }

    fn is_so(&self) -> Result<bool> {
        is_read_by_portal(Path::new(CONFIG_FOLDER), 0o750)
    }

    fn apply(&self, undo: &mut Vec<Undo>) -> Result<Exit> {
        let path = Path::new(CONFIG_FOLDER);
        undo.push(
            match Rights::of(path).context("looking at the folder of the configuration")? {
                Some(before) => Undo::GiveBack(path.into(), before),
                None => {
                    fs::create_dir_all(path).context("making the folder of the configuration")?;
                    Undo::RemoveFolder(path.into())
                }
            },
        );
        read_by_portal(0o750)?.give_to(path)?;
        Ok(Exit::Done)
    }

    fn removal(&self, purges: bool) -> Vec<Undo> {
        if purges { vec![Undo::RemoveFolder(CONFIG_FOLDER.into())] } else { Vec::new() }
    }
}

/// The configuration file: the commented template with what this machine needs. One that is there
/// is kept, but for what was said in this call.
pub struct Configuration {
    pub domains: Vec<String>,
    pub email: Option<String>,
}

impl Configuration {
    /// The text that is there, or the template.
    fn before() -> Result<String> {
        let Some(content) = files::read(Path::new(SYSTEM_FILE))? else {
            return Ok(TEMPLATE.into());
        };
        String::from_utf8(content).map_err(|_| anyhow!("{SYSTEM_FILE} is not text").into())
    }

    /// # Errors
    /// `Conflict` when the file that is there names another data folder: the service may write to
    /// its own only.
    pub fn check() -> Result<()> {
        let before = Configuration::before()?;
        match named_data(&before)? {
            Some(data) if Path::new(&data) != Path::new(DATA) => Err(Error::conflict(format!(
                "{SYSTEM_FILE} names {data} as the data folder, and an installed portal has {DATA}: \
                 the service may write there only. Move the data there, take the line out, and try \
                 again."
            ))),
            _ => Ok(()),
        }
    }

    fn after(&self, before: &str) -> Result<String> {
        let mut text = match named_data(before)? {
            Some(_) => before.to_owned(),
            None => set(before, "data", DATA)?,
        };
        if !self.domains.is_empty() {
            text = set(&text, "https.domains", &self.domains.join(","))?;
        }
        if let (Some(email), false) = (&self.email, self.domains.is_empty()) {
            text = set(&text, "https.email", email)?;
        }
        Ok(text)
    }
}

impl Step for Configuration {
    fn what(&self) -> String {
        let https = match self.domains.is_empty() {
            true => String::new(),
            false => format!(", with HTTPS for {}", self.domains.join(", ")),
        };
        format!("The configuration in {SYSTEM_FILE}{https}")
    }

    fn is_so(&self) -> Result<bool> {
        let before = Configuration::before()?;
        Ok(is_read_by_portal(Path::new(SYSTEM_FILE), 0o640)? && self.after(&before)? == before)
    }

    fn apply(&self, undo: &mut Vec<Undo>) -> Result<Exit> {
        let path = Path::new(SYSTEM_FILE);
        let after = self.after(&Configuration::before()?)?;
        let before = Undo::of_file(path)?;
        files::replace(path, after.as_bytes(), read_by_portal(0o640)?)?;
        undo.push(before);
        Ok(Exit::Done)
    }

    fn removal(&self, purges: bool) -> Vec<Undo> {
        Folder.removal(purges)
    }
}

/// The data folder that a configuration names.
fn named_data(text: &str) -> Result<Option<String>> {
    let table: toml::Table = text
        .parse()
        .map_err(|fault| Error::conflict(format!("{SYSTEM_FILE} cannot be read: {fault}")))?;
    Ok(table.get("data").and_then(|data| data.as_str()).map(str::to_owned))
}

fn set(text: &str, key: &str, value: &str) -> Result<String> {
    let key = Key::find(key).with_context(|| format!("there is no setting “{key}”"))?;
    let changed = config::set(text, key, &key.value(value));
    Ok(changed.with_context(|| format!("changing {SYSTEM_FILE}"))?)
}

/// The variables of the service; a file that is there is kept.
pub struct Variables;

impl Step for Variables {
    fn what(&self) -> String {
        format!("Variables for the service in {ENVIRONMENT_FILE}")
    }

    fn is_so(&self) -> Result<bool> {
        is_read_by_portal(Path::new(ENVIRONMENT_FILE), 0o640)
    }

    fn apply(&self, undo: &mut Vec<Undo>) -> Result<Exit> {
        let path = Path::new(ENVIRONMENT_FILE);
        let before = Undo::of_file(path)?;
        let text = files::read(path)?.unwrap_or_else(|| VARIABLES.into());
        files::replace(path, text.as_slice(), read_by_portal(0o640)?)?;
        undo.push(before);
        Ok(Exit::Done)
    }

    fn removal(&self, purges: bool) -> Vec<Undo> {
        Folder.removal(purges)
    }
}

/// Whether it is there, and root's, to be read by the portal and by nobody else.
fn is_read_by_portal(path: &Path, mode: u32) -> Result<bool> {
    let found = Rights::of(path).with_context(|| format!("looking at {}", path.display()))?;
    // Before there is the user, nothing can be read by it.
    Ok(found.is_some_and(|found| read_by_portal(mode).is_ok_and(|wanted| wanted == found)))
}

fn read_by_portal(mode: u32) -> Result<Rights> {
    let mut rights = Rights::root(mode);
    rights.owner.group = portal_user()?.group;
    Ok(rights)
}

/// The data, which are the portal's alone.
pub struct DataFolder;

impl DataFolder {
    fn rights() -> Result<Rights> {
        Ok(Rights { owner: portal_user()?, mode: 0o700 })
    }
}

impl Step for DataFolder {
    fn what(&self) -> String {
        format!("The data folder {DATA}, closed to others")
    }

    fn is_so(&self) -> Result<bool> {
        let Some(found) = Rights::of(Path::new(DATA))? else { return Ok(false) };
        // Before there is the user, nothing can be the user's.
        Ok(DataFolder::rights().is_ok_and(|wanted| wanted == found))
    }

    fn apply(&self, undo: &mut Vec<Undo>) -> Result<Exit> {
        let path = Path::new(DATA);
        let is_new = !path.exists();
        fs::create_dir_all(path).context("making the data folder")?;
        if is_new {
            undo.push(Undo::RemoveFolder(path.into()));
        }
        let rights = DataFolder::rights()?;
        // What an earlier portal left belongs to whoever owned it then.
        folders::hand_over(path, rights.owner)?;
        rights.give_to(path)?;
        Ok(Exit::Done)
    }

    fn removal(&self, purges: bool) -> Vec<Undo> {
        if purges { vec![Undo::RemoveFolder(DATA.into())] } else { Vec::new() }
    }
}
