//! The library: what an actor finds, page by page.
//!
//! Without a question, the newest documents come straight from the store, in its own order; with
//! one, from the search index. Either way each document is read from the store and passes the
//! access decision once more before it leaves.

mod figures;
mod names;
mod newest;

use jiff::Timestamp;

pub(super) use self::figures::CountCache;
pub use self::{
    figures::Statistics,
    names::{names_of, with_surroundings},
};
use self::{names::named, newest::newest};
use super::App;
use crate::{
    blocking::blocking,
    domain::{
        access::{Action, Actor, Term, decide},
        blobs::Blob,
        categories::Category,
        documents::{self, Document, Kind, Status},
        file_type::FileType,
        organizations::Organization,
        users::User,
    },
    error::Result,
    id::Id,
    search,
    store::cursor,
};

pub use crate::search::Sort;

/// What somebody looks for. The default is the library as it opens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Find {
    pub text: String,
    pub category: Option<Id<Category>>,
    /// Any of these; all when empty.
    pub kinds: Vec<Kind>,
    pub file_type: Option<FileType>,
    pub tags: Vec<String>,
    pub person: Option<Id<User>>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Drafts and published ones when `None`.
    pub status: Option<Status>,
    pub sort: Sort,
    pub after: Option<String>,
    pub limit: usize,
    pub wants_facets: bool,
}

/// A page of the library.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub documents: Vec<Found>,
    pub total: u64,
    pub next: Option<String>,
    pub facets: Option<Facets>,
    /// Words that were not found, with what was looked for instead.
    pub corrections: Vec<(String, String)>,
}

/// A document with what a list shows beside it.
#[derive(Clone, Debug)]
pub struct Found {
    pub document: Document,
    pub category: Option<String>,
    pub creator: String,
    pub blob: Option<Blob>,
    /// The title as HTML with the words that were found marked; `None` without a question.
    pub title_html: Option<String>,
    pub snippets: Vec<search::Snippet>,
}

impl Found {
    /// Where the words stand: the text of the file tells more than the description, which the
    /// document's page shows anyway.
    pub fn best_snippet_html(&self) -> Option<&str> {
        let of_body = self.snippets.iter().find(|one| one.source == search::Source::Body);
        of_body.or(self.snippets.first()).map(|snippet| snippet.html.as_str())
    }
}

/// How the whole result divides, with names.
#[derive(Clone, Debug, Default)]
pub struct Facets {
    pub categories: Vec<(Id<Category>, String, u64)>,
    pub kinds: Vec<(Kind, u64)>,
    pub file_types: Vec<(FileType, u64)>,
    pub tags: Vec<(String, u64)>,
    pub people: Vec<(Id<User>, String, u64)>,
    pub years: Vec<(i32, u64)>,
}

const LIMIT_MAX: usize = 200;

impl App {
    /// A page of what the actor may read in their organization.
    pub async fn find(&self, actor: Actor, find: Find) -> Result<Page> {
        let organization = actor.at_work()?;
        decide(&actor, Action::Browse(organization))?;
        let limit = find.limit.clamp(1, LIMIT_MAX);
        let request = request(&actor, organization, &find, limit);
        self.wait_for_index().await;
        if !find.is_plain() {
            return self.search(actor, request, find.wants_facets).await;
        }
        let counts = self.counts(&request, find.wants_facets).await?;
        let after = find.after.as_deref().map(cursor::decode).transpose()?;
        self.store
            .read(move |tx| {
                let is_archive = find.status == Some(Status::Archived);
                let newest = newest(tx, &actor, organization, is_archive, after, limit)?;
                let next = newest.next.map(|place| cursor::encode(&place));
                let documents = newest
                    .documents
                    .into_iter()
                    .map(|document| with_surroundings(tx, document))
                    .collect::<Result<_>>()?;
                let facets = counts.facets.map(|facets| named(tx, facets)).transpose()?;
                Ok(Page { documents, total: counts.total, next, facets, corrections: Vec::new() })
            })
            .await
    }

