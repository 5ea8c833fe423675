//! All steps in their order: shown, carried out, undone.

use std::{fs, path::Path};

use anyhow::Context;

use super::{
    Wanted,
    accounts::{Account, FirstAdministrator},
    folders::{Configuration, DataFolder, Folder, Variables},
    portal::{self, Restored},
    program::{Manual, Program},
    service::{Firewall, Serving, Units},
    step::{Step, Undo},
};
use crate::{
    cli::{
        Exit, Failure,
        output::{self, Color, colored},
    },
    error::{Error, Result},
    host::{
        places::{INSTALLING, SERVICE, SOCKET},
        processes::Interruption,
        systemd,
    },
};

/// What is so on a machine with a portal, each step on the ground of those before.
pub fn steps(wanted: &Wanted) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = vec![
        Box::new(Account),
        Box::new(Program),
        Box::new(Manual),
        Box::new(Folder),
        Box::new(Configuration { domains: wanted.domains.clone(), email: wanted.email.clone() }),
        Box::new(Variables),
        Box::new(DataFolder),
    ];
    if let Some(flags) = &wanted.restore {
        steps.push(Box::new(Restored { flags: flags.clone() }));
    }
    steps.push(Box::new(Units));
    steps.push(Box::new(Firewall));
    steps.push(Box::new(Serving));
    if let Some(administrator) = &wanted.administrator {
        steps.push(Box::new(FirstAdministrator {
            name: administrator.name.clone(),
            email: administrator.email.clone(),
            password: administrator.password.clone(),
        }));
    }
    steps
}

/// The steps, and which of them have yet to be taken.
pub struct Plan {
    steps: Vec<(Box<dyn Step>, bool)>,
    /// A portal runs already: then it starts again with what has changed.
    was_serving: bool,
    /// Neither it nor systemd may know yet what an installation has changed that was cut off.
    was_cut_off: bool,
}

impl Plan {
    /// Looks at the machine.
    pub fn new(steps: Vec<Box<dyn Step>>) -> Result<Self> {
        let looked = steps.into_iter().map(|step| {
            let is_so = step.is_so()?;
            Ok((step, is_so))
        });
        let steps = looked.collect::<Result<_>>()?;
        let service = systemd::look(SERVICE)?;
        // One that fails and is started again and again counts: it may well run by now.
        let was_serving = service.is_known && service.state != "inactive";
        Ok(Plan { steps, was_serving, was_cut_off: UnderWay::is_left() })
    }

    pub fn shown(&self) -> String {
        let mut text = String::new();
        for (step, is_so) in &self.steps {
            let (mark, remark) = match is_so {
                true => (colored("✓", Color::Green), " (is so already)"),
                false => (colored("+", Color::Yellow), ""),
            };
            let what = step.what();
            text.push_str(&format!("  {mark} {what}{}\n", colored(remark, Color::Dim)));
        }
        if self.was_cut_off {
            let mark = colored("+", Color::Yellow);
            text.push_str(&format!(
                "  {mark} What an installation changed that was cut off counts\n"
            ));
        }
        text
    }

    /// Takes the steps that are left. When one fails, what this run did is undone, and the machine
    /// is as it was.
    pub fn carry_out(&self) -> Result<Exit, Failure> {
        let mut exit = Exit::Done;
        if !self.was_cut_off && self.steps.iter().all(|(_, is_so)| *is_so) {
            return Ok(exit);
        }
        let _under_way = UnderWay::begin()?;
        let mut undo = Vec::new();
        let interruption = Interruption::note();
        if self.was_serving {
            undo.push(Undo::ServeAgain);
        }
        if self.was_cut_off {
            systemd::reload()?;
        }
        for (step, is_so) in &self.steps {
            if *is_so {
                continue;
            }
            if interruption.has_come() {
                let fault = Error::conflict("The installation was interrupted.");
                return Err(undone(&step.what(), fault, undo));
            }
            match step.apply(&mut undo) {
                Ok(applied) => exit = exit.and(applied),
                Err(fault) => return Err(undone(&step.what(), fault, undo)),
            }
        }
        if self.was_serving
            && let Err(fault) =
                systemd::start([SOCKET, SERVICE]).and_then(|()| systemd::restart(SERVICE))
        {
            return Err(undone("The portal starts again", portal::reason(fault), undo));
        }
        Ok(exit)
    }
}

/// A mark while an installation is under way; one that is killed leaves it. It goes with a start of the
/// machine, and so does what it stands for.
struct UnderWay;

impl UnderWay {
    fn begin() -> Result<Self> {
        fs::write(INSTALLING, "").with_context(|| format!("writing {INSTALLING}"))?;
        Ok(UnderWay)
    }

    fn is_left() -> bool {
        Path::new(INSTALLING).exists()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // One that stays has the portal start again once more.
        let _gone = fs::remove_file(INSTALLING);
    }
}

/// Takes back what was done, the last first, and says so.
fn undone(what: &str, fault: Error, undo: Vec<Undo>) -> Failure {
    let mut left = Vec::new();
    for act in undo.into_iter().rev() {
        if let Err(fault) = act.carry_out() {
            left.push(format!("{} ({})", act.what(), fault.chain()));
        }
    }
    let ending = match left.as_slice() {
        [] => "What had been done was undone".to_owned(),
        left => format!("Undo by hand what could not be undone: {}", left.join("; ")),
    };
    // The sentence that is printed is the deepest cause behind this one.
    let _written = output::write(&format!("{} {what}\n", colored("✗", Color::Red)));
    let sentence = match fault {
        Error::Internal(chain) => format!("{chain:#}"),
        known => known.to_string(),
    };
    let end = if sentence.ends_with(['.', '?', '!']) { "" } else { "." };
    Failure::from(Error::Conflict(format!("{sentence}{end} {ending}.")))
}
