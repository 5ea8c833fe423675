//! Documents: what the portal is there for. A title, a place in the library, a decision about who
//! sees it, and a current file or a link.
//!
//! `adding` · `changing` what is said of one and who sees it · `trash` · `listing` them without
//! reading them all.

mod adding;
mod changing;
mod listing;
mod trash;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    adding::{NewDocument, add_file, add_link},
    changing::{
        DocumentEdit, archive, edit, hand_over, publish, recategorize, set_visibility, withdraw,
    },
    listing::{
        Shared, created_by, created_count, in_category, newest, sharing, shown_to_group_count,
    },
    trash::{
        TRASH_KEPT, TrashPlace, delete, empty_trash, in_trash, in_trash_after, in_trash_count,
        restore, trash,
    },
};
pub(in crate::domain) use self::{changing::save, listing::some_in_category};
use super::{
    access::{Action, Actor, Term, decide, unknown},
    categories::Category,
    events::{self, Verb},
    file_type::FileType,
    groups::Group,
    organizations::Organization,
    users::User,
    versions::Version,
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    store::{Index, IndexEntries, ReadTx, Record, Table, WriteTx},
};

/// How long a document is new to somebody who was never here before.
pub const NEW_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    pub id: Id<Document>,
    pub organization: Id<Organization>,
    pub title: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub category: Option<Id<Category>>,
    #[serde(default)]
    pub tags: Vec<String>,
    pub kind: Kind,
    pub status: Status,
    pub visibility: Visibility,
    /// The file to show and download; `None` for a link.
    #[serde(default)]
    pub current: Option<CurrentFile>,
    /// Where a document of kind [`Kind::Link`] leads.
    #[serde(default)]
    pub link: Option<String>,
    pub created_by: Id<User>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Grows with every change: what `ETag` and `If-Match` compare.
    #[serde(default)]
    pub revision: u64,
    #[serde(default)]
    pub trashed: Option<Trashed>,
}

impl Document {
    /// True for what a reader may not have noticed yet: what others have added since their last
    /// visit, or lately for who has made none.
    pub fn is_new_to(&self, reader: Option<&User>, now: Timestamp) -> bool {
        match reader {
            Some(reader) if reader.id == self.created_by => false,
            reader => match reader.and_then(|reader| reader.away_since(now)) {
                Some(left) => self.created_at > left,
                None => now.duration_since(self.created_at) < NEW_FOR,
            },
        }
    }

    /// What its file is, or that it is a link.
    pub fn file_type(&self) -> FileType {
        match &self.current {
            Some(file) => FileType::of(&file.media_type, &file.filename),
            None => FileType::Link,
        }
    }
}

/// What lists need to know of the current version, kept here so that a row costs one read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentFile {
    pub version: Id<Version>,
    pub number: u32,
    pub filename: String,
    pub media_type: String,
    pub size_bytes: u64,
    pub blob: ContentHash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trashed {
    pub at: Timestamp,
    pub by: Option<Id<User>>,
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident, $what:literal: $($variant:ident $name:literal $label:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $type { $($variant,)* }

        impl $type {
            pub const ALL: &[$type] = &[$($type::$variant,)*];

            /// The word in forms and in JSON.
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name,)* }
            }

            /// The word on pages.
            pub fn label(self) -> &'static str {
                match self { $($type::$variant => $label,)* }
            }

            pub fn from_name(name: &str) -> Result<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name).ok_or_else(|| {
                    let names = [$($name,)*].join(", ");
                    Error::invalid_field($what, format!("The {} is one of {names}.", $what))
                })
            }
        }
    };
}

words! {
    /// What sort of thing a document is.
    Kind, "kind":
    File "file" "File",
    Link "link" "Link",
    Poster "poster" "Poster",
    Banner "banner" "Banner",
    Flyer "flyer" "Flyer",
    BusinessCard "business_card" "Business card",
    Logo "logo" "Logo",
    Catalog "catalog" "Catalog",
}

