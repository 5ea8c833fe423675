//! Snapshots in a repository: only what is not there yet is written.

use anyhow::anyhow;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::task;

use super::{
    BackupWanted, Made,
    gathering::{files, head, records},
    making::{is_missing, made, reader},
    stopping::{StopOnDrop, Stopped},
};
use crate::{
    app::{App, Reporter},
    backup::{self, Adding, Head, Key, Lock, Manifest, Repository, Written},
    blobs::Blobs,
    blocking,
    domain::backups,
    error::{Error, Result},
    hash::ContentHash,
};

/// Files that are read and compressed at a time.
const TOGETHER: usize = 4;
/// How many parts of records wait to be written.
const PARTS_WAITING: usize = 8;

/// What the records of a moment name.
struct Gathered {
    head: Head,
    files: Vec<(ContentHash, u64)>,
}

impl App {
    pub(super) async fn snapshot(
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
        let repository = {
            let settings = &self.config.storage.s3;
            Repository::open_or_begin(&place, settings, lock, &key, self.clock.now()).await?
        }
        .leaving(self.reserve.bytes());
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
        let gathered = blocking::joined(gathering.await)?;
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
    let size_bytes = opened.size_bytes;
    let added = adding.file(hash, size_bytes, move || Ok(stopped.reader(reader(opened)))).await?;
    Ok(added.ok_or(hash))
}

async fn is_there(blobs: &Blobs, hash: ContentHash) -> Result<bool> {
    match blobs.open(hash, None).await {
        Ok(_) => Ok(true),
        Err(fault) if is_missing(&fault) => Ok(false),
        Err(fault) => Err(fault),
    }
}
