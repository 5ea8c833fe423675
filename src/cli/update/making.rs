//! `appliance update`: its steps in their order.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    awaiting::Watch,
    candidate::{self, Candidate, Seen},
    change::{Change, Ended},
    ground::Ground,
    lead,
    records::Step,
    rehearsal::{self, Rehearsed},
    settle, told,
    versions::Program,
};
use crate::{
    app::{Changeover, Made},
    cli::{
        Exit, Failure, Shell,
        output::{self, Color, colored, counted},
    },
    clock::Clock,
    error::Error,
    host::{
        accounts,
        places::{DATA, LIBRARY, PROGRAM, USER},
        processes::{self, OWN_PROGRAM},
    },
    size::Size,
    space,
    version::Version,
};

/// The program of the version that comes is copied three times, beside those that are kept.
const PROGRAMS_BYTES: u64 = 4;
const RESERVE_BYTES: u64 = 64 << 20;

/// What somebody asked for.
pub struct Update<'a> {
    pub source: Option<&'a str>,
    pub is_unsigned: bool,
    pub may_be_older: bool,
    pub backs_up: bool,
    pub is_dry_run: bool,
    pub is_json: bool,
}

pub fn make(shell: &Shell, update: &Update) -> Result<Exit, Failure> {
    let begin = Instant::now();
    let trust = candidate::trust(shell, update.is_unsigned)?;
    let ground = Ground::installed();
    let _lead = lead(shell, &ground, "update")?;
    if settle(shell, &ground, update.is_dry_run)? {
        note(update, "an earlier update was cut off; it is settled now.")?;
    }
    let mut from = Program::installed(&ground)?;
    let origin = candidate::origin(shell, &ground, update, &trust)?;
    ground.public_folder(&ground.library)?;
    check_room_for_programs()?;
    let Candidate { program: to, fetched } = candidate::fetch(&ground, &origin, update, &trust)?;
    let outcome = (|| {
        judge(&from, &to, update)?;
        let size = rehearsal::check_room()?;
        if !update.is_json {
            output::print(&plan(&from, &to, update, size))?;
        }
        if !fetched.is_signed {
            let compared = match fetched.is_compared {
                true => "its checksum is right, which says only that it arrived whole",
                false => "nobody vouches for it",
            };
            note(update, &format!("the release is not signed: {compared}."))?;
        }
        if update.is_dry_run {
            return Ok(None);
        }
        from.since.get_or_insert_with(|| since(Path::new(PROGRAM)));
        from.keep(&ground, &ground.program)?;
        carry_out(shell, &ground, (&from, &to), update).map(Some)
    })();
    // What came to nothing leaves nothing; but what is not settled may be running.
    if !ground.journal().exists() {
        to.drop_unless_used(&ground)?;
    }
    match outcome? {
        Some(exit) => {
            Seen::note(&ground, &fetched)?;
            if !update.is_json && exit == Exit::Done {
                let seconds = begin.elapsed().as_secs_f64();
                output::print(&format!(
                    "\nVersion {} runs, after {seconds:.1} seconds. Back to {}: appliance \
                     rollback\n",
                    to.version, from.version
                ))?;
            }
            Ok(exit)
        }
        None => {
            match update.is_json {
                true => output::print_json(&json!({
                    "from": from.version, "to": to.version, "changed": false,
                }))?,
                false => {
                    output::print("\nNothing was changed. Without --dry-run it is done.\n")?;
                }
            }
            Ok(Exit::Done)
        }
    }
}

/// # Errors
/// For a version that is not newer.
fn judge(from: &Program, to: &Program, update: &Update) -> Result<(), Failure> {
    let parse = |program: &Program| program.version.parse::<Version>();
    let (Ok(old), Ok(new)) = (parse(from), parse(to)) else {
        return Err(Error::invalid(format!("“{}” is no version.", to.version)).into());
    };
    if from.sha256 == to.sha256 {
        return Err(Error::conflict(format!(
            "Version {new} is installed already. Nothing was changed."
        ))
        .into());
    }
    if new > old || update.may_be_older {
        return Ok(());
    }
    let is = if new == old { "the same version".into() } else { format!("older than {old}") };
    Err(Error::conflict(format!(
        "The release is version {new}, {is}. Nothing was changed. To go back to a version that ran \
         here: appliance rollback. To take this one all the same: --allow-older."
    ))
    .into())
}

fn check_room_for_programs() -> Result<(), Failure> {
    let size = Path::new(PROGRAM).metadata().map_or(0, |found| found.len());
    let library = Path::new(LIBRARY);
    Ok(space::require(library, size * PROGRAMS_BYTES, RESERVE_BYTES)?)
}

fn plan(from: &Program, to: &Program, update: &Update, size: u64) -> String {
    let mut steps = vec![
        format!("Version {} instead of {}", to.version, from.version),
        format!("A rehearsal on a copy of the records ({})", Size(size)),
    ];
    if update.backs_up {
        steps.push(format!("A backup of the records: {}", archive(from).display()));
    }
    steps.push("The portal starts again; its visitors wait meanwhile".into());
    steps.push(format!(
        "Version {} is kept, and comes back when this one is not ready",
        from.version
    ));
    let line = |step: &String| format!("  {} {step}\n", colored("+", Color::Yellow));
    let mut text: String = steps.iter().map(line).collect();
    text.push('\n');
    text
}

