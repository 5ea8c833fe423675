//! The exchange of the programs, in the middle of a restart: systemd runs [`at_start`] as root before
//! the service starts, when the old program has ended and visitors wait in the socket.
//!
//! It also runs when nobody leads the update any more, because the machine lost its power or the
//! command was killed. Then a version that has passed its trial stays, and otherwise everything goes
//! back, before anything starts.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};

use super::{
    journal::{Journal, Lead, Saved, Stage},
    records,
    versions::Program,
};
use crate::{
    cli::{Exit, Failure},
    error::Result,
    host::{
        files::{self, Rights},
        places::PROGRAM,
    },
};

/// Before the service starts.
pub fn at_start() -> Result<Exit, Failure> {
    let Some(mut journal) = Journal::read()? else { return Ok(Exit::Done) };
    // Whoever leads it holds this.
    let lead = Lead::take()?;
    match (&journal.stage, lead) {
        (_, Some(_lead)) => settle(&journal)?,
        (Stage::Ready, None) => exchange(&mut journal)?,
        (Stage::Back, None) => go_back(&journal)?,
        (Stage::ProgramBack, None) => put_program_back(&journal)?,
        (Stage::Preparing | Stage::Exchanged | Stage::Refused(_), None) => {}
    }
    Ok(Exit::Done)
}

/// Where the next program lies, so that a rename puts it in.
pub fn next_program() -> PathBuf {
    Path::new(PROGRAM).with_file_name(".appliance.next")
}

/// Ends an update that nobody leads any more; no portal runs. The line in the unit stays until the
/// next update: systemd has read it already, and without a journal it does nothing.
fn settle(journal: &Journal) -> Result<()> {
    if journal.stage == Stage::ProgramBack {
        put_program_back(journal)?;
        records::finish(None, &names()?)?;
        eprintln!("an update that was cut off went back to version {}", journal.from.version);
    } else if records::take_back()? {
        go_back(journal)?;
        eprintln!("an update that was cut off went back to version {}", journal.from.version);
    } else {
        conclude(journal)?;
        eprintln!("an update that was cut off goes on with version {}", journal.to.version);
    }
    Journal::remove()
}

/// # Errors
/// Only when it could not be undone: the service must not start then.
fn exchange(journal: &mut Journal) -> Result<()> {
    let Err(fault) = try_exchange(journal) else { return Ok(()) };
    records::take_back()?;
    go_back(journal)?;
    journal.set(Stage::Refused(fault.chain()))
}

fn try_exchange(journal: &mut Journal) -> Result<()> {
    records::begin(journal.to.sha256)?;
    journal.set(Stage::Exchanged)?;
    fs::rename(next_program(), PROGRAM).context("putting the program in its place")?;
    sync_folder()
}

/// Back to the program and the records of before; nobody has passed a trial.
pub fn go_back(journal: &Journal) -> Result<()> {
    records::go_back()?;
    put_program_back(journal)
}

fn put_program_back(journal: &Journal) -> Result<()> {
    let kept = journal.from.file();
    if !files::are_equal(&kept, Path::new(PROGRAM))? {
        journal.from.check()?;
        let content = File::open(&kept).context("opening the version before")?;
        files::replace(Path::new(PROGRAM), content, Rights::root(0o755))?;
    }
    put_files_back(&journal.saved)
}

/// Units and manual as they were. systemd reads the units later.
pub fn put_files_back(saved: &[Saved]) -> Result<()> {
    for Saved { path, text } in saved {
        match text {
            Some(text) => {
                if files::read(path)?.as_deref() != Some(text.as_bytes()) {
                    files::replace(path, text.as_bytes(), Rights::root(0o644))?;
                }
            }
            None => match fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(error).with_context(|| format!("removing {}", path.display()))?;
                }
                _ => {}
            },
        }
    }
    Ok(())
}

/// After the trial: notes which version it is now, and removes what is not needed any more. What the
/// version before left is kept only where the other one cannot read it.
pub fn conclude(journal: &Journal) -> Result<()> {
    journal.to.clone().begins(jiff::Timestamp::now())?;
    let keep_as = (journal.to.records != journal.from.records).then(|| journal.from.name());
    records::finish(keep_as.as_deref(), &names()?)
}

fn names() -> Result<Vec<String>> {
    Program::prune()
}

fn sync_folder() -> Result<()> {
    let folder = Path::new(PROGRAM).parent().ok_or_else(|| anyhow!("a file has a folder"))?;
    Ok(File::open(folder).and_then(|folder| folder.sync_all()).context("writing the folder")?)
}
