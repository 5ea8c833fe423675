//! Following the change log: ships what changed since the last snapshot to the repository of the
//! plan, every few seconds, the new files first. What the disk of the portal takes with it is then
//! the last few seconds and no more.

use std::{
    collections::HashSet,
    sync::{self, Arc, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, MutexGuard, watch};
use uuid::Uuid;

use super::{
    chain::{Chain, proven},
    making::{is_missing, reader},
    plan::lock,
    staging::moment,
    stopping::{StopOnDrop, Stopped},
};
use crate::{
    app::{App, stops_within},
    backup::{Head, Key, Repository, Segment, SegmentLine, Shipment, SignerKey, Tip},
    domain::{
        TABLES,
        backups::{self, Plan, Standing},
        blobs::Blob,
        jobs::Task,
    },
    error::{Error, Result},
    hash::ContentHash,
    store::{Change, Changes, ReadTx, Table},
};

/// More changes at once are a new snapshot's work.
const CHANGES_MAX: usize = 200_000;
const SEGMENT_BYTES_MAX: usize = 64 << 20;
/// After so many segments another snapshot is made, which costs little: it shares all files and most
/// parts with the last. A restore then reads no more segments than that, each of them small; joining
/// them would cost as many requests, and the moments between them.
const SEGMENTS_MAX: usize = 500;
/// A segment may go missing in the middle, of which the last one does not tell.
const LOOK_ANEW_AFTER: Duration = Duration::from_secs(3_600);
const LOOK_EVERY: Duration = Duration::from_secs(1);
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(30);

/// So long it may fail without anybody being told.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// How far changes have been shipped.
#[derive(Default)]
pub(in crate::app) struct Following {
    place: Mutex<Option<Place>>,
    /// The segments behind the last snapshot that are known to be this portal's own, with the repository
    /// that they are in: nobody has to read them again.
    known: sync::Mutex<HashSet<(Uuid, Segment)>>,
    failing: sync::Mutex<Option<Failing>>,
}

/// Nothing is shipped, since when and why.
#[derive(Clone)]
struct Failing {
    since: Timestamp,
    reason: String,
}

/// Where it goes on.
pub(in crate::app) struct Place {
    repository: Repository,
    name: String,
    lineage: Uuid,
    shipped: u64,
    /// The object that leads to `shipped`.
    tip: Tip,
    /// Since the last snapshot.
    segments: usize,
    found_at: Instant,
}

impl Following {
    /// Nothing is shipped while this is held.
    pub async fn pause(&self) -> MutexGuard<'_, Option<Place>> {
        self.place.lock().await
    }

    fn known(&self) -> sync::MutexGuard<'_, HashSet<(Uuid, Segment)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, outcome: &Result<Shipped>, now: Timestamp) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        *failing = match outcome {
            Ok(_) => None,
            Err(fault) => {
                let since = failing.as_ref().map_or(now, |failing| failing.since);
                Some(Failing { since, reason: fault.chain() })
            }
        };
    }

    /// What is wrong, when it has been for a while; a sentence.
    fn fault(&self, now: Timestamp) -> Option<String> {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        (now.duration_since(failing.since) > PATIENCE).then(|| {
            format!(
                "Changes have not reached the repository since {}: {}.",
                moment(failing.since),
                failing.reason.trim_end_matches('.')
            )
        })
    }
}

/// What a round of shipping did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shipped {
    /// The plan does not want it.
    Off,
    /// Nothing has changed.
    Nothing,
    /// So many changes are in the repository now.
    Changes(u64),
    /// There is no snapshot to go on from; one was ordered.
    NeedsSnapshot,
}

pub(in crate::app) async fn follow(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let seconds = match app.store.read(backups::plan).await {
            Ok(plan) if plan.is_on => u64::from(plan.ship_every_seconds),
            Ok(_) => 0,
            Err(fault) => {
                tracing::error!("reading the plan of backups: {}", fault.chain());
                0
            }
        };
        let mut patience =
            if seconds == 0 { LOOK_EVERY * 10 } else { Duration::from_secs(seconds) };
        if seconds == 0 {
            app.following.note(&Ok(Shipped::Off), app.clock.now());
        } else if let Err(fault) = app.ship_changes().await {
            tracing::error!("shipping changes to the repository: {}", fault.chain());
            patience = PAUSE_AFTER_FAULT;
        }
        if stops_within(&mut stopped, patience).await {
            return;
        }
    }
}

impl App {
    /// How backups stand, the shipping of changes with them.
    pub async fn backup_standing(&self) -> Result<Standing> {
        let mut standing = self.store.read(backups::standing).await?;
        standing.faults.extend(self.following.fault(self.clock.now()));
        Ok(standing)
    }

