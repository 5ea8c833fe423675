//! Encryption by age (<https://age-encryption.org/v1>): to the public keys of recipients, or by a
//! passphrase. `age --decrypt` opens what is written here.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
};

use age::{
    DecryptError, Encryptor, Identity, Recipient, scrypt, secrecy::ExposeSecret, stream, x25519,
};
use anyhow::anyhow;
use serde::{Deserialize, Serialize};

use super::{
    Fault,
    payload::{Damaged, Header},
};
use crate::error::{Error, Result};

/// How every age file begins.
const MAGIC: &[u8] = b"age-encryption.org/";
/// 2^16 rounds of scrypt take 64 MiB and a tenth of a second; a small host has no more to give.
const WORK_LOG2: u8 = 16;
/// What others may have chosen: 256 MiB, and as much as `age` itself chooses on a fast machine.
pub(super) const WORK_LOG2_MAX: u8 = 18;

/// Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Passphrase(pub String);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// How a backup is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// Not at all.
    #[default]
    Open,
    /// To public keys, such as `age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p`.
    Recipients(Vec<String>),
    Passphrase(Passphrase),
}

impl Lock {
    /// # Errors
    /// `Invalid` for a public key or a passphrase that is none.
    pub fn check(&self) -> Result<()> {
        match self {
            Lock::Open => Ok(()),
            Lock::Recipients(texts) if texts.is_empty() => {
                Err(Error::invalid("Name at least one recipient."))
            }
            Lock::Recipients(texts) => recipients(texts).map(drop),
            Lock::Passphrase(Passphrase(text)) if text.chars().count() < 12 => {
                Err(Error::invalid("The passphrase of a backup has at least 12 characters."))
            }
            Lock::Passphrase(_) => Ok(()),
        }
    }
}

/// What opens a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    #[default]
    None,
    /// Secret keys: `AGE-SECRET-KEY-1…`.
    Identities(Vec<Passphrase>),
    Passphrase(Passphrase),
}

impl Key {
    /// What opens again what `lock` locks; `None` when only the owner of a secret key can.
    pub fn of(lock: &Lock) -> Self {
        match lock {
            Lock::Passphrase(text) => Key::Passphrase(text.clone()),
            Lock::Open | Lock::Recipients(_) => Key::None,
        }
    }

    /// The secret keys in a file as `age-keygen` writes it.
    pub fn of_identity_file(text: &str) -> Result<Self> {
        let lines = text.lines().map(str::trim);
        let keys: Vec<Passphrase> = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| Passphrase(line.into()))
            .collect();
        identities(&keys)?;
        match keys.is_empty() {
            true => Err(Error::invalid("There is no key in the identity file.")),
            false => Ok(Key::Identities(keys)),
        }
    }
}

/// A new pair of keys: the public one and the secret one.
pub fn new_pair() -> (String, Passphrase) {
    let identity = x25519::Identity::generate();
    let secret = identity.to_string().expose_secret().to_owned();
    (identity.to_public().to_string(), Passphrase(secret))
}

/// A writer that encrypts, or does not.
pub enum Sealed<W: Write> {
    Open(W),
    Age(Box<stream::StreamWriter<W>>),
}

pub fn seal<W: Write>(out: W, lock: &Lock) -> Result<Sealed<W>> {
    let encryptor = match lock {
        Lock::Open => return Ok(Sealed::Open(out)),
        Lock::Recipients(texts) => {
            let recipients = recipients(texts)?;
            let recipients = recipients.iter().map(|one| one as &dyn Recipient);
            Encryptor::with_recipients(recipients).map_err(|fault| anyhow!(fault))?
        }
        Lock::Passphrase(Passphrase(text)) => {
            let mut recipient = scrypt::Recipient::new(text.clone().into());
            recipient.set_work_factor(WORK_LOG2);
            let recipient: &dyn Recipient = &recipient;
            Encryptor::with_recipients([recipient].into_iter()).map_err(|fault| anyhow!(fault))?
        }
    };
    Ok(Sealed::Age(Box::new(encryptor.wrap_output(out)?)))
}