fn carry_out(
    shell: &Shell,
    ground: &Ground,
    (from, to): (&Program, &Program),
    update: &Update,
) -> Result<Exit, Failure> {
    let was_ready = Watch::new(ground, &shell.config, from).is_ready()?;
    let rehearsed = rehearsal::rehearse(ground, to)?;
    told(update.is_json, &of_rehearsal(&rehearsed))?;
    let backup = match update.backs_up {
        true => Some(back_up(ground, from, was_ready, update)?),
        false => {
            note(update, "no backup is made.")?;
            None
        }
    };
    // Nobody can stop in the middle of this, and nobody need.
    processes::outlive_terminal();
    let change = Change {
        ground,
        config: &shell.config,
        from: from.clone(),
        to: to.clone(),
        returning: None,
        was_ready,
        rehearsed: Duration::from_millis(rehearsed.start_ms),
    };
    let ended = change.make()?;
    if update.is_json {
        output::print_json(&json!({
            "from": from.version,
            "to": to.version,
            "changed": matches!(ended, Ended::Changed { .. }),
            "went_back": matches!(ended, Ended::WentBack { .. }),
            "why": why(&ended),
            "backup": backup,
            "rehearsal": rehearsed,
        }))?;
    }
    outcome(&ended, from, to)
}

fn why(ended: &Ended) -> Value {
    match ended {
        Ended::Changed { .. } => Value::Null,
        Ended::WentBack { why, .. } | Ended::NotReady { why } => json!(why),
    }
}

/// In the end, for an update and for a rollback.
pub fn outcome(ended: &Ended, from: &Program, to: &Program) -> Result<Exit, Failure> {
    let (old, new) = (&from.version, &to.version);
    match ended {
        Ended::Changed { .. } => Ok(Exit::Done),
        Ended::WentBack { why, is_ready: true } => Err(Error::conflict(format!(
            "{why} Version {old} runs again, with everything as it was."
        ))
        .into()),
        Ended::WentBack { why, is_ready: false } => Err(Error::conflict(format!(
            "{why} Version {old} is back with its data, and is not ready either: see “appliance \
             logs”."
        ))
        .into()),
        Ended::NotReady { why } => Err(Error::conflict(format!(
            "{why} It had begun to answer, so version {new} and its data stay: with them version \
             {old} could not go on. See “appliance logs”; “appliance rollback --records” goes back \
             to the records of before."
        ))
        .into()),
    }
}

fn of_rehearsal(rehearsed: &Rehearsed) -> String {
    let seconds = rehearsed.start_ms as f64 / 1_000.0;
    let records = counted(rehearsed.records, "record", "records");
    let mut text = format!("Rehearsed: ready after {seconds:.1} seconds, {records} are whole");
    if rehearsed.damages_total > 0 {
        let damages = counted(rehearsed.damages_total, "damage was", "damages were");
        text = format!(
            "Rehearsed: ready after {seconds:.1} seconds; of {records}, {damages} there before \
             (appliance check)"
        );
    }
    text
}

/// The records alone, in the format that every later version reads. A backup with all files would take
/// hours in a large library, and an update touches none of them; what the version before needs to come
/// back is kept as it is in any case.
fn back_up(
    ground: &Ground,
    from: &Program,
    was_ready: bool,
    update: &Update,
) -> Result<Option<PathBuf>, Failure> {
    if !was_ready {
        note(update, "the portal does not run, so no backup is made; its records are kept.")?;
        return Ok(None);
    }
    let path = archive(from);
    // As the user whose the portal is, who can then restore it too.
    let owner = accounts::find(USER)?.ok_or_else(|| anyhow!("there is no user “{USER}”"))?;
    let ended = Command::new(OWN_PROGRAM)
        .args(["backup", "--records-only", "--json", "--data", DATA])
        .arg(&path)
        .uid(owner.user)
        .gid(owner.group)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("backing the records up")?;
    if !ended.status.success() {
        return Err(Error::conflict(
            "The backup failed, so nothing was changed. --no-backup leaves it out.",
        )
        .into());
    }
    let made: Made = serde_json::from_slice(&ended.stdout).context("reading about the backup")?;
    let records = counted(made.records, "record", "records");
    let size = Size(made.written_bytes);
    told(update.is_json, &format!("Backed up {records} ({size}): {}", path.display()))?;
    ground.records(Step::PruneArchives)?;
    Ok(Some(path))
}

fn archive(from: &Program) -> PathBuf {
    Changeover::of(Path::new(DATA)).archive(&from.version)
}

/// When a program that nobody noted was put there.
fn since(path: &Path) -> Timestamp {
    let changed = path.metadata().and_then(|found| found.modified()).ok();
    changed.and_then(|at| Timestamp::try_from(at).ok()).unwrap_or_else(|| Clock::system().now())
}

fn note(update: &Update, what: &str) -> Result<(), Failure> {
    match update.is_json {
        true => Ok(()),
        false => output::print(&format!("{} {what}\n", colored("note:", Color::Yellow))),
    }
}
