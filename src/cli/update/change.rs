//! The change from one program to another: laid out while the old one runs, made in the middle of a
//! restart, awaited, and taken back when the other one does not become ready.

use std::{
    fs::{self, File},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use jiff::Timestamp;

use super::{
    exchange::{self, next_program, put_files_back},
    journal::{Journal, Saved, Stage},
    records,
    versions::{Program, cage, last_line, public_folder},
};
use crate::{
    app::Changeover,
    cli::{
        Failure,
        ask::runtime,
        install::{installed_status, last_words_since},
        visits,
    },
    error::{Error, Result},
    host::{
        files::{self, Rights},
        places::{CHANGEOVER_UNIT, DATA, LIBRARY, SERVICE, SOCKET},
        processes::OWN_PROGRAM,
        systemd,
    },
};

/// A start takes a second; opening many records, converting them and a busy machine take longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Less than the unit gives the service.
const PATIENCE_MAX: Duration = Duration::from_secs(14 * 60);
/// For the end of the version before: the unit gives it less.
const PATIENCE_STOP: Duration = Duration::from_secs(150);
/// For the version before, which was ready a moment ago. Requests that it still has under way are
/// finished first.
const PATIENCE_BACK: Duration = Duration::from_secs(180);
/// For one that did not run before either.
const PATIENCE_BROKEN: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);
const SECONDS_MAX: u64 = 20;

/// One program instead of another.
pub struct Change {
    pub from: Program,
    pub to: Program,
    /// The name of the version whose records come back with it.
    pub returning: Option<String>,
    /// Whether the program before ran when the change began.
    pub was_ready: bool,
    /// How long the rehearsal took to become ready.
    pub rehearsed: Duration,
}

/// How a change ended, when it was made or taken back cleanly.
pub enum Ended {
    Changed,
    /// What was wrong, and whether the version before answers again.
    WentBack {
        why: String,
        is_ready: bool,
    },
    /// The other version has answered, so its data stay, and the one before cannot read them.
    NotReady {
        why: String,
    },
}

impl Change {
    /// Both programs are kept already.
    pub fn make(&self) -> Result<Ended> {
        let mut journal = Journal {
            from: self.from.clone(),
            to: self.to.clone(),
            stage: Stage::Preparing,
            saved: Vec::new(),
        };
        if let Err(fault) = self.prepare(&mut journal) {
            give_up(&journal)?;
            return Err(fault);
        }
        journal.set(Stage::Ready)?;
        let begin = Timestamp::now();
        let limit = (PATIENCE + 3 * self.rehearsed).min(PATIENCE_MAX);
        let why = match begin_restart().and_then(|()| await_new(&self.to, limit)) {
            Ok(()) => {
                exchange::conclude(&journal)?;
                clear()?;
                return Ok(Ended::Changed);
            }
            Err(fault) => self.reason(begin, &fault),
        };
        // systemd's side has gone on meanwhile.
        let mut journal = Journal::read()?.ok_or_else(|| anyhow!("the journal is gone"))?;
        // Of these two the program before runs, or comes back by itself.
        if matches!(journal.stage, Stage::Refused(_) | Stage::Ready) {
            let is_ready = comes_back(&self.from, self.patience_back())?;
            give_up(&journal)?;
            return Ok(Ended::WentBack { why, is_ready });
        }
        if records::take_back()? {
            self.go_back(&mut journal, Stage::Back, why)
        } else if self.to.records <= self.from.records {
            self.go_back(&mut journal, Stage::ProgramBack, why)
        } else {
            exchange::conclude(&journal)?;
            clear()?;
            Ok(Ended::NotReady { why })
        }
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

    fn patience_back(&self) -> Duration {
        if self.was_ready { PATIENCE_BACK } else { PATIENCE_BROKEN }
    }

    fn prepare(&self, journal: &mut Journal) -> Result<()> {
        journal.write()?;
        let open = |path: PathBuf| File::open(path).context("opening a program");
        files::replace(&next_program(), open(self.to.file())?, Rights::root(0o755))?;
        files::replace(&updater(), open(OWN_PROGRAM.into())?, Rights::root(0o755))?;
        let new = files_of(&self.to)?;
        for (path, _) in &new {
            let text = files::read(path)?.map(|text| String::from_utf8_lossy(&text).into_owned());
            journal.saved.push(Saved { path: path.clone(), text });
        }
        journal.write()?;
        for (path, text) in new {
            if files::read(&path)?.as_deref() != Some(text.as_bytes()) {
                public_folder(path.parent().unwrap_or(Path::new("/")))?;
                files::replace(&path, text.as_bytes(), Rights::root(0o644))?;
            }
        }
        let line = format!(
            "# An update is under way; this goes away with it.\n[Service]\n\
             ExecStartPre=+{} changeover at-start\n",
            updater().display()
        );
        let path = Path::new(CHANGEOVER_UNIT);
        public_folder(path.parent().unwrap_or(Path::new("/")))?;
        files::replace(path, line.as_bytes(), Rights::root(0o644))?;
        systemd::reload()?;
        records::prepare()?;
        records::copy_ahead()?;
        match &self.returning {
            Some(version) => records::prepare_return(version),
            None => Ok(()),
        }
    }

    fn go_back(&self, journal: &mut Journal, stage: Stage, why: String) -> Result<Ended> {
        journal.set(stage)?;
        put_files_back(&journal.saved)?;
        systemd::reload()?;
        // It has answered nobody, or answers nobody any more.
        systemd::kill(SERVICE)?;
        systemd::forget_failures([SOCKET, SERVICE])?;
        begin_restart()?;
        let is_ready = comes_back(&self.from, self.patience_back())?;
        if !is_ready && Changeover::of(Path::new(DATA)).is_under_way() {
            let sentence = format!(
                "{why} The version before could not be put back: see “appliance logs”. The service \
                 goes on trying."
            );
            return Err(Error::conflict(sentence));
        }
        if journal.stage == Stage::ProgramBack {
            records::finish(None, &Program::prune()?)?;
        }
        clear()?;
        Ok(Ended::WentBack { why, is_ready })
    }
}

/// Settles what an earlier update left that was cut off. True when there was one.
pub fn settle() -> Result<bool> {
    let Some(mut journal) = Journal::read()? else {
        clear()?;
        return Ok(false);
    };
    let is_exchanged =
        !matches!(journal.stage, Stage::Preparing | Stage::Ready | Stage::Refused(_));
    if !is_exchanged && records::take_back()? {
        // Of the exchange itself nothing has happened; a power cut in the middle of it is settled at
        // the next start already.
        give_up(&journal)?;
        return Ok(true);
    }
    if Changeover::of(Path::new(DATA)).has_passed() && journal.stage != Stage::ProgramBack {
        exchange::conclude(&journal)?;
        clear()?;
        return Ok(true);
    }
    let back = Change {
        from: journal.from.clone(),
        to: journal.to.clone(),
        returning: None,
        was_ready: true,
        rehearsed: Duration::ZERO,
    };
    let stage = match records::take_back()? {
        true => Stage::Back,
        false => Stage::ProgramBack,
    };
    back.go_back(&mut journal, stage, "An update was cut off.".into())?;
    Ok(true)
}

/// Before anything was exchanged.
fn give_up(journal: &Journal) -> Result<()> {
    put_files_back(&journal.saved)?;
    records::take_back()?;
    records::go_back()?;
    clear()
}

/// Removes what only an update needs.
fn clear() -> Result<()> {
    Journal::remove()?;
    let unit = Path::new(CHANGEOVER_UNIT);
    if unit.exists() {
        fs::remove_file(unit).context("ending the update")?;
        // Stays when somebody has changes of the unit there.
        let _removed = fs::remove_dir(unit.parent().unwrap_or(unit));
        systemd::reload()?;
    }
    for path in [updater(), next_program()] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed.with_context(|| format!("removing {}", path.display()))?,
        }
    }
    Ok(())
}

