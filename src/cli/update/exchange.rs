//! The exchange of the programs, in the middle of a restart: systemd runs [`at_start`] as root before
//! the service starts, when the old program has ended and visitors wait in the socket.
//!
//! It also runs when nobody leads the update any more, because the machine lost its power or the
//! command was killed. Then a version that has passed its trial stays, and otherwise everything goes
//! back, before anything starts.

use anyhow::anyhow;

use super::{
    ground::Ground,
    journal::{Journal, Lead, Stage, Turn},
    settling,
};
use crate::{
    cli::{Exit, Failure},
    error::Result,
    host::{files, systemd},
};

/// Before the service starts.
///
/// # Errors
/// When programs and records may not fit together: the service must not start then.
pub fn at_start() -> Result<Exit, Failure> {
    let ground = Ground::installed();
    if let Some(changed) = before_start(&ground)? {
        eprintln!("{changed}");
        // systemd has read the units already that were exchanged back just now.
        if let Err(fault) = systemd::reload() {
            eprintln!("reading the units again: {}", fault.chain());
        }
    }
    Ok(Exit::Done)
}

/// The answer is what was settled, if anything was.
pub fn before_start(ground: &Ground) -> Result<Option<String>> {
    let _turn = Turn::take(ground)?;
    let Some(mut journal) = Journal::read(ground)? else { return Ok(None) };
    // Whoever leads it holds this.
    let lead = Lead::take(ground)?;
    match (&journal.stage, lead) {
        (_, Some(_lead)) => settling::settle_at_rest(ground, &mut journal).map(Some),
        (Stage::Ready, None) => exchange(ground, &mut journal).map(|()| None),
        (Stage::Back | Stage::ProgramBack, None) => {
            settling::put_back(ground, &journal).map(|()| None)
        }
        (Stage::Exchanged, None) => put_in(ground).map(|()| None),
        (Stage::Preparing | Stage::Refused(_) | Stage::Done, None) => Ok(None),
    }
}

/// # Errors
/// Only when it could not be undone.
fn exchange(ground: &Ground, journal: &mut Journal) -> Result<()> {
    let Err(fault) = try_exchange(ground, journal) else { return Ok(()) };
    journal.set(ground, Stage::Back)?;
    settling::put_back(ground, journal)?;
    journal.set(ground, Stage::Refused(fault.chain()))
}

fn try_exchange(ground: &Ground, journal: &mut Journal) -> Result<()> {
    settling::keep_records(ground, journal)?;
    journal.set(ground, Stage::Exchanged)?;
    match ground.next_program().exists() {
        true => put_in(ground),
        false => Err(anyhow!("the next program is gone").into()),
    }
}

/// Also when an earlier call was ended just before this.
fn put_in(ground: &Ground) -> Result<()> {
    match ground.next_program().exists() {
        true => Ok(files::rename(&ground.next_program(), &ground.program)?),
        false => Ok(()),
    }
}
