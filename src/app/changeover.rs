//! What an update keeps in the data folder, below `update/`, and the trial of a new version.
//!
//! Between the end of one version and the start of the next, the records are kept as they are, and a
//! note says which program is on trial. That program opens the data, converts them, and listens; it
//! lets nobody in, starts no work and removes nothing, until it knows that it answers. Then it passes:
//! it renames the note. Whoever wants to go back renames the note too, to another name. One of the two
//! is first, so either the new version has promised nothing and the records of before come back, or
//! it has passed and what it promised stays.
//!
//! Every step may be cut off and taken again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::{App, Reporter, backup::locked, create_private_folder};
use crate::{
    blocking::blocking,
    clock::Clock,
    error::{Error, Result},
    hash::{ContentHash, Digest},
    store::Store,
};

const FOLDER: &str = "update";
/// The records as the version before left them.
const KEPT: &str = "records.redb";
/// Those, in the making.
const UNFINISHED: &str = "records.part";
/// Records of an earlier version that are about to come back.
const RETURNING: &str = "returning.redb";
const TRIAL: &str = "trial.json";
const PASSED: &str = "passed.json";
const TAKEN_BACK: &str = "taken-back.json";
/// Records that versions left which others could not read, by the name of the version.
const EARLIER: &str = "earlier";
const REHEARSAL: &str = "rehearsal";

const BLOCK_BYTES: usize = 1 << 20;
const CACHE_BYTES: usize = 16 << 20;
/// A command that has the data open is soon done.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Serialize, Deserialize)]
struct Note {
    /// Of the file of the program that is on trial.
    program: ContentHash,
}

/// The part of an update that concerns a data folder.
#[derive(Clone, Debug)]
pub struct Changeover {
    data: PathBuf,
    folder: PathBuf,
}

/// A program that is on trial: this one.
pub struct Trial(Changeover);

impl Trial {
    /// From here on nobody goes back behind what this program does.
    ///
    /// # Errors
    /// `Conflict` when somebody has gone back already.
    pub fn pass(self) -> Result<()> {
        let Changeover { folder, .. } = &self.0;
        match fs::rename(folder.join(TRIAL), folder.join(PASSED)) {
            Ok(()) => Ok(sync(folder)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::conflict("The update was taken back before this version was ready."))
            }
            Err(error) => Err(error).context("passing the trial of an update")?,
        }
    }
}

