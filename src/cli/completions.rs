//! `appliance completions SHELL`: what the shell needs to complete our verbs.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{CommandLine, Exit, Failure, output};

#[derive(Debug, Args)]
pub struct Arguments {
    /// For bash: `source <(appliance completions bash)`
    shell: Shell,
}

pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut CommandLine::command(), "appliance", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