words! {
    /// How far a document is in its life.
    Status, "status":
    Draft "draft" "Draft",
    Published "published" "Published",
    Archived "archived" "Archived",
}

/// Who sees a published document, besides its creator and the managers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum Visibility {
    /// Every member of the organization.
    Organization,
    /// These groups and people.
    Restricted { groups: Vec<Id<Group>>, people: Vec<Id<User>> },
    /// The whole world.
    Public,
}

impl Visibility {
    pub fn name(&self) -> &'static str {
        match self {
            Visibility::Organization => "organization",
            Visibility::Restricted { .. } => "restricted",
            Visibility::Public => "public",
        }
    }

    /// Puts together what forms and JSON say in three fields.
    pub fn from_parts(name: &str, groups: Vec<Id<Group>>, people: Vec<Id<User>>) -> Result<Self> {
        match name {
            "organization" => Ok(Visibility::Organization),
            "restricted" => Ok(Visibility::Restricted { groups, people }),
            "public" => Ok(Visibility::Public),
            _ => Err(Error::invalid_field(
                "visibility",
                "The visibility is one of organization, restricted or public.",
            )),
        }
    }
}

impl Record for Document {
    const TABLE: Table = Table { number: 8, name: "documents" };

    type Key = Id<Document>;

    fn key(&self) -> Self::Key {
        self.id
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        let is_archived = self.status == Status::Archived;
        for term in self.terms() {
            entries.add(&BY_TERM, &(self.organization, term, is_archived, self.created_at));
        }
        if let Some(category) = self.category {
            entries.add(&BY_CATEGORY, &category);
        }
        if let Some(trashed) = self.trashed {
            entries.add(&BY_TRASHED, &(self.organization, trashed.at));
            entries.add(&OWN_TRASHED, &(self.organization, self.created_by, trashed.at));
        }
        entries.add(&BY_CREATOR, &self.created_by);
    }
}

/// The library of each actor in the order of time: what they see is the union over their terms.
const BY_TERM: Index<Document, (Id<Organization>, Term, bool, Timestamp)> = Index::new(1);
const BY_CATEGORY: Index<Document, Id<Category>> = Index::new(2);
const BY_TRASHED: Index<Document, (Id<Organization>, Timestamp)> = Index::new(3);
const BY_CREATOR: Index<Document, Id<User>> = Index::new(4);
const OWN_TRASHED: Index<Document, (Id<Organization>, Id<User>, Timestamp)> = Index::new(5);

/// # Errors
/// As [`decide`]; a document that does not exist is answered like one that may not be seen.
pub fn readable(tx: &ReadTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    find_readable(tx, actor, id)?.ok_or_else(|| unknown(actor, "document"))
}

/// [`readable`], where one that is gone or hidden is nothing special.
pub fn find_readable(tx: &ReadTx, actor: &Actor, id: Id<Document>) -> Result<Option<Document>> {
    let document = tx.get::<Document>(&id)?;
    Ok(document.filter(|document| decide(actor, Action::Read(document)).is_ok()))
}

/// [`readable`], for somebody who is about to change it.
///
/// # Errors
/// `Conflict` for what is in the trash: it can only be restored or deleted.
pub fn editable(tx: &ReadTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    let document = editable_even_in_trash(tx, actor, id)?;
    if document.trashed.is_some() {
        return Err(Error::conflict("This document is in the trash. Restore it first."));
    }
    Ok(document)
}

fn editable_even_in_trash(tx: &ReadTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    let document = readable(tx, actor, id)?;
    decide(actor, Action::Edit(&document))?;
    Ok(document)
}

/// Writes down what happened to a document.
fn note(
    tx: &mut WriteTx,
    actor: &Actor,
    verb: Verb,
    document: &Document,
    detail: Option<&str>,
) -> Result<()> {
    events::record(tx, actor, document.organization, verb, document.id, &document.title, detail)
}
