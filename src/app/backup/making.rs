//! Making a backup: records from one transaction, then the files that they name.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, anyhow};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::{runtime::Handle, task};
use tokio_util::io::{StreamReader, SyncIoBridge};
use uuid::Uuid;

use super::{
    BackupWanted, FOLDER, Made, Target,
    stopping::{StopOnDrop, Stopped},
};
use crate::{
    app::{App, Reporter},
    backup::{
        self, Adding, ArchiveReader, ArchiveWriter, Chunk, Cutter, FORMAT, Head, Kept, Key, Lock,
        Manifest, Repository, Written,
    },
    blobs::{Blobs, Missing, Opened, Source},
    domain::{TABLES, backups, blobs::Blob, organizations, text},
    error::{Error, Result},
    hash::{ContentHash, Digest},
    host::disk,
    store::{ReadTx, Record, Store},
};

/// Files that are read and compressed at a time for a repository.
const TOGETHER: usize = 4;
/// How many parts of records wait to be written to a repository.
const PARTS_WAITING: usize = 8;

/// What the records of a moment name.
struct Gathered {
    head: Head,
    files: Vec<(ContentHash, u64)>,
}

impl App {
    /// Makes a backup while the portal runs.
    ///
    /// # Errors
    /// What keeps it from being made. A file that cannot be read does not: it is named in the
    /// result.
    pub async fn back_up(&self, wanted: BackupWanted, reporter: &Reporter) -> Result<Made> {
        wanted.lock.check()?;
        self.store.write(|tx| tx.found_lineage()).await?;
        let _pin = self.pins.hold().await;
        let begin = Instant::now();
        let mut made = match &wanted.target {
            Target::Folder => self.archive_to_folder(&wanted, reporter).await?,
            Target::Pipe(path) => {
                let pipe = OpenOptions::new().write(true).open(path).context("opening a pipe")?;
                let (_, made) = self.archive(pipe, &wanted, reporter).await?;
                Made { place: "-".into(), ..made }
            }
            Target::Repository(place) => self.snapshot(place, &wanted, reporter).boxed().await?,
        };
        made.took_ms = begin.elapsed().as_millis() as u64;
        Ok(made)
    }

    async fn archive_to_folder(&self, wanted: &BackupWanted, reporter: &Reporter) -> Result<Made> {
        let folder = self.config.data.join(FOLDER);
        crate::app::create_private_folder(&folder)
            .with_context(|| format!("making the folder {}", folder.display()))?;
        remove_unfinished(&folder)?;
        if !wanted.is_records_only {
            let bytes = self.store.read(files_bytes).await?;
            disk::require(&folder, bytes, u64::from(self.config.uploads.reserve_mb) << 20)?;
        }
        let unfinished = folder.join(format!("{UNFINISHED}{}", Uuid::new_v4()));
        let remove = RemoveOnDrop(unfinished.clone());
        let out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)
            .with_context(|| format!("making {}", unfinished.display()))?;
        let (written, mut made) = self.archive(out, wanted, reporter).await?;
        let name = file_name(&made, &wanted.lock);
        let path = folder.join(name);
        reporter.begin("Verifying", Some(made.files_bytes));
        let (key, report, file) = (Key::of(&wanted.lock), reporter.clone(), unfinished.clone());
        let target = path.clone();
        let damages = blocking(move || {
            let damages = verify(&file, &key, written, &report)?;
            fs::rename(&file, &target).context("naming the archive")?;
            File::open(target.parent().unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(damages)
        })
        .await?;
        std::mem::forget(remove);
        made.place = path.display().to_string();
        made.is_verified = true;
        for damage in damages {
            if !made.damages.contains(&damage) {
                made.is_verified = false;
                made.damages.push(damage);
            }
        }
        Ok(made)
    }

