//! The library: what there is, found by words and filters. The address holds the whole state
//! (`q`, `category`, `type`, `kind`, `tag`, `person`, `from`, `to`, `status`, `sort`, `view`, `after`), so
//! every filter is a link; the page's script only fetches the results without the frame.

pub mod address;

mod finding;
mod narrowing;

use askama::Template;

pub use self::{
    address::Address,
    finding::{results, show},
};
use super::DocumentCard;
use crate::web::pages::{ChoiceLink, HiddenField, Moment, Page, Pager, filters};

/// `GET /documents`.
#[derive(Clone, Debug, Template)]
#[template(path = "documents/library.html")]
pub struct LibraryPage {
    pub page: Page,
    /// Files may be dropped on the library.
    pub can_upload: bool,
    pub results: Results,
}

/// `GET /documents/results`: the results alone, for the search as you type. Takes the same
/// parameters as the library.
#[derive(Clone, Debug, Template)]
#[template(path = "documents/results.html")]
pub struct ResultsFragment {
    pub results: Results,
}

/// The strip of numbers above the library.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    pub documents: u64,
    pub new_this_month: u64,
    pub categories: u64,
    pub updated: Option<Moment>,
}

/// What was found, and the ways to narrow it.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// Of the whole library, so that they are as fresh as the list.
    pub statistics: Statistics,
    /// What was searched for, as it was typed.
    pub query: String,
    /// How many documents match, over all pages of the list.
    pub total: u64,
    pub correction: Option<Correction>,
    pub documents: Vec<DocumentCard>,
    pub is_grid: bool,
    pub list_href: String,
    pub grid_href: String,
    /// The ways to sort; the chosen one is shown on the closed menu.
    pub sorts: Vec<ChoiceLink>,
    pub facets: Vec<Facet>,
    pub dates: DateFilter,
    /// The filters in force, each with a link that drops it.
    pub active: Vec<ActiveFilter>,
    /// Drops every filter, keeps the search.
    pub clear_href: String,
    pub pager: Pager,
    /// Nothing was ever uploaded (or nothing that this person may see).
    pub is_library_empty: bool,
    /// Of an empty library: something is in the archive.
    pub has_archive: bool,
    pub can_upload: bool,
}

impl Results {
    /// The page's title, which follows the search.
    pub fn title(&self) -> String {
        // As browsers show a title: with single spaces.
        let words: Vec<&str> = self.query.split_whitespace().collect();
        if words.is_empty() { "Library".into() } else { format!("{} – Library", words.join(" ")) }
    }

    pub fn sort_label(&self) -> &str {
        self.sorts.iter().find(|sort| sort.selected).map_or("Newest", |sort| &sort.label)
    }
}

/// What to say when the search was not taken literally.
#[derive(Clone, Debug)]
pub enum Correction {
    /// Nothing matched what was typed, so we show what matches something close to it.
    ShowingInstead { shown: String },
    /// Something matched, but another spelling has more.
    DidYouMean { text: String, href: String },
}

/// A group of filters with counts: the categories, the kinds, the tags, the people.
#[derive(Clone, Debug, Default)]
pub struct Facet {
    /// The name of the parameter; also part of ids.
    pub name: String,
    pub title: String,
    /// The most common ones, the chosen ones among them. Choosing a chosen one drops it.
    pub options: Vec<ChoiceLink>,
    /// Behind "Show more".
    pub more: Vec<ChoiceLink>,
}

/// The filter by date: links for the usual stretches, and a form for any other.
#[derive(Clone, Debug, Default)]
pub struct DateFilter {
    pub presets: Vec<ChoiceLink>,
    /// `2026-11-21`, or empty.
    pub from: String,
    pub to: String,
    /// The rest of the address.
    pub kept: Vec<HiddenField>,
}

/// One filter in force.
#[derive(Clone, Debug, Default)]
pub struct ActiveFilter {
    /// `Category`.
    pub name: String,
    /// `Annual reports`.
    pub value: String,
    pub remove_href: String,
}