    /// Ships everything that has changed since the last time.
    pub async fn ship_changes(&self) -> Result<Shipped> {
        let outcome = self.ship_what_changed().await;
        self.following.note(&outcome, self.clock.now());
        outcome
    }

    async fn ship_what_changed(&self) -> Result<Shipped> {
        let plan = self.store.read(backups::plan).await?;
        let Some(name) = plan.repository.clone().filter(|_| plan.is_on) else {
            return Ok(Shipped::Off);
        };
        let mut place = self.following.place.lock().await;
        let stays = |at: &Place| at.name == name && at.found_at.elapsed() < LOOK_ANEW_AFTER;
        if !place.as_ref().is_some_and(stays) {
            *place = self.begin_to_follow(&plan, name).await?;
        }
        let Some(at) = place.as_mut() else { return self.order_snapshot().await };
        let _pin = self.pins.hold().await;
        let from = at.shipped;
        let Some(gathered) = self.store.read(move |tx| gather(tx, from)).await? else {
            *place = None;
            return self.order_snapshot().await;
        };
        if gathered.lines.is_empty() {
            return Ok(Shipped::Nothing);
        }
        let shipped = self.ship(at, gathered).await;
        if !matches!(shipped, Ok(Some(_))) {
            // Where the repository stands, it must tell anew.
            *place = None;
        }
        match shipped? {
            Some(shipped) => Ok(shipped),
            None => self.find_anew(&plan, &mut place).await,
        }
    }

    /// The repository is not as it was left: it was pruned, lost or exchanged. From now on what it has
    /// counts; the changes go there with the next round.
    async fn find_anew(&self, plan: &Plan, place: &mut Option<Place>) -> Result<Shipped> {
        let Some(name) = plan.repository.clone() else { return Ok(Shipped::Off) };
        tracing::warn!("the repository is not as this portal left it, and is looked at anew");
        *place = self.begin_to_follow(plan, name).await?;
        match place {
            Some(_) => Ok(Shipped::Nothing),
            None => self.order_snapshot().await,
        }
    }

    /// `None` when what it goes on from is not there any more.
    async fn ship(&self, at: &mut Place, gathered: Gathered) -> Result<Option<Shipped>> {
        let Some(shipment) = at.repository.ship_after(&at.tip, &self.clock).await? else {
            return Ok(None);
        };
        let stop = StopOnDrop::default();
        let mut files = Vec::new();
        for (hash, size_bytes) in gathered.files {
            if self.ship_file(&shipment, hash, stop.stopped()).await? {
                files.push((hash, size_bytes));
            }
        }
        let Gathered { to, now, lines, .. } = gathered;
        let segment = Segment { lineage: at.lineage, from: at.shipped + 1, to, at: now };
        let count = lines.len() as u64;
        at.tip = shipment.finish(&segment, files, lines).await?;
        self.following.known().insert((at.repository.id(), segment));
        at.shipped = to;
        at.segments += 1;
        if at.segments.is_multiple_of(SEGMENTS_MAX) {
            self.store.write(|tx| backups::enqueue_once(tx, Task::BackUp)).await?;
        }
        Ok(Some(Shipped::Changes(count)))
    }

    /// `false` for a file that cannot be read; a snapshot names it.
    async fn ship_file(
        &self,
        shipment: &Shipment,
        hash: ContentHash,
        stopped: Stopped,
    ) -> Result<bool> {
        if shipment.has_file(hash).await? {
            return Ok(true);
        }
        let opened = match self.blobs.open(hash, None).await {
            Ok(opened) => opened,
            Err(fault) if is_missing(&fault) => return Ok(false),
            Err(fault) => return Err(fault),
        };
        let size_bytes = opened.size_bytes;
        let open = move || Ok(stopped.reader(reader(opened)));
        Ok(shipment.file(hash, size_bytes, open).await?.is_some())
    }

    /// Finds out where the repository stands; `None` when it has no snapshot of this store.
    ///
    /// # Errors
    /// `Conflict` when this portal cannot read there: it would never know where to go on.
    async fn begin_to_follow(&self, plan: &Plan, name: String) -> Result<Option<Place>> {
        let repository = self.open_repository(&name, &lock(plan), &Key::None).await?;
        if repository.is_encrypted() && repository.own_key() == Key::None {
            return Err(Error::conflict(
                "Changes can only be shipped to a repository that this portal can read, and it does not \
                 have the key of this one. Ship none (--ship-every-seconds 0), or name a new repository \
                 that is encrypted with a passphrase.",
            ));
        }
        let Some(lineage) = self.store.read(|tx| tx.lineage()).await? else { return Ok(None) };
        let own = self.backup_signer_key().await?;
        // What somebody else has put there must not say how far this portal is, and of its own neither
        // the times may, since a clock can be wrong.
        let heads = repository.heads().await?.into_iter();
        let snapshots = heads.filter_map(|(snapshot, head)| Some((snapshot, head?)));
        let newest = snapshots
            .filter(|(_, head)| head.lineage == lineage && head.signer == Some(own))
            .max_by_key(|(_, head)| head.sequence);
        let Some((snapshot, head)) = newest else { return Ok(None) };
        let behind = self.own_segments(&repository, &head, own).await?;
        let shipped = behind.last().map_or(head.sequence, |last| last.to);
        if self.store.read(|tx| tx.latest_change()).await? < shipped {
            self.leave_timeline().await?;
            return Ok(None);
        }
        let tip = behind.last().map_or(Tip::from(&snapshot), Tip::from);
        let (segments, found_at) = (behind.len(), Instant::now());
        Ok(Some(Place { repository, name, lineage, shipped, tip, segments, found_at }))
    }

