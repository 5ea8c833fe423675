//! What must be true between records: for the command `check`, which walks through all of them.

use super::{
    backups::{Plan, Run},
    blobs::Blob,
    categories::Category,
    certificates::{AcmeAccount, Certificate, SelfSigned},
    documents::{Document, Kind},
    events::Event,
    groups::{Group, GroupMember},
    jobs::Job,
    memberships::Membership,
    organizations::Organization,
    sessions::Session,
    settings::Settings,
    storage::{FileFault, Migration, Owner, Scrubbing},
    tokens::ApiToken,
    users::User,
    versions::Version,
};
use crate::{
    error::Result,
    store::{ReadTx, Record},
};

/// A record that names others.
pub(super) trait Sound: Record {
    /// What is wrong with what it says about others; each ends the sentence "The record …".
    fn faults(&self, _tx: &ReadTx) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

impl Sound for Settings {}
impl Sound for Organization {}
impl Sound for User {}
impl Sound for Blob {}
impl Sound for Job {}
impl Sound for Plan {}
impl Sound for Run {}
impl Sound for Scrubbing {}
impl Sound for Migration {}
impl Sound for Owner {}
/// It may outlive its file until the next look.
impl Sound for FileFault {}
impl Sound for AcmeAccount {}
impl Sound for Certificate {}
impl Sound for SelfSigned {}
/// The names in an event outlive what they name.
impl Sound for Event {}

impl Sound for Membership {
    fn faults(&self, tx: &ReadTx) -> Result<Vec<String>> {
        let mut faults = Faults::default();
        faults.require::<Organization>(tx, "organization", &self.organization)?;
        faults.require::<User>(tx, "user", &self.user)?;
        Ok(faults.0)
    }
}

impl Sound for Group {
    fn faults(&self, tx: &ReadTx) -> Result<Vec<String>> {
        let mut faults = Faults::default();
        faults.require::<Organization>(tx, "organization", &self.organization)?;
        Ok(faults.0)
    }
}

impl Sound for GroupMember {
    fn faults(&self, tx: &ReadTx) -> Result<Vec<String>> {
        let mut faults = Faults::default();
        faults.require::<Group>(tx, "group", &self.group)?;
        faults.require::<User>(tx, "user", &self.user)?;
        Ok(faults.0)
    }
}

impl Sound for Category {
    fn faults(&self, tx: &ReadTx) -> Result<Vec<String>> {
        let mut faults = Faults::default();
        faults.require::<Organization>(tx, "organization", &self.organization)?;
        Ok(faults.0)
    }
}

/// Groups and people that may see it are left out: they stay in the list when they are deleted, and
/// nobody will ever have their ids again.
impl Sound for Document {
    fn faults(&self, tx: &ReadTx) -> Result<Vec<String>> {
        let mut faults = Faults::default();
        faults.require::<Organization>(tx, "organization", &self.organization)?;
        faults.require::<User>(tx, "creator", &self.created_by)?;
        if let Some(category) = &self.category {
            faults.require::<Category>(tx, "category", category)?;
        }
        match &self.current {
            Some(current) => match tx.get::<Version>(&current.version)? {
                None => faults
                    .add(format!("names the version {}, which does not exist", current.version)),
                Some(version) if version.document != self.id => {
                    faults.add(format!("names the version {} of another document", version.id));
                }
                Some(version) if version.blob != current.blob => {
                    faults.add(format!("names another file than its version {}", version.id));
                }
                Some(_) => {}
            },
            None if self.link.is_none() => faults.add("has neither a file nor a link".into()),
            None if self.kind != Kind::Link => faults.add("has no file".into()),
            None => {}
        }
        Ok(faults.0)
    }
}

impl Sound for Version {
    fn faults(&self, tx: &ReadTx) -> Result<Vec<String>> {
        let mut faults = Faults::default();
        faults.require::<Document>(tx, "document", &self.document)?;
        match tx.get::<Blob>(&self.blob)? {
            None => {
                faults.add(format!("names the file {}, of which there is no record", self.blob))
            }
            Some(blob) if blob.size_bytes != self.size_bytes => {
                faults.add(format!("says another size than its file {}", self.blob));
            }
            Some(_) => {}
        }
        Ok(faults.0)
    }
}

impl Sound for Session {
    fn faults(&self, tx: &ReadTx) -> Result<Vec<String>> {
        let mut faults = Faults::default();
        faults.require::<User>(tx, "user", &self.user)?;
        Ok(faults.0)
    }
}

impl Sound for ApiToken {
    fn faults(&self, tx: &ReadTx) -> Result<Vec<String>> {
        let mut faults = Faults::default();
        faults.require::<User>(tx, "user", &self.user)?;
        Ok(faults.0)
    }
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn require<R: Record>(&mut self, tx: &ReadTx, what: &str, key: &R::Key) -> Result<()>
    where
        R::Key: std::fmt::Display,
    {
        // One that is there and cannot be read is a fault of its own.
        if let Ok(None) = tx.get::<R>(key) {
            self.add(format!("names the {what} {key}, which does not exist"));
        }
        Ok(())
    }

    fn add(&mut self, fault: String) {
        self.0.push(fault);
    }
}
