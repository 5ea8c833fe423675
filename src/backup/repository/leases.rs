//! Who is at work in a repository. A lease is renewed while its owner lives; one that is old, or
//! whose process on this machine is gone, counts for nothing.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, task::JoinHandle};
use uuid::Uuid;

use super::{Repository, objects::Objects};
use crate::{
    clock::Clock,
    error::{Error, Result},
};

const RENEWED_EVERY: Duration = Duration::from_secs(60);
/// A machine that sleeps for longer has lost its lease.
const STALE_AFTER: SignedDuration = SignedDuration::from_mins(30);

/// The same for a process of this machine, of which it can be seen that it lives.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// A prune looks so often whether it still has its lease.
pub(super) const LOOKS_EVERY: SignedDuration = SignedDuration::from_secs(1);
/// Who takes one away from it waits for so long: if it lives after all, it has noticed by then.
const NOTICES_WITHIN: Duration = Duration::from_secs(3);
/// How often a lease is given up while the repository does not answer.
const RELEASES_MAX: u32 = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Adds; any number at a time.
    Backup,
    /// Removes; alone.
    Prune,
}

#[derive(Serialize, Deserialize)]
struct Note {
    kind: Kind,
    renewed_at: Timestamp,
    owner: Owner,
}

/// A process, as it can be found again on the same machine.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Owner {
    /// The machine since its start, and the part of it that shares process numbers.
    machine: String,
    pid: u32,
    /// When it began, in clock ticks since the machine did: a number is given again, in a container at
    /// once. Earlier versions did not say.
    #[serde(default)]
    began_ticks: Option<u64>,
}

/// Who else is at work.
enum Others {
    None,
    GoTogether,
    /// A sentence.
    AtWork(String),
}

/// Ends when it is released or dropped.
pub struct Lease {
    /// When it was taken, nobody else had one.
    pub(super) is_alone: bool,
    /// Nothing is left to give up.
    is_released: bool,
    held: Arc<Held>,
    renewing: JoinHandle<()>,
}

struct Held {
    objects: Objects,
    path: String,
}

impl Repository {
    /// Says that somebody is at work.
    ///
    /// # Errors
    /// `Busy` while another one is whose work does not go together with this.
    pub async fn lease(&self, kind: Kind, clock: &Clock) -> Result<Lease> {
        let (repository, clock) = (self.clone(), clock.clone());
        // A task of its own is not cut off between writing the lease and knowing of it; when nobody
        // waits for it any more, it ends with the lease, which gives it up.
        tokio::spawn(async move { repository.take_lease(kind, &clock).await })
            .await
            .unwrap_or_else(|end| Err(Error::Internal(end.into())))
    }

    async fn take_lease(&self, kind: Kind, clock: &Clock) -> Result<Lease> {
        let path = format!("locks/{}", Uuid::new_v4());
        let held = Arc::new(Held { objects: self.objects.clone(), path });
        held.renew(kind, clock.now()).await?;
        let renewing = {
            let (held, clock) = (held.clone(), clock.clone());
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(RENEWED_EVERY).await;
                    if let Err(fault) = held.renew_if_there(kind, &clock).await {
                        tracing::warn!("renewing a lease: {}", fault.chain());
                    }
                }
            })
        };
        let mut lease = Lease { is_alone: false, is_released: false, held, renewing };
        // Looked at after the own one is written: of two at the same time each sees the other.
        match self.others(kind, &lease, clock.now()).await {
            Ok(Others::None) => {
                lease.is_alone = true;
                Ok(lease)
            }
            Ok(Others::GoTogether) => Ok(lease),
            Ok(Others::AtWork(message)) => {
                lease.release().await?;
                Err(Error::Busy { message, retry_after_s: 60 })
            }
            Err(fault) => Err(fault),
        }
    }

    async fn others(&self, kind: Kind, own: &Lease, now: Timestamp) -> Result<Others> {
        let (mut found, mut may_wake) = (Others::None, false);
        for meta in self.objects.list("locks").await? {
            let path = meta.path;
            if path == own.held.path {
                continue;
            }
            // Gone meanwhile.
            let Some(json) = self.objects.read_plain(&path).await? else { continue };
            // A stranger's file says nothing to us, and stays.
            let Ok(note) = serde_json::from_slice::<Note>(&json) else { continue };
            if !note.counts(now) {
                // A backup adds beside one that wakes again, but a prune that does would remove what it
                // finds here.
                if kind == Kind::Prune || note.kind == Kind::Prune {
                    self.objects.remove(&path).await?;
                }
                may_wake |= note.kind == Kind::Prune && note.owner.lives() != Some(false);
                continue;
            }
            let work = match (kind, note.kind) {
                (Kind::Backup, Kind::Backup) => {
                    found = Others::GoTogether;
                    continue;
                }
                (_, Kind::Backup) => "A backup is being written to this repository",
                (_, Kind::Prune) => "Old backups are being removed from this repository",
            };
            return Ok(Others::AtWork(format!(
                "{work} (last sign of life {}). Try again when it is done.",
                note.renewed_at.strftime("%Y-%m-%d %H:%M:%S UTC")
            )));
        }
        if may_wake {
            tokio::time::sleep(NOTICES_WITHIN).await;
        }
        Ok(found)
    }
}

