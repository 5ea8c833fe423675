//! The handlers of the library: the address becomes a question, the answer a list.

use actix_web::{HttpRequest, web::Data};
use jiff::Timestamp;

use super::{
    Address, Correction, DocumentCard, LibraryPage, Results, ResultsFragment, Statistics,
    address::SORTS,
    narrowing::{self, Names},
};
use crate::{
    app::{self, App, Find, Sort},
    domain::{access::Action, documents::Status, users::User},
    error::Error,
    web::{
        auth::Member,
        body::Query,
        fault::Result,
        pages::{ChoiceLink, Html, Moment, Page, Pager, Place, SearchBox, page},
    },
};

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Query(address): Query<Address>,
) -> Result<Html<LibraryPage>> {
    let frame = page(&request, &member.visitor, Place::Library).await?;
    let search = SearchBox { text: address.q.clone(), kept: address.kept(&["q"]) };
    let page = Page { search, ..frame };
    Ok(Html(LibraryPage {
        can_upload: page.can_upload(),
        results: found(&app, &member, address).await?,
        page,
    }))
}

/// The list alone, for the search as you type.
pub async fn results(
    app: Data<App>,
    member: Member,
    Query(address): Query<Address>,
) -> Result<Html<ResultsFragment>> {
    Ok(Html(ResultsFragment { results: found(&app, &member, address).await? }))
}

async fn found(app: &App, member: &Member, address: Address) -> Result<Results> {
    let can_upload = member.may(Action::Upload(member.organization));
    let find = address.find();
    let (category, person) = (find.category, find.person);
    let found = match app.find(member.actor(), find.clone()).await {
        // An old bookmark's place in a list that is no more.
        Err(Error::Invalid { field: Some("after"), .. }) => {
            app.find(member.actor(), Find { after: None, ..find }).await?
        }
        found => found?,
    };
    let facets = found.facets.clone().unwrap_or_default();
    let (category, person) = app.names_of_filters(member.actor(), category, person).await?;
    let active = narrowing::active(&address, Names { category, person });
    let now = app.clock.now();
    let is_library_empty = found.total == 0 && active.is_empty() && address.q.trim().is_empty();
    Ok(Results {
        statistics: statistics(app, member, now).await?,
        has_archive: is_library_empty && has_archive(app, member).await?,
        is_library_empty,
        total: found.total,
        correction: correction(&address.q, &found.corrections),
        is_grid: address.is_grid(),
        list_href: address.with(|address| address.view.clear()),
        grid_href: address.with(|address| address.view = "grid".into()),
        sorts: sorts(&address),
        facets: narrowing::facets(&address, &facets, can_upload),
        dates: narrowing::dates(&address, &facets.years, now),
        active,
        clear_href: cleared(&address).href(),
        pager: Pager {
            first_href: (!address.after.is_empty()).then(|| address.with(|_| {})),
            next_href: found
                .next
                .clone()
                .map(|next| Address { after: next, ..address.clone() }.href()),
        },
        can_upload,
        documents: cards(found, &address, &member.user, now),
        query: address.q,
    })
}

fn cards(found: app::Page, address: &Address, reader: &User, now: Timestamp) -> Vec<DocumentCard> {
    let card = |found| DocumentCard::of(found, address, reader, now);
    found.documents.into_iter().map(card).collect()
}

async fn statistics(app: &App, member: &Member, now: Timestamp) -> Result<Statistics> {
    let statistics = app.statistics(member.actor()).await?;
    Ok(Statistics {
        documents: statistics.documents,
        new_this_month: statistics.new_this_month,
        categories: statistics.categories,
        updated: statistics.updated_at.map(|at| Moment::new(at, now)),
    })
}

/// An empty library offers no filters, so the way into the archive is asked for.
async fn has_archive(app: &App, member: &Member) -> Result<bool> {
    let archive = Find { status: Some(Status::Archived), limit: 1, ..Find::default() };
    Ok(app.find(member.actor(), archive).await?.total > 0)
}

/// Without any filter: the search and the way it is shown stay.
fn cleared(address: &Address) -> Address {
    Address {
        q: address.q.clone(),
        sort: address.sort.clone(),
        view: address.view.clone(),
        ..Address::default()
    }
}

fn sorts(address: &Address) -> Vec<ChoiceLink> {
    let chosen = address.chosen_sort();
    let has_words = !address.q.trim().is_empty();
    let offered = SORTS.iter().filter(|(sort, ..)| has_words || *sort != Sort::Relevance);
    offered
        .map(|(sort, key, label)| ChoiceLink {
            label: (*label).into(),
            href: address.with(|address| address.sort = (*key).into()),
            selected: *sort == chosen,
            count: None,
        })
        .collect()
}

/// What was searched for instead: the question with the corrected words in it.
fn correction(typed: &str, corrections: &[(String, String)]) -> Option<Correction> {
    if corrections.is_empty() {
        return None;
    }
    let mut shown = typed.trim().to_owned();
    for (written, used) in corrections {
        shown = shown.replacen(written, used, 1);
    }
    Some(Correction::ShowingInstead { shown })
}
