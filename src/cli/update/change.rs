//! The change from one program to another: laid out while the old one runs, made in the middle of a
//! restart, awaited, and taken back when the other one does not become ready.

use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow};
use jiff::Timestamp;

use super::{
    awaiting::Watch,
    ground::Ground,
    journal::{Journal, Stage, Turn},
    records::Step,
    settling,
    versions::{Program, cage, last_line},
};
use crate::{
    cli::install::last_words_since,
    clock::Clock,
    config::Config,
    error::{Error, Result},
    host::{
        places::{SERVICE, SHARED, SOCKET, UNIT_FOLDER},
        systemd,
    },
};

/// A start takes a second; opening many records, converting them and a busy machine take longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Less than the unit gives the service.
const PATIENCE_MAX: Duration = Duration::from_secs(14 * 60);
/// For the version before, which was ready a moment ago. Requests that it still has under way are
/// finished first.
const PATIENCE_BACK: Duration = Duration::from_secs(180);
/// For one that did not run before either.
const PATIENCE_BROKEN: Duration = Duration::from_secs(20);

/// One program instead of another.
pub struct Change<'a> {
    pub ground: &'a Ground,
    pub config: &'a Config,
    pub from: Program,
    pub to: Program,
    /// The name of the records that come back with it.
    pub returning: Option<String>,
    /// Whether the program before ran when the change began.
    pub was_ready: bool,
    /// How long the rehearsal took to become ready.
    pub rehearsed: Duration,
}

/// How a change ended, when it was made or taken back cleanly.
pub enum Ended {
    Changed {
        /// The name of the records that made room for others.
        put_aside: Option<String>,
    },
    /// What was wrong, and whether the version before answers again.
    WentBack { why: String, is_ready: bool },
    /// The other version has answered, so its data stay, and the one before cannot go on with them.
    NotReady { why: String },
}

impl Change<'_> {
    /// Both programs are kept already.
    pub fn make(&self) -> Result<Ended> {
        let mut journal = Journal {
            from: self.from.clone(),
            to: self.to.clone(),
            stage: Stage::Preparing,
            saved: Vec::new(),
            returning: self.returning.clone(),
            began_at: Clock::system().now(),
        };
        if let Err(fault) = self.prepare(&mut journal) {
            let _turn = Turn::take(self.ground)?;
            end_here(self.ground, &mut journal, Stage::Back)?;
            return Err(fault);
        }
        journal.set(self.ground, Stage::Ready)?;
        let begin = Clock::system().now();
        let limit = (PATIENCE + 3 * self.rehearsed).min(PATIENCE_MAX);
        let mut watch = Watch::new(self.ground, self.config, &self.to);
        let Err(fault) = begin_restart().and_then(|()| watch.takes_over(limit)) else {
            let _turn = Turn::take(self.ground)?;
            end_here(self.ground, &mut journal, Stage::Done)?;
            let put_aside = journal.returning.as_ref().and_then(|_| journal.keeps_records_as());
            return Ok(Ended::Changed { put_aside });
        };
        let why = self.reason(begin, &fault);
        let turn = Turn::take(self.ground)?;
        // systemd's side has gone on meanwhile.
        let mut journal = read_again(self.ground)?;
        let was_exchanged = journal.stage == Stage::Exchanged;
        let mut stage = settling::choose_end(self.ground, &journal)?;
        if stage == Stage::Done && self.goes_back_alone() {
            stage = Stage::ProgramBack;
        }
        if stage == Stage::Done {
            end_here(self.ground, &mut journal, stage)?;
            return Ok(Ended::NotReady { why });
        }
        journal.set(self.ground, stage)?;
        drop(turn);
        self.go_back(&mut journal, was_exchanged, why)
    }

    /// The program before can go on with what the other one has made of the records.
    fn goes_back_alone(&self) -> bool {
        self.to.records <= self.from.records && self.returning.is_none()
    }

    /// In the portal's own words, where it has said any.
    fn reason(&self, since: Timestamp, fault: &Error) -> String {
        let (version, what) = (&self.to.version, fault.chain());
        let words = last_words_since(since).map(|words| format!(": {words}")).unwrap_or_default();
        let sentence = format!("Version {version} did not become ready, {what}{words}");
        match sentence.ends_with(['.', '?', '!']) {
            true => sentence,
            false => format!("{sentence}."),
        }
    }

    fn prepare(&self, journal: &mut Journal) -> Result<()> {
        let new = files_of(self.ground, &self.to)?;
        journal.write(self.ground)?;
        settling::lay_out(self.ground, journal, new)?;
        self.ground.read_units()?;
        self.ground.records(Step::Prepare)?;
        self.ground.records(Step::CopyAhead)?;
        if let Some(left) = &self.returning {
            self.ground.records(Step::PrepareReturn { left: left.clone() })?;
        }
        Ok(())
    }

    /// The stage is set: whatever starts next is the version before.
    fn go_back(&self, journal: &mut Journal, restarts: bool, why: String) -> Result<Ended> {
        if restarts {
            settling::put_files_back(self.ground, &journal.saved)?;
            self.ground.read_units()?;
            // It has answered nobody, or answers nobody any more.
            systemd::kill(SERVICE)?;
            begin_restart()?;
        }
        let patience = if self.was_ready { PATIENCE_BACK } else { PATIENCE_BROKEN };
        let is_ready = Watch::new(self.ground, self.config, &self.from).comes_back(patience)?;
        let _turn = Turn::take(self.ground)?;
        if !is_ready && self.ground.changeover().is_under_way() {
            let sentence = format!(
                "{why} The version before could not be put back: see “appliance logs”. The service \
                 goes on trying."
            );
            return Err(Error::conflict(sentence));
        }
        let stage = journal.stage.clone();
        end_here(self.ground, journal, stage)?;
        Ok(Ended::WentBack { why, is_ready })
    }
}

