//! Removing old snapshots, and what none of the others needs.
//!
//! May be cut off anywhere: snapshots go first, so what is left of the rest is named by nobody and
//! goes with the next run.

use std::collections::HashSet;

use futures_util::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{
    Kind, Lease, Repository, Segment, Snapshot, is_unreachable, leases::LOOKS_EVERY, listed,
    objects, objects::Objects, reaching::is_on_bad_place,
};
use crate::{
    backup::{Head, SignerKey},
    clock::Clock,
    error::{Error, Result},
    hash::ContentHash,
};

/// Segments read at a time: every few seconds of a week one may have been written.
const TOGETHER: usize = 16;
/// Any moment of so long can be restored; of what is older, the moments of the snapshots.
const SEGMENTS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Which snapshots of a store stay: those that any of these rules keeps, and always the newest. Days, weeks
/// (ISO 8601) and months are those of UTC, and each keeps its newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    pub last: u32,
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    pub snapshots_kept: u64,
    pub snapshots_removed: u64,
    pub objects_removed: u64,
    pub bytes_removed: u64,
}

impl Retention {
    pub fn is_empty(&self) -> bool {
        *self == Retention::default()
    }

    /// Whether each of these moments is kept, in the order in which they were.
    pub fn keeps(&self, moments: &[Timestamp]) -> Vec<bool> {
        let mut kept = vec![false; moments.len()];
        if let Some(newest) = kept.last_mut() {
            *newest = true;
        }
        for place in kept.iter_mut().rev().take(self.last as usize) {
            *place = true;
        }
        let periods: [(u32, fn(Timestamp) -> String); 3] = [
            (self.daily, |at| at.strftime("%Y-%m-%d").to_string()),
            (self.weekly, |at| at.to_zoned(TimeZone::UTC).strftime("%G-%V").to_string()),
            (self.monthly, |at| at.strftime("%Y-%m").to_string()),
        ];
        for (count, period) in periods {
            let mut seen = HashSet::new();
            for (at, place) in moments.iter().zip(&mut kept).rev() {
                if seen.len() < count as usize && seen.insert(period(*at)) {
                    *place = true;
                }
            }
        }
        kept
    }
}

impl Repository {
    /// Removes the snapshots that `retention` does not keep, and all that nobody names any more.
    ///
    /// # Errors
    /// `Busy` while a backup is being written. When a snapshot that stays cannot be read, nothing
    /// that it may need is removed.
    pub async fn prune(&self, retention: Retention, clock: &Clock) -> Result<Pruned> {
        let keeps = |snapshots: &[(Snapshot, Option<Head>)]| {
            // Of each store by itself: that a copy of the portal writes here too, or that it was once
            // restored, costs the others nothing.
            // So does what a stranger has put there with our name on it.
            let mut kept = vec![false; snapshots.len()];
            let strangers = self.strangers(snapshots).into_iter();
            let lineages = snapshots.iter().map(|(_, head)| head.as_ref().map(|head| head.lineage));
            let stores: Vec<_> = lineages.zip(strangers).collect();
            for own in stores.iter().collect::<HashSet<_>>() {
                let places = (0..snapshots.len()).filter(|place| stores[*place] == *own);
                let mut places: Vec<usize> = places.collect();
                let order = |head: &Head| head.order(self.signers);
                places.sort_by_key(|place| snapshots[*place].1.as_ref().map(order));
                let moments: Vec<_> =
                    places.iter().map(|place| snapshots[*place].0.created_at).collect();
                for (place, is_kept) in places.into_iter().zip(retention.keeps(&moments)) {
                    kept[place] = is_kept;
                }
            }
            Ok(kept)
        };
        self.prune_all_but(keeps, clock).await
    }

    /// Removes one snapshot, and all that nobody names any more.
    ///
    /// # Errors
    /// As [`prune`](Self::prune), and `NotFound`.
    pub async fn remove(&self, id: &str, clock: &Clock) -> Result<Pruned> {
        let keeps = |all: &[(Snapshot, Option<Head>)]| match all.iter().any(|(one, _)| one.id == id)
        {
            true => Ok(all.iter().map(|(one, _)| one.id != id).collect()),
            false => Err(Error::NotFound(format!("There is no snapshot {id}."))),
        };
        self.prune_all_but(keeps, clock).await
    }

    /// `keeps` says of each snapshot whether it stays.
    async fn prune_all_but(
        &self,
        keeps: impl FnOnce(&[(Snapshot, Option<Head>)]) -> Result<Vec<bool>>,
        clock: &Clock,
    ) -> Result<Pruned> {
        let lease = self.lease(Kind::Prune, clock).await?;
        let pruned = self.prune_alone(keeps, &lease, clock).await;
        lease.release().await?;
        pruned
    }

    async fn prune_alone(
        &self,
        keeps: impl FnOnce(&[(Snapshot, Option<Head>)]) -> Result<Vec<bool>>,
        lease: &Lease,
        clock: &Clock,
    ) -> Result<Pruned> {
        self.objects.remove_unfinished().await?;
        // Whoever had a lease before counts as dead.
        self.end_abandoned_uploads(true, clock.now()).await;
        let snapshots = self.heads().await?;
        let kept = keeps(&snapshots)?;
        let (kept, gone): (Vec<_>, Vec<_>) =
            snapshots.into_iter().zip(kept).partition(|(_, kept)| *kept);
        let kept: Vec<Snapshot> = kept.into_iter().map(|((snapshot, _), _)| snapshot).collect();
        let mut pruned = Pruned { snapshots_kept: kept.len() as u64, ..Pruned::default() };
        // Read before anything goes: what cannot be read stops it here.
        let needed = self.needed_by(&kept, clock.now()).await?;
        let mut removing = Removing { objects: &self.objects, lease, clock, looked_at: None };
        for ((snapshot, _), _) in gone {
            removing.remove(&snapshot.path()).await?;
            pruned.snapshots_removed += 1;
        }
        for segment in needed.stale_segments {
            removing.remove(&segment).await?;
        }
        removing.remove_all_but("parts", needed.parts, &mut pruned).await?;
        match needed.lost_list {
            None => removing.remove_all_but("files", needed.files, &mut pruned).await?,
            Some(path) => return Err(unknown_files(&path)),
        }
        Ok(pruned)
    }

