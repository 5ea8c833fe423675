//! S3, and whatever speaks it: reading, listing and deleting objects, each request behind a
//! [breaker](breaker). How a file gets there is in [`upload`]; what may be wrong, in [`check`].
//!
//! There are two breakers. An S3 that takes no more files (its disk is full, a permission is
//! missing) still serves those it has, and must not take the readers down.

mod abandoned;
mod breaker;
mod check;
mod upload;

use std::{
    ops::Range,
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};

use anyhow::{Context, anyhow};
use futures_util::{StreamExt, TryStreamExt};
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload,
    aws::AmazonS3,
    path::Path as Key,
    signer::{Method, SignedUrlOptions, Signer, Url},
};
use tokio::sync::{Semaphore, watch};

use self::{
    breaker::{Breaker, IsOpen, Pass},
    upload::Journal,
};
pub use self::{
    breaker::{BreakerStatus, LastError},
    check::{CheckStep, Outcome},
};
use super::{
    layout::{self, FileName},
    objects::{self, Object},
    opening::{Opened, Source},
};
use crate::{
    clock::Clock,
    config::{S3Config, StorageConfig},
    error::{Error, Result},
    hash::ContentHash,
    s3::{self, Fault, Patience},
};

/// What a probe reads and writes.
const PROBE: &str = "appliance-probe";

