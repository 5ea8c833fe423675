//! What an update keeps in the data folder, below `update/`, and the trial of a new version.
//!
//! Between the end of one version and the start of the next, the records are kept as they are, and a
//! note says which program is on trial. That program opens the data, converts them, and listens; it
//! lets nobody in, starts no work and removes nothing, until it knows that it answers. Then it passes:
//! it renames the note. Whoever wants to go back renames the note too, to another name. One of the two
//! is first, so either the new version has promised nothing and the records of before come back, or
//! it has passed and what it promised stays.
//!
//! Every step may be cut off and taken again. What each of them leaves is durable before the next
//! begins, and `cli::update::journal` says what becomes of it when no next one comes.

mod mirror;

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use self::mirror::mirror;
use super::{App, Reporter, backup::locked, create_private_folder};
use crate::{
    blocking::blocking,
    clock::Clock,
    error::{Error, Result},
    hash::{ContentHash, Digest},
    host::files::{self, Rights},
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
/// Records that versions left, by the name of the version. Behind an @ stands when somebody put them
/// aside: those are nowhere else, so nothing here ever removes them.
const EARLIER: &str = "earlier";
/// Backups of the records from before updates.
const ARCHIVES: [&str; 2] = ["before-leaving-", ".tar.zst"];
/// So many of them stay.
const ARCHIVES_MAX: usize = 3;
const REHEARSAL: &str = "rehearsal";

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
        match files::rename(&folder.join(TRIAL), &folder.join(PASSED)) {
            Ok(()) => Ok(()),
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
    ///
    /// # Errors
    /// `Conflict` when that one is not settled yet.
    pub fn prepare(&self) -> Result<()> {
        if self.is_under_way() {
            return Err(Error::conflict("An earlier update of these data is not settled."));
        }
        create_private_folder(&self.folder).context("making a folder for the update")?;
        files::sync_folder_of(&self.folder)?;
        self.clear(&[KEPT, UNFINISHED, RETURNING, PASSED])?;
        gone(fs::remove_dir_all(self.rehearsal()))?;
        Ok(())
    }

    /// An empty data folder for a rehearsal.
    pub fn prepare_rehearsal(&self) -> Result<()> {
        gone(fs::remove_dir_all(self.rehearsal()))?;
        Ok(create_private_folder(&self.rehearsal()).context("making a folder for the rehearsal")?)
    }

    /// Opens the copy, and nothing else, to the group: the one who rehearses is another user.
    pub fn share_rehearsal(&self) -> Result<()> {
        let share = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
        share(&self.rehearsal(), 0o770)
            .and_then(|()| share(&self.rehearsal().join(App::DATABASE), 0o660))
            .context("handing the copy to the rehearsal")?;
        Ok(())
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
    /// [`begin`](Self::begin). `left` is a name that [`newest_left`](Self::newest_left) gave.
    pub fn prepare_return(&self, left: &str) -> Result<()> {
        let returning = self.folder.join(RETURNING);
        mirror(&self.left(left), &returning).context("copying the earlier records")?;
        let store = Store::open(&returning, CACHE_BYTES, Clock::system(), None)?;
        store.write_blocking(|tx| {
            tx.forget_lineage();
            Ok(())
        })?;
        drop(store);
        Ok(files::sync_folder_of(&returning)?)
    }

    /// After the end of one version and before the start of the next, the program with this hash.
    /// With `returns`, what was made ready takes the place of the records.
    pub fn begin(&self, program: ContentHash, returns: bool) -> Result<()> {
        let _lock = self.lock()?;
        let returning = self.folder.join(RETURNING);
        // Once that is there the records are kept, and those in their place may be others already.
        if !self.folder.join(TRIAL).exists() {
            if returns && !returning.exists() {
                return Err(Error::conflict("The earlier records are not there any more."));
            }
            let unfinished = self.folder.join(UNFINISHED);
            mirror(&self.database(), &unfinished).context("keeping the records")?;
            files::rename(&unfinished, &self.folder.join(KEPT)).context("keeping the records")?;
            let note = serde_json::to_vec(&Note { program }).context("writing a note")?;
            files::replace(&self.folder.join(TRIAL), note.as_slice(), Rights::own(0o600))?;
        }
        if returning.exists() {
            // It shows the other records, and its cursor could well fit to these.
            gone(fs::remove_dir_all(self.data.join(App::INDEX)))?;
            files::rename(&returning, &self.database()).context("exchanging the records")?;
        }
        Ok(())
    }

    /// Ends a trial that nobody has passed: from here on nobody can. False when the new version was
    /// faster.
    pub fn take_back(&self) -> Result<bool> {
        match files::rename(&self.folder.join(TRIAL), &self.folder.join(TAKEN_BACK)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let is_kept = self.folder.join(KEPT).exists();
                Ok(self.folder.join(TAKEN_BACK).exists() || (is_kept && !self.has_passed()))
            }
            Err(error) => Err(error).context("taking an update back")?,
        }
    }

    /// Puts the records back, if a trial was taken back; nothing runs on them.
    pub fn go_back(&self) -> Result<()> {
        let (kept, taken_back) = (self.folder.join(KEPT), self.folder.join(TAKEN_BACK));
        if taken_back.exists() {
            // Without the lock of a version that hangs; the file it has open is another one then.
            if kept.exists() {
                files::rename(&kept, &self.database()).context("putting the records back")?;
            }
            files::remove(&taken_back).context("putting the records back")?;
        }
        self.clear(&[KEPT, UNFINISHED, RETURNING])
    }

    /// After a version has passed. What the one before left is kept under a name, if it has one here;
    /// of what other versions left only that of those named stays.
    pub fn finish(&self, keep_as: Option<&str>, versions: &[String]) -> Result<()> {
        let kept = self.folder.join(KEPT);
        if let Some(name) = keep_as.filter(|_| kept.exists()) {
            create_private_folder(&self.folder.join(EARLIER)).context("keeping the records")?;
            files::sync_folder_of(&self.folder.join(EARLIER))?;
            files::rename(&kept, &self.left(name)).context("keeping the records")?;
        }
        self.clear(&[KEPT, UNFINISHED, RETURNING, PASSED])?;
        for name in self.names_left()? {
            if !name.contains('@') && !versions.contains(&name) {
                files::remove(&self.left(&name))?;
            }
        }
        Ok(())
    }

    /// Removes all archives from before updates but the last few.
    pub fn prune_archives(&self) -> Result<()> {
        let mut archives = Vec::new();
        for entry in if_there(fs::read_dir(&self.folder))?.into_iter().flatten() {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(ARCHIVES[0]) && name.ends_with(ARCHIVES[1]) {
                archives.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        archives.sort();
        let surplus = archives.len().saturating_sub(ARCHIVES_MAX);
        for (_, path) in archives.into_iter().take(surplus) {
            files::remove(&path).context("removing an old archive")?;
        }
        Ok(())
    }

    /// Where the archive of before an update lies: one for each version that was left.
    pub fn archive(&self, version: &str) -> PathBuf {
        self.folder.join(format!("{}{version}{}", ARCHIVES[0], ARCHIVES[1]))
    }

    /// The name of the last records that a version left, and that are kept.
    pub fn newest_left(&self, version: &str) -> Result<Option<String>> {
        let mut newest = None;
        for name in self.names_left()? {
            if name.split('@').next() == Some(version) {
                let at = self.left(&name).metadata()?.modified()?;
                newest = newest.max(Some((at, name)));
            }
        }
        Ok(newest.map(|(_, name)| name))
    }

    /// Where the records lie that are kept under a name.
    pub fn left(&self, name: &str) -> PathBuf {
        self.folder.join(EARLIER).join(format!("{name}.redb"))
    }

    /// The names of the versions whose records somebody has put aside.
    pub fn versions_put_aside(&self) -> Result<Vec<String>> {
        let names = self.names_put_aside()?;
        Ok(names.iter().filter_map(|name| Some(name.split_once('@')?.0.to_owned())).collect())
    }

    /// The names under which somebody has put records aside.
    pub fn names_put_aside(&self) -> Result<Vec<String>> {
        Ok(self.names_left()?.into_iter().filter(|name| name.contains('@')).collect())
    }

    fn names_left(&self) -> Result<Vec<String>> {
        let entries = if_there(fs::read_dir(self.folder.join(EARLIER)))?;
        let mut names = Vec::new();
        for entry in entries.into_iter().flatten() {
            let name = entry?.file_name().to_string_lossy().into_owned();
            names.extend(name.strip_suffix(".redb").map(str::to_owned));
        }
        Ok(names)
    }

    fn clear(&self, names: &[&str]) -> Result<()> {
        for name in names {
            files::remove(&self.folder.join(name))?;
        }
        Ok(())
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
