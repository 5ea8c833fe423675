//! Archives: one file that holds everything, read again before it gets its name.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::{
    BackupWanted, FOLDER, Made,
    gathering::{files, files_bytes, head, records},
    making::{is_missing, made, reader},
    stopping::{StopOnDrop, Stopped},
};
use crate::{
    app::{App, Reporter},
    backup::{self, ArchiveReader, ArchiveWriter, Head, Kept, Key, Lock, Manifest, Written},
    blobs::Blobs,
    blocking::blocking,
    error::{Error, Result},
    hash::{ContentHash, Digest},
    store::Store,
};

impl App {
    pub(super) async fn archive_to_folder(
        &self,
        wanted: &BackupWanted,
        reporter: &Reporter,
    ) -> Result<Made> {
        let folder = self.config.data.join(FOLDER);
        crate::app::create_private_folder(&folder)
            .with_context(|| format!("making the folder {}", folder.display()))?;
        remove_unfinished(&folder)?;
        if !wanted.is_records_only {
            let bytes = self.store.read(files_bytes).await?;
            self.require_room(&folder, bytes).await?;
        }
        let unfinished = folder.join(format!("{UNFINISHED}{}", Uuid::new_v4()));
        let remove = RemoveOnDrop(unfinished.clone());
        let out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)
            .with_context(|| format!("making {}", unfinished.display()))?;
        let (written, made) = self.archive(out, File::sync_all, wanted, reporter).await?;
        let name = file_name(&made, &wanted.lock);
        let path = folder.join(name);
        reporter.begin("Verifying", Some(made.files_bytes));
        let (lock, report, target) = (wanted.lock.clone(), reporter.clone(), path.clone());
        let mut made = blocking(move || {
            read_again(&unfinished, &lock, &made, written, &report)?;
            fs::rename(&unfinished, &target).context("naming the archive")?;
            File::open(target.parent().unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(made)
        })
        .await?;
        std::mem::forget(remove);
        made.place = path.display().to_string();
        made.is_verified = true;
        Ok(made)
    }

    /// Writes an archive; the hash of what was written, where it is [needed](Passing), and what was made.
    pub(super) async fn archive<W: Write + Send + 'static>(
        &self,
        out: W,
        sync: impl FnOnce(&W) -> io::Result<()> + Send + 'static,
        wanted: &BackupWanted,
        reporter: &Reporter,
    ) -> Result<(Option<ContentHash>, Made)> {
        let (store, blobs) = (self.store.clone(), self.blobs.clone());
        let (lock, records_only) = (wanted.lock.clone(), wanted.is_records_only);
        let (data, signer) = (self.config.data.clone(), self.backup_signer().await?);
        let stop = StopOnDrop::default();
        let (stopped, reporter) = (stop.stopped(), reporter.clone());
        blocking(move || {
            let out = Passing::new(out, &lock);
            let begin = |head| {
                Ok(ArchiveWriter::begin(out, &lock, head, scratch(&data)?)?.signed_by(signer))
            };
            let (out, manifest) =
                write_archive(begin, &store, &blobs, records_only, &reporter, &stopped)?;
            let written = Written { objects: 1, bytes: out.bytes };
            let (out, hash) = out.finish();
            sync(&out).context("writing the archive")?;
            Ok((hash, made(&manifest, written, lock != Lock::Open)))
        })
        .await
    }
}

fn write_archive<W: Write>(
    begin: impl FnOnce(Head) -> Result<ArchiveWriter<W>>,
    store: &Store,
    blobs: &Blobs,
    records_only: bool,
    reporter: &Reporter,
    stopped: &Stopped,
) -> Result<(W, Manifest)> {
    let (mut archive, files) = store.read_blocking(|tx| {
        let mut archive = begin(head(tx, records_only)?)?;
        let each = |table, chunk| archive.records(table, &chunk);
        records(tx, reporter, stopped, each)?;
        Ok((archive, files(tx)?))
    })?;
    reporter.begin("Backing up files", Some(files.len() as u64));
    for (hash, size_bytes) in files {
        stopped.check()?;
        match Handle::current().block_on(blobs.open(hash, None)) {
            Ok(_) if records_only => archive.absent_file(hash, size_bytes)?,
            Ok(opened) => {
                let size_bytes = opened.size_bytes;
                if archive.file(hash, size_bytes, reader(opened))? == Kept::Damaged {
                    tracing::warn!(%hash, "a file is damaged, and so it is in the backup");
                }
            }
            Err(fault) if is_missing(&fault) => archive.missing_file(hash, size_bytes)?,
            Err(fault) => return Err(fault),
        }
        reporter.advance(1);
    }
    archive.finish()
}

