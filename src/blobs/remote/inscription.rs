//! The object that says to whom a bucket belongs: `name process`, two ids, and the word `disputed`
//! when two processes have come under the same name; then a check, so that a bit that was lost on the
//! way never makes a twin. It is only ever written on the condition that
//! nobody has changed it since it was read, and read again afterwards: some servers pass over
//! conditions.

use std::{fmt, str::FromStr, sync::Arc};

use bytes::Bytes;
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
    path::Path as Key,
};
use uuid::Uuid;

use super::{Direction, Remote, failed};
use crate::{error::Result, hash::Digest, s3::Fault};

pub(super) const OWNER: &str = "appliance-owner";
/// Two ids and a word; whatever is longer is not ours.
const BYTES_MAX: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inscription {
    /// Of the portal; it lasts.
    pub name: Uuid,
    /// Of the process that took over last. Nil in what an earlier version wrote.
    pub process: Uuid,
    pub is_disputed: bool,
}

impl fmt::Display for Inscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disputed = if self.is_disputed { " disputed" } else { "" };
        write!(f, "{} {}{disputed} {}", self.name, self.process, self.check())
    }
}

impl Inscription {
    fn check(&self) -> String {
        let text = format!("{} {} {}", self.name, self.process, self.is_disputed);
        let hash = Digest::of(text.as_bytes()).to_string();
        format!("#{}", &hash[..8])
    }
}

/// Not what we write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Illegible;

impl FromStr for Inscription {
    type Err = Illegible;

    fn from_str(text: &str) -> Result<Self, Illegible> {
        let id = |word: &str| word.parse::<Uuid>().map_err(|_| Illegible);
        let mut words = text.split_whitespace().peekable();
        let name = id(words.next().unwrap_or_default())?;
        let process = words.next().map_or(Ok(Uuid::nil()), id)?;
        let is_disputed = words.next_if_eq(&"disputed").is_some();
        let inscription = Inscription { name, process, is_disputed };
        // Earlier versions, and people, write none.
        match words.next() {
            Some(check) if check != inscription.check() => Err(Illegible),
            _ => Ok(inscription),
        }
    }
}

/// What is there instead of, or as, an inscription.
pub(super) enum Found {
    Nothing,
    /// Something that cannot be read or understood, and why, for a person; with its version when S3
    /// told it.
    Unreadable(String, Option<UpdateVersion>),
    Named(Inscription, UpdateVersion),
}

impl Found {
    /// A write that succeeds only while this is still there.
    pub fn mode(&self) -> PutMode {
        match self {
            Found::Nothing => PutMode::Create,
            Found::Unreadable(_, None) => PutMode::Overwrite,
            Found::Unreadable(_, Some(version)) | Found::Named(_, version) => {
                match version.e_tag.is_some() {
                    true => PutMode::Update(version.clone()),
                    false => PutMode::Overwrite,
                }
            }
        }
    }
}

impl Remote {
    /// # Errors
    /// `Busy` while S3 is away.
    pub(super) async fn inscription(self: &Arc<Self>) -> Result<Found> {
        let pass = self.admit(Direction::Read)?;
        let key = self.full_key(OWNER);
        match self.read(pass, || self.get_small(&key)).await? {
            Ok((meta, bytes)) => {
                let version = UpdateVersion { e_tag: meta.e_tag, version: meta.version };
                let text = bytes.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok());
                Ok(match text.map(str::parse::<Inscription>) {
                    Some(Ok(inscription)) => Found::Named(inscription, version),
                    _ => Found::Unreadable("it does not hold two names".into(), Some(version)),
                })
            }
            Err(fault) if fault.is_missing_object() => Ok(Found::Nothing),
            Err(fault) => {
                tracing::debug!("object {key} cannot be read: {}", fault.text);
                let resource = format!("arn:aws:s3:::{}/{key}", self.config.bucket);
                let advice = fault.advice("s3:GetObject", &resource);
                Ok(Found::Unreadable(advice, None))
            }
        }
    }

    /// An object, without its bytes when they are too many.
    async fn get_small(&self, key: &Key) -> object_store::Result<(ObjectMeta, Option<Bytes>)> {
        let found = self.store.get(key).await?;
        let meta = found.meta.clone();
        let bytes = match meta.size > BYTES_MAX {
            true => None,
            false => Some(found.bytes().await?),
        };
        Ok((meta, bytes))
    }

    /// Writes it in place of what was found. `false` when somebody else was quicker.
    ///
    /// # Errors
    /// `Busy` while S3 is away.
    pub(super) async fn inscribe(
        self: &Arc<Self>,
        inscription: Inscription,
        found: &Found,
    ) -> Result<bool> {
        let key = self.full_key(OWNER);
        match self.write_inscription(&key, inscription, found.mode()).await? {
            Ok(()) => {}
            // Also when our own first try arrived and its answer was lost: the look tells.
            Err(fault) if fault.is_conflict() => {}
            Err(fault) if fault.is_not_implemented() => {
                let written = self.write_inscription(&key, inscription, PutMode::Overwrite).await?;
                written.map_err(|fault| failed(fault, || format!("writing object {key}")))?;
            }
            Err(fault) => return Err(failed(fault, || format!("writing object {key}"))),
        }
        let is_there = |found| matches!(found, Found::Named(there, _) if there == inscription);
        self.inscription().await.map(is_there)
    }

    async fn write_inscription(
        self: &Arc<Self>,
        key: &Key,
        inscription: Inscription,
        mode: PutMode,
    ) -> Result<Result<(), Fault>> {
        let pass = self.admit(Direction::Write)?;
        let payload = PutPayload::from(inscription.to_string());
        let options = PutOptions { mode, attributes: self.attributes(), ..PutOptions::default() };
        let put = self.store.put_opts(key, payload, options).await.map(drop);
        self.judged(Direction::Write, pass, put).await
    }

    /// Whether a folder of files is there.
    pub(super) async fn has_files(self: &Arc<Self>) -> Result<bool> {
        let pass = self.admit(Direction::Read)?;
        let root = Some(Key::from(self.config.prefix.as_str())).filter(|root| !root.is_root());
        let listed = self
            .read(pass, || self.store.list_with_delimiter(root.as_ref()))
            .await?
            .map_err(|fault| failed(fault, || format!("listing {}", self.name())))?;
        let is_of_files = |folder: &Key| {
            let name = folder.filename().unwrap_or_default();
            name.len() == 2 && u8::from_str_radix(name, 16).is_ok()
        };
        Ok(listed.common_prefixes.iter().any(is_of_files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inscription_is_read_as_it_was_written_and_nothing_else_is() {
        let (name, process) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for is_disputed in [false, true] {
            let inscription = Inscription { name, process, is_disputed };
            assert_eq!(inscription.to_string().parse(), Ok(inscription));
        }
        let early: Inscription = format!("{name}\n").parse().expect("an early one");
        assert_eq!((early.name, early.process, early.is_disputed), (name, Uuid::nil(), false));
        let written = Inscription { name, process, is_disputed: false }.to_string();
        let flipped = written.replace("00000002 ", "00000003 ");
        assert_ne!(flipped, written);
        for wrong in ["", " ", "ours", &format!("{name} mine"), &flipped] {
            assert!(wrong.parse::<Inscription>().is_err(), "{wrong:?}");
        }
    }
}