    async fn needed_by(&self, snapshots: &[Snapshot], now: Timestamp) -> Result<Needed> {
        let mut needed = Needed::default();
        let mut heads = Vec::new();
        // What one snapshot calls a part may be the list of another.
        let mut lists_read = HashSet::new();
        for snapshot in snapshots {
            let manifest =
                self.manifest(snapshot).await.map_err(|fault| unknown(snapshot, fault))?;
            heads.push(manifest.head);
            needed.parts.extend(manifest.parts.iter().map(|part| part.sha256));
            for list in &manifest.lists {
                needed.parts.insert(list.sha256);
                if !lists_read.insert(list.sha256) {
                    continue;
                }
                match self.part(list).await.and_then(|bytes| listed(&bytes)) {
                    Ok(files) => needed.files.extend(files.into_iter().map(|(hash, _)| hash)),
                    Err(fault) if is_unreachable(&fault) => return Err(fault),
                    Err(_) => needed.lost_list = Some(objects::path("parts", list.sha256)),
                }
            }
        }
        // Segments go on from a snapshot; those from before the oldest of their store lead nowhere. Each
        // is read here, so that of between two snapshots only the last days can be reached.
        let mut segments = Vec::new();
        for segment in self.segments(None).await? {
            let own = heads.iter().filter(|head| head.lineage == segment.lineage);
            let mut sequences = own.map(|head| head.sequence);
            let newest = sequences.clone().max();
            let leads_on = newest.is_some_and(|newest| segment.to > newest);
            let is_recent = now.duration_since(segment.at) < SEGMENTS_KEPT_FOR;
            let is_reached = is_recent && sequences.any(|sequence| segment.to > sequence);
            match leads_on || is_reached {
                true => segments.push(segment),
                false => needed.stale_segments.push(segment.path()),
            }
        }
        let mut read = stream::iter(segments)
            .map(|one| async move { (self.named_files(&one).await, one) }.boxed())
            .buffered(TOGETHER);
        while let Some((found, segment)) = read.next().await {
            match found {
                Ok((files, signer)) if goes_on(&heads, &segment, signer) => {
                    needed.files.extend(files.into_iter().map(|(hash, _)| hash));
                }
                Err(fault) if is_unreachable(&fault) => return Err(fault),
                Err(fault) if is_on_bad_place(&fault) => needed.lost_list = Some(segment.path()),
                // Nobody restores it, so it needs nothing; and verifying tells of it.
                Ok(_) | Err(_) => tracing::warn!("passing over {}", segment.path()),
            }
        }
        Ok(needed)
    }
}

/// Whether a segment is signed as a snapshot is that it goes on from: else no restore takes it.
fn goes_on(heads: &[Head], segment: &Segment, signer: Option<SignerKey>) -> bool {
    heads.iter().any(|head| {
        let is_before = head.lineage == segment.lineage && head.sequence < segment.to;
        is_before && (head.signer.is_none() || head.signer == signer)
    })
}

#[derive(Default)]
struct Needed {
    parts: HashSet<ContentHash>,
    files: HashSet<ContentHash>,
    /// The path of what names files and cannot be read: there may be more of them.
    lost_list: Option<String>,
    /// Paths of those that nobody needs.
    stale_segments: Vec<String>,
}

/// Removes as long as nobody else is at work.
struct Removing<'a> {
    objects: &'a Objects,
    lease: &'a Lease,
    clock: &'a Clock,
    /// When the lease was still there.
    looked_at: Option<Timestamp>,
}

impl Removing<'_> {
    async fn remove(&mut self, path: &str) -> Result<()> {
        let now = self.clock.now();
        // A machine that slept may have been taken for dead, and a backup may have begun.
        if self.looked_at.is_none_or(|at| now.duration_since(at).abs() >= LOOKS_EVERY) {
            self.lease.require().await?;
            self.looked_at = Some(now);
        }
        self.objects.remove(path).await
    }

    async fn remove_all_but(
        &mut self,
        folder: &str,
        needed: HashSet<ContentHash>,
        pruned: &mut Pruned,
    ) -> Result<()> {
        for one in self.objects.list(folder).await? {
            if one.name().parse().is_ok_and(|hash: ContentHash| !needed.contains(&hash)) {
                self.remove(&one.path).await?;
                pruned.objects_removed += 1;
                pruned.bytes_removed += one.size_bytes;
            }
        }
        Ok(())
    }
}

/// What a snapshot needs that stays is not known, unless the way to it is to blame.
fn unknown(snapshot: &Snapshot, fault: Error) -> Error {
    if is_unreachable(&fault) {
        return fault;
    }
    tracing::warn!("{}: {}", snapshot.path(), fault.chain());
    Error::conflict(format!(
        "{} cannot be read, so nobody knows what it needs, and nothing was removed. “appliance backup \
         verify” says what is wrong with it, and with --mend removes it if it is damaged.",
        snapshot.path()
    ))
}

fn unknown_files(list: &str) -> Error {
    Error::conflict(format!(
        "Old snapshots were removed, and no files: {list} is damaged or missing, so nobody knows which \
         files are needed. “appliance backup verify --mend” and another backup bring it back, unless only \
         older snapshots need it; otherwise delete these."
    ))
}
