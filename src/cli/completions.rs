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
    output::print(&script(arguments.shell))?;
    Ok(Exit::Done)
}

pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut CommandLine::command(), "appliance", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