/// This program, whatever becomes of the others.
fn updater() -> PathBuf {
    Path::new(LIBRARY).join("updater")
}

/// Units and manual of a version.
fn files_of(program: &Program) -> Result<Vec<(PathBuf, String)>> {
    let cage = cage(None, SECONDS_MAX);
    let ended = systemd::run_caged(&cage, &program.file(), &["changeover", "files"])?;
    if !ended.is_success {
        let said = last_line(&ended.err);
        return Err(Error::invalid(format!("Version {} says: {said}", program.version)));
    }
    let files = serde_json::from_str(&ended.out);
    Ok(files.with_context(|| format!("asking version {} for its files", program.version))?)
}

/// What runs finishes its requests; who comes meanwhile waits in the socket.
fn begin_restart() -> Result<()> {
    systemd::forget_failures([SOCKET, SERVICE])?;
    systemd::begin_restart(SERVICE)
}

/// Waits until the other program has the portal and answers, or it is clear that it will not.
fn await_new(program: &Program, limit: Duration) -> Result<()> {
    let (mut begin, mut patience) = (Instant::now(), PATIENCE_STOP);
    let mut restarts = None;
    while begin.elapsed() < patience {
        match Journal::read()?.map(|journal| journal.stage) {
            Some(Stage::Exchanged) => {
                if restarts.is_none() {
                    // Its own time begins here.
                    (begin, patience) = (Instant::now(), limit);
                }
                let unit = systemd::look(SERVICE)?;
                if unit.is_active() && answers(program)? {
                    return Ok(());
                }
                let has_ended = unit.detail == "auto-restart" || unit.state == "failed";
                if has_ended || unit.restarts > *restarts.get_or_insert(unit.restarts) {
                    return Err(anyhow!("it ended ({})", unit.result).into());
                }
            }
            Some(Stage::Refused(why)) => return Err(anyhow!(why).into()),
            // The program before finishes its last requests.
            _ => {}
        }
        std::thread::sleep(PAUSE);
    }
    let seconds = patience.as_secs();
    match restarts {
        Some(_) => Err(anyhow!("it was not ready after {seconds} seconds").into()),
        None => Err(anyhow!("the one before did not end within {seconds} seconds").into()),
    }
}

/// Waits until a program that systemd starts again and again has the portal.
fn comes_back(program: &Program, limit: Duration) -> Result<bool> {
    let begin = Instant::now();
    while begin.elapsed() < limit {
        if systemd::look(SERVICE)?.is_active() && answers(program)? {
            return Ok(true);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(false)
}

/// Whether it is this program that runs, and is well.
fn answers(program: &Program) -> Result<bool> {
    let Ok(Some(status)) = installed_status() else { return Ok(false) };
    let running = PathBuf::from(format!("/proc/{}/exe", status.pid));
    // A process may be gone again.
    if !files::are_equal(&running, &program.file()).unwrap_or(false) {
        return Ok(false);
    }
    let mut address = status.listens_on;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let runtime = runtime().map_err(|failure: Failure| anyhow!("{}", failure.sentence()))?;
    let visited = runtime.block_on(visits::visit(&format!("http://{address}/readyz")));
    // Where this visit does not get through (no IPv6 here, or a proxy that would speak first), the
    // portal has asked itself before it said that it is ready.
    Ok(visited.map_or(true, |code| code < 500))
}