pub(super) struct Remote {
    store: AmazonS3,
    /// For the few requests that `object_store` does not know.
    http: reqwest::Client,
    config: S3Config,
    journal: Arc<Journal>,
    reads: Breaker,
    writes: Breaker,
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
        journal: PathBuf,
        clock: Clock,
        outage_pause_max: Duration,
    ) -> Result<Arc<Self>> {
        let s3 = &config.s3;
        // The breaker and the jobs try again, and they know better when.
        let clients = s3::connect(s3, Patience::SHORT)?;
        let journal = Journal::open(journal).context("opening the notes about uploads to S3")?;
        let in_flight_mib_max = config.parts_in_flight * upload::PART_MIB_MIN;
        Ok(Arc::new(Remote {
            store: clients.store,
            http: clients.http,
            config: s3.clone(),
            journal: Arc::new(journal),
            reads: Breaker::new(clock.clone(), outage_pause_max),
            writes: Breaker::new(clock, outage_pause_max),
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

    /// Shows `true` while files can be brought there.
    pub fn watch_writes(&self) -> watch::Receiver<bool> {
        self.writes.watch()
    }

    /// The object, or a range of it, whose end is cut at its size; `None` when there is none. The
    /// bytes are those that S3 sends: whoever asked compares the hash.
    pub async fn get(
        self: &Arc<Self>,
        hash: ContentHash,
        range: Option<Range<u64>>,
    ) -> Result<Option<Opened>> {
        let wanted = match range {
            None => None,
            // Nothing can be asked for; the size tells whether that nothing is inside.
            Some(range) if range.start >= range.end => return self.get_nothing(hash, range).await,
            // Some servers count in signed numbers.
            Some(range) if range.end > i64::MAX as u64 => Some(GetRange::Offset(range.start)),
            Some(range) => Some(GetRange::Bounded(range)),
        };
        let range = wanted.clone();
        let options = GetOptions { range: wanted, ..GetOptions::default() };
        let pass = self.admit(Direction::Read)?;
        let key = self.key(hash);
        let found = self.judged(Direction::Read, pass, self.store.get_opts(&key, options).await)?;
        let found = match (found, range) {
            (Ok(found), _) => found,
            (Err(fault), _) if fault.is_missing_object() => return Ok(None),
            (Err(fault), Some(GetRange::Bounded(range))) if fault.is_unsatisfiable_range() => {
                return self.get_nothing(hash, range).await;
            }
            (Err(fault), Some(GetRange::Offset(start))) if fault.is_unsatisfiable_range() => {
                return self.get_nothing(hash, start..u64::MAX).await;
            }
            (Err(fault), _) => return Err(failed(fault, || format!("reading object {key}"))),
        };
        let (size_bytes, range) = (found.meta.size, found.range.clone());
        let remote = Arc::clone(self);
        let pieces = found.into_stream().map_err(move |error| {
            let fault = Fault::of(&error);
            if fault.is_outage() {
                remote.note_outage(Direction::Read, pass, &fault);
            }
            std::io::Error::other(format!("the file storage broke off: {}", fault.text))
        });
        let source = Source::Stream(exactly(pieces.boxed(), range.end - range.start));
        Ok(Some(Opened { size_bytes, range, source }))
    }

    /// An empty range, which HTTP cannot ask for.
    async fn get_nothing(
        self: &Arc<Self>,
        hash: ContentHash,
        range: Range<u64>,
    ) -> Result<Option<Opened>> {
        let Some(object) = self.head(hash).await? else { return Ok(None) };
        let range = super::opening::cut(range, object.size_bytes)?;
        let source = Source::Stream(futures_util::stream::empty().boxed());
        Ok(Some(Opened { size_bytes: object.size_bytes, range: range.start..range.start, source }))
    }

    /// What is known about an object; `None` when there is none.
    pub async fn head(self: &Arc<Self>, hash: ContentHash) -> Result<Option<Object>> {
        let pass = self.admit(Direction::Read)?;
        let key = self.key(hash);
        match self.judged(Direction::Read, pass, self.store.head(&key).await)? {
            Ok(meta) => objects::object(FileName::source(hash), &meta).map(Some),
            Err(fault) if fault.is_missing_object() => Ok(None),
            Err(fault) => Err(failed(fault, || format!("looking at object {key}"))),
        }
    }

    /// Every source whose hash begins with this byte, in order. Memory: one 256th of all.
    pub async fn list(self: &Arc<Self>, first_byte: u8) -> Result<Vec<Object>> {
        let pass = self.admit(Direction::Read)?;
        let folder = self.full_key(&layout::folder_name(first_byte));
        let listed = self.store.list(Some(&folder)).try_collect::<Vec<_>>().await;
        let metas = self
            .judged(Direction::Read, pass, listed)?
            .map_err(|fault| failed(fault, || format!("listing the objects in {folder}")))?;
        let mut objects = Vec::new();
        for meta in metas {
            let name = meta.location.filename().and_then(|name| name.parse::<FileName>().ok());
            if let Some(name) = name.filter(|name| name.derived.is_none()) {
                objects.push(objects::object(name, &meta)?);
            }
        }
        objects.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(objects)
    }

    /// Deletes an object; that there is none is fine.
    pub async fn delete(self: &Arc<Self>, hash: ContentHash) -> Result<()> {
        let pass = self.admit(Direction::Delete)?;
        let key = self.key(hash);
        match self.judged(Direction::Delete, pass, self.delete_key(&key).await)? {
            Ok(()) => Ok(()),
            Err(fault) if fault.is_missing_object() => Ok(()),
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
        let signed = self.store.signed_url_opts(Method::GET, &key, lifetime, &options).await;
        self.judged(Direction::Read, pass, signed)?
            .map_err(|fault| failed(fault, || format!("making a link to object {key}")))
    }

    /// The address of a request of our own making.
    async fn signed(
        &self,
        method: Method,
        key: &Key,
        query: &[(&str, &str)],
    ) -> object_store::Result<Url> {
        let options = SignedUrlOptions::default().with_query(query.iter().copied());
        self.store.signed_url_opts(method, key, Duration::from_secs(60), &options).await
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

    // Behind the breakers

    fn breaker(&self, direction: Direction) -> &Breaker {
        match direction {
            Direction::Read => &self.reads,
            Direction::Write | Direction::Delete => &self.writes,
        }
    }

    fn admit(&self, direction: Direction) -> Result<Pass> {
        self.breaker(direction).admit().map_err(|open| unavailable(direction, open))
    }

    /// Tells the breaker how a request went. What says nothing about S3 itself is given back.
    fn judged<T>(
        self: &Arc<Self>,
        direction: Direction,
        pass: Pass,
        outcome: object_store::Result<T>,
    ) -> Result<Result<T, Fault>> {
        let fault = match outcome {
            Ok(value) => return Ok(Ok(value)),
            Err(error) => Fault::of(&error),
        };
        if !fault.is_outage() || (direction == Direction::Delete && fault.is_refusal()) {
            return Ok(Err(fault));
        }
        self.note_outage(direction, pass, &fault);
        let open = self.breaker(direction).admit().err();
        Err(unavailable(direction, open.unwrap_or(IsOpen { retry_after_s: 1 })))
    }

    fn note_outage(self: &Arc<Self>, direction: Direction, pass: Pass, fault: &Fault) {
        if self.breaker(direction).failed(pass, fault.text.clone()) {
            let store = self.name();
            match direction {
                Direction::Read => {
                    tracing::warn!(
                        "{store} cannot be read; only files on this machine can: {}",
                        fault.text
                    );
                }
                Direction::Write | Direction::Delete => {
                    tracing::warn!(
                        "{store} takes no files; they wait on this machine: {}",
                        fault.text
                    );
                }
            }
            tokio::spawn(probe_until_it_works(Arc::downgrade(self), direction));
        }
    }

    /// Does what has failed, with an object that matters to nobody.
    async fn probe(&self, direction: Direction) -> Result<(), Fault> {
        let key = self.full_key(PROBE);
        let outcome = match direction {
            Direction::Read => self.store.head(&key).await.map(drop),
            Direction::Write | Direction::Delete => {
                self.store.put(&key, PutPayload::from_static(b"probe")).await.map(drop)
            }
        };
        match outcome.map_err(|error| Fault::of(&error)) {
            Err(fault) if direction != Direction::Read || fault.is_outage() => Err(fault),
            _ => Ok(()),
        }
    }
}

/// Runs beside everything else while a breaker is open, so that no reader has to be the one who
/// waits. Ends with the last handle.
async fn probe_until_it_works(remote: Weak<Remote>, direction: Direction) {
    loop {
        let probe_at = remote.upgrade().and_then(|remote| remote.breaker(direction).probe_at());
        let Some(probe_at) = probe_at else { return };
        tokio::time::sleep_until(probe_at.into()).await;
        let Some(remote) = remote.upgrade() else { return };
        let breaker = remote.breaker(direction);
        match remote.probe(direction).await {
            Ok(()) => {
                let since = breaker.probe_succeeded().map(|since| since.to_string());
                tracing::info!(since, "{} works again", remote.name());
                return;
            }
            Err(fault) => breaker.probe_failed(fault.text),
        }
    }
}

/// For the user; the operator finds the reason in the log and the status.
fn unavailable(direction: Direction, open: IsOpen) -> Error {
    let message = match direction {
        Direction::Read => {
            "This file cannot be read at the moment, because the file storage does not answer. It \
             is not lost: try again in a minute."
        }
        Direction::Write | Direction::Delete => {
            "The file storage takes no files at the moment. Try again in a minute."
        }
    };
    Error::Busy { message: message.to_owned(), retry_after_s: open.retry_after_s }
}

fn failed(fault: Fault, doing: impl FnOnce() -> String) -> Error {
    Error::Internal(anyhow!(fault.text).context(doing()))
}

/// So many bytes and no others; a body that ends early is an error.
fn exactly(pieces: super::opening::Pieces, size_bytes: u64) -> super::opening::Pieces {
    let counted =
        futures_util::stream::try_unfold((pieces, size_bytes), |(mut pieces, left)| async move {
            match pieces.try_next().await? {
                Some(piece) if piece.len() as u64 <= left => {
                    let left = left - piece.len() as u64;
                    Ok(Some((piece, (pieces, left))))
                }
                None if left == 0 => Ok(None),
                Some(_) => {
                    Err(std::io::Error::other("the file storage sent more than it announced"))
                }
                None => Err(std::io::Error::new(
                    std::io::ErrorKind::UnexpectedEof,
                    "the file storage broke off",
                )),
            }
        });
    counted.boxed()
}
