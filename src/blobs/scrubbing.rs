//! Scrubbing: disks and buckets lose bytes without telling anybody. Each copy of a blob is read and
//! compared with its name; one that is damaged is made anew from one that is not.

use std::{fs::File, sync::Arc};

use anyhow::Context;

use super::{
    Blobs, Verdict,
    digest::hash_file,
    disk::{self, TemporaryFile},
    layout::FileName,
    moving::copy_verified,
    verify::judge,
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
};

/// Where a copy can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Spool,
    Disk,
    S3,
    Cache,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Intact {
        size_bytes: u64,
    },
    Damaged {
        size_bytes: u64,
    },
    /// It cannot be had to its end, though others can; why, for the operator.
    Unreadable {
        reason: String,
    },
}

/// How a blob was found, and what was done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrubbed {
    pub hash: ContentHash,
    /// Every copy as it was found. None at all: the blob is missing.
    pub copies: Vec<(Place, Health)>,
    /// Copies that were made anew; one that was not intact and is not among them is as it was.
    pub healed: Vec<Place>,
}

impl Scrubbed {
    /// There is no copy with the right bytes.
    pub fn is_lost(&self) -> bool {
        !self.copies.iter().any(|(_, health)| matches!(health, Health::Intact { .. }))
    }

    /// All copies were right.
    pub fn is_fine(&self) -> bool {
        let is_intact = |health: &Health| matches!(health, Health::Intact { .. });
        self.healed.is_empty()
            && !self.copies.is_empty()
            && self.copies.iter().all(|(_, health)| is_intact(health))
    }
}

impl Blobs {
    /// Reads every copy of a blob and heals what is damaged. Keeps one core busy: ask for one after
    /// the other. What ought to be there, the records know: take the hashes from them.
    ///
    /// # Errors
    /// `Busy` while S3 is away: nothing was found out then, and the same blob is to be looked at again.
    pub async fn scrub(&self, hash: ContentHash) -> Result<Scrubbed> {
        let _traffic = self.traffic(hash).await;
        let mut scrubbed = Scrubbed { hash, copies: Vec::new(), healed: Vec::new() };
        for place in [Place::Spool, Place::Disk, Place::Cache, Place::S3] {
            let health = match place {
                Place::S3 => self.health_on_s3(hash).await?,
                here => self.health_here(hash, here).await?,
            };
            scrubbed.copies.extend(health.map(|health| (place, health)));
        }
        let is_intact = |(place, health): &(Place, Health)| {
            matches!(health, Health::Intact { .. }).then_some(*place)
        };
        let intact: Vec<_> = scrubbed.copies.iter().filter_map(is_intact).collect();
        for (place, health) in &scrubbed.copies {
            match health {
                Health::Intact { .. } => continue,
                Health::Damaged { .. } => {
                    tracing::error!("the copy of blob {hash} in {place:?} is damaged");
                }
                Health::Unreadable { reason } => {
                    tracing::error!(
                        "the copy of blob {hash} in {place:?} cannot be read: {reason}"
                    );
                }
            }
            match self.heal(hash, *place, &intact).await {
                Ok(true) => {
                    tracing::warn!("the copy of blob {hash} in {place:?} was made anew");
                    scrubbed.healed.push(*place);
                }
                Ok(false) => {}
                // The good copy is as good as before.
                Err(Error::Internal(fault)) => {
                    tracing::error!("the copy of blob {hash} in {place:?} stays: {fault:#}");
                }
                Err(fault) => return Err(fault),
            }
        }
        // A copy in the cache is gone tomorrow: it goes home by way of the spool.
        let is_home_healed = scrubbed.healed.iter().any(|place| *place != Place::Cache);
        if intact == [Place::Cache] && !is_home_healed {
            self.heal(hash, Place::Spool, &intact).await?;
            scrubbed.healed.push(Place::Spool);
        }
        Ok(scrubbed)
    }

    async fn health_here(&self, hash: ContentHash, place: Place) -> Result<Option<Health>> {
        let Some(file) = self.open_at(hash, place).await? else { return Ok(None) };
        disk::blocking(move || {
            Ok(Some(match hash_file(&file) {
                Ok((found, size_bytes)) if found == hash => Health::Intact { size_bytes },
                Ok((_, size_bytes)) => Health::Damaged { size_bytes },
                Err(error) => Health::Unreadable { reason: error.to_string() },
            }))
        })
        .await
    }

