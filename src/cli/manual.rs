//! `appliance man`: the manual, which is inside the program.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_mangen::Man;

use super::{CommandLine, Exit, Failure, output};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The verb, such as “backup plan”; none is the whole program
    verb: Vec<String>,
    /// Write the pages of all verbs into this folder, such as /usr/local/share/man/man1
    #[arg(long, value_name = "FOLDER", conflicts_with = "verb")]
    to: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut command = CommandLine::command();
    // Gives every verb its whole name and the flags that all verbs have.
    command.build();
    if let Some(folder) = &arguments.to {
        clap_mangen::generate_to(command, folder)
            .with_context(|| format!("writing the pages into {}", folder.display()))?;
        let pages = fs::read_dir(folder).context("counting the pages")?.count();
        let count = output::counted(pages as u64, "file", "files");
        output::print(&format!("{} holds {count} now.\n", folder.display()))?;
        return Ok(Exit::Done);
    }
    let mut verb = &command;
    for name in &arguments.verb {
        verb =
            verb.find_subcommand(name).filter(|found| !found.is_hide_set()).ok_or_else(|| {
                Failure::usage(format!("There is no verb “{}”.", arguments.verb.join(" ")))
            })?;
    }
    output::print(&page(verb.clone())?)?;
    Ok(Exit::Done)
}

/// The page of the whole program, in the language of man(7).
pub fn main_page() -> anyhow::Result<String> {
    let mut command = CommandLine::command();
    command.build();
    page(command)
}

fn page(command: clap::Command) -> anyhow::Result<String> {
    let mut page = Vec::new();
    // No date: the page is the same whenever the program is built.
    Man::new(command).render(&mut page).context("writing the page")?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
