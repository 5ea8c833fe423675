//! `appliance setup-link`: a new one-time link, for when the one that `serve` printed is too old.

use super::{Exit, Failure, Shell, ask::unexpected, output};
use crate::control::{Reply, Request};

pub fn run(shell: &Shell) -> Result<Exit, Failure> {
    match shell.ask(Request::SetupLink)? {
        Reply::SetupLink { url } => {
            output::print(&format!("{url}\n"))?;
            Ok(Exit::Done)
        }
        other => Err(unexpected(&other)),
    }
}
