//! Snapshots in a repository: only what is not there yet is written.

use anyhow::anyhow;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::task;

use super::{
    BackupWanted, Made,
    gathering::{files, head, records},
    making::{is_missing, made, reader},
    restore::is_there,
    stopping::{StopOnDrop, Stopped},
};
use crate::{
    app::{App, Reporter},
    backup::{self, Adding, Head, Key, Lock, Manifest, Passphrase, Place, Repository, Written},
    blobs::Blobs,
    blocking,
    domain::backups::{self, Plan, Seal},
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
        self.leave_abandoned_timeline(&repository).await?;
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
        // What is shipped from now on goes on from this one.
        *self.following.pause().await = None;
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
    /// new one, and what it is known by.
    ///
    /// # Errors
    /// `Conflict` when it is not the one that this portal has written to: whoever owns the place could
    /// have put one there that he can read.
    pub(super) async fn open_repository(
        &self,
        named: &str,
        lock: &Lock,
        key: &Key,
    ) -> Result<Repository> {
        let place = super::source::place(named)?;
        let plan = self.store.read(backups::plan).await?;
        let settings = &self.config.storage.s3;
        let repository = match plan.seals.get(&place.to_string()) {
            None => {
                let (kept, now) = (keys_of(&plan), self.clock.now());
                Repository::open_or_begin(&place, settings, lock, (key, &kept), now).await?
            }
            Some(known) => {
                let kept = plan.keys.get(&known.id).map(|secret| Passphrase(secret.clone()));
                let key = match (key, kept) {
                    (Key::None, Some(secret)) => Key::Identities(vec![secret]),
                    (Key::None, None) => Key::of(lock),
                    (given, _) => given.clone(),
                };
                // Looked at before the key is tried: on another one it would not fit.
                self.open_known(&place, &Key::None, known).await?;
                let repository = self.open_known(&place, &key, known).await?;
                repository.require_lock(lock)?;
                repository
            }
        };
        self.remember(&place, &plan, &repository).await?;
        let signer = self.backup_signer().await?;
        Ok(repository.leaving(self.reserve.bytes()).signed_by(signer))
    }

    async fn open_known(&self, place: &Place, key: &Key, known: &Seal) -> Result<Repository> {
        let settings = &self.config.storage.s3;
        match Repository::open(place, settings, key).await {
            Ok(repository) if seal(&repository) == *known => Ok(repository),
            Ok(_) => Err(exchanged(place, "is another one now")),
            Err(Error::NotFound(_)) => Err(exchanged(place, "is gone")),
            Err(fault) => Err(fault),
        }
    }

    async fn remember(&self, place: &Place, plan: &Plan, repository: &Repository) -> Result<()> {
        let name = place.to_string();
        let seal = seal(repository);
        let kept = plan.keys.get(&seal.id);
        if let (Some(kept), Some(public)) = (kept, &seal.public)
            && backup::sealing::public(&Passphrase(kept.clone()))? != *public
        {
            return Err(exchanged(place, "has another key now"));
        }
        // Of several that open it, the one that belongs to what is public.
        let own = match repository.own_key() {
            Key::Identities(own) => own,
            Key::None | Key::Passphrase(_) => Vec::new(),
        };
        let fits = |one: &Passphrase| backup::sealing::public(one).ok() == seal.public;
        let secret = own.into_iter().find(fits).map(|Passphrase(secret)| secret);
        if plan.seals.get(&name) == Some(&seal) && (secret.is_none() || kept.is_some()) {
            return Ok(());
        }
        self.store.write(move |tx| backups::remember(tx, name, seal, secret)).await
    }

    /// The keys of the repositories that this portal has written to.
    pub(super) async fn repository_keys(&self) -> Result<Key> {
        Ok(keys_of(&self.store.read(backups::plan).await?))
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

fn keys_of(plan: &Plan) -> Key {
    let keys: Vec<_> = plan.keys.values().cloned().map(Passphrase).collect();
    if keys.is_empty() { Key::None } else { Key::Identities(keys) }
}

fn seal(repository: &Repository) -> Seal {
    Seal { id: repository.id(), public: repository.public_key() }
}

fn exchanged(place: &Place, what: &str) -> Error {
    Error::conflict(format!(
        "The repository in {place} {what}. If somebody has exchanged it, they could read what is \
         written there, so nothing was. If you did this yourself: appliance backup trust {place}"
    ))
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