impl Changeover {
    pub fn of(data: &Path) -> Self {
        Changeover { data: data.to_owned(), folder: data.join(FOLDER) }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data folder of a rehearsal.
    pub fn rehearsal(&self) -> PathBuf {
        self.folder.join(REHEARSAL)
    }

    pub fn database(&self) -> PathBuf {
        self.data.join(App::DATABASE)
    }

    /// True from when the records were kept until a version has passed or the records are back.
    pub fn is_under_way(&self) -> bool {
        self.folder.join(TRIAL).exists() || self.folder.join(TAKEN_BACK).exists()
    }

    pub fn has_passed(&self) -> bool {
        self.folder.join(PASSED).exists()
    }

    /// Whether this program, whose file that is, is on trial.
    ///
    /// # Errors
    /// `Busy` when another one is.
    pub fn trial(&self, own: &Path) -> Result<Option<Trial>> {
        if !self.is_under_way() {
            return Ok(None);
        }
        let is_own = || -> Result<bool> {
            let Some(text) = read(&self.folder.join(TRIAL))? else { return Ok(false) };
            let note: Note = serde_json::from_slice(&text).context("reading a note")?;
            Ok(note.program == Digest::of_file(own).context("reading this program")?)
        };
        match is_own()? {
            true => Ok(Some(Trial(self.clone()))),
            false => Err(Error::Busy {
                message: "An update is under way, and this is not the program that it is about. \
                          Start the service instead: appliance start"
                    .into(),
                retry_after_s: 1,
            }),
        }
    }

    /// Clears what an earlier update left behind.
    pub fn prepare(&self) -> Result<()> {
        create_private_folder(&self.folder).context("making a folder for the update")?;
        for name in [KEPT, UNFINISHED, RETURNING, PASSED] {
            gone(fs::remove_file(self.folder.join(name)))?;
        }
        gone(fs::remove_dir_all(self.rehearsal()))?;
        Ok(())
    }

    /// An empty data folder for a rehearsal.
    pub fn prepare_rehearsal(&self) -> Result<()> {
        gone(fs::remove_dir_all(self.rehearsal()))?;
        Ok(create_private_folder(&self.rehearsal()).context("making a folder for the rehearsal")?)
    }

    pub fn end_rehearsal(&self) -> Result<()> {
        Ok(gone(fs::remove_dir_all(self.rehearsal()))?)
    }

    /// Copies the records of a portal that does not run.
    pub fn copy_at_rest(&self, to: &Path) -> Result<()> {
        let _lock = self.lock()?;
        Ok(mirror(&self.database(), to).context("copying the records")?)
    }

    /// Copies most of the records while the portal still runs, so that [`begin`](Self::begin) has
    /// little to do. What changes meanwhile is copied wrongly now and rightly then.
    pub fn copy_ahead(&self) -> Result<()> {
        Ok(mirror(&self.database(), &self.folder.join(UNFINISHED))
            .context("copying the records")?)
    }

    /// Makes ready what an earlier version left, to take the place of the records in
    /// [`begin`](Self::begin).
    pub fn prepare_return(&self, version: &str) -> Result<()> {
        let returning = self.folder.join(RETURNING);
        mirror(&self.earlier(version), &returning).context("copying the earlier records")?;
        let store = Store::open(&returning, CACHE_BYTES, Clock::system(), None)?;
        store.write_blocking(|tx| {
            tx.forget_lineage();
            Ok(())
        })
    }

    /// After the end of one version and before the start of the next, the program with this hash.
    pub fn begin(&self, program: ContentHash) -> Result<()> {
        let _lock = self.lock()?;
        let unfinished = self.folder.join(UNFINISHED);
        mirror(&self.database(), &unfinished).context("keeping the records")?;
        fs::rename(&unfinished, self.folder.join(KEPT)).context("keeping the records")?;
        sync(&self.folder)?;
        let note = serde_json::to_vec(&Note { program }).context("writing a note")?;
        let draft = self.folder.join("note");
        let mut file = private(&draft).context("writing a note")?;
        file.write_all(&note).and_then(|()| file.sync_all()).context("writing a note")?;
        fs::rename(&draft, self.folder.join(TRIAL)).context("writing a note")?;
        sync(&self.folder)?;
        let returning = self.folder.join(RETURNING);
        if returning.exists() {
            // It shows the other records, and its cursor could well fit to these.
            gone(fs::remove_dir_all(self.data.join(App::INDEX)))?;
            fs::rename(&returning, self.database()).context("exchanging the records")?;
            sync(&self.data)?;
        }
        Ok(())
    }

    /// Ends a trial that nobody has passed: from here on nobody can. False when the new version was
    /// faster.
    pub fn take_back(&self) -> Result<bool> {
        match fs::rename(self.folder.join(TRIAL), self.folder.join(TAKEN_BACK)) {
            Ok(()) => sync(&self.folder).map(|()| true).map_err(Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(!self.has_passed()),
            Err(error) => Err(error).context("taking an update back")?,
        }
    }

    /// Puts the records back, if a trial was taken back; nothing runs on them.
    pub fn go_back(&self) -> Result<()> {
        let (kept, taken_back) = (self.folder.join(KEPT), self.folder.join(TAKEN_BACK));
        if taken_back.exists() {
            // Without the lock of a version that hangs; the file it has open is another one then.
            if kept.exists() {
                fs::rename(&kept, self.database()).context("putting the records back")?;
                sync(&self.data)?;
            }
            fs::remove_file(&taken_back).context("putting the records back")?;
            sync(&self.folder)?;
        }
        for name in [KEPT, UNFINISHED, RETURNING] {
            gone(fs::remove_file(self.folder.join(name)))?;
        }
        Ok(())
    }

    /// After a version has passed. What the one before left is kept under its name, if it has one
    /// here; of earlier ones only the named are.
    pub fn finish(&self, keep_as: Option<&str>, versions: &[String]) -> Result<()> {
        let kept = self.folder.join(KEPT);
        if let Some(name) = keep_as.filter(|_| kept.exists()) {
            create_private_folder(&self.folder.join(EARLIER)).context("keeping the records")?;
            fs::rename(&kept, self.earlier(name)).context("keeping the records")?;
        }
        for name in [KEPT, UNFINISHED, RETURNING, PASSED] {
            gone(fs::remove_file(self.folder.join(name)))?;
        }
        let Some(entries) = if_there(fs::read_dir(self.folder.join(EARLIER)))? else {
            return Ok(());
        };
        for entry in entries {
            let entry = entry?;
            let is_wanted = |version: &String| self.earlier(version) == entry.path();
            if !versions.iter().any(is_wanted) {
                gone(fs::remove_file(entry.path()))?;
            }
        }
        Ok(())
    }

    /// Whether the records that a version left are kept.
    pub fn has_earlier(&self, version: &str) -> bool {
        self.earlier(version).exists()
    }

    fn earlier(&self, version: &str) -> PathBuf {
        self.folder.join(EARLIER).join(format!("{version}.redb"))
    }

    /// Keeps everybody else from the records.
    fn lock(&self) -> Result<File> {
        let begin = Instant::now();
        loop {
            if let Some(lock) = locked(&self.database(), false)? {
                return Ok(lock);
            }
            if begin.elapsed() > LOCK_PATIENCE {
                return Err(Error::Busy {
                    message: "Another process has the records open. Wait until it is done, or end \
                              it."
                    .into(),
                    retry_after_s: 10,
                });
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl App {
    /// Copies the records, while they are in use, into a new file.
    pub async fn copy_records(&self, to: PathBuf, reporter: &Reporter) -> Result<()> {
        reporter.begin("Copying the records", None);
        let (store, reporter) = (self.store.clone(), reporter.clone());
        blocking(move || store.copy_blocking(&to, |pairs| reporter.advance(pairs))).await
    }

    /// Lets requests wait, until [`let_requests_in`](Self::let_requests_in).
    pub fn hold_requests(&self) {
        self.holds_requests.send_replace(true);
    }

    pub fn let_requests_in(&self) {
        self.holds_requests.send_replace(false);
    }

    /// For each request but those that ask how the portal is.
    pub async fn wait_for_trial(&self) {
        if *self.holds_requests.borrow() {
            // The sender is ours, so it is there.
            let mut held = self.holds_requests.subscribe();
            let _let_in = held.wait_for(|holds| !holds).await;
        }
    }
}

/// Makes one file like another. Where the file system can share blocks nothing is copied; else only
/// what differs is written.
fn mirror(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let shared = to.with_extension("shared");
    gone(fs::remove_file(&shared))?;
    let target = private(&shared)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        target.sync_all()?;
        fs::rename(&shared, to)?;
        return sync(to.parent().unwrap_or(Path::new(".")));
    }
    fs::remove_file(&shared)?;
    let target = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(to)?;
    let (mut wanted, mut found) = (vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES]);
    let mut at = 0;
    loop {
        let length = read_block(&source, &mut wanted, at)?;
        let known = read_block(&target, &mut found, at)?;
        if wanted[..length] != found[..known.min(length)] {
            target.write_all_at(&wanted[..length], at)?;
        }
        at += length as u64;
        if length < BLOCK_BYTES {
            target.set_len(at)?;
            return target.sync_all();
        }
    }
}

/// As much as there is.
fn read_block(file: &File, block: &mut [u8], at: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < block.len() {
        match file.read_at(&mut block[length..], at + length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    Ok(if_there(fs::read(path))?)
}

fn gone(done: io::Result<()>) -> io::Result<()> {
    if_there(done).map(drop)
}

fn if_there<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}
