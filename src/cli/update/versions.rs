//! The versions that are kept on this machine, so that one can come back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ground::Ground;
use crate::{
    error::{Error, Result},
    hash::{ContentHash, Digest},
    host::{
        files, folders, power,
        systemd::{self, Cage},
    },
};

/// The one that runs, and two before it.
pub const KEPT_MAX: usize = 3;
/// To say a version takes no time; a program that hangs is no version.
const SECONDS_MAX: u64 = 20;
/// What a program says of itself, beside it.
const NOTE: &str = "about.json";

/// A program, as it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub version: String,
    /// The number of its records.
    pub records: u32,
    pub sha256: ContentHash,
    /// When it became the program of this machine the last time.
    pub since: Option<Timestamp>,
}

#[derive(Deserialize)]
struct About {
    name: String,
    version: String,
    #[serde(default = "first")]
    records: u32,
}

fn first() -> u32 {
    1
}

impl Program {
    /// Asks a program for its version.
    ///
    /// # Errors
    /// `Invalid`, with its own words, for one that does not run here or is no Appliance.
    pub fn at(path: &Path) -> Result<Self> {
        let sha256 =
            Digest::of_file(path).with_context(|| format!("reading {}", path.display()))?;
        let ended = systemd::run_caged(&cage(), path, &["version", "--json"])?;
        if !ended.is_success {
            let said = last_line(&ended.err);
            return Err(Error::invalid(format!("This program does not run here: {said}")));
        }
        match serde_json::from_str::<About>(&ended.out) {
            Ok(About { name, version, records }) if name == "appliance" => {
                Ok(Program { version, records, sha256, since: None })
            }
            _ => Err(Error::invalid("This program does not say that it is Appliance.")),
        }
    }

    /// The one that is installed.
    pub fn installed(ground: &Ground) -> Result<Self> {
        Program::at(&ground.program)?.or_kept(ground)
    }

    /// As it is known already, if it is.
    pub fn or_kept(self, ground: &Ground) -> Result<Self> {
        let known = Program::kept(ground)?.into_iter().find(|known| known.sha256 == self.sha256);
        Ok(known.unwrap_or(self))
    }

    /// Two builds of a version are two.
    pub fn name(&self) -> String {
        format!("{}-{}", self.version, &self.sha256.to_string()[..8])
    }

    fn folder(&self, ground: &Ground) -> PathBuf {
        ground.versions().join(self.name())
    }

    pub fn file(&self, ground: &Ground) -> PathBuf {
        self.folder(ground).join("appliance")
    }

    /// Keeps a copy of a file that holds it.
    pub fn keep(&self, ground: &Ground, path: &Path) -> Result<()> {
        ground.public_folder(&self.folder(ground))?;
        if !files::are_equal(path, &self.file(ground))? {
            let content = fs::File::open(path).context("opening the program")?;
            files::replace(&self.file(ground), content, ground.rights(0o755))?;
        }
        self.write(ground)
    }

    /// Notes that it is the program of this machine from now on.
    pub fn begins(mut self, ground: &Ground, now: Timestamp) -> Result<()> {
        self.since = Some(now);
        self.write(ground)
    }

    fn write(&self, ground: &Ground) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(|fault| anyhow!(fault))?;
        let note = self.folder(ground).join(NOTE);
        files::replace(&note, json.as_slice(), ground.rights(0o644))
    }

    /// Whether what is kept is still what was kept.
    ///
    /// # Errors
    /// `Invalid` when it is not.
    pub fn check(&self, ground: &Ground) -> Result<()> {
        let file = self.file(ground);
        match self.is_at(&file)? {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "{} is damaged: it is not the program that was kept there.",
                file.display()
            ))),
        }
    }

    pub fn is_at(&self, path: &Path) -> Result<bool> {
        let found = Digest::of_file(path).with_context(|| format!("reading {}", path.display()))?;
        Ok(found == self.sha256)
    }

    /// Forgets it, if it never was the program of this machine.
    pub fn drop_unless_used(&self, ground: &Ground) -> Result<()> {
        let is_used = |known: &Program| known.sha256 == self.sha256 && known.since.is_some();
        if !Program::kept(ground)?.iter().any(is_used) {
            folders::remove(&self.folder(ground)).context("removing a version")?;
        }
        Ok(())
    }

    /// Those that are kept, the last one that began first.
    pub fn kept(ground: &Ground) -> Result<Vec<Self>> {
        let mut kept = Vec::new();
        let entries = match fs::read_dir(ground.versions()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(kept),
            Err(error) => Err(error).context("looking for the versions that are kept")?,
        };
        for entry in entries {
            let path = entry.context("looking for the versions that are kept")?.path();
            let Some(json) = files::read(&path.join(NOTE))? else { continue };
            // A note that makes no sense is none.
            let about = serde_json::from_slice::<Program>(&json).ok();
            kept.extend(about.filter(|about| about.file(ground).exists()));
        }
        kept.sort_by_key(|program| std::cmp::Reverse(program.since));
        Ok(kept)
    }

    /// Removes what is more than the last few, but none without which records that somebody has put
    /// aside could not come back; gives the names of those that stay.
    pub fn prune(ground: &Ground) -> Result<Vec<String>> {
        let mut kept: Vec<String> = Program::kept(ground)?.iter().map(Program::name).collect();
        let older = kept.split_off(kept.len().min(KEPT_MAX));
        let needed = ground.changeover().versions_put_aside()?;
        kept.extend(older.into_iter().filter(|name| needed.contains(name)));
        for entry in fs::read_dir(ground.versions()).context("removing old versions")? {
            let entry = entry.context("removing old versions")?;
            if !kept.iter().any(|name| entry.file_name() == name.as_str()) {
                power::check()?;
                folders::remove(&entry.path()).context("removing an old version")?;
            }
        }
        Ok(kept)
    }
}

/// In which a program is asked about itself.
pub fn cage() -> Cage<'static> {
    Cage { seconds_max: SECONDS_MAX, ..Cage::default() }
}

/// What a program said at its end.
pub fn last_line(said: &str) -> String {
    let line = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    let line = line.unwrap_or("it said nothing").trim_start_matches("error: ");
    match line.ends_with(['.', '?', '!']) {
        true => line.into(),
        false => format!("{line}."),
    }
}
