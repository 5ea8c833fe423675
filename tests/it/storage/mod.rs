//! Files on S3: a server that checks signatures, through a proxy that does what happens on bad days.

mod cache;
mod checking;
mod copies;
mod credentials;
mod kills;
mod links;
mod migrating;
mod moving;
mod operating;
mod outages;
mod owners;
mod portal;
mod reach;
mod scrubbing;
mod unfinished;

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use appliance::{
    blobs::{Blobs, Folders, Limits},
    clock::Clock,
    config::StorageConfig,
    error::Error,
    hash::ContentHash,
};
use futures_util::TryStreamExt;
use jiff::SignedDuration;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    blobs::{collect, upload},
    support::s3::{Disturbance, FaultProxy, S3Server},
};

/// A portal's files with S3 behind a proxy.
struct Site {
    s3: Arc<S3Server>,
    proxy: Arc<FaultProxy>,
    storage: StorageConfig,
    clock: Clock,
    name: Uuid,
    blobs: Blobs,
    folder: Arc<TempDir>,
}

impl Site {
    fn new() -> Self {
        Site::with(|_| {})
    }

    fn with(configure: impl FnOnce(&mut StorageConfig)) -> Self {
        let s3 = Arc::new(S3Server::start());
        let proxy = Arc::new(FaultProxy::start(&s3));
        let mut storage = s3.storage(Some(&proxy));
        configure(&mut storage);
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = Clock::held(Clock::system().now());
        let name = Uuid::nil();
        let blobs = open(&folder, &storage, &clock);
        Site { s3, proxy, storage, clock, name, blobs, folder }
    }

    /// Another portal with the same bucket, and a folder and a name of its own.
    fn beside(&self) -> Self {
        self.beside_with(|_| {})
    }

    fn beside_with(&self, configure: impl FnOnce(&mut StorageConfig)) -> Self {
        let mut storage = self.storage.clone();
        configure(&mut storage);
        self.another(Uuid::new_v4(), storage, SignedDuration::ZERO)
    }

    /// Another portal with the same bucket and the same name: a copy of the machine.
    fn twin(&self) -> Self {
        self.another(self.name, self.storage.clone(), Limits::default().probation)
    }

    fn another(&self, name: Uuid, storage: StorageConfig, probation: SignedDuration) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let blobs = open_with(probation, name, &folder, &storage, &self.clock);
        let (s3, proxy, clock) = (self.s3.clone(), self.proxy.clone(), self.clock.clone());
        Site { s3, proxy, storage, clock, name, blobs, folder }
    }

    /// As after a crash, with the probation of a real portal.
    fn reopen_on_probation(mut self) -> Self {
        let probation = Limits::default().probation;
        self.blobs = open_with(probation, self.name, &self.folder, &self.storage, &self.clock);
        self
    }

    /// As after a crash, perhaps with other settings.
    fn reopen_with(mut self, configure: impl FnOnce(&mut StorageConfig)) -> Self {
        configure(&mut self.storage);
        self.blobs = open_as(self.name, &self.folder, &self.storage, &self.clock);
        self
    }

    fn reopen(self) -> Self {
        self.reopen_with(|_| {})
    }

    async fn stored(&self, bytes: &[u8]) -> ContentHash {
        let hash = upload(&self.blobs, bytes).await.unwrap().hash;
        self.blobs.store(hash).await.unwrap();
        hash
    }

    async fn read(&self, hash: ContentHash) -> Vec<u8> {
        collect(self.blobs.open(hash, None).await.unwrap()).await
    }

    /// What a reader gets, whatever becomes of it: all of it or an error.
    async fn try_read(&self, hash: ContentHash) -> Result<Vec<u8>, String> {
        let opened = self.blobs.open(hash, None).await.map_err(|fault| fault.chain())?;
        let pieces: Result<Vec<_>, _> = opened.into_stream().try_collect().await;
        pieces.map(|pieces| pieces.concat()).map_err(|error| error.to_string())
    }

    fn spooled(&self, hash: ContentHash) -> PathBuf {
        self.folder.path().join("spool").join(hash.to_string())
    }

    fn on_disk(&self, hash: ContentHash) -> PathBuf {
        self.folder.path().join("objects").join(key(hash))
    }

    fn cached(&self, hash: ContentHash) -> PathBuf {
        self.folder.path().join("cache").join(hash.to_string())
    }

    fn on_s3(&self, hash: ContentHash) -> PathBuf {
        self.s3.object(&key(hash))
    }

    /// What the job does: again and again until it is there.
    async fn store_at_last(&self, hash: ContentHash) {
        let mut last = String::new();
        for _ in 0..2_000 {
            match self.blobs.store(hash).await {
                Ok(()) => return,
                Err(fault @ (Error::Busy { .. } | Error::Internal(_))) => last = fault.chain(),
                Err(other) => panic!("{other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("blob {hash} never got there: {last}");
    }

    /// Does something that reads a large file, of which only the beginning comes.
    async fn while_s3_goes_away<T>(&self, hash: ContentHash, act: impl Future<Output = T>) -> T {
        let name = hash.to_string();
        let cut = Disturbance::Cut(100_000);
        self.proxy.disturb(Disturbance::About(name.clone(), Box::new(cut)));
        self.proxy.take_log();
        let going = async {
            while !self.proxy.take_log().iter().any(|line| line.contains(&name)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            self.proxy.disturb(Disturbance::Refuse);
        };
        futures_util::future::join(act, going).await.0
    }

    async fn wait_until_it_works(&self) {
        let mut works = self.blobs.watch_remote().unwrap();
        works.wait_for(|works| *works).await.unwrap();
        while self.blobs.status().await.unwrap().degraded().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Each blob once, on S3, and nothing left over anywhere.
    async fn assert_tidy(&self, hashes: &[ContentHash]) {
        let listed: Vec<_> = self.blobs.list(None).try_collect().await.unwrap();
        let mut wanted = hashes.to_vec();
        wanted.sort();
        assert!(listed.iter().map(|blob| blob.hash).eq(wanted), "{listed:?}");
        for blob in listed {
            assert!(blob.remote_bytes.is_some());
            assert_eq!((blob.spooled_bytes, blob.stored_bytes), (None, None));
        }
        assert_eq!(self.s3.parts(), 0, "parts of abandoned uploads");
        let noted = fs::read_dir(self.folder.path().join("spool/multipart")).unwrap();
        assert_eq!(noted.count(), 0, "uploads that were noted and not forgotten");
    }
}

fn open(folder: &TempDir, storage: &StorageConfig, clock: &Clock) -> Blobs {
    open_as(Uuid::nil(), folder, storage, clock)
}

fn open_as(owner: Uuid, folder: &TempDir, storage: &StorageConfig, clock: &Clock) -> Blobs {
    open_with(SignedDuration::ZERO, owner, folder, storage, clock)
}

fn open_with(
    probation: SignedDuration,
    owner: Uuid,
    folder: &TempDir,
    storage: &StorageConfig,
    clock: &Clock,
) -> Blobs {
    let folders = Folders {
        spool: folder.path().join("spool"),
        objects: folder.path().join("objects"),
        cache: folder.path().join("cache"),
    };
    let limits =
        Limits { reserve_bytes: 0, outage_pause_max: Duration::from_millis(200), probation };
    Blobs::at(folders, storage, owner, limits, clock.clone()).unwrap()
}

fn key(hash: ContentHash) -> String {
    let name = hash.to_string();
    format!("{}/{name}", &name[..2])
}

fn is_busy<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Busy { retry_after_s, .. }) if *retry_after_s > 0)
}
