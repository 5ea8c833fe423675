//! Puts a restored portal in the place of what was there.
//!
//! Everything is built in `restoring/` inside the data folder, which may be a mount point that
//! cannot be renamed itself. A note in it, written last, says that it is complete; from then on the
//! swap is finished by whoever comes: each step is a rename, and one that has happened is seen to
//! have happened. Before the note nothing of the old portal is touched.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    iter,
    path::{Path, PathBuf},
};

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    app::{App, Changeover, create_private_folder},
    error::{Error, Result},
};

const FOLDER: &str = "restoring";
const NOTE: &str = "complete.json";
const PORTAL: &str = "portal";
const LOCK: &str = "lock";
/// Behind the name of a portal that was put aside, whose files are still among those of the new one.
const SHARES_FILES: &str = "-shares-files";

/// Everything that makes a portal.
const RECORDS: [&str; 2] = [App::DATABASE, App::INDEX];
pub(super) const FILES: [&str; 2] = ["objects", "spool"];

#[derive(Serialize, Deserialize)]
struct Note {
    /// Whose place is taken; what of it is not in the new portal goes too.
    names: Vec<String>,
    /// The ones that the new portal has.
    new: Vec<String>,
    /// Where the old ones go, in the data folder.
    aside: String,
}

/// A place in which a portal is built; removed when it is dropped.
pub(super) struct Site {
    data: PathBuf,
    /// There was none before; it goes again when nothing comes of it.
    made_data: bool,
    /// Held while somebody builds.
    _lock: File,
    /// Held so that no server starts on the old portal meanwhile.
    _database: Option<File>,
}

impl Site {
    /// # Errors
    /// `Busy` while another restore or a server is at work there.
    pub fn claim(data: &Path) -> Result<Self> {
        let made_data = !data.exists();
        create_private_folder(data)
            .with_context(|| format!("making the data folder {}", data.display()))?;
        let mut site = Site::claim_beside_portal(data)?;
        site.made_data = made_data;
        let database = data.join(App::DATABASE);
        if database.exists() {
            let lock = locked(&database, false)?
                .ok_or_else(|| busy("The portal in this data folder is running. Stop it first."))?;
            site._database = Some(lock);
        }
        Ok(site)
    }

    /// For the server itself, which has the portal.
    pub fn claim_beside_portal(data: &Path) -> Result<Self> {
        if Changeover::of(data).is_under_way() {
            return Err(busy("An update is under way in this data folder."));
        }
        let folder = data.join(FOLDER);
        create_private_folder(&folder)?;
        let lock = locked(&folder.join(LOCK), true)?
            .ok_or_else(|| busy("Another restore is at work in this data folder."))?;
        let site = Site { data: data.to_owned(), made_data: false, _lock: lock, _database: None };
        site.clear()?;
        create_private_folder(&site.portal())?;
        Ok(site)
    }

    /// The data folder of the new portal.
    pub fn portal(&self) -> PathBuf {
        self.data.join(FOLDER).join(PORTAL)
    }

    /// Where else there is room for what is needed meanwhile.
    pub fn folder(&self) -> PathBuf {
        self.data.join(FOLDER)
    }

    /// Swaps the new portal in; where the old one is now, if there was one. With `keeps_files`, the
    /// files stay and only the records are new. They also stay when they are in a bucket.
    pub fn swap(
        self,
        now: Timestamp,
        keeps_files: bool,
        is_in_bucket: bool,
    ) -> Result<Option<PathBuf>> {
        let what = if keeps_files || is_in_bucket { SHARES_FILES } else { "" };
        let aside = self.complete(now, keeps_files, what)?;
        carry_on(&self.data)?;
        Ok(aside.exists().then_some(aside))
    }

    /// Leaves the new portal to whoever opens the data folder next: then it takes the place of one in
    /// which nobody has worked yet.
    pub fn leave(self, now: Timestamp, keeps_files: bool) -> Result<()> {
        self.complete(now, keeps_files, "").map(drop)
    }

