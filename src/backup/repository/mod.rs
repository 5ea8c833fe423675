//! A repository: a folder or a bucket with many snapshots that share what is the same in them.
//!
//! ```text
//! config.json                                   format, id, and the key, itself encrypted
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
mod folder;
mod hashing;
mod leases;
mod objects;
mod prune;
mod reaching;
mod shipping;
mod snapshots;
mod verify;

use std::{io::Read, path::Path as FilePath};

use anyhow::{Context, anyhow};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use self::objects::Objects;
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
use super::{
    Fault, Key, Lock, Passphrase, Place, REPOSITORY_FORMAT, Signer, Signers, place::object_store,
    sealing,
};
use crate::{
    config::S3Config,
    error::{Error, Result},
    hash::{ContentHash, Digest},
};

const CONFIG: &str = "config.json";

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

#[derive(Serialize, Deserialize)]
struct Config {
    format: u32,
    id: Uuid,
    created_at: Timestamp,
    #[serde(default)]
    key: Option<SealedKey>,
    /// Of the rest, so that a flipped byte is found here too.
    sha256: Option<ContentHash>,
}

/// The repository's own pair of keys.
#[derive(Serialize, Deserialize)]
struct SealedKey {
    public: String,
    /// The secret one: a file of age, in Base64 (RFC 4648).
    secret: String,
}

impl SealedKey {
    /// Whether the secret key itself is among these.
    fn is_opened_by(&self, key: &Key) -> bool {
        let Key::Identities(identities) = key else { return false };
        identities.iter().any(|one| sealing::public(one).is_ok_and(|one| one == self.public))
    }
}

impl Repository {
    /// Whether there is a repository in a folder.
    pub fn is_in(folder: &FilePath) -> bool {
        folder.join(CONFIG).exists()
    }

    /// Opens a repository. Without the right key it can be written to, but not read. `settings` say
    /// how S3 is reached.
    ///
    /// # Errors
    /// `NotFound` when there is none; a [`Fault`] when it is of a later format or `key` does not
    /// open it.
    pub async fn open(place: &Place, settings: &S3Config, key: &Key) -> Result<Self> {
        let objects = Objects::at(place, object_store(place, settings, false)?);
        let Some(config) = read_config(&objects).await? else {
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
        if read_config(&objects).await?.is_none() {
            let config = Config::new(lock, now)?.signed()?;
            let json = serde_json::to_vec_pretty(&config).context("writing a configuration")?;
            // Who comes second takes what the first has written.
            objects.create(CONFIG, json).await?;
        }
        let config = read_config(&objects)
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
            objects.key = secret(sealed, key)?;
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
        Ok(read_config(&self.objects).await?.is_some_and(|config| config.id == self.id))
    }

    pub fn is_encrypted(&self) -> bool {
        self.objects.lock != Lock::Open
    }

    /// The key that opens this repository and no other; `None` as long as it is not open.
    pub fn own_key(&self) -> Key {
        self.objects.key.clone()
    }
}

/// The repository's secret key, opened by one of its own kind or by what encrypts it.
fn secret(sealed: &SealedKey, key: &Key) -> Result<Key> {
    if *key == Key::None {
        return Ok(Key::None);
    }
    if sealed.is_opened_by(key) {
        return Ok(key.clone());
    }
    let bytes = BASE64_STANDARD.decode(&sealed.secret).map_err(|_| Fault::NotABackup)?;
    let mut text = String::new();
    let opened = sealing::open(std::io::Cursor::new(bytes), key)?.read_to_string(&mut text);
    opened.map_err(|_| Fault::NotABackup)?;
    let secret = Passphrase(text);
    // Somebody may have put another public key beside it.
    match sealing::public(&secret).is_ok_and(|public| public == sealed.public) {
        true => Ok(Key::Identities(vec![secret])),
        false => Err(Error::invalid(
            "The two keys in config.json of this repository do not belong together: it was damaged, or \
             somebody has exchanged one of them.",
        )),
    }
}

async fn read_config(objects: &Objects) -> Result<Option<Config>> {
    let Some(json) = objects.read_plain(CONFIG).await? else { return Ok(None) };
    let damaged = || Error::invalid("The file config.json of this repository is damaged.");
    let value: Value = serde_json::from_slice(&json).map_err(|_| damaged())?;
    let config: Config = serde_json::from_value(value.clone()).map_err(|_| damaged())?;
    Fault::if_later(config.format, REPOSITORY_FORMAT)?;
    // Of all that is there: a name that was changed would pass for one that is left out.
    if config.sha256 != Some(checksum(value)?) {
        return Err(damaged());
    }
    Ok(Some(config))
}

/// The checksum of a configuration, whatever it says of it itself.
fn checksum(mut config: Value) -> Result<ContentHash> {
    if let Value::Object(fields) = &mut config {
        fields.remove("sha256");
    }
    Ok(Digest::of(&serde_json::to_vec(&config).context("writing a configuration")?))
}

impl Config {
    fn new(lock: &Lock, created_at: Timestamp) -> Result<Self> {
        let key = match lock {
            Lock::Open => None,
            _ => {
                let (public, Passphrase(secret)) = sealing::new_pair();
                let mut sealed = sealing::seal(Vec::new(), lock)?;
                std::io::Write::write_all(&mut sealed, secret.as_bytes())?;
                Some(SealedKey { public, secret: BASE64_STANDARD.encode(sealed.finish()?) })
            }
        };
        Ok(Config { format: REPOSITORY_FORMAT, id: Uuid::new_v4(), created_at, key, sha256: None })
    }

    fn signed(self) -> Result<Self> {
        let value = serde_json::to_value(&self).context("writing a configuration")?;
        Ok(Config { sha256: Some(checksum(value)?), ..self })
    }
}
