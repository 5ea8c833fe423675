//! `appliance backup`: makes backups, lists and verifies them, removes old ones, rehearses a restore.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::{
    Exit, Failure, Shell,
    ask::unexpected,
    keys::{Locking, Opening},
    output::{self, Color, colored, counted},
    service,
};
use crate::{
    app::{BackupWanted, FoundBackups, ListedBackup, Made, Target},
    backup::{ArchiveReader, Key, Lock, Retention, check},
    control::{Reply, Request},
    error::{Error, Result},
    size::Size,
};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The archive to write; "-" is the standard output [default: a new one in the folder “backups”
    /// of the data folder]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// A repository instead, whose snapshots share files: a folder or s3://bucket/prefix
    #[arg(long, value_name = "REPOSITORY", conflicts_with = "file")]
    to: Option<String>,
    /// Leave the files where they are, and only look whether they are there
    #[arg(long)]
    records_only: bool,
    #[command(flatten)]
    locking: Locking,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the backups that are there
    List(Looking),
    /// Check that backups are whole
    Verify {
        #[command(flatten)]
        looking: Looking,
        /// Also read every file of a repository
        #[arg(long)]
        all_data: bool,
        /// Remove what is damaged, so that the next backup writes it anew
        #[arg(long)]
        mend: bool,
    },
    /// Remove old backups; the newest always stays
    Prune {
        #[command(flatten)]
        looking: Looking,
        /// Keep the last N
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep_last: u32,
        /// Keep one for each of the last N days that have one
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep_daily: u32,
        /// The same for weeks
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep_weekly: u32,
        /// The same for months
        #[arg(long, value_name = "N", default_value_t = 0)]
        keep_monthly: u32,
    },
    /// Rehearse: restore the newest backup into a scratch folder and look whether it is whole
    Drill(Looking),
    /// Show or set what happens by itself
    Plan(super::backup_plan::Arguments),
}

