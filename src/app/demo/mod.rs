//! The sample organization of `serve --demo`: an investment house that owns a textile studio.
//!
//! It comes about in the same ways as everything else: people are added, files are received, and
//! documents are put into the library by their authors. The files are made here, so that the
//! program carries no binary samples.

mod documents;
mod manuscript;
mod office;
mod pdf;
mod people;
mod pictures;

use std::{fmt, sync::Arc};

use super::App;
use crate::{
    domain::{organizations::Organization, passwords, users::User},
    error::Result,
    store::ReadTx,
};

const ORGANIZATION: &str = "Alder & Loom";

/// What came of filling the portal.
pub enum Demo {
    Filled(Sample),
    /// Somebody uses this portal already: nothing was added.
    NotEmpty,
}

/// What a person must know to look around; `Display` says it in lines.
pub struct Sample {
    /// The same for everybody, and made anew each time.
    pub password: String,
    pub people: Vec<(User, &'static str)>,
    pub documents: usize,
}

impl App {
    /// Fills an empty portal with a sample organization.
    pub async fn fill_with_demo(self: &Arc<Self>) -> Result<Demo> {
        if !self.store.read(is_empty).await? {
            return Ok(Demo::NotEmpty);
        }
        let password = passwords::generate()?;
        let people = people::add(self, &password).await?;
        let documents = documents::add(self, &people).await?;
        Ok(Demo::Filled(Sample { password, people: people.with_roles(), documents }))
    }
}

fn is_empty(tx: &ReadTx) -> Result<bool> {
    let has_organization = tx.records::<Organization>().iter()?.next().transpose()?.is_some();
    let has_user = tx.records::<User>().iter()?.next().transpose()?.is_some();
    Ok(!has_organization && !has_user)
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (password, documents) = (&self.password, self.documents);
        writeln!(f, "“{ORGANIZATION}” has {documents} documents. Sign in as one of:")?;
        for (user, role) in &self.people {
            writeln!(f, "  {:8} {:14} {}", user.username, role, user.full_name)?;
        }
        writeln!(f, "The password of all of them, shown only now: {password}")
    }
}
