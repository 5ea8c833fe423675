//! Categories: the shelves of a library. A document stands on one or on none.

use serde::{Deserialize, Serialize};

use super::{
    access::{Action, Actor, decide},
    documents,
    events::{self, Verb},
    jobs::{self, Task},
    organizations::Organization,
    text,
};
use crate::{
    error::{Error, Result},
    id::Id,
    store::{Index, IndexEntries, ReadTx, Record, Table, WriteTx},
    together::together,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Category {
    pub id: Id<Category>,
    pub organization: Id<Organization>,
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// Set while its documents move to another one.
    #[serde(default)]
    pub is_leaving: bool,
    /// Where they move meanwhile; `None` also when they are to stand in no category.
    #[serde(default)]
    pub moving_to: Option<Id<Category>>,
    pub created_at: jiff::Timestamp,
}

impl Record for Category {
    const TABLE: Table = Table { number: 7, name: "categories" };

    type Key = Id<Category>;

    fn key(&self) -> Self::Key {
        self.id
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&BY_NAME, &(self.organization, text::fold(&self.name)));
    }
}

/// Every list shows all of them, and anybody who uploads may name a new one.
const CATEGORIES_MAX: u64 = 1_000;

const BY_NAME: Index<Category, (Id<Organization>, String)> = Index::unique(1);

/// The categories of an organization by name.
pub fn list(tx: &ReadTx, organization: Id<Organization>) -> Result<Vec<Category>> {
    let all = tx.index(&BY_NAME).within(&organization).records()?;
    all.filter(|category| !category.as_ref().is_ok_and(|category| category.is_leaving)).collect()
}

pub fn get(tx: &ReadTx, organization: Id<Organization>, id: Id<Category>) -> Result<Category> {
    find(tx, organization, id)?.ok_or_else(|| Error::not_found("category"))
}

pub fn find(
    tx: &ReadTx,
    organization: Id<Organization>,
    id: Id<Category>,
) -> Result<Option<Category>> {
    let category = tx.get::<Category>(&id)?;
    Ok(category.filter(|category| category.organization == organization))
}

/// The category with this name, however it is capitalized.
pub fn by_name(
    tx: &ReadTx,
    organization: Id<Organization>,
    name: &str,
) -> Result<Option<Category>> {
    tx.find(&BY_NAME, &(organization, text::fold(name.trim())))
}

/// The category with this name, made when it is new: anybody who adds documents may name one.
/// An empty name is no category.
pub fn named(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    name: &str,
) -> Result<Option<Category>> {
    decide(actor, Action::Upload(organization))?;
    let name = text::optional_line("category", name, 100)?;
    if name.is_empty() {
        return Ok(None);
    }
    match tx.find(&BY_NAME, &(organization, text::fold(&name)))? {
        Some(known) if known.is_leaving => Err(Error::conflict(format!(
            "The category “{name}” is being merged. Try again when that is done."
        ))),
        Some(known) => Ok(Some(known)),
        None => insert(tx, actor, organization, name, String::new()).map(Some),
    }
}

pub fn create(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    name: &str,
    description: &str,
) -> Result<Category> {
    decide(actor, Action::Curate(organization))?;
    let (name, description) = together((
        free_name(tx, organization, name, None),
        text::paragraph("description", description, 1_000),
    ))?;
    insert(tx, actor, organization, name, description)
}

fn insert(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    name: String,
    description: String,
) -> Result<Category> {
    if tx.index(&BY_NAME).within(&organization).count()? >= CATEGORIES_MAX {
        return Err(Error::conflict("There are 1,000 categories. Merge some of them first."));
    }
    let category = Category {
        id: tx.new_id(),
        organization,
        name,
        description,
        is_leaving: false,
        moving_to: None,
        created_at: tx.now(),
    };
    tx.put(&category)?;
    events::record(
        tx,
        actor,
        organization,
        Verb::CategoryCreated,
        category.id,
        &category.name,
        None,
    )?;
    Ok(category)
}

pub fn edit(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<Category>,
    name: &str,
    description: &str,
) -> Result<Category> {
    decide(actor, Action::Curate(organization))?;
    let mut category = get(tx, organization, id)?;
    if category.is_leaving {
        return Err(Error::conflict("This category is being merged into another one."));
    }
    let old_name = category.name.clone();
    (category.name, category.description) = together((
        free_name(tx, organization, name, Some(id)),
        text::paragraph("description", description, 1_000),
    ))?;
    tx.put(&category)?;
    events::record(
        tx,
        actor,
        organization,
        Verb::CategoryChanged,
        id,
        &category.name,
        Some(&old_name),
    )?;
    Ok(category)
}

/// Moves all documents of a category to another one, or to none, by a job, and then removes it.
///
/// # Errors
/// `Conflict` while it is being merged already, or others are being merged into it: their documents
/// would arrive in a category that is gone.
pub fn merge(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    from: Id<Category>,
    to: Option<Id<Category>>,
) -> Result<()> {
    decide(actor, Action::Curate(organization))?;
    let mut leaving = get(tx, organization, from)?;
    let target = to.map(|to| get(tx, organization, to)).transpose()?;
    if to == Some(from) || target.as_ref().is_some_and(|target| target.is_leaving) {
        return Err(Error::invalid_field(
            "to",
            "Choose another category to move the documents to.",
        ));
    }
    require_at_rest(tx, &leaving)?;
    leaving.is_leaving = true;
    leaving.moving_to = to;
    tx.put(&leaving)?;
    jobs::enqueue(tx, Task::MergeCategory { organization, from, to })?;
    let target_name = target.map(|target| target.name);
    let verb = if to.is_some() { Verb::CategoryMerged } else { Verb::CategoryDeleted };
    events::record(tx, actor, organization, verb, from, &leaving.name, target_name.as_deref())
}

/// Deletes an empty category.
///
/// # Errors
/// `Conflict` when documents stand in it, also in the trash: they would lose their place. And while
/// it is being merged, or others into it.
pub fn delete(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<Category>,
) -> Result<()> {
    decide(actor, Action::Curate(organization))?;
    let category = get(tx, organization, id)?;
    require_at_rest(tx, &category)?;
    if documents::some_in_category(tx, id)? {
        return Err(Error::conflict(
            "There are documents in this category. Merge it into another one instead.",
        ));
    }
    tx.remove::<Category>(&id)?;
    events::record(tx, actor, organization, Verb::CategoryDeleted, id, &category.name, None)
}

fn require_at_rest(tx: &ReadTx, category: &Category) -> Result<()> {
    if category.is_leaving {
        return Err(Error::conflict("This category is being merged already."));
    }
    for other in tx.index(&BY_NAME).within(&category.organization).records()? {
        if other?.moving_to == Some(category.id) {
            return Err(Error::conflict(
                "Documents are being moved into this category. Try again when that is done.",
            ));
        }
    }
    Ok(())
}

fn free_name(
    tx: &ReadTx,
    organization: Id<Organization>,
    name: &str,
    own: Option<Id<Category>>,
) -> Result<String> {
    let name = text::line("name", name, 100)?;
    match tx.find(&BY_NAME, &(organization, text::fold(&name)))? {
        Some(taken) if Some(taken.id) != own => {
            Err(Error::taken("name", format!("There is a category named “{name}” already.")))
        }
        _ => Ok(name),
    }
}