    async fn health_on_s3(&self, hash: ContentHash) -> Result<Option<Health>> {
        let Some(remote) = &self.shared.remote else { return Ok(None) };
        let verdict = match remote.get(hash, None).await {
            Ok(Some(opened)) => judge(hash, opened).await,
            Ok(None) => Ok(Verdict::Missing),
            Err(fault) => Err(fault),
        };
        Ok(match verdict {
            Ok(Verdict::Intact { size_bytes }) => Some(Health::Intact { size_bytes }),
            Ok(Verdict::Damaged { size_bytes, .. }) => Some(Health::Damaged { size_bytes }),
            Ok(Verdict::Missing) => None,
            // It is about this object: that S3 is away is another error.
            Err(Error::Internal(fault)) => {
                Some(Health::Unreadable { reason: format!("{fault:#}") })
            }
            Err(fault) => return Err(fault),
        })
    }

    /// Makes a copy anew. `false` when there is nothing to make it from.
    async fn heal(&self, hash: ContentHash, place: Place, intact: &[Place]) -> Result<bool> {
        if place == Place::Cache {
            let shared = Arc::clone(&self.shared);
            return disk::blocking(move || {
                if let Some(cache) = &shared.cache {
                    cache.remove(hash).context("removing a damaged copy")?;
                }
                Ok(true)
            })
            .await;
        }
        let Some(&from) = intact.first() else { return Ok(false) };
        match (place, &self.shared.remote) {
            (Place::S3, Some(remote)) => {
                // The owner of the bucket heals it.
                if remote.may_bring().await.is_err() {
                    return Ok(false);
                }
                let Some(file) = self.open_at(hash, from).await? else { return Ok(false) };
                let size_bytes = file.metadata()?.len();
                remote.put(hash, &Arc::new(file), size_bytes).await?;
            }
            _ => {
                let Some(file) = self.copy_of(hash, from).await? else { return Ok(false) };
                self.replace_copy(hash, place, file).await?;
            }
        }
        Ok(true)
    }

    /// A verified copy in the making, on the file system of the objects.
    async fn copy_of(&self, hash: ContentHash, from: Place) -> Result<Option<TemporaryFile>> {
        if from == Place::S3 {
            return Ok(Some(self.fetch(hash).await?.0));
        }
        let Some(from) = self.path_at(hash, from) else { return Ok(None) };
        let temporary = self.shared.objects.new_incoming_path();
        disk::blocking(move || copy_verified(hash, &from, temporary)).await
    }

    async fn replace_copy(
        &self,
        hash: ContentHash,
        place: Place,
        file: TemporaryFile,
    ) -> Result<()> {
        let Some(path) = self.path_at(hash, place) else { return Ok(()) };
        let in_spool = self.shared.spool.new_incoming_path();
        let now = self.shared.clock.now();
        let lock = self.lock(hash).await;
        disk::blocking(move || {
            disk::set_modified(file.file(), now)?;
            let file = match place {
                // The two may be on different disks.
                Place::Spool => copy_verified(hash, file.path(), in_spool)?.unwrap_or(file),
                _ => file,
            };
            file.give_name(&path)
                .and_then(|()| disk::sync_folder(disk::folder_of(&path)))
                .with_context(|| format!("healing blob {hash}"))?;
            drop(lock);
            Ok(())
        })
        .await
    }

    async fn open_at(&self, hash: ContentHash, place: Place) -> Result<Option<File>> {
        let Some(path) = self.path_at(hash, place) else { return Ok(None) };
        disk::blocking(move || {
            let doing = || format!("opening {}", path.display());
            Ok(disk::open_if_there(&path).with_context(doing)?)
        })
        .await
    }

    /// `None` for a place that is not on this machine, or not in use.
    fn path_at(&self, hash: ContentHash, place: Place) -> Option<std::path::PathBuf> {
        let source = FileName::source(hash);
        match place {
            Place::Spool => Some(self.shared.spool.path(&source)),
            Place::Disk => Some(self.shared.objects.path(&source)),
            Place::Cache => self.shared.cache.as_ref().map(|cache| cache.path(hash)),
            Place::S3 => None,
        }
    }
}
