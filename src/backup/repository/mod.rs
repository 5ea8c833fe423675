//! A repository: a folder or a bucket with many snapshots that share what is the same in them.
//!
//! ```text
//! config.json, config-copy.json                 twice: format, id, and the key, itself encrypted
//! files/<2 hex>/<hash>                          each file once
//! parts/<2 hex>/<hash>                          records and lists, under the hash of their lines
//! snapshots/<time>-<id>                         a manifest
//! segments/<lineage>/<from>-<to>-<time>         the changes between snapshots
//! locks/<id>                                    who is at work
//! ```
//!
//! # Why nothing can damage it
//!
//! - An object appears whole or not at all, and is never changed. Its name is the hash of its
//!   content, so two runs that write the same one do no harm.
//! - A snapshot is written when everything that it names is there. A run that is cut off leaves
//!   objects that nobody names; the next run finds and uses them, or [`Repository::prune`] removes
//!   them.
//! - Only `prune` removes anything: snapshots first, then what none of the others names. It never
//!   does while a backup is at work, and the other way round ([`Lease`]). A backup whose lease is
//!   gone by its end writes no snapshot.
//!
//! # Signatures
//!
//! Manifests and segments are signed by the portal that wrote them ([`Signer`]). Whoever may write to
//! the place can remove what is there, and bring back what was there before; but what he adds or
//! changes, nobody takes for the portal's who knows its key.
//!
//! # Encryption
//!
//! An encrypted repository has a pair of keys of its own; every object is encrypted to the public one,
//! and the secret one lies in `config.json`, encrypted by the passphrase or to the recipients that
//! were named when it was begun. Whoever owns the place sees how many objects there are, how large
//! they are and when they came, and the hashes that are their names.

mod abandoned;
mod changes;
mod config;
mod folder;
mod hashing;
mod leases;
mod objects;
mod prune;
mod reaching;
mod shipping;
mod snapshots;
mod verify;

use std::path::Path as FilePath;

use anyhow::anyhow;
use jiff::Timestamp;
use uuid::Uuid;

pub(super) use self::{abandoned::Uploads, snapshots::listed};
pub use self::{
    changes::{Changes, Segment, SegmentLine},
    leases::{Kind, Lease},
    objects::Written,
    prune::{Pruned, Retention},
    reaching::is_unreachable,
    shipping::{Shipment, Tip},
    snapshots::{Adding, Snapshot},
    verify::Verified,
};
use self::{config::Config, objects::Objects};
use super::{Key, Lock, Place, Signer, Signers, place::object_store};
use crate::{
    config::S3Config,
    error::{Error, Result},
};

/// An open repository; clones share it.
#[derive(Clone)]
pub struct Repository {
    objects: Objects,
    id: Uuid,
    /// Signs what is written.
    signer: Option<Signer>,
    /// Whose signature is looked for in what is read.
    signers: Signers,
}

impl Repository {
    /// Whether there is a repository in a folder.
    pub fn is_in(folder: &FilePath) -> bool {
        config::COPIES.iter().any(|name| folder.join(name).exists())
    }

    /// Opens a repository. Without the right key it can be written to, but not read. `settings` say
    /// how S3 is reached.
    ///
    /// # Errors
    /// `NotFound` when there is none; a [`Fault`] when it is of a later format or `key` does not
    /// open it.
    pub async fn open(place: &Place, settings: &S3Config, key: &Key) -> Result<Self> {
        let objects = Objects::at(place, object_store(place, settings, false)?);
        let Some(config) = Config::read(&objects).await? else {
            // A bucket that is missing itself may say so only here.
            objects.list("snapshots").await?;
            return Err(Error::NotFound(format!("There is no backup repository in {place}.")));
        };
        Repository::with(objects, config, key)
    }

    /// Opens a repository, or begins one that is encrypted as `lock` says. `kept` are the keys of
    /// repositories, among which its own may be.
    ///
    /// # Errors
    /// `Conflict` when it should be encrypted and is not.
    pub async fn open_or_begin(
        place: &Place,
        settings: &S3Config,
        lock: &Lock,
        (key, kept): (&Key, &Key),
        now: Timestamp,
    ) -> Result<Self> {
        lock.check()?;
        let objects = Objects::at(place, object_store(place, settings, true)?);
        if Config::read(&objects).await?.is_none() {
            Config::begin(&objects, lock, now).await?;
        }
        let config = Config::read(&objects)
            .await?
            .ok_or_else(|| Error::Internal(anyhow!("the configuration was not written")))?;
        let passphrase = match lock {
            Lock::Passphrase(text) => Key::Passphrase(text.clone()),
            _ => Key::None,
        };
        let key = match &config.key {
            Some(sealed) if sealed.is_opened_by(kept) => kept,
            _ if *key == Key::None => &passphrase,
            _ => key,
        };
        let repository = Repository::with(objects, config, key)?;
        repository.require_lock(lock)?;
        Ok(repository)
    }

    /// # Errors
    /// `Conflict` when it should be encrypted and is not.
    pub fn require_lock(&self, lock: &Lock) -> Result<()> {
        match *lock != Lock::Open && !self.is_encrypted() {
            true => Err(Error::conflict(
                "This repository is not encrypted, and cannot become so. Name another place.",
            )),
            false => Ok(()),
        }
    }

    fn with(mut objects: Objects, config: Config, key: &Key) -> Result<Self> {
        if let Some(sealed) = &config.key {
            objects.lock = Lock::Recipients(vec![sealed.public.clone()]);
            objects.key = sealed.secret(key)?;
        }
        Ok(Repository { objects, id: config.id, signer: None, signers: Signers::Any })
    }

    /// The same repository; in a folder, so many bytes stay free on its disk.
    pub fn leaving(mut self, reserve_bytes: u64) -> Self {
        self.objects.reserve_bytes = reserve_bytes;
        self
    }

    /// The same repository; what is written is signed, and what is read is held against that key.
    pub fn signed_by(mut self, signer: Signer) -> Self {
        self.signers = Signers::Own(signer.public());
        self.signer = Some(signer);
        self
    }

    /// The same repository; who should have signed it is known.
    pub fn trusting(mut self, signers: Signers) -> Self {
        self.signers = signers;
        self
    }

    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What everything is encrypted to; `None` when nothing is.
    pub fn public_key(&self) -> Option<String> {
        match &self.objects.lock {
            Lock::Recipients(keys) => keys.first().cloned(),
            Lock::Open | Lock::Passphrase(_) => None,
        }
    }

    /// Whether it still is the one that was opened.
    async fn is_current(&self) -> Result<bool> {
        Ok(Config::read(&self.objects).await?.is_some_and(|config| config.id == self.id))
    }

    pub fn is_encrypted(&self) -> bool {
        self.objects.lock != Lock::Open
    }

    /// The key that opens this repository and no other; `None` as long as it is not open.
    pub fn own_key(&self) -> Key {
        self.objects.key.clone()
    }
}
