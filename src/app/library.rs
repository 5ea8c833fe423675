//! The library: what an actor finds, page by page.
//!
//! Without a question, the newest documents come straight from the store, in its own order; with
//! one, from the search index. Either way each document is read from the store and passes the
//! access decision once more before it leaves.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use moka::sync::Cache;

use super::App;
use crate::{
    blocking::blocking,
    domain::{
        access::{Action, Actor, Term, decide},
        blobs::Blob,
        categories::{self, Category},
        documents::{self, Document, Kind, Status},
        file_type::FileType,
        memberships,
        organizations::Organization,
        users::User,
    },
    error::{Error, Result},
    id::Id,
    search,
    store::{Key, ReadTx},
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

/// The figures above the library.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    pub documents: u64,
    pub new_this_month: u64,
    pub categories: u64,
    pub updated_at: Option<Timestamp>,
}

/// Counts cost a look at every match: kept until the index changes.
pub(super) type CountCache = Cache<(u64, String), search::Page>;

const LIMIT_MAX: usize = 200;

impl App {
    /// A page of what the actor may read in their organization.
    pub async fn find(&self, actor: Actor, find: Find) -> Result<Page> {
        let organization = actor.at_work()?;
        decide(&actor, Action::Browse(organization))?;
        let limit = find.limit.clamp(1, LIMIT_MAX);
        let request = request(&actor, organization, &find, limit);
        if !find.is_plain() {
            return self.search(actor, request, find.wants_facets).await;
        }
        let counts = self.counts(&request, find.wants_facets).await?;
        let after = find.after.as_deref().map(Place::decode).transpose()?;
        self.store
            .read(move |tx| {
                let is_archive = find.status == Some(Status::Archived);
                let newest = newest(tx, &actor, organization, is_archive, after, limit)?;
                let next = newest.next.map(|place| place.encode());
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

    /// The total and the facets of a request, without its hits.
    async fn counts(&self, request: &search::Request, wants_facets: bool) -> Result<search::Page> {
        let mut request = request.clone();
        request.limit = 1;
        request.after = None;
        request.snippets = false;
        request.facets = wants_facets;
        let key = (self.index.generation(), format!("{request:?}"));
        if let Some(known) = self.counts.get(&key) {
            return Ok(known);
        }
        let index = self.index.clone();
        let counted = blocking(move || index.search(&request)).await?;
        self.counts.insert(key, counted.clone());
        Ok(counted)
    }

    /// Titles that go on as typed.
    pub async fn suggest(&self, actor: Actor, typed: String) -> Result<Vec<search::Suggestion>> {
        let organization = actor.at_work()?;
        decide(&actor, Action::Browse(organization))?;
        let find = Find { text: typed, limit: 8, ..Find::default() };
        let request = request(&actor, organization, &find, find.limit);
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

    /// How many documents in each of these categories the actor may read, the archive included.
    pub async fn category_counts(
        &self,
        actor: Actor,
        categories: Vec<Id<Category>>,
    ) -> Result<BTreeMap<Id<Category>, u64>> {
        let organization = actor.at_work()?;
        let mut all = request(&actor, organization, &Find::default(), 1);
        all.filters.statuses.clear();
        let facets = self.counts(&all, true).await?.facets.unwrap_or_default();
        let mut counts: BTreeMap<_, _> =
            facets.categories.iter().map(|(id, count)| (Id::from_uuid(*id), *count)).collect();
        // Facets show the most frequent values; the others are counted one by one.
        let is_complete = facets.categories.len() < search::FACET_VALUES_MAX;
        for category in categories {
            if is_complete || counts.contains_key(&category) {
                continue;
            }
            all.filters.categories = vec![category.uuid()];
            counts.insert(category, self.counts(&all, false).await?.total);
        }
        Ok(counts)
    }

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

    /// The figures above the library, for what the actor may read.
    pub async fn statistics(&self, actor: Actor) -> Result<Statistics> {
        let organization = actor.at_work()?;
        let all = request(&actor, organization, &Find::default(), 1);
        let mut new = all.clone();
        let this_month = self.clock.now().to_zoned(jiff::tz::TimeZone::UTC).first_of_month();
        new.filters.created_from_ms = this_month
            .ok()
            .and_then(|first| first.start_of_day().ok())
            .map(|start| start.timestamp().as_millisecond());
        let documents = self.counts(&all, true).await?;
        let new_this_month = self.counts(&new, false).await?.total;
        let categories = documents.facets.map_or(0, |facets| facets.categories.len() as u64);
        let mut latest = all;
        latest.sort = Sort::RecentlyUpdated;
        let latest = self.counts(&latest, false).await?.hits.into_iter().next();
        let updated_at = match latest {
            None => None,
            Some(hit) => {
                let document: Option<Document> =
                    self.store.read(move |tx| tx.get(&Id::from_uuid(hit.id))).await?;
                document.map(|document| document.updated_at)
            }
        };
        Ok(Statistics { documents: documents.total, new_this_month, categories, updated_at })
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

/// Where a page of the newest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    created_at: Timestamp,
    id: Id<Document>,
}

impl Place {
    fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode((self.created_at, self.id).to_bytes())
    }

    fn decode(text: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let place = bytes.and_then(|bytes| <(Timestamp, Id<Document>)>::from_bytes(&bytes));
        let (created_at, id) = place.ok_or_else(|| {
            Error::invalid_field("after", "This page cannot be continued. Start at the first page.")
        })?;
        Ok(Place { created_at, id })
    }
}

struct Newest {
    documents: Vec<Document>,
    next: Option<Place>,
}

/// The newest documents that the actor may read: the lists of all of the actor's terms, each in the
/// order of time, merged.
fn newest(
    tx: &ReadTx,
    actor: &Actor,
    organization: Id<Organization>,
    is_archive: bool,
    after: Option<Place>,
    limit: usize,
) -> Result<Newest> {
    let mut documents: Vec<Document> = Vec::with_capacity(limit);
    let mut merged = documents::newest(
        tx,
        actor,
        organization,
        is_archive,
        after.map(|p| (p.created_at, p.id)),
    )?;
    let mut last = None;
    while let Some((created_at, id)) = merged.next().transpose()? {
        if documents.len() == limit {
            return Ok(Newest { documents, next: last });
        }
        let Some(document) = tx.get::<Document>(&id)? else { continue };
        if decide(actor, Action::Read(&document)).is_ok() {
            documents.push(document);
            last = Some(Place { created_at, id });
        }
    }
    Ok(Newest { documents, next: None })
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

fn named(tx: &ReadTx, facets: search::Facets) -> Result<Facets> {
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
        if let std::collections::btree_map::Entry::Vacant(vacant) = names.entry(id)
            && let Some(user) = tx.get::<User>(&id)?
        {
            vacant.insert(user.display_name().to_owned());
        }
    }
    Ok(names)
}
