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
    hash::ContentHash,
    host::{owner, places::DATA, processes::OWN_PROGRAM},
};

#[derive(Debug, Subcommand)]
pub enum Step {
    Prepare,
    PrepareRehearsal,
    EndRehearsal,
    CopyAtRest {
        to: PathBuf,
    },
    CopyAhead,
    PrepareReturn {
        version: String,
    },
    Begin {
        program: String,
    },
    TakeBack,
    GoBack,
    Finish {
        versions: Vec<String>,
        #[arg(long)]
        keep_as: Option<String>,
    },
}

#[derive(Default, Serialize, Deserialize)]
struct Outcome {
    was_free: bool,
}

/// What the other process does.
pub fn run(step: &Step) -> Result<Exit, Failure> {
    let data = Path::new(DATA);
    owner::become_owner_of(data)?;
    let changeover = Changeover::of(data);
    let mut outcome = Outcome { was_free: true };
    match step {
        Step::Prepare => changeover.prepare()?,
        Step::PrepareRehearsal => changeover.prepare_rehearsal()?,
        Step::EndRehearsal => changeover.end_rehearsal()?,
        Step::CopyAtRest { to } => changeover.copy_at_rest(to)?,
        Step::CopyAhead => changeover.copy_ahead()?,
        Step::PrepareReturn { version } => changeover.prepare_return(version)?,
        Step::Begin { program } => {
            let hash = program.parse().map_err(|_| anyhow!("{program} is no hash"))?;
            changeover.begin(hash)?;
        }
        Step::TakeBack => outcome.was_free = changeover.take_back()?,
        Step::GoBack => changeover.go_back()?,
        Step::Finish { keep_as, versions } => changeover.finish(keep_as.as_deref(), versions)?,
    }
    output::print_json(&outcome)?;
    Ok(Exit::Done)
}

pub fn prepare() -> Result<()> {
    ask(&["prepare"]).map(drop)
}

pub fn prepare_rehearsal() -> Result<()> {
    ask(&["prepare-rehearsal"]).map(drop)
}

pub fn end_rehearsal() -> Result<()> {
    ask(&["end-rehearsal"]).map(drop)
}

pub fn copy_at_rest(to: &Path) -> Result<()> {
    ask(&["copy-at-rest", &to.display().to_string()]).map(drop)
}

pub fn copy_ahead() -> Result<()> {
    ask(&["copy-ahead"]).map(drop)
}

pub fn prepare_return(version: &str) -> Result<()> {
    ask(&["prepare-return", version]).map(drop)
}

pub fn begin(program: ContentHash) -> Result<()> {
    ask(&["begin", &program.to_string()]).map(drop)
}

/// False when the new version has passed its trial.
pub fn take_back() -> Result<bool> {
    Ok(ask(&["take-back"])?.was_free)
}

pub fn go_back() -> Result<()> {
    ask(&["go-back"]).map(drop)
}

pub fn finish(keep_as: Option<&str>, versions: &[String]) -> Result<()> {
    let mut step = vec!["finish"];
    step.extend(keep_as.iter().flat_map(|name| ["--keep-as", name]));
    step.extend(versions.iter().map(String::as_str));
    ask(&step).map(drop)
}

fn ask(step: &[&str]) -> Result<Outcome> {
    let output = Command::new(OWN_PROGRAM)
        .args(["changeover", "records"])
        .args(step)
        .stdin(Stdio::null())
        .output()
        .context("starting a part of the update")?;
    if !output.status.success() {
        return Err(anyhow!("{}", last_line(&String::from_utf8_lossy(&output.stderr))).into());
    }
    let outcome = serde_json::from_slice(&output.stdout);
    Ok(outcome.context("reading the answer of a part of the update")?)
}
