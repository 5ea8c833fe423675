//! This program, where everybody on the machine finds it, with its manual.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context;
use serde::Deserialize;

use super::step::{Step, Undo};
use crate::{
    cli::{Exit, completions, manual},
    error::Result,
    host::{
        commands,
        files::{self, Rights},
        places::{CHANGEOVER_UNIT, LIBRARY, PROGRAM},
        processes::OWN_PROGRAM,
    },
    version::Version,
};

/// To say a version takes no time.
const PATIENCE: Duration = Duration::from_secs(20);
const SAID_BYTES_MAX: u64 = 64 << 10;

/// Where what was not packaged by the distribution goes (hier(7)).
const MANUAL_PAGE: &str = "/usr/local/share/man/man1/appliance.1";
const COMPLETIONS: &str = "/usr/local/share/bash-completion/completions/appliance";

/// What is installed, in its own words.
pub struct Installed {
    pub version: Version,
    pub records: u32,
}

#[derive(Deserialize)]
struct About {
    version: String,
    records: u32,
}

/// `None` where nothing is, or nothing that runs.
pub fn installed() -> Option<Installed> {
    let mut command = Command::new(PROGRAM);
    command.args(["version", "--json"]).env_clear();
    let ended = commands::attempt_within(PATIENCE, SAID_BYTES_MAX, command).ok().flatten();
    let about: About = serde_json::from_str(&ended.filter(|ended| ended.is_success)?.out).ok()?;
    Some(Installed { version: about.version.parse().ok()?, records: about.records })
}

pub struct Program;

impl Step for Program {
    fn what(&self) -> String {
        format!("The program of this version ({}) as {PROGRAM}", crate::version::number())
    }

    fn is_so(&self) -> Result<bool> {
        files::are_equal(Path::new(OWN_PROGRAM), Path::new(PROGRAM))
    }

    fn apply(&self, undo: &mut Vec<Undo>) -> Result<Exit> {
        let path = Path::new(PROGRAM);
        let before = Undo::of_file(path)?;
        let own = File::open(OWN_PROGRAM).context("reading this program")?;
        files::replace(path, own, Rights::root(0o755))?;
        undo.push(before);
        Ok(Exit::Done)
    }

    fn removal(&self, _purges: bool) -> Vec<Undo> {
        // With the versions that “appliance update” kept.
        vec![
            Undo::RemoveFolder(LIBRARY.into()),
            Undo::RemoveFile(CHANGEOVER_UNIT.into()),
            Undo::RemoveFile(PROGRAM.into()),
        ]
    }
}

/// What `man appliance` and the tabulator key need.
pub struct Manual;

impl Manual {
    pub fn files() -> Result<[(PathBuf, String); 2]> {
        Ok([
            (MANUAL_PAGE.into(), manual::main_page()?),
            (COMPLETIONS.into(), completions::script(clap_complete::Shell::Bash)),
        ])
    }
}

impl Step for Manual {
    fn what(&self) -> String {
        "The manual page, and completions for bash, in /usr/local/share".into()
    }

    fn is_so(&self) -> Result<bool> {
        for (path, text) in Manual::files()? {
            if files::read(&path)?.as_deref() != Some(text.as_bytes()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn apply(&self, undo: &mut Vec<Undo>) -> Result<Exit> {
        for (path, text) in Manual::files()? {
            let folder = path.parent().context("a file has a folder")?;
            let missing = folder.ancestors().take_while(|folder| !folder.exists());
            let missing: Vec<&Path> = missing.collect();
            for folder in missing.into_iter().rev() {
                fs::create_dir(folder).with_context(|| format!("making {}", folder.display()))?;
                undo.push(Undo::RemoveFolder(folder.into()));
                // The program keeps what it makes private; this is for everybody.
                Rights::root(0o755).give_to(folder)?;
            }
            let before = Undo::of_file(&path)?;
            files::replace(&path, text.as_bytes(), Rights::root(0o644))?;
            undo.push(before);
        }
        Ok(Exit::Done)
    }

    fn removal(&self, _purges: bool) -> Vec<Undo> {
        vec![Undo::RemoveFile(MANUAL_PAGE.into()), Undo::RemoveFile(COMPLETIONS.into())]
    }
}
