//! To whom the files in a bucket belong. A small object beside them names one portal, and only that
//! portal removes anything there. Every other one that was given the same bucket and prefix (a copy
//! for a test, a restored backup, a new server that was set up by mistake) reads and adds, and leaves
//! alone what it does not know: it may be all that somebody else has.

use std::sync::{Arc, PoisonError};

use object_store::{ObjectStore, ObjectStoreExt, PutPayload, path::Path as Key};

use super::{Direction, Remote, failed};
use crate::error::{Error, Result};

/// Holds the id of the owner.
pub(super) const OWNER: &str = "appliance-owner";

/// Whether the files there are this portal's to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// S3 was not asked yet, or did not answer.
    Unknown,
    Ours,
    /// There were files when this portal came, or another one has claimed them since.
    Others,
}

impl Remote {
    /// As it was when somebody looked last.
    pub fn ownership(&self) -> Ownership {
        *self.ownership.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether files may be removed there. Asks S3 only when that is not known yet.
    ///
    /// # Errors
    /// `Busy` while S3 is away.
    pub async fn is_ours(self: &Arc<Self>) -> Result<bool> {
        let known = match self.ownership() {
            Ownership::Unknown => self.look_at_owner().await?,
            known => known,
        };
        Ok(known == Ownership::Ours)
    }

    /// Looks who the owner is. A place without files and without an owner becomes ours.
    ///
    /// # Errors
    /// `Busy` while S3 is away.
    pub async fn look_at_owner(self: &Arc<Self>) -> Result<Ownership> {
        let ownership = match self.named_owner().await? {
            Some(owner) if owner == self.owner.to_string() => Ownership::Ours,
            Some(_) => Ownership::Others,
            None if self.has_files().await? => Ownership::Others,
            None => return self.claim().await.map(|()| Ownership::Ours),
        };
        self.note_ownership(ownership);
        Ok(ownership)
    }

    /// Makes this portal the owner, whoever was it before.
    ///
    /// # Errors
    /// `Busy` while S3 is away.
    pub async fn claim(self: &Arc<Self>) -> Result<()> {
        let pass = self.admit(Direction::Write)?;
        let key = self.full_key(OWNER);
        let name = PutPayload::from(self.owner.to_string());
        let put = self.store.put(&key, name).await;
        self.judged(Direction::Write, pass, put)
            .await?
            .map_err(|fault| failed(fault, || format!("writing object {key}")))?;
        self.note_ownership(Ownership::Ours);
        Ok(())
    }

    async fn named_owner(self: &Arc<Self>) -> Result<Option<String>> {
        let pass = self.admit(Direction::Read)?;
        let key = self.full_key(OWNER);
        let found = match self.store.get(&key).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match self.judged(Direction::Read, pass, found).await? {
            Ok(name) => Ok(Some(String::from_utf8_lossy(&name).trim().to_owned())),
            Err(fault) if fault.is_missing_object() => Ok(None),
            Err(fault) => Err(failed(fault, || format!("reading object {key}"))),
        }
    }

    /// Whether a folder of files is there.
    async fn has_files(self: &Arc<Self>) -> Result<bool> {
        let pass = self.admit(Direction::Read)?;
        let root = Some(Key::from(self.config.prefix.as_str())).filter(|root| !root.is_root());
        let listed = self.store.list_with_delimiter(root.as_ref()).await;
        let listed = self
            .judged(Direction::Read, pass, listed)
            .await?
            .map_err(|fault| failed(fault, || format!("listing {}", self.name())))?;
        let is_of_files = |folder: &Key| {
            let name = folder.filename().unwrap_or_default();
            name.len() == 2 && u8::from_str_radix(name, 16).is_ok()
        };
        Ok(listed.common_prefixes.iter().any(is_of_files))
    }

    fn note_ownership(&self, ownership: Ownership) {
        let mut known = self.ownership.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != ownership && ownership == Ownership::Others {
            tracing::warn!(
                "the files in {} belong to another portal, or were there before this one: nothing is \
                 removed there until “appliance storage claim”",
                self.name()
            );
        }
        *known = ownership;
    }

    /// For acts that are for the owner alone.
    pub async fn must_be_ours(self: &Arc<Self>) -> Result<()> {
        match self.is_ours().await? {
            true => Ok(()),
            false => Err(Error::conflict(format!(
                "The files in {} belong to another portal, or were there before this one, so nothing \
                 is removed there. If no other portal uses them: appliance storage claim.",
                self.name()
            ))),
        }
    }
}
