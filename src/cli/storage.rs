//! `appliance storage`: checks the storage of files, moves them to S3 or back, reads them again.

use clap::{Args, Subcommand, ValueEnum};

use super::{
    Exit, Failure, Shell,
    ask::unexpected,
    confirm,
    output::{self, Color, colored, counted},
};
use crate::{
    app::{FaultyFile, ScrubReport, StorageCheck},
    blobs::{CheckStep, Outcome},
    config::Backend,
    control::{Moved, Reply, Request},
    domain::storage::{Amount, Phase},
    size::Size,
};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Try everything that is needed of S3, and name what is missing
    Check,
    /// Make this portal the owner of the files in its bucket, if no other portal uses them
    Claim {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Copy all files to S3 or to the disk while the portal runs; again goes on where it was
    Migrate {
        /// Where to
        #[arg(long)]
        to: Home,
        /// Then remove the old copies; only when everything was copied, and new files come there
        #[arg(long)]
        remove_old: bool,
    },
    /// Read files again, and make damaged copies anew from good ones
    Scrub {
        /// How much of all files, in percent; what was read longest ago comes first
        #[arg(long, value_name = "PERCENT", default_value_t = 100,
              value_parser = clap::value_parser!(u32).range(1..=100))]
        share: u32,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Home {
    S3,
    Disk,
}

impl From<Home> for Backend {
    fn from(home: Home) -> Self {
        match home {
            Home::S3 => Backend::S3,
            Home::Disk => Backend::Disk,
        }
    }
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    let is_json = arguments.json;
    match arguments.verb {
        Verb::Check => check(shell, is_json),
        Verb::Claim { yes } => claim(shell, yes, is_json),
        Verb::Migrate { to, remove_old } => migrate(shell, to.into(), remove_old, is_json),
        Verb::Scrub { share } => scrub(shell, share, is_json),
    }
}

fn check(shell: &Shell, is_json: bool) -> Result<Exit, Failure> {
    let check = match shell.ask(Request::CheckStorage)? {
        Reply::CheckedStorage(check) => check,
        other => return Err(unexpected(&other)),
    };
    match is_json {
        true => output::print_json(&check)?,
        false => output::print(&checked(&check))?,
    }
    Ok(if check.failed() == 0 { Exit::Done } else { Exit::Failed })
}

fn checked(check: &StorageCheck) -> String {
    let Some(name) = &check.name else {
        return "Files are kept on this machine, and no S3 is configured. “appliance doctor” looks at \
                the disk.\n"
            .into();
    };
    let mut text = format!("{name}\n");
    check.steps.iter().for_each(|step| push_step(&mut text, step));
    text.push_str(&match check.failed() {
        0 => format!("{}\n", colored("Everything that is needed works.", Color::Green)),
        count => format!("{}.\n", counted(count as u64, "step fails", "steps fail")),
    });
    text
}

fn push_step(text: &mut String, step: &CheckStep) {
    let (mark, color) = match step.outcome {
        Outcome::Works => ("works  ", Color::Green),
        Outcome::Missing(_) => ("missing", Color::Yellow),
        Outcome::Fails { .. } => ("fails  ", Color::Red),
        Outcome::Skipped => ("skipped", Color::Dim),
    };
    let permission = colored(&format!("({})", step.permission), Color::Dim);
    text.push_str(&format!("{} {} {permission}\n", colored(mark, color), step.what));
    match &step.outcome {
        Outcome::Fails { advice, detail } => {
            text.push_str(&format!("        → {advice}\n"));
            if !detail.is_empty() {
                text.push_str(&format!("        S3 says: {detail}\n"));
            }
        }
        Outcome::Missing(advice) => text.push_str(&format!("        → {advice}\n")),
        Outcome::Works | Outcome::Skipped => {}
    }
}