    /// Writes the note; where the old portal will be. `what` is said of it behind its name.
    fn complete(&self, now: Timestamp, keeps_files: bool, what: &str) -> Result<PathBuf> {
        let mut names: Vec<String> = RECORDS.map(String::from).to_vec();
        if !keeps_files {
            names.extend(FILES.map(String::from));
        }
        let portal = self.portal();
        let new = names.iter().filter(|name| portal.join(name).exists()).cloned().collect();
        let replaced = format!("replaced-{}{what}", now.strftime("%Y%m%dT%H%M%SZ"));
        let aside = self.unused_name(&replaced);
        let note = Note { names, new, aside };
        let folder = self.data.join(FOLDER);
        sync_tree(&portal).context("writing the restored portal")?;
        let unfinished = folder.join("note");
        let mut file = File::create(&unfinished).context("writing a note")?;
        file.write_all(&serde_json::to_vec(&note).context("writing a note")?)?;
        file.sync_all()?;
        fs::rename(&unfinished, folder.join(NOTE))?;
        File::open(&folder)?.sync_all()?;
        Ok(self.data.join(note.aside))
    }

    /// Two restores may end in the same second.
    fn unused_name(&self, name: &str) -> String {
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let mut names = iter::once(name.to_owned()).chain(numbered);
        names.find(|name| !self.data.join(name).exists()).unwrap_or_else(|| name.to_owned())
    }

    fn clear(&self) -> Result<()> {
        let folder = self.data.join(FOLDER);
        if folder.join(NOTE).exists() {
            return carry_on(&self.data);
        }
        if_there(fs::remove_dir_all(folder.join(PORTAL))).context("clearing an earlier restore")?;
        Ok(())
    }
}

fn busy(message: &str) -> Error {
    Error::Busy { message: message.into(), retry_after_s: 10 }
}

impl Drop for Site {
    fn drop(&mut self) {
        let folder = self.data.join(FOLDER);
        if folder.exists()
            && !folder.join(NOTE).exists()
            && let Err(fault) = fs::remove_dir_all(&folder)
        {
            tracing::warn!("removing {}: {fault}", folder.display());
        }
        if self.made_data {
            // One that is not empty stays.
            let _removed = fs::remove_dir(&self.data);
        }
    }
}

/// Before a portal is opened: finishes a swap that was cut off, and removes what a restore left
/// behind that was cut off before it.
///
/// # Errors
/// `Busy` while a restore is at work.
pub(in crate::app) fn finish_swap(data: &Path) -> Result<()> {
    let folder = data.join(FOLDER);
    if !folder.exists() {
        return Ok(());
    }
    let Some(_lock) = locked(&folder.join(LOCK), true)? else {
        return Err(Error::Busy {
            message: "A backup is being restored into this data folder. Wait until it is done."
                .into(),
            retry_after_s: 10,
        });
    };
    if folder.join(NOTE).exists() {
        return carry_on(data);
    }
    Ok(fs::remove_dir_all(&folder).context("removing what a restore left behind")?)
}

/// A portal that is kept aside in this data folder and has its files among those of this one, which knows
/// nothing of some of them.
pub(in crate::app) fn portal_that_shares_files(data: &Path) -> Result<Option<PathBuf>> {
    let doing = "looking for portals that were put aside";
    for entry in fs::read_dir(data).context(doing)? {
        let entry = entry.context(doing)?;
        if entry.file_name().to_string_lossy().contains(SHARES_FILES) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// Every step once, whatever of it has happened.
fn carry_on(data: &Path) -> Result<()> {
    let folder = data.join(FOLDER);
    let json = fs::read(folder.join(NOTE)).context("reading the note of a restore")?;
    let note: Note = serde_json::from_slice(&json).context("reading the note of a restore")?;
    let (portal, aside) = (folder.join(PORTAL), data.join(&note.aside));
    for name in &note.names {
        let is_done = note.new.contains(name) && !portal.join(name).exists();
        if is_done {
            continue;
        }
        if data.join(name).exists() {
            create_private_folder(&aside)?;
            fs::rename(data.join(name), aside.join(name))
                .context("putting the old portal aside")?;
        }
        if note.new.contains(name) {
            fs::rename(portal.join(name), data.join(name)).context("putting the new portal in")?;
        }
    }
    for folder in [&aside, data] {
        if folder.exists() {
            File::open(folder)?.sync_all()?;
        }
    }
    // The note goes with the folder; a cut in between leaves one in which nothing is left to do.
    Ok(fs::remove_dir_all(&folder).context("removing the place of the restore")?)
}

/// `None` when another process has the lock.
pub(in crate::app) fn locked(path: &Path, makes_it: bool) -> Result<Option<File>> {
    let doing = || format!("locking {}", path.display());
    let opened = File::options().read(true).write(true).create(makes_it).truncate(false).open(path);
    let file = opened.with_context(doing)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(fault)) => Err(fault).with_context(doing)?,
    }
}

/// Makes all entries of a folder durable.
fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

fn if_there(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
