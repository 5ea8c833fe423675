//! `appliance backup`: makes backups, lists and verifies them, removes old ones, rehearses a restore.

mod looking;
mod making;
mod plan;

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{
    Exit, Failure, Shell,
    keys::{Locking, Opening},
    output::{Color, colored},
};
use crate::{
    backup::{Retention, SignerKey, Signers},
    error::Result,
};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The archive to write; "-" is the standard output [default: a new one in the folder “backups”
    /// of the data folder]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// A repository instead, whose snapshots share files: a folder or s3://bucket/prefix
    #[arg(long, value_name = "REPOSITORY", conflicts_with = "file")]
    to: Option<String>,
    /// Leave the files where they are, and only look whether they are there
    #[arg(long)]
    records_only: bool,
    #[command(flatten)]
    locking: Locking,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the backups that are there
    List(Looking),
    /// Check that backups are whole
    Verify {
        #[command(flatten)]
        looking: Looking,
        /// Also read every file of a repository
        #[arg(long)]
        all_data: bool,
        /// Whose signature they must have, as “backup signer” prints it [default: that of this portal,
        /// and older ones have none]
        #[arg(long, value_name = "KEY")]
        signer: Option<SignerKey>,
        /// Remove damaged files, records and snapshots of a repository, so that the next backup writes
        /// anew what it can
        #[arg(long)]
        mend: bool,
    },
    /// Remove old backups; the newest always stays
    Prune {
        #[command(flatten)]
        looking: Looking,
        /// Keep the last N
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep_last: u32,
        /// Keep one for each of the last N days that have one
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep_daily: u32,
        /// The same for weeks
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep_weekly: u32,
        /// The same for months
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep_monthly: u32,
    },
    /// Rehearse: restore the newest backup into a scratch folder and look whether it is whole
    Drill(Looking),
    /// Print the key by which the backups of this portal are known: keep it where the backups are not,
    /// for “restore --signer”
    Signer {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take away the leases of runs that died on other machines, when none is at work any more
    Unlock(Looking),
    /// Take the repository at a place for the right one, although it is another one than before
    Trust {
        /// A folder or s3://bucket/prefix
        #[arg(value_name = "REPOSITORY")]
        place: String,
    },
    /// Show or set what happens by itself
    Plan(plan::Arguments),
}

#[derive(Debug, Args)]
struct Looking {
    /// A repository, an archive or a folder of archives [default: where the plan puts them, else the
    /// folder “backups” of the data folder]
    #[arg(value_name = "PLACE")]
    place: Option<String>,
    #[command(flatten)]
    opening: Opening,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Looking {
    /// With the whole path of a folder, since the server has another working folder.
    fn place(&self) -> Result<Option<String>> {
        self.place.as_deref().map(whole).transpose()
    }
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.verb {
        None => making::make(shell, arguments),
        Some(Verb::List(looking)) => looking::list(shell, looking),
        Some(Verb::Verify { looking, all_data, signer, mend }) => {
            let signers = signer.map_or(Signers::Any, Signers::Only);
            looking::verify(shell, looking, signers, (*all_data, *mend))
        }
        Some(Verb::Signer { json }) => looking::signer(shell, *json),
        Some(Verb::Prune { looking, keep_last, keep_daily, keep_weekly, keep_monthly }) => {
            let retention = Retention {
                last: *keep_last,
                daily: *keep_daily,
                weekly: *keep_weekly,
                monthly: *keep_monthly,
            };
            looking::prune(shell, looking, retention)
        }
        Some(Verb::Drill(looking)) => looking::drill(shell, looking),
        Some(Verb::Unlock(looking)) => looking::unlock(shell, looking),
        Some(Verb::Trust { place }) => looking::trust(shell, place),
        Some(Verb::Plan(arguments)) => plan::run(shell, arguments),
    }
}

pub(super) fn push_damages(text: &mut String, damages: &[String]) {
    for damage in damages.iter().take(100) {
        text.push_str(&format!("{} {damage}\n", colored("damage:", Color::Red)));
    }
    if damages.len() > 100 {
        text.push_str(&format!("… and {} more.\n", damages.len() - 100));
    }
}

pub(super) fn push_warnings(text: &mut String, warnings: &[String]) {
    for warning in warnings {
        text.push_str(&format!("{} {warning}\n", colored("warning:", Color::Yellow)));
    }
}

/// A bucket, or a folder with its whole path.
pub(super) fn whole(place: &str) -> Result<String> {
    if place.starts_with("s3://") {
        return Ok(place.into());
    }
    let path = std::path::absolute(place).context("reading the working folder")?;
    Ok(path.display().to_string())
}

/// Reads all of a small file, or the standard input.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    match path == Path::new("-") {
        true => io::stdin().take(1 << 20).read_to_string(&mut text)?,
        false => File::open(path)?.take(1 << 20).read_to_string(&mut text)?,
    };
    Ok(text)
}