    /// Writes an archive; the hash of what was written, and what was made.
    async fn archive(
        &self,
        out: File,
        wanted: &BackupWanted,
        reporter: &Reporter,
    ) -> Result<(ContentHash, Made)> {
        let (store, blobs) = (self.store.clone(), self.blobs.clone());
        let (lock, records_only) = (wanted.lock.clone(), wanted.is_records_only);
        let stop = StopOnDrop::default();
        let (stopped, reporter) = (stop.stopped(), reporter.clone());
        blocking(move || {
            let hashed = Hashed { out, digest: Digest::new(), bytes: 0 };
            let (hashed, manifest) =
                write_archive(hashed, &store, &blobs, &lock, records_only, &reporter, &stopped)?;
            // A pipe cannot be synced, and need not be.
            if hashed.out.metadata()?.is_file() {
                hashed.out.sync_all().context("writing the archive")?;
            }
            let written = Written { objects: 1, bytes: hashed.bytes };
            Ok((hashed.digest.finish(), made(&manifest, written, lock != Lock::Open)))
        })
        .await
    }

    async fn snapshot(
        &self,
        place: &str,
        wanted: &BackupWanted,
        reporter: &Reporter,
    ) -> Result<Made> {
        let repository = self.open_repository(place, &wanted.lock, &wanted.key).await?;
        let mut adding = repository.add(&self.clock).await?;
        let (manifest, files, written) = match self.fill(&mut adding, wanted, reporter).await {
            Ok(filled) => filled,
            Err(fault) => {
                adding.end().await?;
                return Err(fault);
            }
        };
        let (snapshot, manifest, last) = adding.finish(manifest, &files).await?;
        let mut total = written;
        total.add(last);
        let mut made = made(&manifest, total, repository.is_encrypted());
        made.place = place.into();
        made.snapshot = Some(snapshot.id.clone());
        // What cannot be read without a key was written, and no more is known of it.
        if !repository.is_encrypted() || repository.own_key() != Key::None {
            if repository.manifest(&snapshot).await? != manifest {
                let fault = anyhow!("the manifest reads differently than it was written");
                return Err(Error::Internal(fault));
            }
            made.is_verified = manifest.missing.is_empty();
        }
        Ok(made)
    }

    /// Opens a repository to write to, with the key that this portal keeps for it; keeps the key of a
    /// new one.
    pub(super) async fn open_repository(
        &self,
        place: &str,
        lock: &Lock,
        key: &Key,
    ) -> Result<Repository> {
        let place = super::source::place(place)?;
        let known = self.repository_keys().await?;
        let key = if *key == Key::None { known } else { key.clone() };
        let repository = Repository::open_or_begin(&place, lock, &key, self.clock.now()).await?;
        if let Key::Identities(own) = repository.own_key()
            && let [secret] = own.as_slice()
        {
            let (id, secret) = (repository.id(), secret.0.clone());
            self.store.write(move |tx| backups::keep_key(tx, id, &secret)).await?;
        }
        Ok(repository)
    }

    /// The keys of the repositories that this portal has written to.
    pub(super) async fn repository_keys(&self) -> Result<Key> {
        let keys = self.store.read(backups::plan).await?.keys;
        let keys: Vec<_> = keys.into_values().map(backup::Passphrase).collect();
        Ok(if keys.is_empty() { Key::None } else { Key::Identities(keys) })
    }

    async fn fill(
        &self,
        adding: &mut Adding,
        wanted: &BackupWanted,
        reporter: &Reporter,
    ) -> Result<(Manifest, Vec<(ContentHash, u64)>, Written)> {
        let mut written = Written::default();
        let (sender, mut parts) = tokio::sync::mpsc::channel(PARTS_WAITING);
        let (store, records_only) = (self.store.clone(), wanted.is_records_only);
        let stop = StopOnDrop::default();
        let (stopped, report) = (stop.stopped(), reporter.clone());
        let gathering = task::spawn_blocking(move || {
            store.read_blocking(|tx| {
                records(tx, &report, &stopped, |table, chunk| {
                    let gone = |_| Error::Internal(anyhow!("the backup has ended"));
                    sender.blocking_send((table, chunk)).map_err(gone)
                })?;
                Ok(Gathered { head: head(tx, records_only)?, files: files(tx)? })
            })
        });
        let mut stored = Vec::new();
        while let Some((table, chunk)) = parts.recv().await {
            let (part, one) = adding.part(table, chunk).await?;
            stored.push(part);
            written.add(one);
        }
        let gathered = gathering.await.map_err(|end| anyhow!(end))??;
        let mut manifest = Manifest { parts: stored, ..Manifest::new(gathered.head) };
        self.fill_files(adding, &gathered.files, &mut manifest, &mut written, reporter).await?;
        manifest.missing.sort();
        Ok((manifest, gathered.files, written))
    }

