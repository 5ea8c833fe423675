//! A portal in the making: records come in from a backup part by part, files one by one.

use std::{collections::BTreeSet, io::Read, path::Path, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::runtime::Handle;

use super::Restored;
use crate::{
    app::Reporter,
    backup::{Fault, LINES_READ_MAX, SegmentLine, is_unreachable},
    blobs::{Blobs, Folders, Incoming, Limits},
    clock::Clock,
    config::StorageConfig,
    domain::{
        TableAccess, backups, records,
        restoring::{self, Rules},
    },
    error::{Error, Result},
    hash::{ContentHash, Digest},
    store::Store,
};

/// Records in one transaction.
const STEP: usize = 2_000;
const CACHE_BYTES: usize = 64 << 20;
const PIECE_BYTES: usize = 256 << 10;
/// Of a file that goes to S3 while that is away: some minutes.
const TRIES_MAX: u32 = 10;
/// More would only hide what is wrong.
const DAMAGES_MAX: usize = 1_000;
/// Of records in parts that are whole. A portal cannot write so many, and each costs time.
const UNREADABLE_MAX: usize = 10_000;

/// What of a backup is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    All,
    /// Files are read and their hashes looked at, and that is all.
    Records,
}

/// Where the files of a backup go.
#[derive(Clone)]
pub(super) struct Files {
    pub blobs: Blobs,
    keeping: Keeping,
}

/// A file whose bytes are those of its hash.
pub(super) enum Taken {
    /// It rests on the spool.
    Incoming(Box<Incoming>),
    /// It was looked at, and that is all.
    Proven,
}

pub(super) struct Staging {
    pub store: Store,
    pub files: Files,
    pub damages: Vec<String>,
    rules: Rules,
    unreadable: usize,
}

impl Staging {
    /// `files_at` is the data folder whose files the portal has: its own, or the one whose place it
    /// takes. `home` is where it will live.
    pub fn begin(
        (portal, home): (&Path, &Path),
        files_at: &Path,
        storage: &StorageConfig,
        clock: Clock,
        (rules, keeping): (Rules, Keeping),
    ) -> Result<Self> {
        let limits = Limits { reserve_bytes: 0, ..Limits::default() };
        let database = portal.join(crate::app::App::DATABASE);
        let store = Store::open(&database, CACHE_BYTES, clock.clone(), None)?;
        let owner = crate::app::storage::owner(&store, storage, home)?;
        let blobs = Blobs::at(Folders::below(files_at), storage, owner, limits, clock)?;
        let files = Files { blobs, keeping };
        Ok(Staging { store, files, damages: Vec::new(), rules, unreadable: 0 })
    }

    /// Says whose records these are, so that opening them converts them. Blocks.
    pub fn number_records(&self, number: u32) -> Result<()> {
        self.store.write_blocking(move |tx| records::set_number(tx, number))
    }

    pub fn note(&mut self, damage: String) {
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(damage);
        }
    }

    /// Brings the records of a part back; what cannot be read is noted. Blocks.
    pub fn records(&mut self, table: &str, bytes: Vec<u8>) -> Result<u64> {
        let Some(loader) = TableAccess::of(table) else {
            self.note(format!("This version knows no table {table}: its records were left out."));
            return Ok(0);
        };
        let is_too_many = bytes.split(|&byte| byte == b'\n').nth(LINES_READ_MAX + 1).is_some();
        if is_too_many {
            return Err(Fault::Excessive("a part of it has more records than any part").into());
        }
        let lines = Bytes::from(bytes);
        let mut lines: Vec<Bytes> = lines
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| lines.slice_ref(line))
            .collect();
        let mut loaded = 0;
        while !lines.is_empty() {
            let step: Vec<Bytes> = lines.drain(..lines.len().min(STEP)).collect();
            let rules = self.rules;
            let (count, damages) = self.store.write_blocking(move |tx| {
                let mut damages = Vec::new();
                let mut count = 0;
                for line in step {
                    match (loader.load)(tx, &line, rules) {
                        Ok(()) => count += 1,
                        Err(fault) => damages.push(damage(table_name(loader), &line, &fault)),
                    }
                }
                Ok((count, damages))
            })?;
            loaded += count;
            self.unreadable += damages.len();
            if self.unreadable > UNREADABLE_MAX {
                return Err(Fault::Excessive("hardly any of its records can be read").into());
            }
            damages.into_iter().for_each(|damage| self.note(damage));
        }
        Ok(loaded)
    }

    /// Brings changes in, all of them in one transaction. Blocks.
    pub fn apply(&mut self, lines: Vec<SegmentLine>) -> Result<()> {
        let rules = self.rules;
        let damages = self.store.write_blocking(move |tx| {
            let mut damages = Vec::new();
            // What has two records swap a name must not meet the old holder of it: all that changed
            // goes first.
            for line in &lines {
                match (TableAccess::of(&line.table), bytes_of_hex(&line.key)) {
                    (Some(loader), Some(key)) => (loader.remove)(tx, &key)?,
                    _ => damages.push(format!("A change of {} cannot be read.", line.table)),
                }
            }
            for line in lines {
                let (Some(loader), Some(record)) = (TableAccess::of(&line.table), line.record)
                else {
                    continue;
                };
                let json = record.to_string();
                if let Err(fault) = (loader.load)(tx, json.as_bytes(), rules) {
                    damages.push(damage(table_name(loader), json.as_bytes(), &fault));
                }
            }
            Ok(damages)
        })?;
        damages.into_iter().for_each(|damage| self.note(damage));
        Ok(())
    }

    /// # Errors
    /// `Invalid` when without what is lost nobody could work in the portal.
    pub fn require_usable(&self, lost: &BTreeSet<String>) -> Result<()> {
        let lost = lost.clone();
        self.store.read_blocking(move |tx| restoring::require_usable(tx, &lost))
    }

    /// Queues what is computed anew from the files, and tells what became of the whole. Blocks.
    pub fn finish(&mut self, restored: Restored, reporter: &Reporter) -> Result<Restored> {
        reporter.begin("Finishing", None);
        let mut after = None;
        loop {
            let from = after;
            after =
                self.store.write_blocking(move |tx| restoring::await_reading(tx, from, STEP))?;
            if after.is_none() {
                let holds_plan = self.store.read_blocking(backups::plan)?.is_held;
                let damages = std::mem::take(&mut self.damages);
                return Ok(Restored { damages, holds_plan, ..restored });
            }
        }
    }
}

