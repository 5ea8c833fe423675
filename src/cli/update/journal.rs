//! What an update writes down about itself, so that it can be settled whatever ends it.
//!
//! Each stage is durable, the file and its folder, before what it announces begins:
//!
//! | stage          | written before                               | settled, when it is cut off there, by |
//! |----------------|----------------------------------------------|----------------------------------------|
//! | `preparing`    | programs, units and a copy are laid out      | putting the files of the machine back  |
//! | `ready`        | systemd is asked for a restart; in it the records are kept and the trial is noted | putting records (if they were exchanged) and files back |
//! | `exchanged`    | the new program takes its place and starts, on trial | going back, unless the trial was passed: then as `done` |
//! | `back`         | records, program and files are put back      | the same once more                     |
//! | `program_back` | program and files are put back; the records stay, for both versions read them | the same once more |
//! | `refused`      | the service starts with the version before, because the exchange failed; all is back | putting the files of the machine back |
//! | `done`         | the version is noted, the records of before are put aside or removed, the trial is forgotten | the same once more |
//! | (no journal)   | the line in the unit is removed, systemd reads its units, and the program that it called until then is removed | nothing: without a journal that program does nothing, and the next update removes it |
//!
//! Two decide: the command that leads, which holds [`Lead`], and the call by systemd before each start
//! of the service ([`exchange`](super::exchange)). Both read the journal anew and act on it under
//! [`Turn`], so neither acts on what the other has changed meanwhile. What passes and what takes back a
//! trial are renames of one file ([`Changeover`](crate::app::Changeover)): one of them is first. When
//! nobody leads any more, the call by systemd settles what is left before anything starts, and the next
//! command does when nothing is started.
//!
//! All steps below may be taken twice; the tests of [`settling`](super::settling) cut the power after
//! each of them, and again while that is being settled.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ground::Ground, versions::Program};
use crate::{
    error::{Error, Result},
    host::files,
};

/// Keeping large records takes its time.
const TURN_PATIENCE: Duration = Duration::from_secs(14 * 60);
const PAUSE: Duration = Duration::from_millis(50);

/// How far the exchange of two programs is; the table above says what each means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Preparing,
    Ready,
    Exchanged,
    Back,
    ProgramBack,
    /// With the reason.
    Refused(String),
    Done,
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
    /// The name of the earlier records that come back with the other program.
    pub returning: Option<String>,
    pub began_at: Timestamp,
}

impl Journal {
    pub fn read(ground: &Ground) -> Result<Option<Self>> {
        let path = ground.journal();
        let Some(json) = files::read(&path)? else { return Ok(None) };
        let journal = serde_json::from_slice(&json);
        Ok(Some(journal.with_context(|| format!("reading {}", path.display()))?))
    }

    pub fn write(&self, ground: &Ground) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(|fault| anyhow!(fault))?;
        ground.public_folder(&ground.library)?;
        files::replace(&ground.journal(), json.as_slice(), ground.rights(0o644))
    }

    pub fn set(&mut self, ground: &Ground, stage: Stage) -> Result<()> {
        self.stage = stage;
        self.write(ground)
    }

    pub fn remove(ground: &Ground) -> Result<()> {
        Ok(files::remove(&ground.journal()).context("ending the update")?)
    }

    /// Under which name the records of before are kept, when the new version has passed: those that
    /// made room for others are nowhere else and bear the time; those of the version before are of
    /// use only where it cannot read what has become of them.
    pub fn keeps_records_as(&self) -> Option<String> {
        let name = self.from.name();
        match &self.returning {
            Some(_) => Some(format!("{name}@{}", self.began_at.strftime("%Y-%m-%dT%H-%M-%S"))),
            None => (self.to.records != self.from.records).then_some(name),
        }
    }
}

/// Held by whoever leads a change of the installed program; the system lets go of it with the process.
pub struct Lead {
    _lock: File,
}

impl Lead {
    /// `None` while somebody else leads one.
    pub fn take(ground: &Ground) -> Result<Option<Self>> {
        let Some(file) = locked(&ground.locks.join("appliance-lead.lock"))? else {
            return Ok(None);
        };
        // For whoever wonders which process it is.
        let pid = format!("{}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.write_all_at(pid.as_bytes(), 0))
            .context("noting who leads")?;
        Ok(Some(Lead { _lock: file }))
    }
}

/// Held while the journal is read and acted upon.
pub struct Turn {
    _lock: File,
}

impl Turn {
    /// # Errors
    /// `Busy` when somebody else does not come to an end.
    pub fn take(ground: &Ground) -> Result<Self> {
        let path = ground.locks.join("appliance-turn.lock");
        let begin = Instant::now();
        loop {
            if let Some(file) = locked(&path)? {
                return Ok(Turn { _lock: file });
            }
            if begin.elapsed() > TURN_PATIENCE {
                let message = "Another step of an update does not end. See “appliance logs”.";
                return Err(Error::Busy { message: message.into(), retry_after_s: 60 });
            }
            std::thread::sleep(PAUSE);
        }
    }
}

fn locked(path: &Path) -> Result<Option<File>> {
    let opening = || format!("opening {}", path.display());
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = opened.with_context(opening)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(fault)) => Err(fault).with_context(opening)?,
    }
}
