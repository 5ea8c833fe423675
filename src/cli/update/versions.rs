//! The versions that are kept on this machine, so that one can come back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    hash::{ContentHash, Digest},
    host::{
        files::{self, Rights},
        places::{ENVIRONMENT_FILE, LIBRARY, PROGRAM, USER},
        systemd::{self, Cage},
    },
};

/// The one that runs, and two before it.
pub const KEPT_MAX: usize = 3;
/// To say a version takes no time; a program that hangs is no version.
const SECONDS_MAX: u64 = 20;

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
        let ended = systemd::run_caged(&cage(None, SECONDS_MAX), path, &["version", "--json"])?;
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
    pub fn installed() -> Result<Self> {
        Program::at(Path::new(PROGRAM))?.or_kept()
    }

    /// As it is known already, if it is.
    pub fn or_kept(self) -> Result<Self> {
        let known = Program::kept()?.into_iter().find(|known| known.sha256 == self.sha256);
        Ok(known.unwrap_or(self))
    }

    /// Two builds of a version are two.
    pub fn name(&self) -> String {
        format!("{}-{}", self.version, &self.sha256.to_string()[..8])
    }

    pub fn file(&self) -> PathBuf {
        versions().join(self.name()).join("appliance")
    }

    fn note(&self) -> PathBuf {
        versions().join(self.name()).join("about.json")
    }

    /// Keeps a copy of a file that holds it.
    pub fn keep(&self, path: &Path) -> Result<()> {
        public_folder(&versions().join(self.name()))?;
        if !files::are_equal(path, &self.file())? {
            let content = fs::File::open(path).context("opening the program")?;
            files::replace(&self.file(), content, Rights::root(0o755))?;
        }
        self.write()
    }

    /// Notes that it is the program of this machine from now on.
    pub fn begins(mut self, now: Timestamp) -> Result<()> {
        self.since = Some(now);
        self.write()
    }

    fn write(&self) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(|fault| anyhow!(fault))?;
        files::replace(&self.note(), json.as_slice(), Rights::root(0o644))
    }

    /// Whether what is kept is still what was kept.
    ///
    /// # Errors
    /// `Invalid` when it is not.
    pub fn check(&self) -> Result<()> {
        let found = Digest::of_file(&self.file()).context("reading a version that was kept")?;
        match found == self.sha256 {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "{} is damaged: it is not the program that was kept there.",
                self.file().display()
            ))),
        }
    }

    /// Forgets it, if it never was the program of this machine.
    pub fn drop_unless_used(&self) -> Result<()> {
        let is_used = |known: &Program| known.sha256 == self.sha256 && known.since.is_some();
        if !Program::kept()?.iter().any(is_used) {
            fs::remove_dir_all(versions().join(self.name())).context("removing a version")?;
        }
        Ok(())
    }

    /// Those that are kept, the last one that began first.
    pub fn kept() -> Result<Vec<Self>> {
        let mut kept = Vec::new();
        let entries = match fs::read_dir(versions()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(kept),
            Err(error) => Err(error).context("looking for the versions that are kept")?,
        };
        for entry in entries {
            let path = entry.context("looking for the versions that are kept")?.path();
            let Some(json) = files::read(&path.join("about.json"))? else { continue };
            // A note that makes no sense is none.
            let about = serde_json::from_slice::<Program>(&json).ok();
            kept.extend(about.filter(|about| about.file().exists()));
        }
        kept.sort_by_key(|program| std::cmp::Reverse(program.since));
        Ok(kept)
    }

    /// Removes what is more than the last few; gives the names of those that stay.
    pub fn prune() -> Result<Vec<String>> {
        let kept: Vec<String> = Program::kept()?.iter().take(KEPT_MAX).map(Program::name).collect();
        for entry in fs::read_dir(versions()).context("removing old versions")? {
            let entry = entry.context("removing old versions")?;
            if !kept.iter().any(|name| entry.file_name() == name.as_str()) {
                fs::remove_dir_all(entry.path()).context("removing an old version")?;
            }
        }
        Ok(kept)
    }
}

fn versions() -> PathBuf {
    Path::new(LIBRARY).join("versions")
}

/// A folder that everybody may look into: the portal's user runs what is in it.
pub fn public_folder(path: &Path) -> Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        fs::create_dir(folder).with_context(|| format!("making {}", folder.display()))?;
        Rights::root(0o755).give_to(folder)?;
    }
    Ok(())
}

/// In which a program is asked something.
pub fn cage(writable: Option<&Path>, seconds_max: u64) -> Cage<'_> {
    Cage { user: USER, environment_file: ENVIRONMENT_FILE, writable, seconds_max }
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