    /// The segments that this portal has shipped behind a snapshot, without a gap. Only what it does not
    /// know yet is read.
    async fn own_segments(
        &self,
        repository: &Repository,
        head: &Head,
        own: SignerKey,
    ) -> Result<Vec<Segment>> {
        let mut chain = Chain::after(head.sequence, repository.segments(Some(head.lineage)).await?);
        let mut behind = Vec::new();
        while let Some(segment) = chain.candidate() {
            let is_known = self.following.known().contains(&(repository.id(), segment.clone()));
            if is_known || proven(repository, &segment, Some(own)).await?.is_some() {
                chain.take(&segment);
                behind.push(segment);
            }
        }
        let known = behind.iter().map(|segment| (repository.id(), segment.clone()));
        *self.following.known() = known.collect();
        Ok(behind)
    }

    /// Before a snapshot: looks whether changes were shipped that this store does not know.
    pub(super) async fn leave_abandoned_timeline(&self, repository: &Repository) -> Result<()> {
        let Some(lineage) = self.store.read(|tx| tx.lineage()).await? else { return Ok(()) };
        let own = self.backup_signer_key().await?;
        let segments = repository.segments(Some(lineage)).await?;
        let latest = self.store.read(|tx| tx.latest_change()).await?;
        for segment in segments.iter().filter(|segment| segment.to > latest) {
            if proven(repository, segment, Some(own)).await?.is_some() {
                return self.leave_timeline().await;
            }
        }
        Ok(())
    }

    /// The data folder was put back to an earlier state, such as that of a volume's snapshot. What was
    /// shipped after that must not be laid over what happens from now on.
    async fn leave_timeline(&self) -> Result<()> {
        tracing::warn!(
            "the repository is ahead of this store: from now on it counts as another one"
        );
        self.store.write(|tx| tx.renew_lineage()).await.map(drop)
    }

    async fn order_snapshot(&self) -> Result<Shipped> {
        self.store.write(|tx| backups::enqueue_once(tx, Task::BackUp)).await?;
        Ok(Shipped::NeedsSnapshot)
    }
}

struct Gathered {
    to: u64,
    now: Timestamp,
    lines: Vec<SegmentLine>,
    files: Vec<(ContentHash, u64)>,
}

/// Everything that changed after `from`, as it is now. `None` when the log does not reach back, or when
/// it is too much.
fn gather(tx: &ReadTx, from: u64) -> Result<Option<Gathered>> {
    let Changes::Next(changes) = tx.changes(from, CHANGES_MAX)? else { return Ok(None) };
    let to = tx.latest_change()?;
    if changes.last().is_some_and(|last| last.sequence < to) {
        return Ok(None);
    }
    let mut gathered = Gathered { to, now: tx.now(), lines: Vec::new(), files: Vec::new() };
    // Each record once, in the order of its last change.
    let mut seen = std::collections::HashSet::new();
    let mut bytes = 0;
    for change in changes.into_iter().rev() {
        let Some(table) = table(&change) else { continue };
        if !seen.insert((change.table, change.key.clone())) {
            continue;
        }
        if let Some(hash) = change.key_of::<Blob>()
            && let Some(blob) = tx.get::<Blob>(&hash)?
        {
            gathered.files.push((hash, blob.size_bytes));
        }
        let record = tx.stored_at(table, &change.key)?;
        bytes += record.as_ref().map_or(0, |json| json.len());
        if bytes > SEGMENT_BYTES_MAX {
            return Ok(None);
        }
        let record = record.map(|json| serde_json::from_slice(&json)).transpose();
        let record = record.map_err(|fault| Error::Internal(fault.into()))?;
        let key = change.key.iter().map(|byte| format!("{byte:02x}")).collect();
        gathered.lines.push(SegmentLine { table: table.name.into(), key, record });
    }
    gathered.lines.reverse();
    Ok(Some(gathered))
}

fn table(change: &Change) -> Option<Table> {
    TABLES.iter().copied().find(|table| table.number == change.table)
}
