//! What is asked, and what is answered.

use uuid::Uuid;

/// One question to the index. The default finds everything the tenant's `access` terms show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    pub tenant: Uuid,
    /// The rights of who asks: an entry is visible when it shares any of these terms. Empty means
    /// that nothing is visible.
    pub access: Vec<String>,
    /// What the person typed, as it is; see [`Typed`](super::typed::Typed) for how it is read.
    pub text: String,
    /// Whether `text` must stand in the title, or may stand anywhere.
    pub scope: Scope,
    pub filters: Filters,
    pub sort: Sort,
    /// Hits on a page; at most [`LIMIT_MAX`].
    pub limit: usize,
    /// [`Page::next`] of the page before; the rest of the request must be the same.
    pub after: Option<String>,
    /// Whether to count values for [`Facets`].
    pub facets: bool,
    /// Whether to show where words were found; without, a [`Hit`] has an id and a score only.
    pub snippets: bool,
}

/// Most hits on one page.
pub const LIMIT_MAX: usize = 500;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    #[default]
    Everything,
    Title,
}

/// Restrictions; an empty one does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filters {
    /// Any of these.
    pub categories: Vec<Uuid>,
    /// Any of these.
    pub kinds: Vec<String>,
    /// All of these.
    pub tags: Vec<String>,
    /// Any of these.
    pub persons: Vec<Uuid>,
    /// Any of these.
    pub statuses: Vec<String>,
    /// Any of these; `image/` stands for every image.
    pub media_types: Vec<String>,
    /// Any of these.
    pub file_types: Vec<String>,
    /// Created at this time or later, in milliseconds since the Unix epoch.
    pub created_from_ms: Option<i64>,
    /// Created before this time.
    pub created_before_ms: Option<i64>,
}

/// Entries that are equal in this order come in the order of their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sort {
    /// Best match first; without any text the newest first.
    #[default]
    Relevance,
    Newest,
    Oldest,
    RecentlyUpdated,
    /// A to Z, numbers by their value.
    Title,
    Largest,
    Smallest,
}

/// One page of hits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub hits: Vec<Hit>,
    /// How many entries match in all, exactly.
    pub total: u64,
    /// Where the next page begins; none on the last one, and none beyond the first ten thousand
    /// hits by relevance.
    pub next: Option<String>,
    /// Counts over all matches, this page or not; when they were asked for.
    pub facets: Option<Facets>,
    /// Present when nothing was found as typed, and similar words were searched for instead.
    pub corrected: Option<Correction>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hit {
    pub id: Uuid,
    /// How well it matches; comparable within one answer only, and 0 in every other order.
    pub score: f32,
    /// The title as HTML: escaped, with the words that were found in `<mark>`.
    pub title_html: String,
    /// The file name in the same manner, when a word was found in it.
    pub filename_html: Option<String>,
    /// Where else words were found: at most one from the description and one from the body.
    pub snippets: Vec<Snippet>,
}

/// A few words around a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    pub source: Source,
    /// HTML: escaped, with the words that were found in `<mark>`.
    pub html: String,
    /// The page of the body it stands on, from 1, when the body has pages.
    pub page: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Description,
    Body,
}

/// How many matches have each value, most frequent first, at most [`FACET_VALUES_MAX`] of each.
///
/// The counts are of what the request finds, its own filters included: with a category chosen,
/// `categories` counts that category alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facets {
    pub categories: Vec<(Uuid, u64)>,
    pub kinds: Vec<(String, u64)>,
    pub tags: Vec<(String, u64)>,
    pub persons: Vec<(Uuid, u64)>,
    pub file_types: Vec<(String, u64)>,
    /// Calendar year of creation (UTC), latest first.
    pub years: Vec<(i32, u64)>,
}

/// Most values counted in one facet.
pub const FACET_VALUES_MAX: usize = 100;

/// What was searched for instead of what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Each word that was not found as typed, and the most likely word it was taken for. Every
    /// such word stands in an entry that the request may see.
    pub words: Vec<(String, String)>,
}

/// A title that goes on as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    pub id: Uuid,
    pub title: String,
    pub title_html: String,
}
