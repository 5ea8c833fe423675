//! `appliance backup`, `backup FILE`, `backup -`, `backup --to REPOSITORY`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context, anyhow};
use uuid::Uuid;

use super::{Arguments, push_damages, whole};
use crate::{
    app::{BackupWanted, Made, Target},
    backup::{ArchiveReader, Key, Lock, check},
    cli::{
        Exit, Failure, Shell,
        ask::unexpected,
        output::{self, Color, colored, counted},
        service,
    },
    control::{Reply, Request},
    error::{Error, Result},
    size::Size,
};

pub fn make(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
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
