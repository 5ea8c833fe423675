//! A document with all that its own page shows, in one look at the store.

use super::{App, Found, library::with_surroundings, names_of};
use crate::{
    domain::{
        access::{Action, Actor, decide},
        documents::{self, Document, Visibility},
        events::{self, Event},
        groups::Group,
        users::User,
        versions::{self, Version},
    },
    error::Result,
    id::Id,
    store::ReadTx,
};

/// What somebody finds who opens a document.
#[derive(Clone, Debug)]
pub struct Reading {
    pub found: Found,
    /// The newest first, with the name of who uploaded it; no names for those outside of the
    /// organization, here and in `found`.
    pub versions: Vec<(Version, String)>,
    /// What happened last, the newest first; nothing for those outside of the organization.
    pub activity: Vec<Event>,
    /// The names of the groups and people it is shown to, for those who may change that.
    pub seen_by: Vec<String>,
    /// Who moved it to the trash.
    pub trashed_by: Option<String>,
    pub may_edit: bool,
}

/// Events on a document's page.
const ACTIVITY_SHOWN: usize = 12;

impl App {
    /// # Errors
    /// As [`documents::readable`].
    pub async fn reading(&self, actor: Actor, id: Id<Document>) -> Result<Reading> {
        self.store.read(move |tx| reading(tx, &actor, id)).await
    }
}

fn reading(tx: &ReadTx, actor: &Actor, id: Id<Document>) -> Result<Reading> {
    let document = documents::readable(tx, actor, id)?;
    let may_edit = decide(actor, Action::Edit(&document)).is_ok();
    let is_insider = decide(actor, Action::ReadHistory(&document)).is_ok();
    let versions = versions::list(tx, actor, &document)?;
    let trashed_by = document.trashed.and_then(|trashed| trashed.by);
    let people = versions.iter().map(|version| version.created_by).chain(trashed_by);
    let names = names_of(tx, people.filter(|_| is_insider))?;
    let name = |id| names.get(&id).cloned().unwrap_or_default();
    let activity = match is_insider {
        true => events::of_document(tx, actor, &document, ACTIVITY_SHOWN)?,
        false => Vec::new(),
    };
    let seen_by = if may_edit { seen_by(tx, &document.visibility)? } else { Vec::new() };
    let mut found = with_surroundings(tx, document)?;
    if !is_insider {
        found.creator.clear();
    }
    Ok(Reading {
        versions: versions.into_iter().map(|it| (it.clone(), name(it.created_by))).collect(),
        activity,
        seen_by,
        trashed_by: trashed_by.map(name),
        found,
        may_edit,
    })
}

fn seen_by(tx: &ReadTx, visibility: &Visibility) -> Result<Vec<String>> {
    let Visibility::Restricted { groups, people } = visibility else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for id in groups {
        // A deleted group shows the document to nobody.
        names.extend(tx.get::<Group>(id)?.map(|group| group.name));
    }
    for id in people {
        names.extend(tx.get::<User>(id)?.map(|user| user.display_name().to_owned()));
    }
    Ok(names)
}
