//! `appliance rollback`: back to a version that ran here before.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::json;

use super::{
    change::{self, Change, Ended},
    lead,
    making::outcome,
    rehearsal,
    versions::Program,
};
use crate::{
    app::Changeover,
    cli::{
        Exit, Failure, Shell, confirm, install,
        output::{self, Color, colored, minute},
    },
    error::Error,
    host::{
        places::{DATA, PROGRAM},
        processes,
    },
};

/// What must be typed before newer records are put aside.
const WORD: &str = "back";

#[derive(Debug, Args)]
pub struct Arguments {
    /// Which one [default: the one before]
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Also bring back the records that it left, and put those of now aside; without this only when it
    /// cannot read those
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
    let kept = Program::kept().ok()?.into_iter().filter(|program| program.since.is_some());
    let mut versions = kept.map(|program| program.version);
    versions.find(|version| version != running)
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    let begin = Instant::now();
    let _lead = lead(shell, "rollback")?;
    change::settle()?;
    let from = Program::installed()?;
    let to = chosen(&from, arguments.to.as_deref())?;
    to.check()?;
    let changeover = Changeover::of(Path::new(DATA));
    // Fewer than what the data have now: the older version would misread them.
    let needs_records = to.records < from.records || arguments.records;
    if needs_records && !changeover.has_earlier(&to.name()) {
        return Err(Error::conflict(format!(
            "The records of version {} were not kept{}. A backup can come back: appliance restore \
             SOURCE --replace.",
            to.version,
            match to.records < from.records {
                true => format!(", and it cannot read those of {}", from.version),
                false => format!(": it reads those of {}", from.version),
            }
        ))
        .into());
    }
    rehearsal::check_room()?;
    if !arguments.json {
        output::print(&plan(&from, &to, needs_records))?;
    }
    if arguments.dry_run {
        match arguments.json {
            true => output::print_json(&json!({
                "from": from.version, "to": to.version, "changed": false,
                "loses_records": needs_records,
            }))?,
            false => output::print("\nNothing was changed. Without --dry-run it is done.\n")?,
        }
        return Ok(Exit::Done);
    }
    if needs_records && !arguments.yes {
        ask(&from)?;
    }
    let mut from = from;
    from.since.get_or_insert_with(jiff::Timestamp::now);
    from.keep(Path::new(PROGRAM))?;
    processes::outlive_terminal();
    let change = Change {
        from: from.clone(),
        to: to.clone(),
        returning: needs_records.then(|| to.name()),
        was_ready: install::installed_status().is_ok_and(|status| status.is_some()),
        rehearsed: Duration::ZERO,
    };
    let ended = change.make()?;
    if arguments.json {
        output::print_json(&json!({
            "from": from.version, "to": to.version,
            "changed": matches!(ended, Ended::Changed), "loses_records": needs_records,
        }))?;
    }
    let exit = outcome(&ended, &from, &to)?;
    if !arguments.json {
        let seconds = begin.elapsed().as_secs_f64();
        output::print(&format!("\nVersion {} runs, after {seconds:.1} seconds.\n", to.version))?;
    }
    Ok(exit)
}

fn chosen(from: &Program, wanted: Option<&str>) -> Result<Program, Failure> {
    let mut kept = Program::kept()?;
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

fn plan(from: &Program, to: &Program, needs_records: bool) -> String {
    let mut steps = vec![format!("Version {} instead of {}", to.version, from.version)];
    steps.push(match (needs_records, from.since) {
        (false, _) => "All data stay as they are: both versions read them".into(),
        (true, Some(since)) => format!(
            "The records of {}, when version {} was left: what was saved since then is gone from the \
             portal",
            minute(since),
            to.version
        ),
        (true, None) => format!("The records from when version {} was left", to.version),
    });
    if needs_records {
        steps.push(format!(
            "The records of now are put aside; “appliance rollback --to {} --records” brings them back",
            from.version
        ));
    }
    steps.push("The portal starts again; its visitors wait meanwhile".into());
    let line = |step: &String| format!("  {} {step}\n", colored("+", Color::Yellow));
    steps.iter().map(line).collect()
}

fn ask(from: &Program) -> Result<(), Failure> {
    let since = from.since.map(|at| format!(" since {}", minute(at))).unwrap_or_default();
    let loss = format!(
        "Every document, change and account{since} is gone from the portal then. Files that were \
         deleted since are not back, and files that came since are removed after a while."
    );
    confirm::typed(WORD, &loss, "Nothing was changed.")
}
