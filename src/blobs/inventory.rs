//! What is there: for the sweep of blobs that nothing refers to, for the nightly re-reading, and
//! for the numbers on the administrator's pages.

use std::{collections::BTreeMap, ops::RangeInclusive, path::Path, sync::Arc, vec};

use futures_util::{Stream, TryStreamExt, stream};
use jiff::Timestamp;

use super::{
    Blobs,
    cache::Cache,
    disk::{self, FoundFile},
    layout::FileName,
    remote::Remote,
};
use crate::{error::Result, hash::ContentHash};

/// A blob as a listing tells it. One that is being moved may be in several places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub hash: ContentHash,
    /// The size of the source in the spool; `None` when it is not there.
    pub spooled_bytes: Option<u64>,
    /// The size of the source among the objects of this machine; `None` when it is not there.
    pub stored_bytes: Option<u64>,
    /// The size of the source on S3; `None` when it is not there. Without a source in any place, what
    /// was derived from it has outlived it.
    pub remote_bytes: Option<u64>,
    pub derived: Tally,
    /// The last time that something of it arrived.
    pub modified_at: Timestamp,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub files: u64,
    pub bytes: u64,
}

/// What this machine keeps. What S3 keeps, the records tell at no cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub spooled: Tally,
    pub stored: Tally,
    pub derived: Tally,
}

/// What a sweep of unfinished files removed.
pub type Swept = Tally;

impl Blobs {
    /// Every blob in the order of its hash, or those that come after the given one. Blobs that
    /// arrive or go meanwhile may or may not be among them. Memory: the names in the spool, and one
    /// 256th of the others. With S3 it asks that, too, and ends with `Busy` while S3 is away.
    pub fn list(
        &self,
        after: Option<ContentHash>,
    ) -> impl Stream<Item = Result<Listed>> + Send + 'static {
        self.list_with(self.shared.remote.clone(), after)
    }

    /// Those of [`list`](Self::list) that this portal may remove: without what is in a bucket of
    /// another one, or in its own during the probation.
    ///
    /// # Errors
    /// `Busy` while S3 is away.
    pub async fn list_own(
        &self,
    ) -> Result<impl Stream<Item = Result<Listed>> + Send + 'static + use<>> {
        let remote = match &self.shared.remote {
            Some(remote) if remote.may_remove().await? => Some(remote),
            _ => None,
        };
        Ok(self.list_with(remote.cloned(), None))
    }

    fn list_with(
        &self,
        remote: Option<Arc<Remote>>,
        after: Option<ContentHash>,
    ) -> impl Stream<Item = Result<Listed>> + Send + 'static + use<> {
        let first_byte = after.map_or(0, |hash| hash.0[0]);
        let listing = Listing {
            blobs: self.clone(),
            remote,
            after,
            first_bytes: first_byte..=u8::MAX,
            spooled: None,
            ready: Vec::new().into_iter(),
        };
        stream::try_unfold(listing, |mut listing| async move {
            Ok(listing.next().await?.map(|blob| (blob, listing)))
        })
    }

    /// How many files, and how large, in each place of this machine. Walks through all of them.
    pub async fn usage(&self) -> Result<Usage> {
        let listed = self.list_with(None, None);
        listed
            .try_fold(Usage::default(), |mut usage, blob| async move {
                usage.spooled.count(blob.spooled_bytes);
                usage.stored.count(blob.stored_bytes);
                usage.derived.files += blob.derived.files;
                usage.derived.bytes += blob.derived.bytes;
                Ok(usage)
            })
            .await
    }

    /// What waits in the spool. Cheap unless the object store has been out of order for long.
    pub async fn spooled(&self) -> Result<Tally> {
        Ok(self.waiting_since().await?.0)
    }

    /// What waits in the spool, and since when.
    pub(super) async fn waiting_since(&self) -> Result<(Tally, Option<Timestamp>)> {
        let folder = self.shared.spool.folder().to_owned();
        disk::blocking(move || {
            let files = spooled_files(&folder)?;
            let mut tally = Tally::default();
            files.values().for_each(|file| tally.count(Some(file.size_bytes)));
            Ok((tally, files.values().map(|file| file.modified_at).min()))
        })
        .await
    }

    /// What arrived in the spool before the cutoff and is still there.
    pub async fn spooled_before(&self, cutoff: Timestamp) -> Result<Vec<ContentHash>> {
        let folder = self.shared.spool.folder().to_owned();
        disk::blocking(move || {
            let old =
                spooled_files(&folder)?.into_iter().filter(|(_, file)| file.modified_at < cutoff);
            Ok(old.map(|(hash, _)| hash).collect())
        })
        .await
    }

    /// Aborts uploads to S3 in parts that nobody will complete, in a bucket of ours: those noted here
    /// whose file is gone, and those that S3 knows and that were begun before the cutoff. Returns how
    /// many of the latter.
    ///
    /// # Errors
    /// `Busy` while S3 is away.
    pub async fn sweep_uploads(&self, cutoff: Timestamp) -> Result<u64> {
        let Some(remote) = &self.shared.remote else { return Ok(0) };
        // A copy of a data folder has the notes of its original.
        if !remote.may_remove().await? {
            return Ok(0);
        }
        for (hash, _) in remote.all_noted().await? {
            let _traffic = self.traffic(hash).await;
            let name = FileName::source(hash);
            // From the one it moves, from the other it migrates.
            let paths = [self.shared.spool.path(&name), self.shared.objects.path(&name)];
            let is_there = move || Ok(paths[0].try_exists()? || paths[1].try_exists()?);
            if !disk::blocking(is_there).await? {
                remote.abort_noted(hash).await?;
            }
        }
        remote.abort_abandoned(cutoff).await
    }

    /// Removes unfinished files that nobody has written to since the cutoff. At the start, before
    /// the first upload, the cutoff is `Timestamp::MAX`; later, a day ago.
    pub async fn sweep_incoming(&self, cutoff: Timestamp) -> Result<Swept> {
        let blobs = self.clone();
        disk::blocking(move || blobs.sweep_incoming_blocking(cutoff)).await
    }

    /// [`sweep_incoming`](Self::sweep_incoming) for a thread that may wait.
    pub fn sweep_incoming_blocking(&self, cutoff: Timestamp) -> Result<Swept> {
        let mut folders =
            vec![self.shared.spool.incoming().to_owned(), self.shared.objects.incoming()];
        folders.extend(self.shared.cache.as_ref().map(Cache::incoming));
        let mut swept = Swept::default();
        for folder in folders {
            for file in disk::files(&folder, |_| true)? {
                if file.modified_at < cutoff && disk::remove_if_there(&file.path)? {
                    swept.count(Some(file.size_bytes));
                }
            }
        }
        Ok(swept)
    }
}

