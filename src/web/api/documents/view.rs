//! A document as JSON.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    app::{self, Found},
    domain::{
        access::{Action, Actor, decide},
        blobs::{Blob, Extraction},
        documents::{Document, Kind, Status, Visibility},
        groups::Group,
        users::User,
        versions::Version,
    },
    error::Result,
    id::Id,
    store::ReadTx,
    web::{api::parts::Named, content},
};

/// How long a document counts as new.
const NEW_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How much of a description stands in a list.
const EXCERPT_CHARS: usize = 200;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Document")]
pub struct DocumentView {
    pub id: Id<Document>,
    title: String,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The beginning of the description.
    excerpt: String,
    /// The name of the category.
    category: Option<String>,
    category_id: Option<uuid::Uuid>,
    tags: Vec<String>,
    kind: Kind,
    status: Status,
    visibility: VisibilityName,
    /// Who sees it when it is restricted. Only for those who may edit it, and not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Named>>,
    /// As `groups`.
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<Vec<Named>>,
    /// `null` for a link, like everything else about a file.
    filename: Option<String>,
    size_bytes: Option<u64>,
    media_type: Option<String>,
    version: Option<VersionNumber>,
    page_count: Option<u32>,
    has_thumbnail: bool,
    text: TextState,
    /// Where a link leads.
    url: Option<String>,
    /// The file for everybody, without signing in; only for what is public and published.
    media_url: Option<String>,
    /// Created in the last seven days.
    is_new: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// `null` for readers from outside of the organization.
    created_by: Option<Named>,
    /// Set while it is in the trash.
    trashed_at: Option<Timestamp>,
    /// Grows with every change; `ETag` and `If-Match` carry it.
    revision: u64,
    permissions: Permissions,
    /// Where words of the search were found; only in its results.
    #[serde(skip_serializing_if = "Option::is_none")]
    highlight: Option<Highlight>,
}

/// Who sees a document besides its creator and the managers.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VisibilityName {
    Organization,
    Restricted,
    Public,
}

#[derive(Serialize, JsonSchema)]
pub struct VersionNumber {
    id: Id<Version>,
    /// 1 for the first upload.
    number: u32,
}

#[derive(Serialize, JsonSchema)]
pub struct Permissions {
    /// Change it, decide who sees it, trash and restore it.
    can_edit: bool,
}

/// Whether the text of the file could be read, for searching.
#[derive(Clone, Serialize, JsonSchema)]
pub struct TextState {
    pub state: TextStateName,
    /// Why it could not be read, or not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextStateName {
    /// Is still to be read.
    Pending,
    Done,
    Failed,
    /// There is no text: a link, a picture.
    None,
}

#[derive(Serialize, JsonSchema)]
pub struct Highlight {
    /// HTML: escaped, with the words that were found in `<mark>`.
    title_html: String,
    snippets: Vec<SnippetView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Snippet")]
pub struct SnippetView {
    source: SnippetSource,
    /// HTML: escaped, with the words that were found in `<mark>`.
    html: String,
    /// The page it stands on.
    page: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SnippetSource {
    Description,
    Text,
}

impl DocumentView {
    /// The whole document, for an actor who may read it: the caller has asked.
    pub fn of(tx: &ReadTx, actor: &Actor, document: Document) -> Result<Self> {
        let description = Some(document.description.clone());
        let visibility = document.visibility.clone();
        let mut view =
            DocumentView::in_list(actor, app::with_surroundings(tx, document)?, tx.now());
        view.description = description;
        if view.permissions.can_edit
            && let Visibility::Restricted { groups, people } = visibility
        {
            view.groups = Some(named_groups(tx, &groups)?);
            view.people = Some(named_people(tx, &people)?);
        }
        Ok(view)
    }