/// A file without a name, which is gone when nobody needs it any more, however that comes.
fn scratch(data: &Path) -> Result<File> {
    let path = data.join(format!(".scratch-{}", Uuid::new_v4()));
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create_new(true).mode(0o600).open(&path);
    let file = opened.with_context(|| format!("making {}", path.display()))?;
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    Ok(file)
}

/// `appliance-northlight-20261121T100000Z.tar.zst`.
fn file_name(made: &Made, lock: &Lock) -> String {
    let time = made.created_at.strftime("%Y%m%dT%H%M%SZ");
    let end = if *lock == Lock::Open { "" } else { ".age" };
    format!("appliance-{}-{time}.tar.zst{end}", made.instance)
}

/// Reads an archive again that was just made. Where the hash of what was [`written`](Passing::finish) is
/// known, it cannot be looked into. Blocks.
///
/// # Errors
/// When it cannot be read, or reads differently.
pub fn read_again(
    path: &Path,
    lock: &Lock,
    made: &Made,
    written: Option<ContentHash>,
    reporter: &Reporter,
) -> Result<()> {
    let reads_alike = match written {
        Some(written) => Digest::of_file(path).context("reading the archive again")? == written,
        None => {
            let file = File::open(path).context("reading the archive again")?;
            let archive = ArchiveReader::open(file, &Key::of(lock))?;
            let (_, damages) = backup::check(archive, |bytes| reporter.advance(bytes))?;
            damages == made.damages
        }
    };
    match reads_alike {
        true => Ok(()),
        false => Err(Error::Internal(anyhow!("the archive reads differently than it was written"))),
    }
}

const UNFINISHED: &str = ".unfinished-";
/// What was not touched for so long, nobody is at work on.
const OLD: Duration = Duration::from_secs(3_600);

/// Archives that a run which was cut off left behind.
pub(super) fn remove_unfinished(folder: &Path) -> Result<()> {
    remove_old(folder, UNFINISHED)
}

/// Removes files whose names begin so. Another run may be under way: only what is [`OLD`] goes.
pub(super) fn remove_old(folder: &Path, prefix: &str) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_string_lossy().starts_with(prefix);
        if is_ours && is_old(&entry) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Not of what is gone meanwhile.
fn is_old(entry: &fs::DirEntry) -> bool {
    let touched_at = entry.metadata().and_then(|found| found.modified());
    touched_at.is_ok_and(|at| at.elapsed().unwrap_or_default() > OLD)
}

struct RemoveOnDrop(PathBuf);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        if let Err(fault) = fs::remove_file(&self.0) {
            tracing::warn!("removing an unfinished archive: {fault}");
        }
    }
}

/// Counts what passes, and hashes what cannot be looked into afterwards: an archive that is encrypted
/// to a public key. Every other one holds a hash of itself.
pub struct Passing<W> {
    out: W,
    digest: Option<Digest>,
    bytes: u64,
}

impl<W> Passing<W> {
    pub fn new(out: W, lock: &Lock) -> Self {
        let is_opaque = *lock != Lock::Open && Key::of(lock) == Key::None;
        Passing { out, digest: is_opaque.then(Digest::new), bytes: 0 }
    }

    /// What it wrote to, and the hash of what passed.
    pub fn finish(self) -> (W, Option<ContentHash>) {
        (self.out, self.digest.map(Digest::finish))
    }
}

impl<W: Write> Write for Passing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        if let Some(digest) = &mut self.digest {
            digest.update(&bytes[..written]);
        }
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
