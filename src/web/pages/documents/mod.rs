//! The pages of documents, and what several of them show: a document in a list, the face of a
//! file, who may see it.

pub mod acts;
pub mod card;
pub mod edit;
pub mod files;
pub mod form;
pub mod library;
pub mod link;
pub mod show;
pub mod upload;
pub mod versions;
pub mod visibility;

mod face;

pub use face::FileFace;

use super::{Choice, Marked, Moment, Tone};

/// A document in a list, a grid or search results.
#[derive(Clone, Debug)]
pub struct DocumentCard {
    pub id: String,
    /// With the words that were searched for marked.
    pub title: Marked,
    /// The stretch of the text that matched; empty when nobody searched.
    pub snippet: Marked,
    pub category: Option<ChoiceLink>,
    pub tags: Vec<ChoiceLink>,
    pub face: FileFace,
    pub thumbnail_url: Option<String>,
    /// `None` for links.
    pub size_bytes: Option<u64>,
    /// Where a link leads: `example.org`.
    pub host: Option<String>,
    pub owner: String,
    pub updated: Moment,
    pub is_new: bool,
    pub status: Status,
    pub visibility: Visibility,
}

pub use super::ChoiceLink;

/// Where a document stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    Draft,
    #[default]
    Published,
    Archived,
}

impl Status {
    pub fn key(self) -> &'static str {
        match self {
            Status::Draft => "draft",
            Status::Published => "published",
            Status::Archived => "archived",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Status::Draft => "Draft",
            Status::Published => "Published",
            Status::Archived => "Archived",
        }
    }

    /// What it means for readers.
    pub fn meaning(self) -> &'static str {
        match self {
            Status::Draft => "Only you, managers and administrators see it.",
            Status::Published => "Everyone who may see it finds it in the library.",
            Status::Archived => "Kept and findable through the filter, out of the way otherwise.",
        }
    }

    pub fn tone(self) -> Tone {
        match self {
            Status::Draft => Tone::Warning,
            Status::Published => Tone::Good,
            Status::Archived => Tone::Plain,
        }
    }

    /// Lists say nothing about the ordinary case.
    pub fn is_worth_a_badge(self) -> bool {
        self != Status::Published
    }
}

/// Who may see a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    #[default]
    Organization,
    Restricted,
    Public,
}

impl Visibility {
    pub fn key(self) -> &'static str {
        match self {
            Visibility::Organization => "organization",
            Visibility::Restricted => "restricted",
            Visibility::Public => "public",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Visibility::Organization => "Everyone here",
            Visibility::Restricted => "Restricted",
            Visibility::Public => "Public",
        }
    }

    pub fn meaning(self) -> &'static str {
        match self {
            Visibility::Organization => "Every member of the organization.",
            Visibility::Restricted => "Only the groups and people you choose.",
            Visibility::Public => {
                "Anyone on the internet who has the address, without an account. They see the current version; earlier ones and names stay in the organization."
            }
        }
    }

    pub fn icon(self) -> &'static str {
        match self {
            Visibility::Organization => "building",
            Visibility::Restricted => "lock",
            Visibility::Public => "globe",
        }
    }

    /// Lists say nothing about the ordinary case.
    pub fn is_worth_a_mark(self) -> bool {
        self != Visibility::Organization
    }

    pub fn all() -> [Visibility; 3] {
        [Visibility::Organization, Visibility::Restricted, Visibility::Public]
    }
}

/// The choice of who may see a document, in the forms that offer it
/// (`templates/documents/visibility_fields.html`): `visibility`, and the repeated `groups` and
/// `people`, whose values are ids.
#[derive(Clone, Debug, Default)]
pub struct VisibilityFields {
    pub chosen: Visibility,
    pub groups: Vec<Choice>,
    pub people: Vec<Choice>,
}

/// What upload, link and edit ask alike (`templates/documents/details_fields.html`).
#[derive(Clone, Debug, Default)]
pub struct DetailsFields {
    pub title: String,
    pub description: String,
    /// The category by name; a new name makes a new category.
    pub category: String,
    /// The names that exist, offered while typing.
    pub categories: Vec<String>,
    /// Separated by commas, as people type them.
    pub tags: String,
    pub known_tags: Vec<String>,
    /// Empty where the kind is not up for choice.
    pub kinds: Vec<Choice>,
}