/// Settles what an earlier update left that was cut off. True when there was one.
pub fn settle(ground: &Ground, config: &Config) -> Result<bool> {
    let turn = Turn::take(ground)?;
    let Some(mut journal) = Journal::read(ground)? else {
        settling::clear(ground)?;
        return Ok(false);
    };
    let was_exchanged = journal.stage == Stage::Exchanged;
    let is_going_back = matches!(journal.stage, Stage::Back | Stage::ProgramBack);
    let stage = settling::choose_end(ground, &journal)?;
    let restarts = stage != Stage::Done && (was_exchanged || is_going_back);
    if !restarts {
        end_here(ground, &mut journal, stage)?;
        return Ok(true);
    }
    journal.set(ground, stage)?;
    drop(turn);
    let back = Change {
        ground,
        config,
        from: journal.from.clone(),
        to: journal.to.clone(),
        returning: journal.returning.clone(),
        was_ready: true,
        rehearsed: Duration::ZERO,
    };
    back.go_back(&mut journal, true, "An update was cut off.".into())?;
    Ok(true)
}

/// Under a [`Turn`]: what a stage announces, and the end of the update.
fn end_here(ground: &Ground, journal: &mut Journal, stage: Stage) -> Result<()> {
    journal.set(ground, stage)?;
    settling::end(ground, journal)?;
    settling::clear(ground)
}

fn read_again(ground: &Ground) -> Result<Journal> {
    Journal::read(ground)?.ok_or_else(|| anyhow!("the journal of the update is gone").into())
}

/// Units and manual of a version.
fn files_of(ground: &Ground, program: &Program) -> Result<Vec<(PathBuf, String)>> {
    let ended = systemd::run_caged(&cage(), &program.file(ground), &["changeover", "files"])?;
    if !ended.is_success {
        let said = last_line(&ended.err);
        return Err(Error::invalid(format!("Version {} says: {said}", program.version)));
    }
    let files: Vec<(PathBuf, String)> = serde_json::from_str(&ended.out)
        .with_context(|| format!("asking version {} for its files", program.version))?;
    match files.iter().find(|(path, _)| !is_ours(path)) {
        None => Ok(files),
        Some((path, _)) => Err(Error::invalid(format!(
            "Version {} wants to write {}, which is not its own.",
            program.version,
            path.display()
        ))),
    }
}

/// Nothing else of the machine is a version's to write.
fn is_ours(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let is_plain = !path.components().any(|part| part == Component::ParentDir);
    let folders = [format!("{UNIT_FOLDER}/appliance"), format!("{SHARED}/")];
    is_plain && folders.iter().any(|folder| text.starts_with(folder.as_str()))
}

/// What runs finishes its requests; who comes meanwhile waits in the socket.
fn begin_restart() -> Result<()> {
    systemd::forget_failures([SOCKET, SERVICE])?;
    systemd::begin_restart(SERVICE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_writes_its_own_files_and_no_others() {
        for path in [
            "/etc/systemd/system/appliance.service",
            "/etc/systemd/system/appliance.socket",
            "/usr/local/share/man/man1/appliance.1",
            "/usr/local/share/bash-completion/completions/appliance",
        ] {
            assert!(is_ours(Path::new(path)), "{path}");
        }
        for path in [
            "/etc/systemd/system/ssh.service",
            "/etc/systemd/system/appliance.service.d/../ssh.service",
            "/etc/sudoers.d/appliance",
            "/usr/local/share/../bin/sudo",
            "appliance",
        ] {
            assert!(!is_ours(Path::new(path)), "{path}");
        }
    }
}
