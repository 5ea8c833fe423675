//! How the storage is: for health and for the administrator.

use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    Backend, Blobs, BreakerStatus, CacheStatus, CheckStep, Ownership, S3Requests, Tally, remote,
};
use crate::{error::Result, size::Size};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub backend: Backend,
    /// What waits in the spool.
    pub spooled: Tally,
    /// When the first of those arrived.
    pub spooled_since: Option<Timestamp>,
    /// How much may wait while S3 is away.
    pub spool_bytes_max: u64,
    pub remote: Option<RemoteStatus>,
    pub cache: Option<CacheStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteStatus {
    /// Such as `s3://documents/portal`.
    pub name: String,
    pub reads: BreakerStatus,
    pub writes: BreakerStatus,
    pub ownership: Ownership,
}

impl Status {
    /// Why the files in the bucket are not this portal's to bring or remove, and what to do.
    pub fn disowned(&self) -> Option<(String, &'static str)> {
        let remote = self.remote.as_ref()?;
        remote.ownership.trouble(&remote.name)
    }

    /// A sentence when something does not work, for the operator: S3 is away, or new files may not be
    /// brought there.
    pub fn degraded(&self) -> Option<String> {
        self.outage().or_else(|| {
            let (sentence, remedy) = self.disowned().filter(|_| self.backend == Backend::S3)?;
            Some(format!(
                "{sentence} New files stay on this machine ({}, {}), and nothing is removed there. \
                 {remedy}",
                self.waiting(),
                Size(self.spooled.bytes),
            ))
        })
    }

    /// A sentence while S3 does not work.
    pub fn outage(&self) -> Option<String> {
        let remote = self.remote.as_ref()?;
        let since = [remote.reads.open_since, remote.writes.open_since];
        let since: Timestamp = since.into_iter().flatten().min()?;
        let errors = [&remote.reads.last_error, &remote.writes.last_error];
        let last = errors.into_iter().flatten().max_by_key(|error| error.at);
        Some(format!(
            "{} does not work since {}; {} on this machine ({}). The last error: {}",
            remote.name,
            at(since),
            self.waiting(),
            Size(self.spooled.bytes),
            last.map_or("none", |error| error.message.as_str())
        ))
    }

    fn waiting(&self) -> String {
        match (self.spooled.files, self.spooled_since) {
            (1, Some(_)) => "1 file waits".to_owned(),
            (files, Some(first)) => format!("{files} files wait, the first since {}", at(first)),
            (_, None) => "no file waits".to_owned(),
        }
    }
}

fn at(moment: Timestamp) -> impl std::fmt::Display {
    moment.strftime("%Y-%m-%d %H:%M:%S UTC")
}

impl Blobs {
    /// Makes this portal the owner of what is in the bucket, whoever was it before. `name` is what it
    /// is called from now on: one that nobody has had.
    ///
    /// # Errors
    /// `Invalid` when no S3 is configured; `Conflict` when another one does the same in this moment;
    /// `Busy` while S3 is away.
    pub async fn claim(&self, name: Uuid) -> Result<()> {
        self.required_remote()?.claim(name).await
    }

    /// Looks to whom the files in the bucket belong; to be done every minute. `None` without S3.
    ///
    /// # Errors
    /// `Busy` while S3 is away.
    pub async fn look_at_owner(&self) -> Result<Option<Ownership>> {
        match &self.shared.remote {
            Some(remote) => remote.look_at_owner().await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether something does not work. Costs nothing: no file is counted.
    pub fn is_degraded(&self) -> bool {
        self.shared.remote.as_ref().is_some_and(|remote| remote.is_away()) || self.is_disowned()
    }

    /// Whether new files stay here because the bucket is not ours.
    pub fn is_disowned(&self) -> bool {
        self.shared.backend == Backend::S3
            && self.shared.remote.as_ref().is_some_and(|remote| {
                !matches!(remote.ownership(), Ownership::Unknown | Ownership::Ours)
            })
    }

    /// Asks nobody but this machine.
    pub async fn status(&self) -> Result<Status> {
        let shared = &self.shared;
        let (spooled, spooled_since) = self.waiting_since().await?;
        Ok(Status {
            backend: shared.backend,
            spooled,
            spooled_since,
            spool_bytes_max: shared.spool_limit.bytes_max(),
            remote: shared.remote.as_ref().map(|remote| RemoteStatus {
                name: remote.name(),
                reads: remote.reads(),
                writes: remote.writes(),
                ownership: remote.ownership(),
            }),
            cache: shared.cache.as_ref().map(|cache| cache.status()),
        })
    }

    /// How many requests to S3 there were, and how they ended; zeros without S3.
    pub fn s3_requests(&self) -> S3Requests {
        match &self.shared.remote {
            Some(remote) => remote.requests(),
            None => remote::requests(),
        }
    }

    /// Tries everything that is needed of S3, and names what does not work. Empty when no S3 is
    /// configured.
    pub async fn check_remote(&self) -> Vec<CheckStep> {
        match &self.shared.remote {
            Some(remote) => remote.check().await,
            None => Vec::new(),
        }
    }

    /// Shows `true` while files can be brought to S3; `None` without S3. Whoever waits with moves
    /// waits for it.
    pub fn watch_remote(&self) -> Option<watch::Receiver<bool>> {
        self.shared.remote.as_ref().map(|remote| remote.watch_writes())
    }
}
