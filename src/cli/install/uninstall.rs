//! `appliance uninstall`: takes away what `install` made, and with `--purge` what people keep.

use clap::Args;

use super::{Wanted, plan, preflight, step::Undo};
use crate::{
    cli::{
        Exit, Failure, confirm,
        output::{self, Color, colored},
        update,
    },
    config::Config,
    error::Error,
    host::places::{CONFIG_FOLDER, DATA},
};

/// What must be typed before everything is removed.
const WORD: &str = "remove";

#[derive(Debug, Args)]
pub struct Arguments {
    /// Also remove the data, with the backups in their folder, the configuration, and the user
    #[arg(long)]
    purge: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(config: &Config, arguments: &Arguments) -> Result<Exit, Failure> {
    preflight::machine("uninstall")?;
    let _lead = match arguments.dry_run {
        true => None,
        false => Some(update::settle_and_lead(config)?),
    };
    let everything = Wanted { domains: vec![], email: None, restore: None, administrator: None };
    let mut acts = Vec::new();
    for step in plan::steps(&everything).iter().rev() {
        for act in step.removal(arguments.purge).into_iter().rev() {
            let is_new = acts.iter().all(|(known, _)| *known != act.what());
            if is_new && act.is_needed()? {
                acts.push((act.what(), act));
            }
        }
    }
    if acts.iter().all(|(_, act)| matches!(act, Undo::ReadUnits)) {
        output::print("Nothing of Appliance is installed on this machine.\n")?;
        return Ok(Exit::Done);
    }
    for (what, _) in &acts {
        output::print(&format!("  {} {what}\n", colored("-", Color::Yellow)))?;
    }
    if arguments.dry_run {
        output::print("\nNothing was changed. Without --dry-run it is done.\n")?;
        return Ok(Exit::Done);
    }
    if arguments.purge && !arguments.yes {
        confirm::typed(
            WORD,
            &format!(
                "Everything that people keep in the portal is removed, and so are the backups in \
                 {DATA}/backups. This cannot be undone."
            ),
            "Nothing was removed.",
        )?;
    }
    let mut faults = Vec::new();
    for (what, act) in &acts {
        // The rest can go all the same.
        if let Err(fault) = act.carry_out() {
            faults.push(format!("{what} ({})", fault.chain()));
        }
    }
    if !faults.is_empty() {
        let sentence = format!("Not everything could be done: {}.", faults.join("; "));
        return Err(Failure::from(Error::conflict(sentence)));
    }
    output::print(&match arguments.purge {
        true => "\nAppliance is gone from this machine.\n".to_owned(),
        false => format!(
            "\nAppliance is uninstalled. Its data are still in {DATA}, and its configuration in \
             {CONFIG_FOLDER}: “appliance install” goes on with them.\n"
        ),
    })?;
    Ok(Exit::Done)
}
