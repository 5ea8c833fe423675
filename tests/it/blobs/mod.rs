//! The blobs engine against real folders: what an upload promises, what a crash leaves, and what
//! happens when uploads, moves, readers and removals meet.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use appliance::{
    blobs::{Blobs, Folders, Limits, Listed, Missing, Opened, Spooled},
    clock::Clock,
    config::StorageConfig,
    error::{Error, Result},
    hash::ContentHash,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use jiff::SignedDuration;
use tempfile::TempDir;
use uuid::Uuid;

pub use crate::support::SmallDisk;
use crate::support::s3::S3Server;

/// Runs each of these with files resting on the disk and on S3.
macro_rules! in_both_homes {
    ($($name:ident),* $(,)?) => {
        mod on_disk {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Home::Disk).await;
            })*
        }
        mod on_s3 {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Home::S3).await;
            })*
        }
    };
}

mod crashes;
mod inventory;
mod measuring;
mod moving;
mod reading;
mod removing;
mod room;
mod uploading;

pub const MIB: usize = 1 << 20;
pub const NO_LIMIT: u64 = u64::MAX;

/// Where files rest in a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    Disk,
    S3,
}

/// Folders of their own for one test, and what a process would have open on them.
struct Room {
    folder: PathBuf,
    objects: PathBuf,
    clock: Clock,
    blobs: Blobs,
    storage: StorageConfig,
    s3: Option<Arc<S3Server>>,
    _temporary: Option<TempDir>,
}

impl Room {
    fn new(home: Home) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().to_owned();
        let s3 = (home == Home::S3).then(|| Arc::new(S3Server::start()));
        let storage = s3.as_ref().map_or_else(StorageConfig::default, |s3| s3.storage(None));
        let objects = folder.join("objects");
        let room = Room::with(&folder, &objects, 0, storage);
        Room { _temporary: Some(temporary), s3, ..room }
    }

    fn over(folder: &Path, objects: &Path, reserve_bytes: u64) -> Self {
        Room::with(folder, objects, reserve_bytes, StorageConfig::default())
    }

    fn with(folder: &Path, objects: &Path, reserve_bytes: u64, storage: StorageConfig) -> Self {
        let clock = Clock::held(Clock::system().now());
        let folders = Folders {
            spool: folder.join("spool"),
            objects: objects.to_owned(),
            cache: folder.join("cache"),
        };
        let probation = SignedDuration::ZERO;
        let limits = Limits { reserve_bytes, probation, ..Limits::default() };
        let blobs = Blobs::at(folders, &storage, Uuid::nil(), limits, clock.clone()).unwrap();
        let (folder, objects) = (folder.to_owned(), objects.to_owned());
        Room { folder, objects, clock, blobs, storage, s3: None, _temporary: None }
    }

    /// As after a crash: a new process opens the same folders.
    fn reopen(self) -> Self {
        let Room { folder, objects, clock, storage, s3, _temporary, .. } = self;
        Room { clock, s3, _temporary, ..Room::with(&folder, &objects, 0, storage) }
    }

    fn spooled(&self, hash: ContentHash) -> PathBuf {
        self.folder.join("spool").join(hash.to_string())
    }

    fn stored(&self, hash: ContentHash) -> PathBuf {
        let name = hash.to_string();
        match &self.s3 {
            Some(s3) => s3.object(&format!("{}/{name}", &name[..2])),
            None => self.objects.join(&name[..2]).join(name),
        }
    }

    /// Something derived always rests on the disk.
    fn derived(&self, hash: ContentHash, derived: &str) -> PathBuf {
        let name = hash.to_string();
        self.objects.join(&name[..2]).join(format!("{name}.{derived}"))
    }

    fn incoming_files(&self) -> Vec<PathBuf> {
        [self.folder.join("spool/incoming"), self.objects.join("incoming")]
            .iter()
            .flat_map(|folder| fs::read_dir(folder).unwrap())
            .map(|found| found.unwrap().path())
            .collect()
    }

    /// An abandoned file is removed on another thread, so shortly after.
    async fn wait_until_nothing_is_incoming(&self) {
        for _ in 0..500 {
            if self.incoming_files().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("still there: {:?}", self.incoming_files());
    }

    async fn upload(&self, bytes: &[u8]) -> Result<Spooled> {
        upload(&self.blobs, bytes).await
    }

    async fn stored_blob(&self, bytes: &[u8]) -> ContentHash {
        let hash = self.upload(bytes).await.unwrap().hash;
        self.blobs.store(hash).await.unwrap();
        hash
    }

    async fn read(&self, hash: ContentHash) -> Bytes {
        let opened = self.blobs.open(hash, None).await.unwrap();
        opened.read(64 * MIB).await.unwrap()
    }

    async fn listed(&self) -> Vec<Listed> {
        self.blobs.list(None).try_collect().await.unwrap()
    }
}

pub async fn upload(blobs: &Blobs, bytes: &[u8]) -> Result<Spooled> {
    let mut incoming = blobs.begin(NO_LIMIT, Some(bytes.len() as u64)).await?;
    // Odd pieces, as a network brings them.
    for chunk in bytes.chunks(60_013) {
        incoming.write(chunk).await?;
    }
    incoming.finish().await
}

/// Different bytes for each seed; no two pieces of them alike.
pub fn content(seed: u64, size_bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size_bytes + 8);
    while bytes.len() < size_bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size_bytes);
    bytes
}

pub async fn collect(opened: Opened) -> Vec<u8> {
    opened.into_stream().map(|piece| piece.unwrap().to_vec()).concat().await
}

pub fn is_missing(error: &Error, hash: ContentHash) -> bool {
    matches!(error, Error::Internal(chain) if chain.downcast_ref() == Some(&Missing(hash)))
}