    async fn search(
        &self,
        actor: Actor,
        mut request: search::Request,
        wants_facets: bool,
    ) -> Result<Page> {
        request.facets = wants_facets;
        let index = self.index.clone();
        let app_store = self.store.clone();
        blocking(move || {
            let page = index.search(&request)?;
            app_store.read_blocking(|tx| {
                let mut documents = Vec::with_capacity(page.hits.len());
                for hit in page.hits {
                    let id = Id::from_uuid(hit.id);
                    // The index may be a moment behind: what is gone or hidden meanwhile is left out.
                    let Some(document) = documents::find_readable(tx, &actor, id)? else {
                        continue;
                    };
                    if document.trashed.is_some() {
                        continue;
                    }
                    let mut found = with_surroundings(tx, document)?;
                    found.title_html = Some(hit.title_html).filter(|html| !html.is_empty());
                    found.snippets = hit.snippets;
                    documents.push(found);
                }
                let facets = page.facets.map(|facets| named(tx, facets)).transpose()?;
                let corrections = page.corrected.map(|corrected| corrected.words);
                Ok(Page {
                    documents,
                    total: page.total,
                    next: page.next,
                    facets,
                    corrections: corrections.unwrap_or_default(),
                })
            })
        })
        .await
    }

    /// Titles that go on as typed.
    pub async fn suggest(&self, actor: Actor, typed: String) -> Result<Vec<search::Suggestion>> {
        let organization = actor.at_work()?;
        decide(&actor, Action::Browse(organization))?;
        let find = Find { text: typed, limit: 8, ..Find::default() };
        let request = request(&actor, organization, &find, find.limit);
        self.wait_for_index().await;
        let index = self.index.clone();
        let store = self.store.clone();
        blocking(move || {
            let suggestions = index.suggest(&request)?;
            store.read_blocking(|tx| {
                let mut readable = Vec::with_capacity(suggestions.len());
                for one in suggestions {
                    if documents::find_readable(tx, &actor, Id::from_uuid(one.id))?.is_some() {
                        readable.push(one);
                    }
                }
                Ok(readable)
            })
        })
        .await
    }
}

impl Find {
    /// True for the library as it opens, or the archive: newest first and nothing asked.
    fn is_plain(&self) -> bool {
        self.text.trim().is_empty()
            && self.category.is_none()
            && self.kinds.is_empty()
            && self.file_type.is_none()
            && self.tags.is_empty()
            && self.person.is_none()
            && self.from.is_none()
            && self.until.is_none()
            && matches!(self.status, None | Some(Status::Archived))
            && matches!(self.sort, Sort::Relevance | Sort::Newest)
    }
}

fn request(
    actor: &Actor,
    organization: Id<Organization>,
    find: &Find,
    limit: usize,
) -> search::Request {
    let shown = [Status::Draft, Status::Published];
    let statuses = match find.status {
        Some(status) => vec![status.name().into()],
        None => shown.into_iter().map(|status| status.name().into()).collect(),
    };
    search::Request {
        tenant: organization.uuid(),
        access: actor.terms(organization).into_iter().map(Term::word).collect(),
        text: find.text.clone(),
        filters: search::Filters {
            categories: find.category.iter().map(|id| id.uuid()).collect(),
            kinds: find.kinds.iter().map(|kind| kind.name().into()).collect(),
            file_types: find.file_type.iter().map(|one| one.name().into()).collect(),
            tags: find.tags.clone(),
            persons: find.person.iter().map(|id| id.uuid()).collect(),
            statuses,
            created_from_ms: find.from.map(|at| at.as_millisecond()),
            created_before_ms: find.until.map(|at| at.as_millisecond()),
            ..search::Filters::default()
        },
        sort: find.sort,
        limit,
        after: find.after.clone(),
        snippets: true,
        ..search::Request::default()
    }
}