    /// A row: no long text, and nothing that costs a further look.
    pub fn in_list(actor: &Actor, found: Found, now: Timestamp) -> Self {
        let Found { document, category, creator, blob, title_html, snippets } = found;
        let can_edit = decide(actor, Action::Edit(&document)).is_ok();
        let is_insider = actor.role_in(document.organization).is_some();
        let is_public =
            document.visibility == Visibility::Public && document.status == Status::Published;
        let file = document.current.as_ref();
        let media_url = file.filter(|_| is_public && document.trashed.is_none()).map(|file| {
            format!("/media/{}/{}", document.id, content::percent_encoded(&file.filename))
        });
        DocumentView {
            id: document.id,
            excerpt: excerpt(&document.description),
            description: None,
            category,
            category_id: document.category.map(Id::uuid),
            kind: document.kind,
            status: document.status,
            visibility: match document.visibility {
                Visibility::Organization => VisibilityName::Organization,
                Visibility::Restricted { .. } => VisibilityName::Restricted,
                Visibility::Public => VisibilityName::Public,
            },
            groups: None,
            people: None,
            media_url,
            page_count: facts(&blob).and_then(|facts| facts.page_count),
            has_thumbnail: facts(&blob).is_some_and(|facts| facts.has_thumbnail),
            text: TextState::of(blob.as_ref()),
            is_new: now.duration_since(document.created_at) < NEW_FOR,
            created_at: document.created_at,
            updated_at: document.updated_at,
            created_by: is_insider.then(|| Named::new(document.created_by.uuid(), creator)),
            trashed_at: document.trashed.map(|trashed| trashed.at),
            revision: document.revision,
            permissions: Permissions { can_edit },
            highlight: title_html.map(|title_html| Highlight {
                title_html,
                snippets: snippets.into_iter().map(SnippetView::of).collect(),
            }),
            url: document.link,
            title: document.title,
            tags: document.tags,
            version: file.map(|file| VersionNumber { id: file.version, number: file.number }),
            size_bytes: file.map(|file| file.size_bytes),
            media_type: file.map(|file| file.media_type.clone()),
            filename: document.current.map(|file| file.filename),
        }
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }
}

impl TextState {
    pub fn of(blob: Option<&Blob>) -> Self {
        let state = |state| TextState { state, reason: None };
        match blob.map(|blob| &blob.extraction) {
            None => state(TextStateName::None),
            Some(Extraction::Pending) => state(TextStateName::Pending),
            Some(Extraction::Failed { reason }) => {
                TextState { state: TextStateName::Failed, reason: Some(reason.clone()) }
            }
            Some(Extraction::Done(facts)) if facts.has_text => {
                TextState { state: TextStateName::Done, reason: facts.incomplete.clone() }
            }
            Some(Extraction::Done(facts)) => {
                TextState { state: TextStateName::None, reason: facts.incomplete.clone() }
            }
        }
    }
}

impl SnippetView {
    fn of(snippet: app::Snippet) -> Self {
        SnippetView {
            source: match snippet.source {
                app::SnippetSource::Description => SnippetSource::Description,
                app::SnippetSource::Body => SnippetSource::Text,
            },
            html: snippet.html,
            page: snippet.page,
        }
    }
}

fn facts(blob: &Option<Blob>) -> Option<&crate::domain::blobs::Facts> {
    match blob.as_ref().map(|blob| &blob.extraction) {
        Some(Extraction::Done(facts)) => Some(facts),
        _ => None,
    }
}

fn excerpt(description: &str) -> String {
    let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= EXCERPT_CHARS {
        return line;
    }
    let cut: String = line.chars().take(EXCERPT_CHARS - 1).collect();
    format!("{}…", cut.trim_end())
}

/// Deleted groups are left out: nobody is in them.
fn named_groups(tx: &ReadTx, ids: &[Id<Group>]) -> Result<Vec<Named>> {
    let mut named = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(group) = tx.get::<Group>(id)? {
            named.push(Named::new(id.uuid(), group.name));
        }
    }
    Ok(named)
}

fn named_people(tx: &ReadTx, ids: &[Id<User>]) -> Result<Vec<Named>> {
    let names = app::names_of(tx, ids.iter().copied())?;
    Ok(names.into_iter().map(|(id, name)| Named::new(id.uuid(), name)).collect())
}