impl Repository {
    /// Takes the leases of all others away, for somebody who knows that none of them is at work; how
    /// many there were. Who is at work all the same notices, and ends without harm.
    pub async fn unlock(&self) -> Result<u64> {
        let leases = self.objects.list("locks").await?;
        for lease in &leases {
            self.objects.remove(&lease.path).await?;
        }
        Ok(leases.len() as u64)
    }
}

impl Lease {
    /// # Errors
    /// `Busy` when somebody has taken it away.
    pub(super) async fn require(&self) -> Result<()> {
        match self.is_held().await? {
            true => Ok(()),
            false => Err(Error::Busy {
                message:
                    "This work took so long without a sign of life that another one has begun. \
                          Start it again."
                        .into(),
                retry_after_s: 60,
            }),
        }
    }

    /// Whether nobody has taken it for dead meanwhile.
    pub async fn is_held(&self) -> Result<bool> {
        Ok(self.held.objects.read_plain(&self.held.path).await?.is_some())
    }

    pub async fn release(mut self) -> Result<()> {
        self.renewing.abort();
        self.held.objects.remove(&self.held.path).await?;
        self.is_released = true;
        Ok(())
    }
}

impl Drop for Lease {
    /// For work that failed: the others need not wait.
    fn drop(&mut self) {
        self.renewing.abort();
        if self.is_released {
            return;
        }
        let held = self.held.clone();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { held.give_up().await });
        }
    }
}

impl Held {
    async fn renew(&self, kind: Kind, now: Timestamp) -> Result<()> {
        let note = Note { kind, renewed_at: now, owner: Owner::this_process() };
        let json = serde_json::to_vec(&note).context("writing a lease")?;
        self.objects.write_plain(&self.path, json).await
    }

    /// One that was taken away stays away: its owner must learn of it.
    async fn renew_if_there(&self, kind: Kind, clock: &Clock) -> Result<()> {
        let begin = clock.now();
        if self.objects.read_plain(&self.path).await?.is_none() {
            return Ok(());
        }
        self.renew(kind, begin).await?;
        // It may have been taken away between the look and the writing.
        match clock.now().duration_since(begin) < STALE_AFTER {
            true => Ok(()),
            false => self.objects.remove(&self.path).await,
        }
    }

    /// As long as this process lives the others would take it for being at work.
    async fn give_up(&self) {
        for _ in 0..RELEASES_MAX {
            match self.objects.remove(&self.path).await {
                Ok(()) => return,
                Err(fault) => tracing::warn!("giving up a lease: {}", fault.chain()),
            }
            tokio::time::sleep(RENEWED_EVERY).await;
        }
    }
}

impl Note {
    /// What is dated far ahead comes from a clock that was wrong, and is as dead as what is old.
    fn counts(&self, now: Timestamp) -> bool {
        let away = now.duration_since(self.renewed_at).abs();
        match self.owner.lives() {
            // Its clock may have jumped; and a lease that could not be given up must end some time.
            Some(lives) => lives && away < FORGOTTEN_AFTER,
            None => away < STALE_AFTER,
        }
    }
}

impl Owner {
    fn this_process() -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let numbers = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let machine = format!("{} {}", boot.trim(), numbers.display());
        let pid = std::process::id();
        Owner { machine, pid, began_ticks: began_ticks(pid) }
    }

    /// `None` when nobody here can know: of processes of other machines.
    fn lives(&self) -> Option<bool> {
        let is_here = self.machine == Owner::this_process().machine;
        is_here.then(|| {
            let is_same = match (self.began_ticks, began_ticks(self.pid)) {
                (Some(then), Some(now)) => then == now,
                // One of them cannot be known.
                _ => true,
            };
            is_same && Path::new("/proc").join(self.pid.to_string()).exists()
        })
    }
}

/// When a process began: the 22nd field of its status (proc(5)).
fn began_ticks(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the third field follows the last of them.
    status.rsplit(')').next()?.split_whitespace().nth(22 - 3)?.parse().ok()
}