struct Listing {
    blobs: Blobs,
    remote: Option<Arc<Remote>>,
    after: Option<ContentHash>,
    first_bytes: RangeInclusive<u8>,
    /// Read once, before the store: what moves meanwhile is then found in both, not in neither.
    spooled: Option<BTreeMap<ContentHash, SpooledFile>>,
    ready: vec::IntoIter<Listed>,
}

impl Listing {
    async fn next(&mut self) -> Result<Option<Listed>> {
        loop {
            if let Some(blob) = self.ready.next() {
                return Ok(Some(blob));
            }
            let Some(first_byte) = self.first_bytes.next() else { return Ok(None) };
            self.ready = self.list_folder(first_byte).await?.into_iter();
        }
    }

    async fn list_folder(&mut self, first_byte: u8) -> Result<Vec<Listed>> {
        let spooled = match self.spooled.take() {
            Some(spooled) => spooled,
            None => {
                let folder = self.blobs.shared.spool.folder().to_owned();
                disk::blocking(move || spooled_files(&folder)).await?
            }
        };
        let mut blobs = BTreeMap::<ContentHash, Listed>::new();
        for (hash, file) in spooled.range(hashes_beginning_with(first_byte)) {
            entry(&mut blobs, *hash, file.modified_at).spooled_bytes = Some(file.size_bytes);
        }
        self.spooled = Some(spooled);
        for object in self.blobs.shared.objects.list(first_byte).await? {
            let blob = entry(&mut blobs, object.name.hash, object.modified_at);
            match object.name.derived {
                None => blob.stored_bytes = Some(object.size_bytes),
                Some(_) => blob.derived.count(Some(object.size_bytes)),
            }
        }
        if let Some(remote) = &self.remote {
            for object in remote.list(first_byte).await? {
                let blob = entry(&mut blobs, object.name.hash, object.modified_at);
                blob.remote_bytes = Some(object.size_bytes);
            }
        }
        let after = self.after;
        Ok(blobs.into_values().filter(|blob| after.is_none_or(|after| blob.hash > after)).collect())
    }
}

impl Tally {
    pub(super) fn count(&mut self, bytes: Option<u64>) {
        if let Some(bytes) = bytes {
            self.files += 1;
            self.bytes += bytes;
        }
    }
}

fn entry(
    blobs: &mut BTreeMap<ContentHash, Listed>,
    hash: ContentHash,
    modified_at: Timestamp,
) -> &mut Listed {
    let blob = blobs.entry(hash).or_insert(Listed {
        hash,
        spooled_bytes: None,
        stored_bytes: None,
        remote_bytes: None,
        derived: Tally::default(),
        modified_at,
    });
    blob.modified_at = blob.modified_at.max(modified_at);
    blob
}

struct SpooledFile {
    size_bytes: u64,
    modified_at: Timestamp,
}

fn spooled_files(folder: &Path) -> Result<BTreeMap<ContentHash, SpooledFile>> {
    let is_ours = |name: &str| name.parse::<ContentHash>().is_ok();
    let mut spooled = BTreeMap::new();
    for file in disk::files(folder, is_ours)? {
        if let Ok(hash) = file.name.parse() {
            let FoundFile { size_bytes, modified_at, .. } = file;
            spooled.insert(hash, SpooledFile { size_bytes, modified_at });
        }
    }
    Ok(spooled)
}

fn hashes_beginning_with(first_byte: u8) -> RangeInclusive<ContentHash> {
    let (mut first, mut last) = ([0; 32], [u8::MAX; 32]);
    first[0] = first_byte;
    last[0] = first_byte;
    ContentHash(first)..=ContentHash(last)
}
