//! The search engine: finds entries by their words, for who may see them.
//!
//! # For a newcomer
//!
//! An [`Entry`] is anything with a title and perhaps a text. [`Index::apply`] keeps the index up to
//! date with the change log of the store, whose cursor travels inside each commit; [`Index::search`]
//! answers a [`Request`] with a [`Page`]. The engine below is tantivy; nobody outside sees it.
//!
//! A search goes through these files: `typed` reads what was typed · `plan` turns it into queries ·
//! `visible` says what the request may see · `collect` runs over the segments and their `columns`, with
//! `order` and `facets` · `corrections` tries again when nothing was found · `marks` and `snippets` show where.
//!
//! A change goes through these: `entry` makes a document of it, cut into words by `words` and
//! `fold`, stemmed by `languages` · `queue` keeps too many from waiting at once · `writer` commits
//! it to the `edition` and merges segments as `merging` says · `folder` knows which edition counts.
//!
//! # What must stay true
//!
//! * What a request may not see leaves no trace: not in hits, totals, facets, snippets or
//!   corrections. [`visible`] is part of every query; there is no other way to one.
//! * The index is derived. Whatever is wrong with it, an empty one with the cursor at 0 mends it.
//! * No text that is typed is an error.
//! * Words are cut in one place for indexing, asking and marking. Who changes that raises
//!   [`schema::FORMAT`].

mod entry;
mod index;
mod inventory;
mod request;
mod search;

mod after;
mod collect;
mod corrections;
mod facets;
mod marks;
mod order;
mod plan;
mod prefix;
mod snippets;
mod typed;
mod visible;

mod analyzers;
mod bits;
mod columns;
mod directory;
mod edition;
mod fold;
mod folder;
mod languages;
mod merging;
mod queue;
mod schema;
mod words;
mod writer;

pub use entry::{Change, Entry, Named};
pub use index::{Index, Opened, Options, Rebuild, Status};
pub use request::{
    Correction, FACET_VALUES_MAX, Facets, Filters, Hit, LIMIT_MAX, Page, Request, Scope, Snippet,
    Sort, Source, Suggestion,
};