#[derive(Debug, Args)]
struct Looking {
    /// A repository, an archive or a folder of archives [default: where the plan puts them, else the
    /// folder “backups” of the data folder]
    #[arg(value_name = "PLACE")]
    place: Option<String>,
    #[command(flatten)]
    opening: Opening,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Looking {
    /// With the whole path of a folder, since the server has another working folder.
    fn place(&self) -> Result<Option<String>> {
        self.place.as_deref().map(whole).transpose()
    }
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.verb {
        None => make(shell, arguments),
        Some(Verb::List(looking)) => list(shell, looking),
        Some(Verb::Verify { looking, all_data, mend }) => verify(shell, looking, *all_data, *mend),
        Some(Verb::Prune { looking, keep_last, keep_daily, keep_weekly, keep_monthly }) => {
            let retention = Retention {
                last: *keep_last,
                daily: *keep_daily,
                weekly: *keep_weekly,
                monthly: *keep_monthly,
            };
            prune(shell, looking, retention)
        }
        Some(Verb::Drill(looking)) => drill(shell, looking),
        Some(Verb::Plan(arguments)) => super::backup_plan::run(shell, arguments),
    }
}

fn make(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    let lock = arguments.locking.lock()?;
    let wanted = |target| BackupWanted {
        target,
        lock: lock.clone(),
        key: Key::None,
        is_records_only: arguments.records_only,
    };
    let made = match (&arguments.file, &arguments.to) {
        (_, Some(place)) => {
            let place = whole(place)?;
            service::must_reach(shell, &place)?;
            ask(shell, wanted(Target::Repository(place)))?
        }
        (None, None) => ask(shell, wanted(Target::Folder))?,
        (Some(file), None) if file == Path::new("-") => {
            if io::stdout().is_terminal() {
                return Err(Failure::usage(
                    "A backup is nothing for a terminal. Send it to a file: appliance backup - > \
                     FILE",
                ));
            }
            let out = io::stdout();
            let made = through_pipe(shell, wanted, move |mut pipe| {
                let mut out = out.lock();
                io::copy(&mut pipe, &mut out)?;
                out.flush()
            })?;
            // The standard output is the archive; people look at the other one.
            eprint!("{}", shown(&made));
            return Ok(exit(&made));
        }
        (Some(file), None) => to_file(shell, file, &lock, wanted)?,
    };
    match arguments.json {
        true => output::print_json(&made)?,
        false => output::print(&shown(&made))?,
    }
    Ok(exit(&made))
}

fn exit(made: &Made) -> Exit {
    if made.damages.is_empty() { Exit::Done } else { Exit::Partly }
}

fn ask(shell: &Shell, wanted: BackupWanted) -> Result<Made, Failure> {
    match shell.ask(Request::BackUp(wanted))? {
        Reply::BackedUp(made) => Ok(made),
        other => Err(unexpected(&other)),
    }
}

/// This process writes the file, since the server may not be allowed to.
fn to_file(
    shell: &Shell,
    path: &Path,
    lock: &Lock,
    wanted: impl FnOnce(Target) -> BackupWanted,
) -> Result<Made, Failure> {
    let doing = || format!("writing {}", path.display());
    let mut name = path.file_name().ok_or_else(|| Failure::usage("Name a file."))?.to_owned();
    name.push(format!(".{}", Uuid::new_v4().simple()));
    let unfinished = path.with_file_name(name);
    let mut options = OpenOptions::new();
    let out = options.write(true).create_new(true).mode(0o600).open(&unfinished);
    let mut out = out.with_context(doing)?;
    let written = through_pipe(shell, wanted, move |mut pipe| {
        io::copy(&mut pipe, &mut out)?;
        out.sync_all()
    });
    let outcome = written.and_then(|made| {
        let damages = read_again(&unfinished, &Key::of(lock))?;
        fs::rename(&unfinished, path).with_context(doing)?;
        let path = std::path::absolute(path).with_context(doing)?;
        File::open(path.parent().unwrap_or(&path))
            .and_then(|folder| folder.sync_all())
            .with_context(doing)?;
        let is_verified =
            damages.as_ref().is_some_and(|damages| damages.len() == made.damages.len());
        Ok(Made { place: path.display().to_string(), is_verified, ..made })
    });
    if outcome.is_err() {
        // What failed is told; that its rest stays too would only hide that.
        let _removed = fs::remove_file(&unfinished);
    }
    outcome
}

/// What is wrong with an archive; `None` when only the owner of a secret key can look into it.
fn read_again(path: &Path, key: &Key) -> Result<Option<Vec<String>>> {
    let file = File::open(path).context("reading the archive again")?;
    match ArchiveReader::open(file, key) {
        Ok(archive) => Ok(Some(check(archive, |_| {})?.1)),
        Err(Error::Invalid { message, .. })
            if message == crate::backup::Fault::Locked.to_string() =>
        {
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// Has an archive written into a pipe, which `take` reads at the same time: so it can go wherever
/// this process may write, and takes no room on the way.
fn through_pipe(
    shell: &Shell,
    wanted: impl FnOnce(Target) -> BackupWanted,
    take: impl FnOnce(File) -> io::Result<()> + Send + 'static,
) -> Result<Made, Failure> {
    let pipe = Pipe::make(&shell.config.data)?;
    let path = pipe.0.clone();
    // Waits until the other side opens it too; when that never happens, it ends with the program.
    let taking = thread::spawn(move || take(File::open(path)?));
    let made = ask(shell, wanted(Target::Pipe(pipe.0.clone())))?;
    let taken = taking.join().map_err(|_| anyhow!("writing the archive panicked"))?;
    taken.context("writing the archive")?;
    Ok(made)
}

/// A named pipe in the data folder, where only the owner of the data can go.
struct Pipe(PathBuf);

impl Pipe {
    fn make(data: &Path) -> Result<Self> {
        let path = data.join(format!(".pipe-{}", Uuid::new_v4()));
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0)
            .with_context(|| format!("making a pipe in {}", data.display()))?;
        // Root's pipe is for the user who owns the data.
        if let Some((user, group)) = crate::host::owner::owner(data)? {
            std::os::unix::fs::chown(&path, Some(user), Some(group))
                .context("giving a pipe away")?;
        }
        Ok(Pipe(path))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // It is empty and does no harm.
        let _removed = fs::remove_file(&self.0);
    }
}

fn shown(made: &Made) -> String {
    let mut text = match &made.snapshot {
        Some(id) => format!("snapshot   {id} in {}\n", made.place),
        None => format!("archive    {}\n", made.place),
    };
    let seconds = made.took_ms as f64 / 1_000.0;
    text.push_str(&format!(
        "holds      {}, {} ({})\n",
        counted(made.records, "record", "records"),
        counted(made.files, "file", "files"),
        Size(made.files_bytes),
    ));
    text.push_str(&format!("written    {} in {seconds:.1} s\n", Size(made.written_bytes)));
    text.push_str(&match made.is_verified {
        true => format!("state      {}\n", colored("verified", Color::Green)),
        false => format!("state      {}\n", colored("not verified", Color::Yellow)),
    });
    if !made.is_encrypted {
        text.push_str(
            "Not encrypted: it holds every file, and secrets such as the hashes of passwords. Keep \
             it where nobody else can read it, or use --recipient or --passphrase-file.\n",
        );
    }
    push_damages(&mut text, &made.damages);
    text
}

pub(super) fn push_damages(text: &mut String, damages: &[String]) {
    for damage in damages.iter().take(100) {
        text.push_str(&format!("{} {damage}\n", colored("damage:", Color::Red)));
    }
    if damages.len() > 100 {
        text.push_str(&format!("… and {} more.\n", damages.len() - 100));
    }
}

fn list(shell: &Shell, looking: &Looking) -> Result<Exit, Failure> {
    let request = Request::Backups { place: looking.place()?, key: looking.opening.key()? };
    let listed = match shell.ask_even_without_portal(request)? {
        Reply::Backups(listed) => listed,
        other => return Err(unexpected(&other)),
    };
    if looking.json {
        output::print_json(&serde_json::json!({ "backups": listed }))?;
        return Ok(Exit::Done);
    }
    if listed.is_empty() {
        output::print("No backups yet. Make one: appliance backup\n")?;
        return Ok(Exit::Done);
    }
    let known = |number: Option<u64>| number.map_or("?".into(), |number| number.to_string());
    let row = |one: &ListedBackup| {
        [
            one.id.clone(),
            one.created_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            known(one.records),
            known(one.files),
            one.size_bytes.map_or("?".into(), |bytes| Size(bytes).to_string()),
        ]
    };
    let rows: Vec<_> = listed.iter().map(row).collect();
    output::print(&output::table(["BACKUP", "TIME (UTC)", "RECORDS", "FILES", "SIZE"], &rows))?;
    Ok(Exit::Done)
}

fn verify(shell: &Shell, looking: &Looking, all_data: bool, mends: bool) -> Result<Exit, Failure> {
    let (place, key) = (looking.place()?, looking.opening.key()?);
    let request = Request::VerifyBackups { place, key, all_data, mends };
    let found = match shell.ask_even_without_portal(request)? {
        Reply::VerifiedBackups(found) => found,
        other => return Err(unexpected(&other)),
    };
    match looking.json {
        true => output::print_json(&found)?,
        false => output::print(&verified(&found))?,
    }
    Ok(if found.damages.is_empty() { Exit::Done } else { Exit::Partly })
}

fn verified(found: &FoundBackups) -> String {
    let mut text = format!(
        "Looked at {}: {}, {}{}.\n",
        found.place,
        counted(found.snapshots, "backup", "backups"),
        counted(found.files, "file", "files"),
        if found.is_deep { " (read in full)" } else { "" },
    );
    push_damages(&mut text, &found.damages);
    match (found.damages.is_empty(), found.is_deep) {
        (true, true) => {
            text.push_str(&format!("{}\n", colored("Everything is whole.", Color::Green)))
        }
        (true, false) => text.push_str("Everything is there. --all-data reads the files too.\n"),
        (false, _) => {
            text.push_str("→ Make another backup; --mend lets it replace what is damaged.\n")
        }
    }
    text
}

fn prune(shell: &Shell, looking: &Looking, retention: Retention) -> Result<Exit, Failure> {
    let (place, key) = (looking.place()?, looking.opening.key()?);
    let request = Request::PruneBackups { place, key, retention };
    let pruned = match shell.ask_even_without_portal(request)? {
        Reply::PrunedBackups(pruned) => pruned,
        other => return Err(unexpected(&other)),
    };
    if looking.json {
        output::print_json(&pruned)?;
        return Ok(Exit::Done);
    }
    output::print(&format!(
        "Kept {}, removed {} and {} ({}).\n",
        counted(pruned.snapshots_kept, "backup", "backups"),
        counted(pruned.snapshots_removed, "backup", "backups"),
        counted(pruned.objects_removed, "object", "objects"),
        Size(pruned.bytes_removed),
    ))?;
    Ok(Exit::Done)
}

fn drill(shell: &Shell, looking: &Looking) -> Result<Exit, Failure> {
    let request = Request::Drill { place: looking.place()?, key: looking.opening.key()? };
    let drilled = match shell.ask(request)? {
        Reply::Drilled(drilled) => drilled,
        other => return Err(unexpected(&other)),
    };
    if looking.json {
        output::print_json(&drilled)?;
    } else {
        let mut text = format!(
            "Restored the state of {} into a scratch folder in {:.1} s: {}, {}, {}.\n",
            drilled.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            drilled.took_ms as f64 / 1_000.0,
            counted(drilled.records, "record", "records"),
            counted(drilled.files, "file", "files"),
            counted(drilled.searches, "search", "searches"),
        );
        push_damages(&mut text, &drilled.damages);
        if drilled.damages.is_empty() {
            text.push_str(&format!("{}\n", colored("This backup can be relied on.", Color::Green)));
        }
        output::print(&text)?;
    }
    Ok(if drilled.damages.is_empty() { Exit::Done } else { Exit::Partly })
}

/// A bucket, or a folder with its whole path.
pub(super) fn whole(place: &str) -> Result<String> {
    if place.starts_with("s3://") {
        return Ok(place.into());
    }
    let path = std::path::absolute(place).context("reading the working folder")?;
    Ok(path.display().to_string())
}

/// Reads all of a small file, or the standard input.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    match path == Path::new("-") {
        true => io::stdin().take(1 << 20).read_to_string(&mut text)?,
        false => File::open(path)?.take(1 << 20).read_to_string(&mut text)?,
    };
    Ok(text)
}
