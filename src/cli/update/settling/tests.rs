//! The power is cut before each step that makes something durable, and cut again at each step of
//! settling that; whenever a portal starts, its program, its records and its unit belong together, and
//! nothing that was promised or put aside is lost.

use std::{fs, path::PathBuf};

use jiff::Timestamp;

use super::{
    super::{
        exchange::before_start,
        ground::Ground,
        journal::{Journal, Lead, Stage, Turn},
        records::Step,
        versions::Program,
    },
    *,
};
use crate::{
    app::App,
    hash::Digest,
    host::power::{self, fails_after, is_gone},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// The new version passes its trial.
    Good,
    /// It converts the records and never answers.
    Bad,
    /// An older version comes back, with its records.
    Returning,
    /// That, and it never answers.
    BadReturning,
    /// It passes, hangs then, and reads the same records as the one before.
    Hangs,
    /// The next program cannot be put in its place.
    Refused,
}

struct Machine {
    _folder: tempfile::TempDir,
    ground: Ground,
    course: Course,
    from: Program,
    to: Program,
    /// Visitors have been answered by the version that comes.
    has_promised: bool,
}

impl Machine {
    fn new(course: Course) -> Self {
        // In memory, where making durable takes no time.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let ground = Ground::below(folder.path());
        for name in ["bin", "lib", "data", "units"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let program = |version: &str, records| {
            let path = folder.path().join("program");
            fs::write(&path, version).unwrap();
            let sha256 = Digest::of(version.as_bytes());
            let since = Some(Timestamp::UNIX_EPOCH);
            let program = Program { version: version.into(), records, sha256, since };
            program.keep(&ground, &path).unwrap();
            program
        };
        let (from, to) = match course {
            Course::Good | Course::Bad | Course::Refused => ("1.0.0 old", "2.0.0 new"),
            Course::Hangs => ("1.0.0 old", "1.0.1 new"),
            Course::Returning | Course::BadReturning => ("2.0.0 new", "1.0.0 old"),
        };
        let number = |version: &str| if version.starts_with('2') { 2 } else { 1 };
        let (from, to) = (program(from, number(from)), program(to, number(to)));
        fs::write(&ground.own, "own").unwrap();
        fs::write(&ground.program, &from.version).unwrap();
        fs::write(ground.data.join(App::DATABASE), format!("records {}", from.records)).unwrap();
        let machine = Machine { _folder: folder, ground, course, from, to, has_promised: false };
        fs::write(machine.unit(), &machine.from.version).unwrap();
        machine
    }

    fn unit(&self) -> PathBuf {
        self.ground.locks.join("units/appliance.service")
    }

    fn text(&self, path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    fn records(&self) -> String {
        self.text(&self.ground.data.join(App::DATABASE))
    }

    /// As the command does it.
    fn update(&mut self) -> Result<()> {
        let ground = self.ground.clone();
        let _lead = Lead::take(&ground)?.expect("nobody else leads");
        let returning =
            matches!(self.course, Course::Returning | Course::BadReturning).then(|| "left".into());
        let mut journal = Journal {
            from: self.from.clone(),
            to: self.to.clone(),
            stage: Stage::Preparing,
            saved: Vec::new(),
            returning,
            began_at: Timestamp::UNIX_EPOCH,
        };
        journal.write(&ground)?;
        let new = vec![(self.unit(), self.to.version.clone())];
        lay_out(&ground, &mut journal, new)?;
        ground.read_units()?;
        ground.records(Step::Prepare)?;
        ground.records(Step::CopyAhead)?;
        if journal.returning.is_some() {
            let returning = ground.changeover().folder().join("returning.redb");
            fs::write(returning, "records 1 of before").unwrap();
        }
        journal.set(&ground, Stage::Ready)?;
        if self.course == Course::Refused {
            fs::remove_file(ground.next_program()).unwrap();
        }
        self.start()?;
        let _turn = Turn::take(&ground)?;
        let mut journal = Journal::read(&ground)?.expect("a journal");
        let mut stage = choose_end(&ground, &journal)?;
        if self.course == Course::Hangs {
            stage = Stage::ProgramBack;
        }
        journal.set(&ground, stage)?;
        if matches!(journal.stage, Stage::Back | Stage::ProgramBack) {
            drop(_turn);
            self.start()?;
        }
        end(&ground, &journal)?;
        clear(&ground)
    }

    /// As systemd starts the service: what stands in the unit, or stood there when it last read it, and
    /// then the program.
    fn start(&mut self) -> Result<()> {
        let ground = self.ground.clone();
        if ground.unit_line.exists() || !self.text(&ground.line_as_read()).is_empty() {
            assert!(ground.updater().exists(), "the unit calls what is not there");
            before_start(&ground)?;
        }
        let trial = ground.changeover().trial(&ground.program).expect("it may start");
        let own = self.text(&ground.program);
        let number = if own.starts_with('2') { 2 } else { 1 };
        let found = self.records();
        assert!(
            found.starts_with("records 1") || (number == 2 && found.starts_with("records 2")),
            "{own} cannot read {found:?}"
        );
        if own == self.to.version && !self.has_promised {
            assert!(trial.is_some(), "nobody starts a version that has not passed");
        }
        if number == 2 && found == "records 1" {
            power::check()?;
            fs::write(ground.data.join(App::DATABASE), "records 2").unwrap();
        }
        let answers = !matches!(self.course, Course::Bad | Course::BadReturning);
        if let Some(trial) = trial.filter(|_| answers) {
            trial.pass()?;
            self.has_promised = true;
        }
        Ok(())
    }

    /// What is left is little, and goes with the next command.
    fn tidy_up(&self, when: &str) {
        let ground = &self.ground;
        if let Some(mut journal) = Journal::read(ground).unwrap() {
            assert!(!ground.unit_line.exists(), "{when}: where systemd calls, it is settled");
            let stage = choose_end(ground, &journal).unwrap();
            journal.set(ground, stage).unwrap();
            end(ground, &journal).unwrap();
        }
        clear(ground).unwrap();
        for left in [ground.journal(), ground.updater(), ground.next_program()] {
            assert!(!left.exists(), "{when}: {}", left.display());
        }
    }

    /// Everything belongs together.
    fn check(&self, when: &str) {
        let (ground, own) = (&self.ground, self.text(&self.ground.program));
        assert_eq!(own, self.text(&self.unit()), "{when}: the unit is of the program");
        let goes_back = matches!(self.course, Course::Hangs);
        if self.has_promised && !goes_back {
            assert_eq!(own, self.to.version, "{when}: what was promised stays");
        }
        let wanted = match (self.course, own == self.to.version) {
            (Course::Returning | Course::BadReturning, true) => "records 1 of before".to_owned(),
            (_, true) => format!("records {}", self.to.records),
            (_, false) => format!("records {}", self.from.records),
        };
        assert_eq!(self.records(), wanted, "{when}: the records are of the program {own}");
        let update = ground.changeover().folder().to_owned();
        for left in ["trial.json", "passed.json", "taken-back.json", "records.redb"] {
            assert!(!update.join(left).exists(), "{when}: {left}");
        }
        let left = |name: String| self.text(&ground.changeover().left(&name));
        let name = self.from.name();
        if self.course == Course::Returning && own == self.to.version {
            let aside = left(format!("{name}@1970-01-01T00-00-00"));
            assert_eq!(aside, "records 2", "{when}: those of before are put aside");
        }
        if self.course == Course::Good && own == self.to.version {
            assert_eq!(left(name), "records 1", "{when}: the way back");
        }
    }
}

/// Cuts the power after so many steps, and once more while it is settled; false when there were fewer.
fn cut(course: Course, first: u32, second: Option<u32>) -> (bool, bool) {
    let mut machine = Machine::new(course);
    let when = format!("{course:?}, cut at {first}, then at {second:?}");
    fails_after(Some(first));
    let done = machine.update();
    let was_cut = is_gone();
    fails_after(None);
    assert!(was_cut || done.is_ok(), "{when}: {done:?}");
    let mut was_cut_again = false;
    if was_cut {
        fails_after(second);
        let started = machine.start();
        was_cut_again = is_gone();
        fails_after(None);
        assert!(was_cut_again || started.is_ok(), "{when}: {started:?}");
        machine.start().unwrap_or_else(|fault| panic!("{when}: {fault:?}"));
    }
    machine.check(&when);
    machine.tidy_up(&when);
    machine.check(&when);
    (was_cut, was_cut_again)
}

fn cut_everywhere(course: Course) {
    let mut cuts = 0;
    for first in 0.. {
        let (was_cut, _) = cut(course, first, None);
        if !was_cut {
            break;
        }
        for second in 0.. {
            cuts += 1;
            if !cut(course, first, Some(second)).1 {
                break;
            }
        }
    }
    assert!(cuts > 100, "{cuts} cuts");
}

#[test]
fn an_update_survives_a_cut_after_every_step() {
    cut_everywhere(Course::Good);
}

#[test]
fn an_update_that_goes_back_survives_a_cut_after_every_step() {
    cut_everywhere(Course::Bad);
    cut_everywhere(Course::Refused);
}

#[test]
fn going_back_to_earlier_records_survives_a_cut_after_every_step() {
    cut_everywhere(Course::Returning);
    cut_everywhere(Course::BadReturning);
}

#[test]
fn taking_a_program_back_that_hangs_survives_a_cut_after_every_step() {
    cut_everywhere(Course::Hangs);
}

/// As an earlier version left it whose last write had failed.
#[test]
fn a_version_that_runs_and_is_not_kept_any_more_is_kept_again() {
    let mut machine = Machine::new(Course::Good);
    let ground = machine.ground.clone();
    machine.update().unwrap();
    fs::remove_dir_all(machine.to.file(&ground).parent().unwrap()).unwrap();
    let mut journal = Journal {
        from: machine.from.clone(),
        to: machine.to.clone(),
        stage: Stage::Done,
        saved: Vec::new(),
        returning: None,
        began_at: Timestamp::UNIX_EPOCH,
    };
    settle_at_rest(&ground, &mut journal).unwrap();
    machine.to.check(&ground).unwrap();
    machine.check("kept again");
}

/// The one who leads is killed between any two steps of systemd's side, which is then called again.
#[test]
fn the_call_by_systemd_may_be_made_twice() {
    for first in 0..40 {
        let mut machine = Machine::new(Course::Returning);
        let ground = machine.ground.clone();
        let lead = Lead::take(&ground).unwrap().expect("the lead");
        let mut journal = Journal {
            from: machine.from.clone(),
            to: machine.to.clone(),
            stage: Stage::Preparing,
            saved: Vec::new(),
            returning: Some("left".into()),
            began_at: Timestamp::UNIX_EPOCH,
        };
        lay_out(&ground, &mut journal, vec![(machine.unit(), machine.to.version.clone())]).unwrap();
        ground.records(Step::Prepare).unwrap();
        let returning = ground.changeover().folder().join("returning.redb");
        fs::write(returning, "records 1 of before").unwrap();
        journal.set(&ground, Stage::Ready).unwrap();
        // Killed in the middle, while the command goes on waiting.
        fails_after(Some(first));
        let begun = before_start(&ground);
        fails_after(None);
        machine.start().unwrap();
        let mut journal = Journal::read(&ground).unwrap().expect("a journal");
        let stage = choose_end(&ground, &journal).unwrap();
        journal.set(&ground, stage).unwrap();
        end(&ground, &journal).unwrap();
        clear(&ground).unwrap();
        drop(lead);
        machine.check(&format!("called again after {first}: {begun:?}"));
    }
}
