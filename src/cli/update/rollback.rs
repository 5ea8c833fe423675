//! `appliance rollback`: back to a version that ran here before.

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::{
    awaiting::Watch,
    change::{Change, Ended},
    ground::Ground,
    lead,
    making::outcome,
    rehearsal, settle,
    versions::Program,
};
use crate::{
    app::Changeover,
    cli::{
        Exit, Failure, Shell, confirm,
        output::{self, Color, colored, minute},
    },
    clock::Clock,
    error::Error,
    host::processes,
};

/// What must be typed before newer records are put aside.
const WORD: &str = "back";

#[derive(Debug, Args)]
pub struct Arguments {
    /// Which one [default: the one before]
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Also bring back the records that it left, and put those of now aside: needed where it cannot
    /// read them
    #[arg(long)]
    records: bool,
    /// Do not ask, also when what was saved since then is put aside
    #[arg(long)]
    yes: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The version that a rollback would bring back, for `status`.
pub fn earlier(running: &str) -> Option<String> {
    let kept = Program::kept(&Ground::installed())
        .ok()?
        .into_iter()
        .filter(|program| program.since.is_some());
    let mut versions = kept.map(|program| program.version);
    versions.find(|version| version != running)
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    let begin = Instant::now();
    let ground = Ground::installed();
    let _lead = lead(shell, &ground, "rollback")?;
    settle(shell, &ground, arguments.dry_run)?;
    let from = Program::installed(&ground)?;
    let to = chosen(&ground, &from, arguments.to.as_deref())?;
    to.check(&ground)?;
    let changeover = ground.changeover();
    let left = changeover.newest_left(&to.name())?;
    let returning = match (arguments.records, left) {
        (true, Some(left)) => Some(left),
        (true, None) => {
            return Err(Error::conflict(format!(
                "The records that version {} left are not kept here. Nothing was changed. A backup \
                 can come back: appliance restore SOURCE --replace.",
                to.version
            ))
            .into());
        }
        // The older version would misread what the data have now.
        (false, left) if to.records < from.records => {
            return Err(cannot_read(&from, &to, left.is_some()).into());
        }
        (false, _) => None,
    };
    rehearsal::check_room()?;
    if !arguments.json {
        output::print(&plan(&changeover, &from, &to, returning.as_deref())?)?;
    }
    if arguments.dry_run {
        match arguments.json {
            true => output::print_json(&json!({
                "from": from.version, "to": to.version, "changed": false,
                "loses_records": returning.is_some(),
            }))?,
            false => output::print("\nNothing was changed. Without --dry-run it is done.\n")?,
        }
        return Ok(Exit::Done);
    }
    if returning.is_some() && !arguments.yes {
        ask(&from)?;
    }
    let mut from = from;
    from.since.get_or_insert_with(|| Clock::system().now());
    from.keep(&ground, &ground.program)?;
    let was_ready = Watch::new(&ground, &shell.config, &from).is_ready()?;
    processes::outlive_terminal();
    let loses_records = returning.is_some();
    let change = Change {
        ground: &ground,
        config: &shell.config,
        from: from.clone(),
        to: to.clone(),
        returning,
        was_ready,
        rehearsed: Duration::ZERO,
    };
    let ended = change.make()?;
    let put_aside = match &ended {
        Ended::Changed { put_aside } => put_aside.as_ref().map(|name| changeover.left(name)),
        _ => None,
    };
    if arguments.json {
        output::print_json(&json!({
            "from": from.version, "to": to.version,
            "changed": matches!(ended, Ended::Changed { .. }), "loses_records": loses_records,
            "records_put_aside": put_aside,
        }))?;
    }
    let exit = outcome(&ended, &from, &to)?;
    if !arguments.json {
        let seconds = begin.elapsed().as_secs_f64();
        output::print(&format!("\nVersion {} runs, after {seconds:.1} seconds.\n", to.version))?;
        if let Some(path) = put_aside {
            output::print(&format!(
                "The records of before are put aside in {}. They stay there until somebody removes \
                 the file. “appliance rollback --to {} --records” brings them back.\n",
                path.display(),
                from.name()
            ))?;
        }
    }
    Ok(exit)
}

fn chosen(ground: &Ground, from: &Program, wanted: Option<&str>) -> Result<Program, Failure> {
    let mut kept = Program::kept(ground)?;
    kept.retain(|program| program.sha256 != from.sha256 && program.since.is_some());
    let names: Vec<String> = kept.iter().map(|program| program.version.clone()).collect();
    let is_wanted = |program: &Program| {
        wanted.is_none_or(|wanted| program.version == wanted || program.name() == wanted)
    };
    kept.into_iter().find(is_wanted).ok_or_else(|| {
        let there = match names.as_slice() {
            [] => "No version before this one is kept on this machine.".to_owned(),
            names => format!("Kept on this machine: {}.", names.join(", ")),
        };
        let missing = wanted.map(|wanted| format!("There is no version {wanted} to go back to. "));
        Failure::from(Error::NotFound(missing.unwrap_or_default() + &there))
    })
}

fn cannot_read(from: &Program, to: &Program, are_kept: bool) -> Error {
    let way = match are_kept {
        true => format!(
            "“appliance rollback --to {} --records” goes back to the records that it left, and puts \
             those of now aside.",
            to.version
        ),
        false => "Those that it left are not kept here either. A backup can come back: appliance \
                  restore SOURCE --replace."
            .into(),
    };
    Error::conflict(format!(
        "Version {} cannot read the records of now: they have number {}, and it reads them up to {}. \
         Nothing was changed. {way}",
        to.version, from.records, to.records
    ))
}

fn plan(
    changeover: &Changeover,
    from: &Program,
    to: &Program,
    returning: Option<&str>,
) -> Result<String, Failure> {
    let mut steps = vec![format!("Version {} instead of {}", to.version, from.version)];
    match returning {
        None => steps.push("All data stay as they are: both versions read them".into()),
        Some(left) => {
            let kept = changeover.left(left).metadata().and_then(|found| found.modified());
            let at = Timestamp::try_from(kept.context("looking at the earlier records")?);
            let at = at.map(minute).context("looking at the earlier records")?;
            steps.push(format!(
                "The records of {at}, when version {} was left: what was saved since then is gone \
                 from the portal",
                to.version
            ));
            steps.push(format!(
                "The records of now are put aside in {}, as those of {}",
                changeover.folder().join("earlier").display(),
                from.version
            ));
        }
    }
    steps.push("The portal starts again; its visitors wait meanwhile".into());
    let line = |step: &String| format!("  {} {step}\n", colored("+", Color::Yellow));
    Ok(steps.iter().map(line).collect())
}

fn ask(from: &Program) -> Result<(), Failure> {
    let since = from.since.map(|at| format!(" since {}", minute(at))).unwrap_or_default();
    let loss = format!(
        "Every document, change and account{since} is gone from the portal then. Files that were \
         deleted since are not back, and files that came since are removed after a while."
    );
    confirm::typed(WORD, &loss, "Nothing was changed.")
}