impl Files {
    /// Takes the bytes of a file in; `None` when they are not those of its hash, or are damaged.
    /// [`keep`](Self::keep) moves them on. Blocks, on a thread that may.
    ///
    /// # Errors
    /// When they do not come any more: nothing is known of them then.
    pub fn take(
        &self,
        hash: ContentHash,
        size_bytes: u64,
        bytes: &mut dyn Read,
    ) -> Result<Option<Taken>> {
        let runtime = Handle::current();
        let mut incoming = match self.keeping {
            Keeping::All => {
                let begun = runtime.block_on(self.blobs.begin(u64::MAX, Some(size_bytes)));
                Some(begun.map_err(in_place_of_upload)?)
            }
            Keeping::Records => None,
        };
        let mut digest = Digest::new();
        let mut buffer = vec![0; PIECE_BYTES];
        let mut read_bytes = 0;
        loop {
            let read = match bytes.read(&mut buffer).map_err(Error::from) {
                Ok(0) => break,
                Ok(read) => read,
                Err(fault) if is_unreachable(&fault) => return Err(fault),
                Err(fault) => {
                    tracing::warn!(%hash, "a file of the backup is damaged: {}", fault.chain());
                    return Ok(None);
                }
            };
            read_bytes += read as u64;
            if read_bytes > size_bytes {
                tracing::warn!(%hash, "a file of the backup is larger than it was");
                return Ok(None);
            }
            digest.update(&buffer[..read]);
            if let Some(incoming) = &mut incoming {
                let piece = Bytes::copy_from_slice(&buffer[..read]);
                runtime.block_on(incoming.write(&piece)).map_err(in_place_of_upload)?;
            }
        }
        let taken = incoming.map_or(Taken::Proven, |one| Taken::Incoming(Box::new(one)));
        Ok((digest.finish() == hash).then_some(taken))
    }

    /// Makes a file durable and moves it to where it rests; while that is out of order, a restore of
    /// many hours waits for a while.
    pub async fn keep(&self, taken: Taken) -> Result<()> {
        let Taken::Incoming(incoming) = taken else { return Ok(()) };
        let spooled = incoming.finish().await?;
        let mut tries = 0..TRIES_MAX;
        loop {
            match self.blobs.store(spooled.hash).await {
                // It stays on the spool until somebody claims the bucket; the keeper sees to it then.
                Err(Error::Busy { .. }) if self.blobs.is_disowned() => return Ok(()),
                Err(Error::Busy { retry_after_s, .. }) if tries.next().is_some() => {
                    tokio::time::sleep(Duration::from_secs(retry_after_s.clamp(1, 30))).await;
                }
                done => return done,
            }
        }
    }
}

/// What is said to somebody who uploads a file helps nobody here: the disk is full, or what waits for S3
/// has reached its limit.
fn in_place_of_upload(fault: Error) -> Error {
    match fault {
        Error::Busy { .. } => Error::Full(
            "There is not enough room on the disk for what is in the backup. Make room, or restore into \
             another folder. Nothing was changed."
                .into(),
        ),
        Error::Full(_) => Error::Busy {
            message: "The files of the backup go to S3, which does not take them at the moment, and no \
                      more of them may wait on the disk. Nothing was changed. Try again when S3 answers."
                .into(),
            retry_after_s: 60,
        },
        other => other,
    }
}

fn table_name(loader: &TableAccess) -> String {
    loader.table.name.replace('_', " ")
}

/// The beginning of a record says which one it is.
fn damage(table: String, line: &[u8], fault: &Error) -> String {
    let begin = String::from_utf8_lossy(&line[..line.len().min(80)]);
    format!("A record of {table} could not be restored ({}): {begin}…", fault.chain())
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = digits.len().is_multiple_of(2).then(|| digits.chunks(2))?;
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Until when something was restored, for a person.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
