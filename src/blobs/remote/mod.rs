//! S3, and whatever speaks it. How a file gets there is in [`upload`], how it comes back in
//! [`reading`], and what may be wrong in [`check`].
//!
//! Each request passes one of two breakers ([`guarding`]). An S3 that takes no more files (its disk is
//! full, a permission is missing) still serves those it has, and must not take the readers down.

mod abandoned;
mod breaker;
mod check;
mod figures;
mod guarding;
mod inscription;
mod journal;
mod owner;
mod parts;
mod reading;
mod resuming;
mod upload;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use anyhow::{Context, anyhow};
use object_store::{
    ObjectStoreExt,
    aws::AmazonS3,
    path::Path as Key,
    signer::{Method, SignedUrlOptions, Signer, Url},
};
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use self::{breaker::Breaker, journal::Journal, owner::Owning};
pub use self::{
    breaker::{BreakerStatus, LastError},
    check::{CheckStep, Outcome},
    figures::{S3Requests, requests},
    owner::Ownership,
};
use super::{Limits, layout::FileName};
use crate::{
    clock::Clock,
    config::{S3Config, StorageConfig},
    error::{Error, Result},
    hash::ContentHash,
    s3::{self, Fault, Patience},
};

/// As wrong as the clock of this machine may be: S3 refuses other requests too when it is more.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);

pub(super) struct Remote {
    store: AmazonS3,
    /// For what takes long because it is large.
    sending: AmazonS3,
    sending_without_checksum: AmazonS3,
    /// Until S3 says that it does not know them.
    parts_have_checksums: AtomicBool,
    /// For the few requests that `object_store` does not know.
    http: reqwest::Client,
    config: S3Config,
    owning: Owning,
    journal: Arc<Journal>,
    reads: Breaker,
    writes: Breaker,
    requests: S3Requests,
    /// Mebibytes of memory for what is on its way there.
    in_flight_mib: Arc<Semaphore>,
    in_flight_mib_max: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Read,
    Write,
    /// Behind the same breaker as writing, but a missing permission does not open it: files can be
    /// brought there all the same.
    Delete,
}

impl Remote {
    /// Reads the settings; S3 itself is not asked, so it may be away.
    ///
    /// # Errors
    /// `Invalid` with a sentence that names the setting.
    pub fn open(
        config: &StorageConfig,
        owner: Uuid,
        journal: PathBuf,
        clock: Clock,
        limits: Limits,
    ) -> Result<Arc<Self>> {
        let s3 = &config.s3;
        // The breaker and the jobs try again, and they know better when.
        let clients = s3::connect(s3, Patience::SHORT)?;
        let journal = Journal::open(journal).context("opening the notes about uploads to S3")?;
        let in_flight_mib_max = config.parts_in_flight * upload::PART_MIB_MIN;
        Ok(Arc::new(Remote {
            store: clients.store,
            sending: clients.sending,
            sending_without_checksum: clients.sending_without_checksum,
            parts_have_checksums: AtomicBool::new(true),
            http: clients.http,
            config: s3.clone(),
            owning: Owning::new(owner, limits.probation, clock.clone()),
            journal: Arc::new(journal),
            reads: Breaker::new(clock.clone(), limits.outage_pause_max),
            writes: Breaker::new(clock, limits.outage_pause_max),
            requests: requests(),
            in_flight_mib: Arc::new(Semaphore::new(in_flight_mib_max as usize)),
            in_flight_mib_max,
        }))
    }

    /// Such as `s3://documents/portal`.
    pub fn name(&self) -> String {
        match self.config.prefix.as_str() {
            "" => format!("s3://{}", self.config.bucket),
            prefix => format!("s3://{}/{prefix}", self.config.bucket),
        }
    }

    pub fn reads(&self) -> BreakerStatus {
        self.reads.status()
    }

    pub fn writes(&self) -> BreakerStatus {
        self.writes.status()
    }

    /// A move needs both directions.
    pub fn is_away(&self) -> bool {
        self.reads.is_open() || self.writes.is_open()
    }

    /// Shows `true` while files can be brought there.
    pub fn watch_writes(&self) -> watch::Receiver<bool> {
        self.writes.watch()
    }

    /// Deletes an object; that there is none is fine. `false` when it stays, because this portal may not
    /// remove it: see [`owner`].
    pub async fn delete(self: &Arc<Self>, hash: ContentHash) -> Result<bool> {
        if !self.may_remove().await? {
            return Ok(false);
        }
        let pass = self.admit(Direction::Delete)?;
        let key = self.key(hash);
        match self.judged(Direction::Delete, pass, self.delete_key(&key).await).await? {
            Ok(()) => Ok(true),
            Err(fault) if fault.is_missing_object() => Ok(true),
            Err(fault) => Err(failed(fault, || format!("deleting object {key}"))),
        }
    }

    async fn delete_key(&self, key: &Key) -> object_store::Result<()> {
        self.store.delete(key).await
    }

    /// An address under which anybody can read the object for a while, with these headers.
    pub async fn link(
        self: &Arc<Self>,
        hash: ContentHash,
        content_disposition: &str,
        content_type: &str,
        lifetime: Duration,
    ) -> Result<Url> {
        let pass = self.admit(Direction::Read)?;
        let options = SignedUrlOptions::default().with_query([
            ("response-content-disposition", content_disposition),
            ("response-content-type", content_type),
        ]);
        let key = self.key(hash);
        self.read(pass, || self.store.signed_url_opts(Method::GET, &key, lifetime, &options))
            .await?
            .map_err(|fault| failed(fault, || format!("making a link to object {key}")))
    }

    /// The address of a request of our own making, which is sent at once.
    async fn signed(
        &self,
        method: Method,
        key: &Key,
        query: &[(&str, &str)],
    ) -> object_store::Result<Url> {
        let options = SignedUrlOptions::default().with_query(query.iter().copied());
        self.store.signed_url_opts(method, key, SIGNED_FOR, &options).await
    }

    fn key(&self, hash: ContentHash) -> Key {
        self.full_key(&FileName::source(hash).key())
    }

    fn full_key(&self, key: &str) -> Key {
        match self.config.prefix.as_str() {
            "" => Key::from(key),
            prefix => Key::from(format!("{prefix}/{key}")),
        }
    }
}

fn failed(fault: Fault, doing: impl FnOnce() -> String) -> Error {
    Error::Internal(anyhow!(fault.text).context(doing()))
}
