//! The handler of the list of all documents.

use actix_web::{HttpRequest, web::Data};
use jiff::Timestamp;
use serde::Deserialize;

use super::{DocumentRow, DocumentsPage};
use crate::{
    app::{App, Find, Found, Sort},
    domain::{
        access::{Action, decide},
        categories,
        documents::Status,
    },
    web::{
        auth::Member,
        body::Query,
        fault::Result,
        pages::{
            Choice, ChoiceLink, Html, Moment, Pager, Place,
            admin::Sidebar,
            documents::{Visibility, card},
            format, page,
        },
    },
};

const LIMIT: usize = 50;
/// The search knows no visibility, so a page with this filter looks through some of it.
const ROUNDS_MAX: usize = 20;

/// What stands behind the `?`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DocumentsAddress {
    q: String,
    status: String,
    visibility: String,
    category: String,
    after: String,
}

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Query(wanted): Query<DocumentsAddress>,
) -> Result<Html<DocumentsPage>> {
    let (actor, organization) = (member.actor(), member.organization);
    let all = app
        .store
        .read(move |tx| {
            decide(&actor, Action::Curate(organization))?;
            categories::list(tx, organization)
        })
        .await?;
    let listed = list(&app, &member, &wanted).await?;
    let now = app.clock.now();
    let tab = |label: &str, status: &str| ChoiceLink {
        label: label.into(),
        href: wanted.href(status, ""),
        selected: wanted.status == status,
        count: None,
    };
    let category = |chosen: &str| {
        let one = |category: &categories::Category| {
            let id = category.id.to_string();
            let is_chosen = id == chosen;
            Choice::new(id, category.name.clone(), is_chosen)
        };
        all.iter().map(one).collect::<Vec<_>>()
    };
    let mut filter = vec![Choice::new("", "Any category", wanted.category.is_empty())];
    filter.extend(category(&wanted.category));
    let mut targets = vec![Choice::new("", "No category", true)];
    targets.extend(category(""));
    let mut visibilities = vec![Choice::new("", "Anybody", wanted.visibility.is_empty())];
    visibilities.extend(
        Visibility::all()
            .map(|one| Choice::new(one.key(), one.label(), one.key() == wanted.visibility)),
    );
    Ok(Html(DocumentsPage {
        page: page(&request, &member.visitor, Place::Documents).await?,
        sidebar: Sidebar::of(&app, &member).await?,
        statuses: vec![
            tab("In the library", ""),
            tab("Published", Status::Published.name()),
            tab("Drafts", Status::Draft.name()),
            tab("Archived", Status::Archived.name()),
        ],
        visibilities,
        categories: filter,
        targets,
        documents: listed.documents.into_iter().map(|found| row(found, now)).collect(),
        total: listed.total,
        pager: Pager {
            first_href: (!wanted.after.is_empty()).then(|| wanted.href(&wanted.status, "")),
            next_href: listed.next.map(|next| wanted.href(&wanted.status, &next)),
        },
        query: wanted.q,
    }))
}

struct Listed {
    documents: Vec<Found>,
    total: u64,
    next: Option<String>,
}

async fn list(app: &App, member: &Member, wanted: &DocumentsAddress) -> Result<Listed> {
    let shows = |found: &Found| {
        let visibility = Visibility::from(&found.document.visibility);
        wanted.visibility.is_empty() || visibility.key() == wanted.visibility
    };
    let mut find = Find {
        text: wanted.q.clone(),
        category: wanted.category.parse().ok(),
        status: Status::from_name(&wanted.status).ok(),
        sort: if wanted.q.trim().is_empty() { Sort::Newest } else { Sort::Relevance },
        after: Some(wanted.after.clone()).filter(|after| !after.is_empty()),
        limit: LIMIT,
        ..Find::default()
    };
    let mut documents: Vec<Found> = Vec::new();
    for round in 1.. {
        let page = app.find(member.actor(), find.clone()).await?;
        documents.extend(page.documents.into_iter().filter(|found| shows(found)));
        let is_full = documents.len() >= LIMIT || round == ROUNDS_MAX;
        if page.next.is_none() || is_full || wanted.visibility.is_empty() {
            let is_all = wanted.after.is_empty() && page.next.is_none();
            let total = if is_all { documents.len() as u64 } else { page.total };
            return Ok(Listed { documents, total, next: page.next });
        }
        find.after = page.next;
    }
    Ok(Listed { documents, total: 0, next: None })
}

impl DocumentsAddress {
    fn href(&self, status: &str, after: &str) -> String {
        let fields = [
            ("q", self.q.as_str()),
            ("status", status),
            ("visibility", &self.visibility),
            ("category", &self.category),
            ("after", after),
        ];
        format::address("/admin/documents", &fields)
    }
}

fn row(found: Found, now: Timestamp) -> DocumentRow {
    let document = found.document;
    DocumentRow {
        id: document.id.to_string(),
        face: card::face(&document),
        category: found.category.unwrap_or_default(),
        owner: found.creator,
        size_bytes: document.current.as_ref().map(|file| file.size_bytes),
        updated: Moment::new(document.updated_at, now),
        status: document.status.into(),
        visibility: (&document.visibility).into(),
        title: document.title,
    }
}
