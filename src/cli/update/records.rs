//! The part of an update that touches the portal's data, as the user who owns them: root follows no
//! link that somebody else may have laid there.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, anyhow};
use clap::Subcommand;
use serde::{Deserialize, Serialize};

use super::versions::last_line;
use crate::{
    app::Changeover,
    cli::{Exit, Failure, output},
    error::Result,
    host::{owner, places::DATA, processes::OWN_PROGRAM},
};

/// As [`Changeover`] has them.
#[derive(Clone, Debug, Subcommand)]
pub enum Step {
    Prepare,
    PrepareRehearsal,
    ShareRehearsal,
    CopyAtRest {
        to: PathBuf,
    },
    CopyAhead,
    PrepareReturn {
        left: String,
    },
    Begin {
        program: String,
        #[arg(long)]
        returns: bool,
    },
    TakeBack,
    GoBack,
    Finish {
        versions: Vec<String>,
        #[arg(long)]
        keep_as: Option<String>,
    },
    PruneArchives,
}

impl Step {
    /// As the other process understands it.
    fn words(&self) -> Vec<String> {
        let (verb, mut more) = match self {
            Step::Prepare => ("prepare", vec![]),
            Step::PrepareRehearsal => ("prepare-rehearsal", vec![]),
            Step::ShareRehearsal => ("share-rehearsal", vec![]),
            Step::CopyAtRest { to } => ("copy-at-rest", vec![to.display().to_string()]),
            Step::CopyAhead => ("copy-ahead", vec![]),
            Step::PrepareReturn { left } => ("prepare-return", vec![left.clone()]),
            Step::Begin { program, returns } => {
                let flag = returns.then(|| "--returns".to_owned());
                ("begin", [program.clone()].into_iter().chain(flag).collect())
            }
            Step::TakeBack => ("take-back", vec![]),
            Step::GoBack => ("go-back", vec![]),
            Step::Finish { keep_as, versions } => {
                let flag = keep_as.iter().flat_map(|name| ["--keep-as".into(), name.clone()]);
                ("finish", flag.chain(versions.iter().cloned()).collect())
            }
            Step::PruneArchives => ("prune-archives", vec![]),
        };
        more.insert(0, verb.into());
        more
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Of [`Step::TakeBack`]: false when the new version has passed its trial.
    pub was_free: bool,
}

/// What the other process does.
pub fn run(step: &Step) -> Result<Exit, Failure> {
    owner::become_owner_of(Path::new(DATA))?;
    output::print_json(&carry_out(Path::new(DATA), step)?)?;
    Ok(Exit::Done)
}

pub fn carry_out(data: &Path, step: &Step) -> Result<Outcome> {
    let changeover = Changeover::of(data);
    let mut outcome = Outcome { was_free: true };
    match step {
        Step::Prepare => changeover.prepare()?,
        Step::PrepareRehearsal => changeover.prepare_rehearsal()?,
        Step::ShareRehearsal => changeover.share_rehearsal()?,
        Step::CopyAtRest { to } => changeover.copy_at_rest(to)?,
        Step::CopyAhead => changeover.copy_ahead()?,
        Step::PrepareReturn { left } => changeover.prepare_return(left)?,
        Step::Begin { program, returns } => {
            let hash = program.parse().map_err(|_| anyhow!("{program} is no hash"))?;
            changeover.begin(hash, *returns)?;
        }
        Step::TakeBack => outcome.was_free = changeover.take_back()?,
        Step::GoBack => changeover.go_back()?,
        Step::Finish { keep_as, versions } => changeover.finish(keep_as.as_deref(), versions)?,
        Step::PruneArchives => changeover.prune_archives()?,
    }
    Ok(outcome)
}

/// Starts the other process.
pub fn ask(step: &Step) -> Result<Outcome> {
    let output = Command::new(OWN_PROGRAM)
        .args(["changeover", "records"])
        .args(step.words())
        .stdin(Stdio::null())
        .output()
        .context("starting a part of the update")?;
    if !output.status.success() {
        return Err(anyhow!("{}", last_line(&String::from_utf8_lossy(&output.stderr))).into());
    }
    let outcome = serde_json::from_slice(&output.stdout);
    Ok(outcome.context("reading the answer of a part of the update")?)
}