    async fn fill_files(
        &self,
        adding: &Adding,
        files: &[(ContentHash, u64)],
        manifest: &mut Manifest,
        written: &mut Written,
        reporter: &Reporter,
    ) -> Result<()> {
        reporter.begin("Backing up files", Some(files.len() as u64));
        if manifest.head.is_records_only {
            for (hash, _) in files {
                if !is_there(&self.blobs, *hash).await? {
                    manifest.missing.push(*hash);
                }
                reporter.advance(1);
            }
            return Ok(());
        }
        let stop = StopOnDrop::default();
        let hashes: Vec<ContentHash> = files.iter().map(|(hash, _)| *hash).collect();
        let mut added = stream::iter(hashes)
            .map(|hash| add_file(adding, &self.blobs, hash, stop.stopped()).boxed())
            .buffer_unordered(TOGETHER);
        while let Some(outcome) = added.next().await {
            match outcome? {
                Ok(one) => written.add(one),
                Err(hash) => manifest.missing.push(hash),
            }
            reporter.advance(1);
        }
        Ok(())
    }
}

/// Adds a file to a repository; `Err` with its hash when it cannot be read.
pub(super) async fn add_file(
    adding: &Adding,
    blobs: &Blobs,
    hash: ContentHash,
    stopped: Stopped,
) -> Result<Result<Written, ContentHash>> {
    if adding.has_file(hash) {
        return Ok(Ok(Written::default()));
    }
    let opened = match blobs.open(hash, None).await {
        Ok(opened) => opened,
        Err(fault) if is_missing(&fault) => return Ok(Err(hash)),
        Err(fault) => return Err(fault),
    };
    let added = adding.file(hash, move || Ok(stopped.reader(reader(opened)))).await?;
    Ok(added.ok_or(hash))
}

