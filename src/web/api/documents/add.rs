//! Adding documents: files and links.

use actix_multipart::Multipart;
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::view::{DocumentView, VisibilityName};
use crate::{
    app::App,
    domain::{
        access::{Action, decide},
        documents::{self, Kind, NewDocument, Status, Visibility},
        groups::Group,
        users::User,
    },
    error::{Error, Result as AppResult},
    id::Id,
    web::{
        api::parts,
        auth::Member,
        body::{self, Json, Received},
        fault::Result,
    },
};

/// The fields may come in any order.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "described here, read field by field")]
pub struct UploadForm {
    #[schemars(extend("format" = "binary"))]
    file: String,
    /// Made from the file name when it is left out.
    title: Option<String>,
    description: Option<String>,
    /// The name of a category; made when it is new.
    category: Option<String>,
    /// Separated by commas, or repeated.
    tags: Option<Vec<String>>,
    /// `file` when it is left out; not `link`.
    kind: Option<Kind>,
    /// `published` when it is left out.
    status: Option<Status>,
    /// `organization` when it is left out.
    visibility: Option<VisibilityName>,
    /// Ids of those who see a restricted document, separated by commas, or repeated.
    groups: Option<Vec<Id<Group>>>,
    /// As `groups`.
    people: Option<Vec<Id<User>>>,
}

/// Every field of [`UploadForm`]; some clients mark a field that repeats with brackets.
const FIELDS: [&str; 12] = [
    "title",
    "description",
    "category",
    "tags",
    "tags[]",
    "kind",
    "status",
    "visibility",
    "groups",
    "groups[]",
    "people",
    "people[]",
];

pub async fn upload(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    multipart: Multipart,
) -> Result<HttpResponse> {
    let (actor, organization) = (member.actor(), member.organization);
    // Before a byte is received.
    decide(&actor, Action::Upload(organization))?;
    let mut received = body::receive(&app, &request, &member.visitor, multipart, &["file"]).await?;
    only_known_fields(&received, &FIELDS)?;
    let new = described(&received)?;
    let file = received.one_file()?;
    let view = app
        .write_as(actor, move |tx, actor| {
            let document = documents::add_file(tx, actor, organization, new, file)?;
            DocumentView::of(tx, actor, document)
        })
        .await?;
    Ok(created(&view))
}

/// A misspelt `visibility` must not show a document to everybody.
pub fn only_known_fields(received: &Received, known: &[&str]) -> AppResult<()> {
    match received.fields.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::invalid(format!("There is no field “{name}” in this form."))),
    }
}

fn described(received: &Received) -> AppResult<NewDocument> {
    let kind = received.text("kind");
    let status = received.text("status");
    Ok(NewDocument {
        title: received.text("title").into(),
        description: received.text("description").into(),
        category: received.text("category").into(),
        tags: repeated(received, "tags", "tags[]"),
        kind: if kind.is_empty() { Kind::File } else { Kind::from_name(kind)? },
        status: if status.is_empty() { Status::Published } else { Status::from_name(status)? },
        visibility: visibility(
            received.text("visibility"),
            parts::ids("groups", &repeated(received, "groups", "groups[]"))?,
            parts::ids("people", &repeated(received, "people", "people[]"))?,
        )?,
    })
}

fn repeated(received: &Received, name: &str, bracketed: &str) -> Vec<String> {
    [received.all(name), received.all(bracketed)].concat()
}

/// # Errors
/// `Invalid` for groups and people beside another visibility than `restricted`: whoever names them
/// means to restrict.
pub fn visibility(
    name: &str,
    groups: Vec<Id<Group>>,
    people: Vec<Id<User>>,
) -> AppResult<Visibility> {
    let name = if name.is_empty() { "organization" } else { name };
    if name != "restricted" && !(groups.is_empty() && people.is_empty()) {
        return Err(Error::invalid_field(
            "visibility",
            "Groups and people belong to the visibility “restricted”.",
        ));
    }
    Visibility::from_parts(name, groups, people)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkForm {
    /// Begins with `https://` or `http://`.
    url: String,
    /// The address itself when it is left out.
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
    /// The name of a category; made when it is new.
    #[serde(default)]
    category: String,
    #[serde(default)]
    tags: Vec<String>,
    /// `published` when it is left out.
    #[serde(default = "published")]
    status: Status,
    /// `organization` when it is left out.
    #[serde(default)]
    #[schemars(with = "VisibilityName")]
    visibility: String,
    /// Who sees a restricted document.
    #[serde(default)]
    groups: Vec<Id<Group>>,
    /// As `groups`.
    #[serde(default)]
    people: Vec<Id<User>>,
}

fn published() -> Status {
    Status::Published
}

pub async fn link(
    app: Data<App>,
    member: Member,
    Json(form): Json<LinkForm>,
) -> Result<HttpResponse> {
    let (actor, organization) = (member.actor(), member.organization);
    let new = NewDocument {
        title: form.title,
        description: form.description,
        category: form.category,
        tags: form.tags,
        kind: Kind::Link,
        status: form.status,
        visibility: visibility(&form.visibility, form.groups, form.people)?,
    };
    let view = app
        .write_as(actor, move |tx, actor| {
            let document = documents::add_link(tx, actor, organization, new, &form.url)?;
            DocumentView::of(tx, actor, document)
        })
        .await?;
    Ok(created(&view))
}

fn created(view: &DocumentView) -> HttpResponse {
    let mut response = parts::tagged(StatusCode::CREATED, view.revision(), view);
    if let Ok(location) = header::HeaderValue::from_str(&format!("/api/documents/{}", view.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
