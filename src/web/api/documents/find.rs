//! Lists: the library, searching, suggestions, figures.

use actix_web::web::{Data, Json as Answer};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::view::DocumentView;
use crate::{
    app::{App, Find, Page, Sort},
    domain::{
        access::Actor,
        categories::{self, Category},
        documents::{Document, Kind, Status},
        organizations::Organization,
        users::User,
    },
    error::Result as AppResult,
    id::Id,
    web::{
        api::parts::{self, Named},
        auth::Member,
        body::Query,
        fault::Result,
    },
};

#[derive(Deserialize, JsonSchema)]
pub struct DocumentsWanted {
    /// Words to look for in titles, descriptions, tags, file names and texts. The last one may be
    /// unfinished; “quotes” keep words together.
    #[serde(default)]
    q: String,
    /// The id or the name of a category.
    #[serde(default)]
    category: String,
    /// Repeat it for any of several.
    #[serde(default)]
    kind: Vec<Kind>,
    /// Repeat it for documents that have all of several.
    #[serde(default)]
    tag: Vec<String>,
    /// Who created it.
    #[serde(default)]
    person: Option<Id<User>>,
    /// Created at this time or on this day, or later.
    #[serde(default)]
    from: Option<String>,
    /// Created before this time, or on this day at the latest.
    #[serde(default)]
    to: Option<String>,
    /// What is not archived, when it is left out.
    #[serde(default)]
    status: Option<Status>,
    /// The best match first, or the newest where nothing is searched for, when it is left out.
    #[serde(default)]
    sort: SortName,
    /// Between 1 and 200; 50 when it is left out.
    #[serde(default)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    /// Also count how all that was found divides.
    #[serde(default)]
    facets: bool,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SortName {
    #[default]
    Relevance,
    Newest,
    Oldest,
    Updated,
    Title,
    Largest,
    Smallest,
}

impl SortName {
    fn sort(self) -> Sort {
        match self {
            SortName::Relevance => Sort::Relevance,
            SortName::Newest => Sort::Newest,
            SortName::Oldest => Sort::Oldest,
            SortName::Updated => Sort::RecentlyUpdated,
            SortName::Title => Sort::Title,
            SortName::Largest => Sort::Largest,
            SortName::Smallest => Sort::Smallest,
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub struct DocumentList {
    documents: Vec<DocumentView>,
    /// What to send as `after` for the next page; `null` on the last one.
    next: Option<String>,
    /// How many documents match in all.
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    facets: Option<FacetsView>,
    /// Set when nothing was found as typed, and similar words were searched for instead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    corrections: Vec<CorrectionView>,
}

/// How all that was found divides, most frequent first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Facets")]
pub struct FacetsView {
    categories: Vec<NamedCount>,
    kinds: Vec<Count<Kind>>,
    tags: Vec<Count<String>>,
    people: Vec<NamedCount>,
    /// Of creation.
    years: Vec<Count<i32>>,
}

#[derive(Serialize, JsonSchema)]
pub struct NamedCount {
    #[serde(flatten)]
    named: Named,
    count: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{T}Count")]
pub struct Count<T> {
    value: T,
    count: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Correction")]
pub struct CorrectionView {
    typed: String,
    searched: String,
}

pub async fn list(
    app: Data<App>,
    member: Member,
    Query(wanted): Query<DocumentsWanted>,
) -> Result<Answer<DocumentList>> {
    find(&app, member, wanted).await
}

/// The kinds that are made by a designer.
const DESIGNS: [Kind; 6] =
    [Kind::Poster, Kind::Banner, Kind::Flyer, Kind::BusinessCard, Kind::Logo, Kind::Catalog];

/// The list, of designs alone.
pub async fn designs(
    app: Data<App>,
    member: Member,
    Query(mut wanted): Query<DocumentsWanted>,
) -> Result<Answer<DocumentList>> {
    if wanted.kind.is_empty() {
        wanted.kind = DESIGNS.to_vec();
    }
    wanted.kind.retain(|kind| DESIGNS.contains(kind));
    if wanted.kind.is_empty() {
        // Asked for what no design is; without a kind the search would find everything.
        return Ok(Answer(DocumentList {
            documents: Vec::new(),
            next: None,
            total: 0,
            facets: None,
            corrections: Vec::new(),
        }));
    }
    find(&app, member, wanted).await
}

async fn find(app: &App, member: Member, wanted: DocumentsWanted) -> Result<Answer<DocumentList>> {
    let actor = member.actor();
    let find = Find {
        text: wanted.q,
        category: category(app, member.organization, wanted.category).await?,
        kinds: wanted.kind,
        file_type: None,
        tags: wanted.tag.into_iter().filter(|tag| !tag.trim().is_empty()).collect(),
        person: wanted.person,
        from: parts::from_time("from", wanted.from.as_deref())?,
        until: parts::to_time("to", wanted.to.as_deref())?,
        status: wanted.status,
        sort: wanted.sort.sort(),
        after: wanted.after.filter(|after| !after.is_empty()),
        limit: parts::limit(wanted.limit)?,
        wants_facets: wanted.facets,
    };
    let page = app.find(actor.clone(), find).await?;
    Ok(Answer(DocumentList::of(&actor, page, app.clock.now())))
}

/// A category by id or name; one that nobody knows has no documents.
async fn category(
    app: &App,
    organization: Id<Organization>,
    wanted: String,
) -> AppResult<Option<Id<Category>>> {
    if wanted.trim().is_empty() {
        return Ok(None);
    }
    if let Ok(id) = wanted.trim().parse() {
        return Ok(Some(id));
    }
    let known = app.store.read(move |tx| categories::by_name(tx, organization, &wanted)).await?;
    Ok(Some(known.map_or(Id::from_uuid(Uuid::nil()), |category| category.id)))
}

impl DocumentList {
    fn of(actor: &Actor, page: Page, now: Timestamp) -> Self {
        let documents = page.documents.into_iter();
        let corrections = page.corrections.into_iter();
        DocumentList {
            documents: documents.map(|it| DocumentView::in_list(actor, it, now)).collect(),
            next: page.next,
            total: page.total,
            facets: page.facets.map(FacetsView::of),
            corrections: corrections
                .map(|(typed, searched)| CorrectionView { typed, searched })
                .collect(),
        }
    }
}

impl FacetsView {
    fn of(facets: crate::app::Facets) -> Self {
        let named = |id: Uuid, name, count| NamedCount { named: Named::new(id, name), count };
        FacetsView {
            categories: facets
                .categories
                .into_iter()
                .map(|(id, name, n)| named(id.uuid(), name, n))
                .collect(),
            kinds: counts(facets.kinds),
            tags: counts(facets.tags),
            people: facets
                .people
                .into_iter()
                .map(|(id, name, n)| named(id.uuid(), name, n))
                .collect(),
            years: counts(facets.years),
        }
    }
}

fn counts<T>(pairs: Vec<(T, u64)>) -> Vec<Count<T>> {
    pairs.into_iter().map(|(value, count)| Count { value, count }).collect()
}

#[derive(Deserialize, JsonSchema)]
pub struct SuggestionsWanted {
    /// The beginning of a title, as typed so far.
    #[serde(default)]
    q: String,
}

#[derive(Serialize, JsonSchema)]
pub struct SuggestionList {
    /// At most eight.
    suggestions: Vec<SuggestionView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Suggestion")]
pub struct SuggestionView {
    id: Id<Document>,
    title: String,
    /// HTML: escaped, with what was typed in `<mark>`.
    title_html: String,
}

pub async fn suggestions(
    app: Data<App>,
    member: Member,
    Query(wanted): Query<SuggestionsWanted>,
) -> Result<Answer<SuggestionList>> {
    let found = app.suggest(member.actor(), wanted.q).await?;
    let suggestions = found
        .into_iter()
        .map(|one| SuggestionView {
            id: Id::from_uuid(one.id),
            title: one.title,
            title_html: one.title_html,
        })
        .collect();
    Ok(Answer(SuggestionList { suggestions }))
}

/// The figures above the library, for what you may read.
#[derive(Serialize, JsonSchema)]
pub struct Statistics {
    documents: u64,
    /// Since the first of the month (UTC).
    new_this_month: u64,
    categories: u64,
    updated_at: Option<Timestamp>,
}

pub async fn statistics(app: Data<App>, member: Member) -> Result<Answer<Statistics>> {
    let figures = app.statistics(member.actor()).await?;
    Ok(Answer(Statistics {
        documents: figures.documents,
        new_this_month: figures.new_this_month,
        categories: figures.categories,
        updated_at: figures.updated_at,
    }))
}
