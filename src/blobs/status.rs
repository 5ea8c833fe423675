//! How the storage is: for health, for the administrator, and for whether an upload may begin.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    Backend, Blobs, BreakerStatus, CacheStatus, CheckStep, Ownership, S3Requests, Tally,
    remote::{self, Remote},
};
use crate::{
    error::{Error, Result},
    size::Size,
};

/// Looking into the spool is cheap, but not for every upload of many.
const WAITING_KEPT: Duration = Duration::from_secs(1);

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

/// The spool as it was counted.
pub(super) struct Waiting {
    tally: Tally,
    counted_at: Instant,
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

/// A move needs both directions.
fn is_away(remote: &Remote) -> bool {
    [remote.reads(), remote.writes()].iter().any(|status| status.open_since.is_some())
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
        self.shared.remote.as_ref().is_some_and(|remote| is_away(remote)) || self.is_disowned()
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
            spool_bytes_max: shared.spool_bytes_max,
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

    /// Whether so many more bytes may come into the spool.
    ///
    /// # Errors
    /// `Full` when S3 is away and too much waits for it.
    pub(super) async fn admit_to_spool(&self, further_bytes: u64) -> Result<()> {
        let shared = &self.shared;
        match &shared.remote {
            Some(remote) if shared.backend == Backend::S3 && is_away(remote) => {}
            _ => return Ok(()),
        }
        let known = {
            let waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh =
                waiting.as_ref().filter(|waiting| waiting.counted_at.elapsed() < WAITING_KEPT);
            fresh.map(|waiting| waiting.tally)
        };
        let tally = match known {
            Some(tally) => tally,
            None => {
                let tally = self.spooled().await?;
                let mut waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                *waiting = Some(Waiting { tally, counted_at: Instant::now() });
                tally
            }
        };
        if tally.bytes.saturating_add(further_bytes) <= shared.spool_bytes_max {
            return Ok(());
        }
        Err(Error::Full(format!(
            "The file storage does not answer, and the {} that may wait for it are used up, so this \
             file was not saved. Reading works as before. Ask your administrator, or try again later.",
            Size(shared.spool_bytes_max)
        )))
    }

    /// A file has come into the spool: counted, until it is counted anew.
    pub(super) fn note_arrival(&self, size_bytes: u64) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = &mut *waiting {
            waiting.tally.count(Some(size_bytes));
        }
    }
}
