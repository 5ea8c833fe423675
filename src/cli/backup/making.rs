//! `appliance backup`, `backup FILE`, `backup -`, `backup --to REPOSITORY`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, anyhow};
use uuid::Uuid;

use super::{Arguments, push_damages, whole};
use crate::{
    app::{BackupWanted, Made, PIPES, Passing, Reporter, Target, read_archive_again},
    backup::{Key, Lock},
    cli::{
        Exit, Failure, Shell,
        ask::unexpected,
        output::{self, Color, colored, counted},
        service,
    },
    control::{Reply, Request},
    error::Result,
    host::processes::Interruption,
    size::Size,
};

/// Between two looks whether this program is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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
            let leftovers = Leftovers::of(Vec::new());
            let (made, ()) = through_pipe(shell, wanted, leftovers, move |mut pipe| {
                let mut out = out.lock();
                io::copy(&mut pipe, &mut out)?;
                out.flush()
            })?;
            // The standard output is the archive; what is said of it goes to the other one.
            match arguments.json {
                true => {
                    eprintln!("{}", serde_json::to_string_pretty(&made).context("writing JSON")?)
                }
                false => eprint!("{}", shown(&made)),
            }
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
    let leftovers = Leftovers::of(vec![unfinished.clone()]);
    let mut options = OpenOptions::new();
    let out = options.write(true).create_new(true).mode(0o600).open(&unfinished);
    let out = out.with_context(doing)?;
    let mut passing = Passing::new(out, lock);
    let written = through_pipe(shell, wanted, leftovers, move |mut pipe| {
        io::copy(&mut pipe, &mut passing)?;
        let (out, hash) = passing.finish();
        out.sync_all()?;
        Ok(hash)
    });
    let outcome = written.and_then(|(made, hash)| {
        read_archive_again(&unfinished, lock, &made, hash, &Reporter::unheard())?;
        fs::rename(&unfinished, path).with_context(doing)?;
        let path = std::path::absolute(path).with_context(doing)?;
        File::open(path.parent().unwrap_or(&path))
            .and_then(|folder| folder.sync_all())
            .with_context(doing)?;
        Ok(Made { place: path.display().to_string(), is_verified: true, ..made })
    });
    if outcome.is_err() {
        // What failed is told; that its rest stays too would only hide that.
        let _removed = fs::remove_file(&unfinished);
    }
    outcome
}

/// Has an archive written into a pipe, which `take` reads at the same time: so it can go wherever
/// this process may write, and takes no room on the way. With what `take` made of it.
fn through_pipe<T: Send + 'static>(
    shell: &Shell,
    wanted: impl FnOnce(Target) -> BackupWanted,
    mut leftovers: Leftovers,
    take: impl FnOnce(File) -> io::Result<T> + Send + 'static,
) -> Result<(Made, T), Failure> {
    let pipe = Pipe::make(&shell.config.data)?;
    let path = pipe.0.clone();
    leftovers.paths.push(path.clone());
    leftovers.remove_when_interrupted();
    // Waits until the other side opens it too; when that never happens, it ends with the program.
    let taking = thread::spawn(move || {
        let opened = File::open(&path)?;
        // Both sides have it now, and nobody needs its name any more.
        fs::remove_file(&path)?;
        take(opened)
    });
    let made = ask(shell, wanted(Target::Pipe(pipe.0.clone())));
    // Where nothing was sent, it may still wait for a beginning.
    let made = match made {
        Err(failure) if !taking.is_finished() => return Err(failure),
        made => made,
    };
    let taken = taking.join().map_err(|_| anyhow!("writing the archive panicked"))?;
    // Whoever sends only learns that nobody takes it any more; why, is known here.
    let taken = taken.context("writing the archive")?;
    Ok((made?, taken))
}

/// Files that nobody needs when this program is to end before it is done.
struct Leftovers {
    paths: Vec<PathBuf>,
    /// From here on a signal is noted.
    interruption: Interruption,
}

impl Leftovers {
    fn of(paths: Vec<PathBuf>) -> Self {
        Leftovers { paths, interruption: Interruption::note() }
    }

    /// Removes them when somebody wants this program to end, and then it ends as ever. What has another
    /// name by then stays.
    fn remove_when_interrupted(self) {
        thread::spawn(move || {
            let Leftovers { paths, interruption } = self;
            while !interruption.has_come() {
                thread::sleep(LOOK_EVERY);
            }
            for path in paths {
                // One that is gone already is fine, and of another nobody hears any more.
                let _removed = fs::remove_file(path);
            }
            drop(interruption);
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::TERM)
        });
    }
}

/// A named pipe in the data folder, where only the owner of the data can go.
struct Pipe(PathBuf);

impl Pipe {
    fn make(data: &Path) -> Result<Self> {
        let path = data.join(format!("{PIPES}{}", Uuid::new_v4()));
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