fn claim(shell: &Shell, is_sure: bool, is_json: bool) -> Result<Exit, Failure> {
    if !is_sure {
        confirm::typed(
            "claim",
            "This portal then removes from its bucket what it does not know. No other portal may use \
             the same bucket and prefix.",
            "Nothing was changed.",
        )?;
    }
    let place = match shell.ask(Request::ClaimStorage)? {
        Reply::ClaimedStorage(place) => place,
        other => return Err(unexpected(&other)),
    };
    match is_json {
        true => output::print_json(&serde_json::json!({ "claimed": place }))?,
        false => output::print(&format!("The files in {place} are this portal's.\n"))?,
    }
    Ok(Exit::Done)
}

fn migrate(shell: &Shell, to: Backend, removes_old: bool, is_json: bool) -> Result<Exit, Failure> {
    let moved = match shell.ask(Request::MigrateStorage { to, removes_old })? {
        Reply::MigratedStorage(moved) => moved,
        other => return Err(unexpected(&other)),
    };
    match is_json {
        true => output::print_json(&moved)?,
        false => output::print(&migrated(&moved))?,
    }
    Ok(if moved.migration.faults_total == 0 { Exit::Done } else { Exit::Partly })
}

fn migrated(moved: &Moved) -> String {
    let Moved { migration, backend } = moved;
    let told = |amount: &Amount| {
        format!("{} ({})", counted(amount.files, "file", "files"), Size(amount.bytes))
    };
    let mut text = format!("copied     {}\n", told(&migration.copied));
    text.push_str(&format!("there      {} already\n", told(&migration.known)));
    if migration.removes_old {
        text.push_str(&format!("removed    {}\n", told(&migration.removed)));
    }
    for fault in &migration.faults {
        text.push_str(&format!("{} {fault}\n", colored("fault:", Color::Red)));
    }
    let unnamed = migration.faults_total - migration.faults.len() as u64;
    if unnamed > 0 {
        text.push_str(&format!("… and {unnamed} more.\n"));
    }
    let (name, flag) = match migration.to {
        Backend::S3 => ("s3", "--to s3"),
        Backend::Disk => ("disk", "--to disk"),
    };
    text.push_str(&match (migration.faults_total, *backend == migration.to) {
        (1.., _) => "→ Mend what is named, and do it again: what is copied stays copied.\n".into(),
        (0, false) => format!(
            "→ New files still go to the old place. Set storage.backend to \"{name}\", restart the \
             portal, then: appliance storage migrate {flag} --remove-old\n"
        ),
        (0, true) if migration.removes_old && migration.phase == Phase::Done => {
            "All files have moved.\n".into()
        }
        (0, true) => format!(
            "Both places have all files. → To remove the old copies: appliance storage migrate \
             {flag} --remove-old\n"
        ),
    });
    text
}

fn scrub(shell: &Shell, percent: u32, is_json: bool) -> Result<Exit, Failure> {
    let report = match shell.ask(Request::ScrubStorage { percent })? {
        Reply::ScrubbedStorage(report) => report,
        other => return Err(unexpected(&other)),
    };
    match is_json {
        true => output::print_json(&report)?,
        false => output::print(&scrubbed(&report))?,
    }
    Ok(if report.faulty.is_empty() { Exit::Done } else { Exit::Partly })
}

fn scrubbed(report: &ScrubReport) -> String {
    let mut text = String::new();
    if let Some(run) = &report.run {
        text.push_str(&format!(
            "Read {} ({} in all copies).\n",
            counted(run.files, "file", "files"),
            Size(run.bytes)
        ));
        if run.healed > 0 {
            let healed = counted(run.healed, "damaged file was", "damaged files were");
            text.push_str(&format!("{healed} made anew from a good copy.\n"));
        }
    }
    for file in &report.faulty {
        push_faulty(&mut text, file);
    }
    text.push_str(&match report.faulty.is_empty() {
        true => format!("{}\n", colored("Every file has a good copy.", Color::Green)),
        false => "→ Restore these from a backup, or upload them again.\n".into(),
    });
    text
}

fn push_faulty(text: &mut String, file: &FaultyFile) {
    text.push_str(&format!("{} {}\n", colored("lost:", Color::Red), file.sentence()));
    for (id, title) in &file.documents {
        text.push_str(&format!("      it belongs to “{title}” (/documents/{id})\n"));
    }
}
