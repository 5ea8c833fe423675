//! Snapshots: adding one part and file after the other, and reading them again.

use std::{
    collections::HashSet,
    io::{self, Read},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, anyhow};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Kind, Lease, Repository, Written,
    config::Config,
    hashing::{Altered, copy_hashed},
    is_unreachable, objects,
};
use crate::{
    backup::{
        Chunk, Cutter, Fault, Head, Manifest, Part, Signers,
        cutting::{LINES_READ_MAX, PART_BYTES_READ_MAX},
    },
    clock::Clock,
    error::{Error, Result},
    hash::{ContentHash, Digest},
};

/// Manifests read at a time.
const TOGETHER: usize = 8;
const ID_DIGITS: usize = 8;
/// The one of a portal with a hundred million records is smaller.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
const TIME: &str = "%Y%m%dT%H%M%S%.3fZ";

/// A snapshot as its name tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Snapshot {
    pub created_at: Timestamp,
    /// Eight hexadecimal digits.
    pub id: String,
}

impl Snapshot {
    pub(super) fn path(&self) -> String {
        format!("snapshots/{}-{}", self.created_at.strftime(TIME), self.id)
    }

    fn of_name(name: &str) -> Option<Self> {
        let (time, id) = name.split_once('-')?;
        let time = jiff::civil::DateTime::strptime(TIME, time).ok()?;
        let created_at = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        let is_id = id.len() == ID_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Snapshot { created_at, id: id.into() })
    }
}

/// A snapshot in the making.
pub struct Adding {
    repository: Repository,
    lease: Lease,
    known_parts: HashSet<ContentHash>,
    known_files: Arc<Mutex<HashSet<ContentHash>>>,
}

impl Repository {
    /// Adds a file, whoever brings it; `None` when its bytes are not those that its name says: then
    /// nothing was added.
    ///
    /// # Errors
    /// `Full` when the disk of a folder has no room for it.
    pub(super) async fn add_file<R: Read>(
        &self,
        hash: ContentHash,
        size_bytes: u64,
        open: impl FnOnce() -> Result<R> + Send + 'static,
    ) -> Result<Option<Written>> {
        self.objects.require_room(size_bytes).await?;
        let path = objects::path("files", hash);
        let fill =
            move |out: &mut dyn io::Write| copy_hashed(&mut open()?, out, hash, u64::MAX).map(drop);
        match self.objects.write(&path, Some(size_bytes), fill).await {
            Ok(written) => Ok(Some(written)),
            Err(Error::Internal(chain)) if chain.is::<Altered>() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// All snapshots, the oldest first.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let listed = self.objects.list("snapshots").await?;
        let names = listed.iter().map(|one| one.name());
        let mut snapshots: Vec<_> = names.filter_map(Snapshot::of_name).collect();
        snapshots.sort();
        Ok(snapshots)
    }

    /// All snapshots, the oldest first, with what they say of themselves; `None` for one that is
    /// damaged.
    pub async fn heads(&self) -> Result<Vec<(Snapshot, Option<Head>)>> {
        let snapshots = stream::iter(self.snapshots().await?);
        snapshots.map(|one| self.head(one).boxed()).buffered(TOGETHER).try_collect().await
    }

    /// Which of these, the oldest first, somebody else has put there: it says that it is of a portal
    /// which signed earlier ones, and this one it did not sign.
    pub fn strangers(&self, heads: &[(Snapshot, Option<Head>)]) -> Vec<bool> {
        let mut signed = HashSet::new();
        let mut is_strange = |head: &Head| match self.signers {
            Signers::Any => false,
            Signers::Only(key) => head.signer != Some(key),
            Signers::Own(key) if head.signer == Some(key) => {
                signed.insert(head.lineage);
                false
            }
            Signers::Own(_) => signed.contains(&head.lineage),
        };
        let heads = heads.iter().map(|(_, head)| head.as_ref());
        heads.map(|head| head.is_some_and(&mut is_strange)).collect()
    }

    async fn head(&self, snapshot: Snapshot) -> Result<(Snapshot, Option<Head>)> {
        match self.manifest(&snapshot).await {
            Ok(manifest) => Ok((snapshot, Some(manifest.head))),
            Err(fault) if is_unreachable(&fault) => Err(fault),
            Err(fault) => {
                tracing::warn!("{}: {}", snapshot.path(), fault.chain());
                Ok((snapshot, None))
            }
        }
    }

    pub async fn manifest(&self, snapshot: &Snapshot) -> Result<Manifest> {
        let path = snapshot.path();
        let json = self.objects.read_all(&path, MANIFEST_BYTES_MAX).await?;
        let json =
            json.ok_or_else(|| Error::NotFound(format!("There is no {path} in the repository.")))?;
        let manifest = Manifest::read(&json);
        let manifest = manifest.with_context(|| format!("reading {path} in the repository"))??;
        manifest.head.check()?;
        // What was signed for one moment must not pass for another.
        let is_named_well =
            manifest.head.created_at.as_millisecond() == snapshot.created_at.as_millisecond();
        match manifest.head.signer.is_none() || is_named_well {
            true => Ok(manifest),
            false => Err(Fault::Forged.into()),
        }
    }

    /// The lines of a part, when they are what they were.
    pub async fn part(&self, part: &Part) -> Result<Vec<u8>> {
        let path = objects::path("parts", part.sha256);
        let bytes = self.objects.read_all(&path, PART_BYTES_READ_MAX).await?;
        let bytes = bytes.ok_or_else(|| Error::NotFound(format!("{path} is missing.")))?;
        match Digest::of(&bytes) == part.sha256 {
            true => Ok(bytes),
            false => Err(Error::Internal(anyhow!("{path} is damaged"))),
        }
    }

    /// Hands the bytes of a file to `read`; `None` when it is not there.
    pub async fn file<T: Send + 'static>(
        &self,
        hash: ContentHash,
        read: impl FnOnce(&mut dyn Read) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        self.objects.read(&objects::path("files", hash), read).await
    }

