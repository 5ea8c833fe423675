//! The command line: one file per verb.
//!
//! A verb reads its arguments, has a [`Request`](crate::control::Request) carried out by the running
//! server or by itself, and shows the reply. `serve` is the server. [`ask`] is the way to the data,
//! `output` the way to the terminal.
//!
//! To add a verb: its file here, its line in [`Verb`] and in [`run`], a request in `control/wire.rs`
//! and what it does in `control/carry_out.rs`, a test in `tests/it/cli.rs`.

mod ask;
mod backup;
mod check;
mod completions;
mod config;
mod confirm;
mod doctor;
mod doors;
mod export;
mod failure;
mod findings;
mod grafana;
mod https;
mod install;
mod keys;
mod leading;
mod logging;
mod logs;
mod manual;
mod output;
mod passwords;
mod reindex;
mod release;
mod restore;
mod serve;
mod service;
mod setup_link;
mod status;
mod storage;
mod update;
mod user;
mod variables;
mod version;
mod visits;
mod watchdog;

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

pub use self::failure::{Exit, Failure};
use crate::{
    config::{Config, Flags, Loaded, SYSTEM_FILE, Sources},
    host::{owner, places::DATA},
};

/// A document and media portal in one file.
#[derive(Debug, Parser)]
#[command(name = "appliance", version = crate::version::number(), max_term_width = 100)]
#[command(after_help = "\
Verbs ask the server that runs on the data folder, and open the data themselves when none does.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 done but not all is well,
10 not found, 11 in use.")]
pub struct CommandLine {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

impl CommandLine {
    pub fn is_verbose(&self) -> bool {
        self.common.verbose
    }
}

/// What every verb takes.
#[derive(Debug, Args)]
struct Common {
    /// The configuration file [also: APPLIANCE_CONFIG; else /etc/appliance/appliance.toml if it
    /// exists]
    #[arg(long, global = true, value_name = "FILE", help_heading = "For every verb")]
    config: Option<PathBuf>,
    /// The folder that holds the instance [also: APPLIANCE_DATA; default: data]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "For every verb")]
    data: Option<String>,
    /// Say more, and show the causes of an error
    #[arg(short, long, global = true, help_heading = "For every verb")]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the portal
    Serve(serve::Arguments),
    /// Make the portal a service of this machine: user, configuration, units, HTTPS
    Install(install::Arguments),
    /// Take the service away again; the data stay, unless --purge says otherwise
    Uninstall(install::UninstallArguments),
    /// Show whether the portal runs, and how it is
    Status(status::Arguments),
    /// Show what the service says
    Logs(logs::Arguments),
    /// Show the last errors of the service
    Errors(logs::ErrorsArguments),
    /// Start the service
    Start(service::Arguments),
    /// Stop the service, or a server that was started by hand
    Stop(service::Arguments),
    /// Restart the service; its visitors wait meanwhile
    Restart(service::Arguments),
    /// Bring a new version of the program, or say whether there is one
    Update(update::Arguments),
    /// Go back to a version that ran before
    Rollback(update::RollbackArguments),
    /// Print a new one-time link for setting the portal up
    SetupLink,
    /// Add people, list them, change their password, lock them out
    User(user::Arguments),
    /// Back the portal up; list, verify and prune backups
    Backup(backup::Arguments),
    /// Restore a backup into the data folder
    Restore(restore::Arguments),
    /// Write the library as folders and files
    Export(export::Arguments),
    /// Build the search index anew
    Reindex,
    /// Check the storage of files, move them to S3 or back, read them again
    Storage(storage::Arguments),
    /// Check that the portal works, and that everything stored is whole
    Check(check::Arguments),
    /// Look for what is wrong around the portal, and say how to mend it
    Doctor(doctor::Arguments),
    /// Show or check the configuration; set the domain while the portal runs
    Config(config::Arguments),
    /// Show how HTTPS stands; fetch certificates now
    Https(https::Arguments),
    #[command(hide = true)]
    Changeover(update::PartArguments),
    /// For whoever publishes the program: keys, signatures, and their check
    Release(release::Arguments),
    /// Show the version
    Version(version::Arguments),
    /// Print a board for Grafana, for what /metrics tells
    Grafana,
    /// Print completions for a shell
    Completions(completions::Arguments),
    /// Print the manual page, or write those of all verbs into a folder
    Man(manual::Arguments),
}

/// Reads the command line. Ends the program when there is nothing to run: after `--help`, or with
/// exit code 2 when it makes no sense.
pub fn parse() -> CommandLine {
    CommandLine::parse()
}

/// Runs a verb to its end.
pub fn run(command_line: &CommandLine) -> Result<Exit, Failure> {
    owner::keep_files_private();
    let common = &command_line.common;
    match &command_line.verb {
        Verb::Serve(arguments) => {
            serve::run(common.load_for_work(arguments.flags())?, common, arguments)
        }
        // A configuration that makes no sense is told by the service; here it is of little use.
        Verb::Install(arguments) => {
            install::run(&common.load_for_work(Vec::new()).unwrap_or_default(), arguments)
        }
        Verb::Uninstall(arguments) => {
            install::run_uninstall(&common.load_for_work(Vec::new()).unwrap_or_default(), arguments)
        }
        Verb::Logs(arguments) => logs::run(arguments),
        Verb::Errors(arguments) => logs::run_errors(arguments),
        Verb::Start(arguments) => service::start(&common.shell()?, arguments),
        Verb::Stop(arguments) => service::stop(&common.shell_of_service()?, arguments),
        Verb::Restart(arguments) => service::restart(&common.shell()?, arguments),
        Verb::Update(arguments) => update::run(&common.shell()?, arguments),
        Verb::Rollback(arguments) => update::run_rollback(&common.shell_of_service()?, arguments),
        Verb::Changeover(arguments) => update::run_part(|| common.shell(), arguments),
        Verb::Status(arguments) => status::run(&common.shell_of_service()?, arguments),
        Verb::SetupLink => setup_link::run(&common.shell()?),
        Verb::User(arguments) => user::run(&common.shell()?, arguments),
        Verb::Backup(arguments) => backup::run(&common.shell()?, arguments),
        Verb::Restore(arguments) => restore::run(&common.shell()?, arguments),
        Verb::Export(arguments) => export::run(&common.shell()?, arguments),
        Verb::Reindex => reindex::run(&common.shell()?),
        Verb::Storage(arguments) => storage::run(&common.shell()?, arguments),
        Verb::Check(arguments) => check::run(&common.shell()?, arguments),
        Verb::Doctor(arguments) => doctor::run(common, arguments),
        Verb::Config(arguments) => config::run(common, arguments),
        Verb::Https(arguments) => https::run(&common.shell()?, arguments),
        Verb::Release(arguments) => release::run(arguments),
        Verb::Version(arguments) => version::run(arguments),
        Verb::Grafana => grafana::run(),
        Verb::Completions(arguments) => completions::run(arguments),
        Verb::Man(arguments) => manual::run(arguments),
    }
}

/// What a verb that asks for something works with.
struct Shell {
    config: Config,
}

impl Common {
    fn shell(&self) -> Result<Shell, Failure> {
        let config = self.load_for_work(Vec::new())?;
        logging::start_for_verb(self.verbose);
        Ok(Shell { config })
    }