fn write_archive<W: Write>(
    out: W,
    store: &Store,
    blobs: &Blobs,
    lock: &Lock,
    records_only: bool,
    reporter: &Reporter,
    stopped: &Stopped,
) -> Result<(W, Manifest)> {
    // One core is left to those who work meanwhile.
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).max(1);
    let (mut archive, files) = store.read_blocking(|tx| {
        let mut archive = ArchiveWriter::begin(out, lock, head(tx, records_only)?, threads)?;
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

/// Walks through all records, and cuts them into parts.
fn records(
    tx: &ReadTx,
    reporter: &Reporter,
    stopped: &Stopped,
    mut each: impl FnMut(&'static str, Chunk) -> Result<()>,
) -> Result<()> {
    reporter.begin("Backing up records", None);
    for table in TABLES {
        let mut cutter = Cutter::default();
        let mut put = |chunk: Chunk| {
            stopped.check()?;
            reporter.advance(chunk.lines);
            each(table.name, chunk)
        };
        for pair in tx.stored(*table)? {
            let (key, json) = pair?;
            cutter.add(&key, &json).map(&mut put).transpose()?;
        }
        cutter.rest().map(&mut put).transpose()?;
    }
    Ok(())
}

fn head(tx: &ReadTx, is_records_only: bool) -> Result<Head> {
    let name = organizations::first(tx)?.map(|first| first.name).unwrap_or_default();
    let lineage = tx.lineage()?.ok_or_else(|| anyhow!("the store has no name yet"))?;
    Ok(Head {
        format: FORMAT,
        application: env!("CARGO_PKG_VERSION").into(),
        instance: slug(&name),
        created_at: tx.now(),
        lineage,
        sequence: tx.latest_change()?,
        is_records_only,
    })
}

fn files(tx: &ReadTx) -> Result<Vec<(ContentHash, u64)>> {
    let files = tx.records::<Blob>().iter()?.filter_map(|blob| match blob {
        Ok(blob) => Some(Ok((blob.hash, blob.size_bytes))),
        // A record that cannot be read is backed up as it is; which file it names, nobody knows.
        Err(fault) => {
            tracing::warn!("a record of {}: {}", Blob::TABLE.name, fault.chain());
            None
        }
    });
    files.collect()
}

fn files_bytes(tx: &ReadTx) -> Result<u64> {
    Ok(files(tx)?.into_iter().map(|(_, size_bytes)| size_bytes).sum())
}

/// Lower-case letters, digits and hyphens: for the name of a file.
fn slug(name: &str) -> String {
    let folded = text::fold(name);
    let words: Vec<&str> = folded
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let slug: String = words.join("-").chars().take(40).collect();
    if slug.is_empty() { "portal".into() } else { slug }
}

/// `appliance-northlight-20261121T100000Z.tar.zst`.
pub(crate) fn file_name(made: &Made, lock: &Lock) -> String {
    let time = made.created_at.strftime("%Y%m%dT%H%M%SZ");
    let end = if *lock == Lock::Open { "" } else { ".age" };
    format!("appliance-{}-{time}.tar.zst{end}", made.instance)
}

fn made(manifest: &Manifest, written: Written, is_encrypted: bool) -> Made {
    let missing = |hash| format!("The file {hash} could not be read when the backup was made.");
    Made {
        place: String::new(),
        snapshot: None,
        created_at: manifest.head.created_at,
        instance: manifest.head.instance.clone(),
        records: manifest.records(),
        files: manifest.files.count,
        files_bytes: manifest.files.size_bytes,
        written_objects: written.objects,
        written_bytes: written.bytes,
        took_ms: 0,
        is_encrypted,
        is_verified: false,
        damages: manifest.missing.iter().map(missing).collect(),
    }
}

/// Reads an archive again. One that is encrypted to a public key cannot be looked into: its bytes
/// must be those that were written.
fn verify(
    path: &Path,
    key: &Key,
    written: ContentHash,
    reporter: &Reporter,
) -> Result<Vec<String>> {
    let file = File::open(path).context("reading the archive again")?;
    if *key == Key::None {
        let mut hashed = Hashed { out: io::sink(), digest: Digest::new(), bytes: 0 };
        io::copy(&mut &file, &mut hashed).context("reading the archive again")?;
        if hashed.digest.finish() != written {
            return Err(Error::Internal(anyhow!(
                "the archive reads differently than it was written"
            )));
        }
        use io::Seek;
        (&file).rewind()?;
    }
    match ArchiveReader::open(file, key) {
        Ok(archive) => Ok(backup::check(archive, |bytes| reporter.advance(bytes))?.1),
        Err(Error::Invalid { message, .. }) if message == backup::Fault::Locked.to_string() => {
            Ok(Vec::new())
        }
        Err(fault) => Err(fault),
    }
}

async fn is_there(blobs: &Blobs, hash: ContentHash) -> Result<bool> {
    match blobs.open(hash, None).await {
        Ok(_) => Ok(true),
        Err(fault) if is_missing(&fault) => Ok(false),
        Err(fault) => Err(fault),
    }
}

pub(super) fn is_missing(fault: &Error) -> bool {
    matches!(fault, Error::Internal(chain) if chain.is::<Missing>())
}

/// The bytes of a blob for a thread that may wait.
pub(in crate::app) fn reader(opened: Opened) -> Box<dyn Read + Send> {
    match opened.source {
        Source::File(file) => Box::new(file),
        Source::Stream(pieces) => Box::new(SyncIoBridge::new(StreamReader::new(pieces))),
    }
}

pub(in crate::app) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    task::spawn_blocking(work).await.unwrap_or_else(|end| Err(Error::Internal(anyhow!(end))))
}

const UNFINISHED: &str = ".unfinished-";

/// Archives that a run which was cut off left behind. Another one may be under way: only what was
/// not touched for an hour goes.
fn remove_unfinished(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
        if is_ours && age.as_secs() > 3_600 {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

struct RemoveOnDrop(PathBuf);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        if let Err(fault) = fs::remove_file(&self.0) {
            tracing::warn!("removing an unfinished archive: {fault}");
        }
    }
}

/// Counts and hashes what passes.
struct Hashed<W> {
    out: W,
    digest: Digest,
    bytes: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
