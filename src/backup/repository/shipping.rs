//! Shipping: one segment after the other, each at the same cost however large the repository is.
//!
//! A snapshot lists what is there, to write nothing twice. A segment comes every few seconds, so it
//! lists nothing but the leases: whoever ships remembers the object that its changes go on from
//! ([`Tip`]), and each time looks whether that is still there, and in the same repository. When it is
//! not, somebody has pruned, lost or exchanged the repository, and where it stands must be found anew.
//!
//! ```text
//! PUT    locks/<id>          LIST   locks
//! GET    config.json         HEAD   <tip>
//! HEAD   files/…  PUT files/…         each new file
//! PUT    segments/…          DELETE locks/<id>
//! ```

use std::io::Read;

use jiff::{SignedDuration, Timestamp};

use super::{Kind, Lease, Repository, Segment, SegmentLine, Snapshot, Written, objects};
use crate::{clock::Clock, error::Result, hash::ContentHash};

/// After less, nobody can have taken the lease for dead.
const LEASE_IS_FRESH: SignedDuration = SignedDuration::from_secs(60);

/// The object that the next segment goes on from: a snapshot, or the segment before.
#[derive(Clone, Debug)]
pub struct Tip(String);

impl From<&Snapshot> for Tip {
    fn from(snapshot: &Snapshot) -> Self {
        Tip(snapshot.path())
    }
}

impl From<&Segment> for Tip {
    fn from(segment: &Segment) -> Self {
        Tip(segment.path())
    }
}

/// A segment in the making.
pub struct Shipment {
    repository: Repository,
    lease: Lease,
    /// It also goes on while the machine sleeps.
    clock: Clock,
    begin: Timestamp,
}

impl Repository {
    /// Begins to ship what goes on from `tip`; `None` when that is not there any more.
    ///
    /// # Errors
    /// `Busy` while old backups are being removed.
    pub async fn ship_after(&self, tip: &Tip, clock: &Clock) -> Result<Option<Shipment>> {
        let (clock, begin) = (clock.clone(), clock.now());
        let lease = self.lease(Kind::Backup, &clock).await?;
        // With the lease no prune begins any more: what is there now stays.
        let is_there = self.is_current().await? && self.objects.is_there(&tip.0).await?;
        if !is_there {
            lease.release().await?;
            return Ok(None);
        }
        Ok(Some(Shipment { repository: self.clone(), lease, clock, begin }))
    }
}

impl Shipment {
    /// Adds a file, unless it is there; `None` when its bytes are not those that its name says.
    ///
    /// # Errors
    /// `Full` when the disk of a folder has no room for it.
    pub async fn file<R: Read>(
        &self,
        hash: ContentHash,
        size_bytes: u64,
        open: impl FnOnce() -> Result<R> + Send + 'static,
    ) -> Result<Option<Written>> {
        self.repository.add_file(hash, size_bytes, open).await
    }

    pub async fn has_file(&self, hash: ContentHash) -> Result<bool> {
        self.repository.objects.is_there(&objects::path("files", hash)).await
    }

    /// Writes the segment: from now on its changes are in the repository.
    pub async fn finish(
        self,
        segment: &Segment,
        files: Vec<(ContentHash, u64)>,
        lines: Vec<SegmentLine>,
    ) -> Result<Tip> {
        if self.clock.now().duration_since(self.begin).abs() > LEASE_IS_FRESH {
            self.lease.require().await?;
        }
        self.repository.ship(segment, files, lines).await?;
        self.lease.release().await?;
        Ok(Tip::from(segment))
    }
}
