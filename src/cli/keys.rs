//! What encrypts a backup and what opens it, as flags.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, backup::read_text};
use crate::backup::{Key, Lock, Passphrase};

#[derive(Debug, Args)]
pub struct Locking {
    /// Encrypt to a public key of age (age1…); may be given several times
    #[arg(long, value_name = "KEY")]
    recipient: Vec<String>,
    /// Encrypt with the passphrase in the first line of a file; "-" is the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "recipient")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Opening {
    /// Open it with the secret keys in a file of age (AGE-SECRET-KEY-1…)
    #[arg(long, value_name = "FILE")]
    identity_file: Option<PathBuf>,
    /// Open it with the passphrase in the first line of a file; "-" is the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "identity_file")]
    passphrase_file: Option<PathBuf>,
}

impl Locking {
    pub fn lock(&self) -> Result<Lock, Failure> {
        let lock = match &self.passphrase_file {
            Some(path) => Lock::Passphrase(passphrase(path)?),
            None if self.recipient.is_empty() => Lock::Open,
            None => Lock::Recipients(self.recipient.clone()),
        };
        lock.check()?;
        Ok(lock)
    }
}

impl Opening {
    /// The same flags for another run of this program.
    pub fn flags(&self) -> Vec<String> {
        let flag = |name: &str, path: &Option<PathBuf>| {
            path.iter().map(|path| format!("--{name}={}", path.display())).collect::<Vec<_>>()
        };
        let mut flags = flag("identity-file", &self.identity_file);
        flags.extend(flag("passphrase-file", &self.passphrase_file));
        flags
    }

    pub fn reads_standard_input(&self) -> bool {
        [&self.identity_file, &self.passphrase_file]
            .into_iter()
            .flatten()
            .any(|path| path == Path::new("-"))
    }

    pub fn key(&self) -> Result<Key, Failure> {
        match (&self.passphrase_file, &self.identity_file) {
            (Some(path), _) => Ok(Key::Passphrase(passphrase(path)?)),
            (None, Some(path)) => Ok(Key::of_identity_file(&read(path)?)?),
            (None, None) => Ok(Key::None),
        }
    }
}

fn passphrase(path: &Path) -> Result<Passphrase, Failure> {
    let text = read(path)?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(Passphrase(line.into())),
        None => Err(Failure::usage(format!("The first line of {} is empty.", path.display()))),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    read_text(path).map_err(|error| {
        Failure::usage(format!("The file {} cannot be read: {error}.", path.display()))
    })
}