impl<W: Write> Sealed<W> {
    /// Writes the end; without it nothing can be read.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Sealed::Open(out) => Ok(out),
            Sealed::Age(out) => out.finish(),
        }
    }
}

impl<W: Write> Write for Sealed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sealed::Open(out) => out.write(bytes),
            Sealed::Age(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sealed::Open(out) => out.flush(),
            Sealed::Age(out) => out.flush(),
        }
    }
}

/// A reader that decrypts what is encrypted. What was changed is an error.
pub fn open<R: Read + Send + 'static>(input: R, key: &Key) -> Result<Box<dyn Read + Send>> {
    opened(input, key, Damaged::Refuse)
}

/// As [`open`], and zeros stand for what was changed: for content that has checksums of its own.
pub fn open_past_damage<R: Read + Send + 'static>(
    input: R,
    key: &Key,
) -> Result<Box<dyn Read + Send>> {
    opened(input, key, Damaged::Blank)
}

fn opened<R: Read + Send + 'static>(
    input: R,
    key: &Key,
    damaged: Damaged,
) -> Result<Box<dyn Read + Send>> {
    let mut input = BufReader::with_capacity(64 << 10, input);
    if !begins_like_age(&mut input)? {
        return Ok(Box::new(input));
    }
    let header = Header::read(&mut input)?.ok_or(Fault::NotABackup)?;
    let is_by_passphrase = header.decryptor().map_err(|_| Fault::NotABackup)?.is_scrypt();
    let opened = match key {
        Key::None => return Err(Fault::Locked.into()),
        Key::Passphrase(Passphrase(text)) => {
            let mut identity = scrypt::Identity::new(text.clone().into());
            identity.set_max_work_factor(WORK_LOG2_MAX);
            header.open(input, &[&identity], damaged)
        }
        Key::Identities(keys) => {
            let identities = identities(keys)?;
            let identities: Vec<&dyn Identity> =
                identities.iter().map(|one| one as &dyn Identity).collect();
            header.open(input, &identities, damaged)
        }
    };
    let opened = opened.map_err(|fault| match fault {
        DecryptError::InvalidHeader | DecryptError::InvalidMac => Fault::NotABackup,
        DecryptError::NoMatchingKeys if is_by_passphrase => Fault::Locked,
        DecryptError::ExcessiveWork { required, .. } => Fault::ExcessiveWork(required),
        _ if is_by_passphrase => Fault::WrongPassphrase,
        _ => Fault::WrongKey,
    })?;
    Ok(Box::new(opened))
}

/// A first look may bring less than the whole beginning.
fn begins_like_age(input: &mut impl BufRead) -> io::Result<bool> {
    let begin = input.fill_buf()?;
    let length = begin.len().min(MAGIC.len());
    Ok(length > 0 && begin[..length] == MAGIC[..length])
}

fn recipients(texts: &[String]) -> Result<Vec<x25519::Recipient>> {
    let parse = |text: &String| {
        text.trim().parse().map_err(|_| {
            Error::invalid(format!(
                "“{text}” is no public key of age. One looks like age1ql3z7hjy54pw3hyww5ayyfg7zq…"
            ))
        })
    };
    texts.iter().map(parse).collect()
}

fn identities(keys: &[Passphrase]) -> Result<Vec<x25519::Identity>> {
    let parse = |Passphrase(text): &Passphrase| {
        text.parse().map_err(|_| {
            Error::invalid(
                "The identity file holds something that is no key of age (AGE-SECRET-KEY-1…).",
            )
        })
    };
    keys.iter().map(parse).collect()
}

/// The public key of a secret one.
pub fn public(Passphrase(secret): &Passphrase) -> Result<String> {
    let identities = identities(&[Passphrase(secret.clone())])?;
    Ok(identities.iter().map(|one| one.to_public().to_string()).collect())
}