    /// Begins to add: looks at what is there already.
    pub async fn add(&self, clock: &Clock) -> Result<Adding> {
        let lease = self.lease(Kind::Backup, clock).await?;
        self.end_abandoned_uploads(lease.is_alone, clock.now()).await;
        Ok(Adding {
            known_parts: self.objects.hashes("parts").await?,
            known_files: Arc::new(Mutex::new(self.objects.hashes("files").await?)),
            repository: self.clone(),
            lease,
        })
    }
}

impl Adding {
    /// Adds lines, unless they are there.
    pub async fn part(&mut self, table: &str, chunk: Chunk) -> Result<(Part, Written)> {
        let part = chunk.part(table);
        if !self.known_parts.insert(part.sha256) {
            return Ok((part, Written::default()));
        }
        self.repository.objects.require_room(chunk.bytes.len() as u64).await?;
        let path = objects::path("parts", part.sha256);
        let fill = move |out: &mut dyn io::Write| Ok(out.write_all(&chunk.bytes)?);
        let written = self.repository.objects.write(&path, None, fill).await?;
        Ok((part, written))
    }

    pub fn has_file(&self, hash: ContentHash) -> bool {
        self.known_files.lock().unwrap_or_else(PoisonError::into_inner).contains(&hash)
    }

    /// Adds a file of this size; `open` is called on a thread that may wait. `None` when its bytes are
    /// not those that its name says: then nothing was added.
    ///
    /// # Errors
    /// `Full` when the disk of a folder has no room for it.
    pub async fn file<R: Read>(
        &self,
        hash: ContentHash,
        size_bytes: u64,
        open: impl FnOnce() -> Result<R> + Send + 'static,
    ) -> Result<Option<Written>> {
        let written = self.repository.add_file(hash, size_bytes, open).await?;
        if written.is_some() {
            self.known_files.lock().unwrap_or_else(PoisonError::into_inner).insert(hash);
        }
        Ok(written)
    }

    /// Writes the lists of files and the manifest: from now on the snapshot exists.
    pub async fn finish(
        mut self,
        mut manifest: Manifest,
        files: &[(ContentHash, u64)],
    ) -> Result<(Snapshot, Manifest, Written)> {
        let mut written = Written::default();
        let mut cutter = Cutter::default();
        for (hash, size_bytes) in files {
            manifest.files.add(*size_bytes);
            if let Some(chunk) = cutter.add(&hash.0, format!("{hash} {size_bytes}").as_bytes()) {
                self.list(chunk, &mut manifest, &mut written).await?;
            }
        }
        if let Some(chunk) = cutter.rest() {
            self.list(chunk, &mut manifest, &mut written).await?;
        }
        self.lease.require().await?;
        match Config::read(&self.repository.objects).await? {
            Some(config) if config.id == self.repository.id => {
                config.keep(&self.repository.objects).await?;
            }
            _ => {
                return Err(Error::Busy {
                    message:
                        "Another run began this repository at the same moment. Start this one \
                              again."
                            .into(),
                    retry_after_s: 1,
                });
            }
        }
        let id = Uuid::new_v4().simple().to_string()[..ID_DIGITS].to_owned();
        let snapshot = Snapshot { created_at: manifest.head.created_at, id };
        if let Some(signer) = &self.repository.signer {
            manifest.sign(signer)?;
        }
        let json = serde_json::to_vec(&manifest).context("writing a manifest")?;
        let fill = move |out: &mut dyn io::Write| Ok(out.write_all(&json)?);
        written.add(self.repository.objects.write(&snapshot.path(), None, fill).await?);
        self.lease.release().await?;
        Ok((snapshot, manifest, written))
    }

    /// Ends without a snapshot; what was added stays for the next.
    pub async fn end(self) -> Result<()> {
        self.lease.release().await
    }

    async fn list(
        &mut self,
        chunk: Chunk,
        manifest: &mut Manifest,
        written: &mut Written,
    ) -> Result<()> {
        let (part, list) = self.part("files", chunk).await?;
        manifest.lists.push(part);
        written.add(list);
        Ok(())
    }
}

/// The files in the lines of a list.
pub(in crate::backup) fn listed(bytes: &[u8]) -> Result<Vec<(ContentHash, u64)>> {
    let text = std::str::from_utf8(bytes).context("reading a list of files")?;
    let parse = |line: &str| {
        let (hash, size) = line.split_once(' ')?;
        Some((hash.parse().ok()?, size.parse().ok()?))
    };
    let files: Option<Vec<_>> = text.lines().take(LINES_READ_MAX + 1).map(parse).collect();
    let files = files.filter(|files| files.len() <= LINES_READ_MAX);
    files.ok_or_else(|| Error::Internal(anyhow!("a list of files is damaged")))
}
