//! `appliance restore`: from a backup to a data folder. No server runs on it meanwhile.

use std::{fs, io};

use clap::Args;
use jiff::Timestamp;

use super::{
    Exit, Failure, Shell,
    ask::runtime,
    backup::{push_damages, push_warnings},
    keys::Opening,
    output::{self, counted},
    status,
};
use crate::{
    app::{BackupSource, Reporter, Restore, Restored, restore},
    backup::{Place, SignerKey, Signers},
    clock::Clock,
    host::owner,
    size::Size,
};

#[derive(Debug, Args)]
pub struct Arguments {
    /// An archive, "-" for one on the standard input, a folder of archives (its newest), or a
    /// repository: a folder or s3://bucket/prefix
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Put the portal that is there aside, and take its place
    #[arg(long)]
    replace: bool,
    /// The state of a moment, such as 2026-11-21T10:00:00Z (repositories only)
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// A snapshot as “backup list” names it; with --at also what changed after it (repositories only)
    #[arg(long, value_name = "ID")]
    snapshot: Option<String>,
    /// Whose signature it must have, as “backup signer” of the portal prints it: what somebody else has
    /// put there is passed over
    #[arg(long, value_name = "KEY")]
    signer: Option<SignerKey>,
    /// Let people stay signed in
    #[arg(long)]
    keep_sessions: bool,
    #[command(flatten)]
    opening: Opening,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    let wanted = Restore {
        key: arguments.opening.key()?,
        // Root may read what the user who owns the data may not.
        source: BackupSource::named(&arguments.source)?.opened()?,
        replaces: arguments.replace,
        keeps_sessions: arguments.keep_sessions,
        at: arguments.at,
        snapshot: arguments.snapshot.clone(),
        lineage: None,
        signers: arguments.signer.map_or(Signers::Any, Signers::Only),
    };
    let restored = runtime()?.block_on(async {
        if let Some(status) = status::of_server(shell).await? {
            return Err(Failure::in_use(format!(
                "A portal is running on {} (process {}). Stop it first.",
                shell.config.data.display(),
                status.pid
            )));
        }
        owner::become_owner_of(&shell.config.data)?;
        require_readable(&wanted.source)?;
        let (reporter, steps) = Reporter::new();
        let bar = tokio::spawn(super::ask::show(steps));
        let restored = restore(&shell.config, Clock::system(), wanted, &reporter).await;
        drop(reporter);
        let _drawn = tokio::time::timeout(std::time::Duration::from_secs(1), bar).await;
        Ok(restored?)
    })?;
    match arguments.json {
        true => output::print_json(&restored)?,
        false => output::print(&shown(shell, &restored))?,
    }
    Ok(if restored.damages.is_empty() { Exit::Done } else { Exit::Partly })
}

/// A repository is many files, which the user who owns the data reads by himself.
fn require_readable(source: &BackupSource) -> Result<(), Failure> {
    let BackupSource::Repository(Place::Folder(folder)) = source else { return Ok(()) };
    match fs::read_dir(folder) {
        Err(fault) if fault.kind() == io::ErrorKind::PermissionDenied => {
            Err(Failure::usage(format!(
                "The user who owns the data cannot read {}. Copy it to where that user can, or let it \
                 be theirs: chown -R USER: FOLDER",
                folder.display()
            )))
        }
        _ => Ok(()),
    }
}

fn shown(shell: &Shell, restored: &Restored) -> String {
    let mut text = format!(
        "Restored the state of {} into {}: {}, {} ({}).\n",
        restored.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        shell.config.data.display(),
        counted(restored.records, "record", "records"),
        counted(restored.files, "file", "files"),
        Size(restored.files_bytes),
    );
    if let Some(replaced) = &restored.replaced {
        text.push_str(&format!(
            "What was there is in {}. Remove it when all is well.\n",
            replaced.display()
        ));
    }
    if let Some(signer) = &restored.signer {
        text.push_str(&format!("Signed by {signer}.\n"));
    }
    push_warnings(&mut text, &restored.warnings);
    push_damages(&mut text, &restored.damages);
    if restored.holds_plan {
        text.push_str(
            "Its plan of backups is off, so that two portals do not write to one place. When this is \
             the one that stays: appliance backup plan --on\n",
        );
    }
    text.push_str(&format!(
        "Start it: appliance serve --data {}. The search fills itself in the first minutes.\n",
        shell.config.data.display()
    ));
    text
}
