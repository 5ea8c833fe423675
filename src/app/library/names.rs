//! Names for ids: what a list shows beside a document.

use std::collections::{BTreeMap, btree_map::Entry};

use super::{Facets, Found};
use crate::{
    app::App,
    domain::{
        access::{Action, Actor, decide},
        blobs::Blob,
        categories::{self, Category},
        documents::{Document, Kind},
        file_type::FileType,
        memberships,
        users::User,
    },
    error::Result,
    id::Id,
    search,
    store::ReadTx,
};

impl App {
    /// What the chosen category and person are called, also where nothing of theirs is found.
    pub async fn names_of_filters(
        &self,
        actor: Actor,
        category: Option<Id<Category>>,
        person: Option<Id<User>>,
    ) -> Result<(Option<String>, Option<String>)> {
        let organization = actor.at_work()?;
        decide(&actor, Action::Browse(organization))?;
        self.store
            .read(move |tx| {
                let category = match category {
                    Some(id) => categories::find(tx, organization, id)?,
                    None => None,
                };
                let person = match person {
                    Some(id) if memberships::role(tx, organization, id)?.is_some() => {
                        tx.get(&id)?
                    }
                    _ => None,
                };
                Ok((
                    category.map(|category| category.name),
                    person.map(|person: User| person.display_name().to_owned()),
                ))
            })
            .await
    }
}

/// A document that the actor may read with what stands beside it in a list.
pub fn with_surroundings(tx: &ReadTx, document: Document) -> Result<Found> {
    let category = document.category.map(|id| tx.get::<Category>(&id)).transpose()?.flatten();
    let creator = tx.get::<User>(&document.created_by)?;
    let blob = match &document.current {
        Some(file) => tx.get::<Blob>(&file.blob)?,
        None => None,
    };
    Ok(Found {
        category: category.map(|category| category.name),
        creator: creator.map(|user| user.display_name().to_owned()).unwrap_or_default(),
        blob,
        document,
        title_html: None,
        snippets: Vec::new(),
    })
}

pub(super) fn named(tx: &ReadTx, facets: search::Facets) -> Result<Facets> {
    let mut named = Facets { tags: facets.tags, years: facets.years, ..Facets::default() };
    for (id, count) in facets.categories {
        if let Some(category) = tx.get::<Category>(&Id::from_uuid(id))? {
            named.categories.push((category.id, category.name, count));
        }
    }
    for (id, count) in facets.persons {
        if let Some(user) = tx.get::<User>(&Id::from_uuid(id))? {
            named.people.push((user.id, user.display_name().to_owned(), count));
        }
    }
    for (name, count) in facets.kinds {
        if let Ok(kind) = Kind::from_name(&name) {
            named.kinds.push((kind, count));
        }
    }
    for (name, count) in facets.file_types {
        named.file_types.extend(FileType::from_name(&name).map(|one| (one, count)));
    }
    Ok(named)
}

/// The names of people, for whoever shows ids.
pub fn names_of(
    tx: &ReadTx,
    users: impl IntoIterator<Item = Id<User>>,
) -> Result<BTreeMap<Id<User>, String>> {
    let mut names = BTreeMap::new();
    for id in users {
        if let Entry::Vacant(vacant) = names.entry(id)
            && let Some(user) = tx.get::<User>(&id)?
        {
            vacant.insert(user.display_name().to_owned());
        }
    }
    Ok(names)
}
