//! What an update writes down about itself, so that it can be settled whatever ends it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};

use super::versions::{Program, public_folder};
use crate::{
    error::Result,
    host::{
        files::{self, Rights},
        places::LIBRARY,
    },
};

/// How far the exchange of two programs is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Files are laid out; nothing is exchanged.
    Preparing,
    /// The next start of the service exchanges the programs.
    Ready,
    /// The other program is there, and may be on trial or past it.
    Exchanged,
    /// The next start puts program and records back.
    Back,
    /// The next start puts the program back, and leaves the records.
    ProgramBack,
    /// The exchange could not be made; everything is as it was.
    Refused(String),
}

/// A file of the machine as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    pub path: PathBuf,
    /// `None` when there was none.
    pub text: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    pub from: Program,
    pub to: Program,
    pub stage: Stage,
    pub saved: Vec<Saved>,
}

impl Journal {
    pub fn read() -> Result<Option<Self>> {
        let Some(json) = files::read(&path())? else { return Ok(None) };
        let journal = serde_json::from_slice(&json);
        Ok(Some(journal.with_context(|| format!("reading {}", path().display()))?))
    }

    pub fn write(&self) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(|fault| anyhow!(fault))?;
        files::replace(&path(), json.as_slice(), Rights::root(0o644))
    }

    pub fn set(&mut self, stage: Stage) -> Result<()> {
        self.stage = stage;
        self.write()
    }

    pub fn remove() -> Result<()> {
        match fs::remove_file(path()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => Ok(removed.context("ending the update")?),
        }
    }
}

fn path() -> PathBuf {
    Path::new(LIBRARY).join("changeover.json")
}

/// Held by whoever leads an update; the system lets go of it with the process.
pub struct Lead {
    _lock: File,
}

impl Lead {
    /// `None` while somebody else leads one.
    pub fn take() -> Result<Option<Self>> {
        public_folder(Path::new(LIBRARY))?;
        let path = Path::new(LIBRARY).join("lock");
        let mut options = OpenOptions::new();
        let opened = options.write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = opened.context("opening the lock of updates")?;
        match file.try_lock() {
            Ok(()) => {
                // For whoever wonders which process it is.
                let pid = format!("{}\n", std::process::id());
                file.set_len(0)
                    .and_then(|()| file.write_all_at(pid.as_bytes(), 0))
                    .context("noting who leads")?;
                Ok(Some(Lead { _lock: file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(fault)) => Err(fault).context("locking updates")?,
        }
    }
}
