//! `appliance install` and `appliance uninstall`: a service of the machine, and back.
//!
//! Both work through the same [`steps`](plan::steps). Each knows what will be so, whether it is so
//! already, how to get there, and how to take it away again; so a second `install` does only what is
//! missing, `--dry-run` shows the rest, and when a step fails the earlier ones of this run are
//! undone; so they are when somebody presses Ctrl-C. What must be right before is asked first, in
//! `preflight`. Both hold the lock of updates, and first settle one that was cut off.

mod accounts;
mod folders;
mod plan;
mod portal;
mod preflight;
mod program;
mod service;
mod step;
mod uninstall;

use std::{path::PathBuf, time::Instant};

use clap::Args;

use self::{plan::Plan, portal::Address, program::Manual, service::Units};
pub use self::{
    portal::{last_words, last_words_since},
    uninstall::{Arguments as UninstallArguments, run as run_uninstall},
};
use super::{
    Exit, Failure,
    keys::Opening,
    output::{self, Color, colored},
    passwords, update,
};
use crate::{app::BackupSource, config::Config, error::Result};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The name by which people reach the portal, for HTTPS; may be given several times
    #[arg(long, value_name = "NAME")]
    domain: Vec<String>,
    /// Where the certificate authority, and the portal, reach who administers it
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Do not look whether the domain leads to this machine, because a proxy or load balancer is
    /// between
    #[arg(long, requires = "domain")]
    any_address: bool,
    /// Bring the portal of a backup back: an archive, a folder of archives or a repository
    #[arg(long, value_name = "SOURCE", conflicts_with = "admin_password_file")]
    restore: Option<String>,
    #[command(flatten)]
    opening: Opening,
    /// Make the first administrator, with the password in the first line of this file, instead of
    /// printing a link for setting the portal up
    #[arg(long, value_name = "FILE", requires = "email")]
    admin_password_file: Option<PathBuf>,
    /// The username of that administrator
    #[arg(long, value_name = "NAME", default_value = "admin")]
    admin_name: String,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// The files that belong to this version, beside the program, with their texts.
pub fn own_files() -> Result<Vec<(PathBuf, String)>> {
    Ok([Units::files()?, Manual::files()?].concat())
}

/// What is to be installed, as the steps need it.
struct Wanted {
    domains: Vec<String>,
    email: Option<String>,
    restore: Option<Vec<String>>,
    administrator: Option<Administrator>,
}

struct Administrator {
    name: String,
    email: String,
    password: String,
}

/// Exit code 3 when the portal runs, but a certificate could not be fetched, or the backup that it was
/// brought back from is damaged.
pub fn run(config: &Config, arguments: &Arguments) -> Result<Exit, Failure> {
    let begin = Instant::now();
    let wanted = wanted(arguments)?;
    preflight::machine("install")?;
    // One at a time, and on ground that no update has left half changed.
    let _lead = match arguments.dry_run {
        true => None,
        false => Some(update::settle_and_lead(config)?),
    };
    let remarks = preflight::check(&wanted, arguments.any_address)?;
    let plan = Plan::new(plan::steps(&wanted))?;
    output::print(&plan.shown())?;
    for remark in &remarks {
        output::print(&format!("{} {remark}\n", colored("note:", Color::Yellow)))?;
    }
    if arguments.dry_run {
        output::print("\nNothing was changed. Without --dry-run it is done.\n")?;
        return Ok(Exit::Done);
    }
    let mut exit = plan.carry_out()?;
    if !wanted.domains.is_empty() {
        output::print(&portal::prefer_configured(&wanted)?)?;
        output::print("\nWaiting for the certificate …\n")?;
        let (shown, certified) = portal::wait_for_certificates()?;
        output::print(&shown)?;
        exit = exit.and(certified);
    }
    let address = Address::find()?;
    let seconds = begin.elapsed().as_secs_f64();
    output::print(&format!("\nDone in {seconds:.1} seconds.\n{}", address.shown(&wanted)))?;
    Ok(exit)
}

/// Reads what the flags name, before anything is looked at or changed.
fn wanted(arguments: &Arguments) -> Result<Wanted, Failure> {
    let administrator = match (&arguments.admin_password_file, &arguments.email) {
        (Some(path), Some(email)) => {
            let names = [arguments.admin_name.as_str(), email.as_str()];
            Some(Administrator {
                name: arguments.admin_name.clone(),
                email: email.clone(),
                password: passwords::from_file(path, &names)?.0,
            })
        }
        _ => None,
    };
    let restore = match &arguments.restore {
        Some(source) => {
            if arguments.opening.reads_standard_input() {
                return Err(Failure::usage(
                    "An installation asks for the passphrase more than once. Put it into a file and \
                     name that.",
                ));
            }
            BackupSource::named(source)?;
            // Opens the files of keys, so that a wrong name is told now.
            arguments.opening.key()?;
            let mut flags = vec![source.clone()];
            flags.extend(arguments.opening.flags());
            Some(flags)
        }
        None => None,
    };
    let domains = arguments.domain.iter().map(|domain| domain.to_ascii_lowercase()).collect();
    Ok(Wanted { domains, email: arguments.email.clone(), restore, administrator })
}
