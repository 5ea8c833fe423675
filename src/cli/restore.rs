//! `appliance restore`: from a backup to a data folder. No server runs on it meanwhile.

use clap::Args;
use jiff::Timestamp;

use super::{
    Exit, Failure, Shell,
    ask::runtime,
    backup::push_damages,
    keys::Opening,
    output::{self, counted},
    status,
};
use crate::{
    app::{BackupSource, Reporter, Restore, Restored, restore},
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
    #[arg(long, value_name = "TIME", conflicts_with = "snapshot")]
    at: Option<Timestamp>,
    /// A snapshot as “backup list” names it (repositories only)
    #[arg(long, value_name = "ID")]
    snapshot: Option<String>,
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
        source: BackupSource::named(&arguments.source)?,
        replaces: arguments.replace,
        keeps_sessions: arguments.keep_sessions,
        at: arguments.at,
        snapshot: arguments.snapshot.clone(),
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
    push_damages(&mut text, &restored.damages);
    text.push_str(&format!(
        "Start it: appliance serve --data {}. The search fills itself in the first minutes.\n",
        shell.config.data.display()
    ));
    text
}
