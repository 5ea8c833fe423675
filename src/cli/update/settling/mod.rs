//! The steps of an update and of its undoing, as far as they are files. Each may be taken twice; in
//! which stage which one is taken is in [`journal`](super::journal).

#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::{
    ground::Ground,
    journal::{Journal, Saved, Stage},
    records::Step,
    versions::Program,
};
use crate::{clock::Clock, error::Result, host::files};

/// Lays out what the exchange needs, and the files of the machine as the new version wants them.
pub fn lay_out(ground: &Ground, journal: &mut Journal, new: Vec<(PathBuf, String)>) -> Result<()> {
    let open = |path: &Path| File::open(path).context("opening a program");
    let program = open(&journal.to.file(ground))?;
    files::replace(&ground.next_program(), program, ground.rights(0o755))?;
    files::replace(&ground.updater(), open(&ground.own)?, ground.rights(0o755))?;
    for (path, _) in &new {
        let text = files::read(path)?.map(|text| String::from_utf8_lossy(&text).into_owned());
        journal.saved.push(Saved { path: path.clone(), text });
    }
    journal.write(ground)?;
    let line = format!(
        "# An update is under way; this goes away with it.\n[Service]\n\
         ExecStartPre=+{} changeover at-start\n",
        ground.updater().display()
    );
    ground.public_folder(ground.unit_line.parent().unwrap_or(Path::new("/")))?;
    files::replace(&ground.unit_line, line.as_bytes(), ground.rights(0o644))?;
    // Only now, when the next start would put them back: the version before may not fit to them.
    for (path, text) in new {
        if files::read(&path)?.as_deref() != Some(text.as_bytes()) {
            ground.public_folder(path.parent().unwrap_or(Path::new("/")))?;
            files::replace(&path, text.as_bytes(), ground.rights(0o644))?;
        }
    }
    Ok(())
}

/// Between the end of one version and the start of the next.
pub fn keep_records(ground: &Ground, journal: &Journal) -> Result<()> {
    let program = journal.to.sha256.to_string();
    ground.records(Step::Begin { program, returns: journal.returning.is_some() }).map(drop)
}

/// Ends an update that nobody leads any more; no portal runs. The line in the unit stays until the
/// next update: systemd has read it already, and without a journal it does nothing. The answer says
/// what has become of it.
pub fn settle_at_rest(ground: &Ground, journal: &mut Journal) -> Result<String> {
    let stage = choose_end(ground, journal)?;
    journal.set(ground, stage)?;
    end(ground, journal)?;
    Journal::remove(ground)?;
    Ok(match journal.stage {
        Stage::Done => {
            format!("an update that was cut off goes on with version {}", journal.to.version)
        }
        _ => format!("an update that was cut off went back to version {}", journal.from.version),
    })
}

/// How an update ends that came so far.
pub fn choose_end(ground: &Ground, journal: &Journal) -> Result<Stage> {
    Ok(match journal.stage {
        Stage::Preparing | Stage::Ready | Stage::Refused(_) | Stage::Back => Stage::Back,
        Stage::Exchanged if ground.records(Step::TakeBack)?.was_free => Stage::Back,
        Stage::Exchanged | Stage::Done => Stage::Done,
        Stage::ProgramBack => Stage::ProgramBack,
    })
}

/// Does what the last stage announces.
pub fn end(ground: &Ground, journal: &Journal) -> Result<()> {
    match journal.stage {
        Stage::Done => conclude(ground, journal),
        _ => {
            put_back(ground, journal)?;
            match journal.stage {
                Stage::ProgramBack => finish(ground, None),
                _ => Ok(()),
            }
        }
    }
}

/// Back to the version before; of the records only where nobody has passed a trial on them.
pub fn put_back(ground: &Ground, journal: &Journal) -> Result<()> {
    if journal.stage != Stage::ProgramBack {
        // Nobody passes it from here on.
        ground.records(Step::TakeBack)?;
        ground.records(Step::GoBack)?;
    }
    let kept = journal.from.file(ground);
    if !files::are_equal(&kept, &ground.program)? {
        journal.from.check(ground)?;
        let content = File::open(&kept).context("opening the version before")?;
        files::replace(&ground.program, content, ground.rights(0o755))?;
    }
    put_files_back(ground, &journal.saved)
}

/// Units and manual as they were. systemd reads the units later.
pub fn put_files_back(ground: &Ground, saved: &[Saved]) -> Result<()> {
    for Saved { path, text } in saved {
        match text {
            Some(text) => {
                if files::read(path)?.as_deref() != Some(text.as_bytes()) {
                    files::replace(path, text.as_bytes(), ground.rights(0o644))?;
                }
            }
            None => files::remove(path).with_context(|| format!("removing {}", path.display()))?,
        }
    }
    Ok(())
}

/// After the trial: notes which version it is now, and removes what is not needed any more.
fn conclude(ground: &Ground, journal: &Journal) -> Result<()> {
    let to = &journal.to;
    // It runs, so it can be kept again.
    if !to.file(ground).exists() && to.is_at(&ground.program)? {
        to.keep(ground, &ground.program)?;
    }
    to.clone().begins(ground, Clock::system().now())?;
    finish(ground, journal.keeps_records_as())
}

fn finish(ground: &Ground, keep_as: Option<String>) -> Result<()> {
    let versions = Program::prune(ground)?;
    ground.records(Step::Finish { versions, keep_as }).map(drop)
}

/// Removes what only an update needs. The program that the line calls goes last, when systemd has read
/// that there is no line any more: until then it calls it, and without it nothing would start.
pub fn clear(ground: &Ground) -> Result<()> {
    Journal::remove(ground)?;
    let had_line = ground.unit_line.exists();
    files::remove(&ground.unit_line).context("ending the update")?;
    if let Some(folder) = ground.unit_line.parent().filter(|_| had_line) {
        // Stays when somebody has changes of the unit there.
        let _removed = fs::remove_dir(folder);
    }
    files::remove(&ground.next_program()).context("removing the next program")?;
    // As long as it is there, nobody knows what systemd has read.
    if had_line || ground.updater().exists() {
        ground.read_units()?;
    }
    Ok(files::remove(&ground.updater()).context("removing the program that led the update")?)
}
