//! The configuration of a repository: without it nobody knows whose the rest is, and of an encrypted one
//! nobody else has the key. So there are two copies of it, and one will do.

use std::io::{Cursor, Read, Write};

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{is_unreachable, objects::Objects};
use crate::{
    backup::{Fault, Key, Lock, Passphrase, REPOSITORY_FORMAT, sealing},
    error::{Error, Result},
    hash::{ContentHash, Digest},
};

/// Where it lies. Repositories of earlier versions get the second one with their next snapshot.
pub(super) const COPIES: [&str; 2] = ["config.json", "config-copy.json"];

#[derive(Serialize, Deserialize)]
pub(super) struct Config {
    format: u32,
    pub id: Uuid,
    created_at: Timestamp,
    #[serde(default)]
    pub key: Option<SealedKey>,
    /// Of the rest, so that a flipped byte is found here too.
    sha256: Option<ContentHash>,
    /// As it was read, with what this version may not know.
    #[serde(skip)]
    json: Vec<u8>,
}

/// The repository's own pair of keys.
#[derive(Serialize, Deserialize)]
pub(super) struct SealedKey {
    pub public: String,
    /// The secret one: a file of age, in Base64 (RFC 4648).
    secret: String,
}

impl Config {
    /// Writes the first copy of a new one; who comes second takes what the first has written.
    pub async fn begin(objects: &Objects, lock: &Lock, now: Timestamp) -> Result<()> {
        let json = serde_json::to_vec_pretty(&Config::new(lock, now)?.signed()?);
        objects.create(COPIES[0], json.context("writing a configuration")?).await
    }

    /// The first copy that is whole; `None` when there is none.
    ///
    /// # Errors
    /// `Invalid` when there are some and none is whole, or when they are of a later format.
    pub async fn read(objects: &Objects) -> Result<Option<Self>> {
        let first = read_copy(objects, COPIES[0]).await;
        if matches!(&first, Ok(Some(_))) || first.as_ref().is_err_and(is_unreachable) {
            return first;
        }
        match (first, read_copy(objects, COPIES[1]).await) {
            (_, Ok(Some(second))) => Ok(Some(second)),
            (Err(fault), Ok(None)) => Err(fault),
            (Err(fault), Err(other)) if !is_unreachable(&other) => Err(fault),
            (_, second) => second,
        }
    }

    /// Writes the copies anew that are damaged or gone. One that is whole stays, whatever it says.
    pub async fn keep(&self, objects: &Objects) -> Result<()> {
        for name in COPIES {
            match read_copy(objects, name).await {
                Ok(Some(_)) => {}
                Err(fault) if is_unreachable(&fault) => return Err(fault),
                Ok(None) | Err(_) => objects.write_plain(name, self.json.clone()).await?,
            }
        }
        Ok(())
    }

    /// What is wrong with the copies; sentences.
    pub async fn damages(objects: &Objects) -> Result<Vec<String>> {
        let (mut damages, mut first) = (Vec::new(), None);
        for name in COPIES {
            match read_copy(objects, name).await {
                Ok(Some(config)) if *first.get_or_insert(config.sha256) == config.sha256 => {}
                Ok(Some(_)) => damages.push(format!(
                    "{name} says something else than {}: somebody has exchanged one of them.",
                    COPIES[0]
                )),
                // Earlier versions wrote one.
                Ok(None) if name != COPIES[0] => {}
                Ok(None) => damages.push(format!("{name} is missing.")),
                Err(fault) if is_unreachable(&fault) => return Err(fault),
                Err(_) => damages.push(format!("{name} is damaged.")),
            }
        }
        Ok(damages)
    }

    fn new(lock: &Lock, created_at: Timestamp) -> Result<Self> {
        let key = match lock {
            Lock::Open => None,
            _ => {
                let (public, Passphrase(secret)) = sealing::new_pair();
                let mut sealed = sealing::seal(Vec::new(), lock)?;
                sealed.write_all(secret.as_bytes())?;
                Some(SealedKey { public, secret: BASE64_STANDARD.encode(sealed.finish()?) })
            }
        };
        let (format, id) = (REPOSITORY_FORMAT, Uuid::new_v4());
        Ok(Config { format, id, created_at, key, sha256: None, json: Vec::new() })
    }

    fn signed(self) -> Result<Self> {
        let value = serde_json::to_value(&self).context("writing a configuration")?;
        Ok(Config { sha256: Some(checksum(value)?), ..self })
    }
}

async fn read_copy(objects: &Objects, name: &str) -> Result<Option<Config>> {
    let Some(json) = objects.read_plain(name).await? else { return Ok(None) };
    let damaged = || {
        Error::invalid(format!(
            "The file {name} of this repository is damaged, and there is no other copy of it that is \
             whole. Bring back one that was saved with the place, or begin another repository."
        ))
    };
    let value: Value = serde_json::from_slice(&json).map_err(|_| damaged())?;
    Fault::if_of_later_format(&value, REPOSITORY_FORMAT)?;
    let config = Config::deserialize(&value).map_err(|_| damaged())?;
    // Of all that is there: a name that was changed would pass for one that is left out.
    match config.sha256 == Some(checksum(value)?) {
        true => Ok(Some(Config { json, ..config })),
        false => Err(damaged()),
    }
}

/// The checksum of a configuration, whatever it says of it itself.
fn checksum(mut config: Value) -> Result<ContentHash> {
    if let Value::Object(fields) = &mut config {
        fields.remove("sha256");
    }
    Ok(Digest::of(&serde_json::to_vec(&config).context("writing a configuration")?))
}

impl SealedKey {
    /// Whether the secret key itself is among these.
    pub fn is_opened_by(&self, key: &Key) -> bool {
        let Key::Identities(identities) = key else { return false };
        identities.iter().any(|one| sealing::public(one).is_ok_and(|one| one == self.public))
    }

    /// The repository's secret key, opened by one of its own kind or by what encrypts it.
    pub fn secret(&self, key: &Key) -> Result<Key> {
        if *key == Key::None {
            return Ok(Key::None);
        }
        if self.is_opened_by(key) {
            return Ok(key.clone());
        }
        let bytes = BASE64_STANDARD.decode(&self.secret).map_err(|_| Fault::NotABackup)?;
        let mut text = String::new();
        let opened = sealing::open(Cursor::new(bytes), key)?.read_to_string(&mut text);
        opened.map_err(|_| Fault::NotABackup)?;
        let secret = Passphrase(text);
        // Somebody may have put another public key beside it.
        match sealing::public(&secret).is_ok_and(|public| public == self.public) {
            true => Ok(Key::Identities(vec![secret])),
            false => Err(Error::invalid(
                "The two keys in config.json of this repository do not belong together: it was damaged, \
                 or somebody has exchanged one of them.",
            )),
        }
    }
}
