//! `appliance update` and `appliance rollback`: another version of the program, with nobody noticing.
//!
//! The command leads, as root. It fetches and believes a release ([`candidate`]), has it open a copy
//! of the records ([`rehearsal`]), backs the records up, lays everything out ([`change`]) and asks
//! systemd for a restart. In the middle of that, when the old program has ended and visitors wait in
//! the socket, systemd runs [`exchange`]: the records are kept as they are, and the programs
//! exchanged by one rename. The new version is on trial until it knows that it answers
//! ([`Changeover`](crate::app::Changeover)); if it does not get so far, everything goes back. What
//! is under way stands in the [`journal`], where a table says what becomes of it whenever it is cut off;
//! [`settling`] has the steps, and the next start takes those that are left. Whether a version answers is
//! found out without asking it anything that another version could say differently ([`awaiting`]). The
//! versions before are kept ([`versions`]).

mod awaiting;
mod candidate;
mod change;
mod exchange;
mod ground;
mod journal;
mod making;
mod records;
mod rehearsal;
mod rollback;
mod settling;
mod versions;

use clap::{Args, Subcommand};
use serde_json::json;

pub use self::rollback::{Arguments as RollbackArguments, earlier, run as run_rollback};
use self::{
    candidate::trust,
    ground::Ground,
    journal::Lead,
    making::{Update, make},
};
use super::{
    Exit, Failure, Shell, install,
    output::{self, Color, colored},
    service,
};
use crate::{config::Config, error::Error, host::owner, version::Version};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The archive of a release, or a program: a file, or an address that begins with https://
    /// [default: the newest in the channel, update.url]
    #[arg(value_name = "FILE|URL")]
    source: Option<String>,
    /// Only say whether the channel has a newer version
    #[arg(long, conflicts_with = "source")]
    check: bool,
    /// Take a release that nobody has signed
    #[arg(long)]
    unsigned: bool,
    /// Take a version that is older, or the same
    #[arg(long)]
    allow_older: bool,
    /// Make no backup of the records before
    #[arg(long)]
    no_backup: bool,
    /// Show what would be done, and do nothing
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What an update has done by other processes than the one at the shell; not for people.
#[derive(Debug, Args)]
pub struct PartArguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// By systemd, before the service starts
    AtStart,
    /// By the user who owns the data
    Records {
        #[command(subcommand)]
        step: records::Step,
    },
    /// By another version, on a copy of the records
    Rehearse,
    /// By another version: the files that belong to it
    Files,
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.check {
        return check(shell, arguments);
    }
    let update = Update {
        source: arguments.source.as_deref(),
        is_unsigned: arguments.unsigned,
        may_be_older: arguments.allow_older,
        backs_up: !arguments.no_backup,
        is_dry_run: arguments.dry_run,
        is_json: arguments.json,
    };
    make(shell, &update)
}

/// # Errors
/// Those that systemd shall see: with one of [`Part::AtStart`] the service must not start.
pub fn run_part(
    load: impl FnOnce() -> Result<Shell, Failure>,
    arguments: &PartArguments,
) -> Result<Exit, Failure> {
    match &arguments.part {
        Part::AtStart => exchange::at_start(),
        Part::Records { step } => records::run(step),
        Part::Rehearse => rehearsal::run(&load()?),
        Part::Files => {
            output::print_json(&install::own_files()?)?;
            Ok(Exit::Done)
        }
    }
}

fn check(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    let trust = trust(shell, arguments.unsigned)?;
    let ground = Ground::installed();
    let (newest, archive) = candidate::newest(shell, &ground, &trust, arguments.allow_older)?;
    let own = Version::own();
    let is_newer = newest > own;
    if arguments.json {
        output::print_json(&json!({
            "version": own.to_string(), "newest": newest.to_string(), "is_newer": is_newer,
            "archive": archive, "is_signed": !arguments.unsigned,
        }))?;
        return Ok(Exit::Done);
    }
    output::print(&match is_newer {
        true => format!("Version {newest} is there; this is {own}. Take it: appliance update\n"),
        false => format!("This is the newest version: {own}.\n"),
    })?;
    Ok(Exit::Done)
}

/// Only root exchanges the program, only one at a time, and only that of a service.
fn lead(shell: &Shell, ground: &Ground, verb: &str) -> Result<Lead, Failure> {
    if !service::is_service(shell)? {
        return Err(Failure::usage(format!(
            "“appliance {verb}” exchanges the program of the installed service, and the portal in {} \
             is none. Stop it, exchange the program by hand, and start it again; “appliance install” \
             makes it a service.",
            shell.config.data.display()
        )));
    }
    if owner::own_user() != 0 {
        return Err(Failure::usage(format!("Only root can do this: sudo appliance {verb}")));
    }
    lead_alone(ground)
}

/// The same for whoever changes the installed program in another way.
fn lead_alone(ground: &Ground) -> Result<Lead, Failure> {
    let lead = Lead::take(ground)?.ok_or_else(|| {
        Failure::in_use(
            "Another update or installation is under way. Wait until it is done; then see \
             “appliance status”.",
        )
    })?;
    rehearsal::clear(ground)?;
    Ok(lead)
}

/// For `install` and `uninstall`: keeps others out as long as it is held, and settles what an update
/// left that was cut off.
pub fn settle_and_lead(config: &Config) -> Result<Lead, Failure> {
    let ground = Ground::installed();
    let lead = lead_alone(&ground)?;
    if ground.journal().exists() && change::settle(&ground, config)? {
        let note = colored("note:", Color::Yellow);
        output::print(&format!("{note} an update was cut off; it is settled now.\n"))?;
    }
    Ok(lead)
}

/// Settles what an earlier update left that was cut off; true when there was one.
///
/// # Errors
/// `Conflict` when there is one and nothing is to be changed: nobody knows yet how it ends.
fn settle(shell: &Shell, ground: &Ground, is_dry_run: bool) -> Result<bool, Failure> {
    match is_dry_run {
        false => Ok(change::settle(ground, &shell.config)?),
        true if !ground.journal().exists() => Ok(false),
        true => Err(Failure::from(Error::conflict(
            "An earlier update was cut off, and what can be done next depends on how it is settled. \
             Nothing was changed. Without --dry-run it is settled first.",
        ))),
    }
}

/// A line of what was done.
fn told(is_json: bool, what: &str) -> Result<(), Failure> {
    if is_json {
        return Ok(());
    }
    output::print(&format!("  {} {what}\n", colored("✓", Color::Green)))
}