    /// For what must work however the installed service is configured: where that makes no sense, a shell
    /// that knows its data folder and no more.
    fn shell_of_service(&self) -> Result<Shell, Failure> {
        match self.shell() {
            Err(failure) if failure.exit() == Exit::Usage && self.means_service() => {
                eprintln!(
                    "note: {} The installed service is meant all the same.",
                    failure.sentence()
                );
                logging::start_for_verb(self.verbose);
                Ok(Shell { config: Config { data: DATA.into(), ..Config::default() } })
            }
            shell => shell,
        }
    }

    /// Whether nobody names another configuration or data folder than those of the installed service.
    /// Only root can tell, and do anything with them.
    fn means_service(&self) -> bool {
        let sources = self.sources(Vec::new());
        let variable = || sources.environment.get(OsStr::new("APPLIANCE_DATA")).cloned();
        let data = self.data.clone().map(OsString::from).or_else(variable);
        owner::own_user() == 0
            && sources.file().is_some_and(|file| file == Path::new(SYSTEM_FILE))
            && data.is_none_or(|data| data == DATA)
    }

    /// The configuration with the whole path of the data folder, which messages then show.
    fn load_for_work(&self, flags: Flags) -> Result<Config, Failure> {
        let mut config = self.load(flags)?.config;
        config.data = std::path::absolute(&config.data).context("reading the working folder")?;
        Ok(config)
    }

    /// Reads the configuration; `flags` are those of the verb itself.
    fn load(&self, flags: Flags) -> Result<Loaded, Failure> {
        let loaded = crate::config::load(&self.sources(flags))?;
        variables::adopt(&loaded.config.data)?;
        Ok(loaded)
    }

    fn sources(&self, mut flags: Flags) -> Sources {
        flags.extend(self.data.clone().map(|data| ("data", "--data", data)));
        Sources { file: self.config.clone(), flags, ..Sources::of_process() }
    }
}
