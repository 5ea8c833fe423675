//! The fields that upload, link, edit and visibility forms share: what was sent, as the domain
//! takes it, and as it is shown again.

use serde::Deserialize;

use super::{DetailsFields, Status, Visibility, VisibilityFields};
use crate::{
    app::App,
    domain::{
        access::Actor,
        documents::{self, Document, Kind, NewDocument},
    },
    error::{Error, Result},
    id::Id,
    together::together,
    web::{
        body::Received,
        pages::{Choice, Seen, format},
    },
};

/// What a form about a document sends; each uses what it has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DocumentForm {
    pub title: String,
    pub description: String,
    pub category: String,
    /// Separated by commas.
    pub tags: String,
    pub kind: String,
    pub status: String,
    pub visibility: String,
    pub groups: Vec<String>,
    pub people: Vec<String>,
    /// Where a link leads.
    pub url: String,
    /// The revision that was read.
    pub etag: String,
    /// Who could see it, as the form showed it.
    pub seen: Seen,
}

impl DocumentForm {
    /// The fields of a multipart form.
    pub fn of(received: &Received) -> Self {
        let text = |name| received.text(name).to_owned();
        DocumentForm {
            title: text("title"),
            description: text("description"),
            category: text("category"),
            tags: text("tags"),
            kind: text("kind"),
            status: text("status"),
            visibility: text("visibility"),
            groups: received.all("groups").to_vec(),
            people: received.all("people").to_vec(),
            url: text("url"),
            etag: text("etag"),
            seen: Seen::default(),
        }
    }

    /// The form of a document as it is.
    pub fn about(document: &Document, category: Option<&str>) -> Self {
        let (groups, people) = match &document.visibility {
            documents::Visibility::Restricted { groups, people } => (
                groups.iter().map(ToString::to_string).collect(),
                people.iter().map(ToString::to_string).collect(),
            ),
            _ => Default::default(),
        };
        DocumentForm {
            title: document.title.clone(),
            description: document.description.clone(),
            category: category.unwrap_or_default().to_owned(),
            tags: document.tags.join(", "),
            kind: document.kind.name().into(),
            status: document.status.name().into(),
            visibility: document.visibility.name().into(),
            groups,
            people,
            url: document.link.clone().unwrap_or_default(),
            etag: document.revision.to_string(),
            seen: seen(&document.visibility),
        }
    }

    /// # Errors
    /// `Invalid` naming the field with a value that no form of ours offers.
    pub fn new_document(&self) -> Result<NewDocument> {
        let kind = match self.kind.as_str() {
            "" => Ok(Kind::File),
            kind => Kind::from_name(kind),
        };
        let status = match self.status.as_str() {
            "" => Ok(documents::Status::Published),
            status => documents::Status::from_name(status),
        };
        let (kind, status, visibility) = together((kind, status, self.visibility()))?;
        Ok(NewDocument {
            title: self.title.clone(),
            description: self.description.clone(),
            category: self.category.clone(),
            tags: vec![self.tags.clone()],
            kind,
            status,
            visibility,
        })
    }

    /// # Errors
    /// `Invalid` naming the field with a value that no form of ours offers.
    pub fn visibility(&self) -> Result<documents::Visibility> {
        let visibility = match self.visibility.as_str() {
            "" => "organization",
            chosen => chosen,
        };
        // The lists are sent along when they do not count, too.
        let is_restricted = visibility == "restricted";
        let groups = if is_restricted { ids("groups", &self.groups)? } else { Vec::new() };
        let people = if is_restricted { ids("people", &self.people)? } else { Vec::new() };
        documents::Visibility::from_parts(visibility, groups, people)
    }

    /// The details as the form shows them, with what there is to choose from. `kinds` are those
    /// that the document can have.
    pub async fn details(&self, app: &App, actor: Actor, kinds: &[Kind]) -> Result<DetailsFields> {
        let proposals = app.proposals(actor).await?;
        let chosen = if self.kind.is_empty() { Kind::File.name() } else { &self.kind };
        let kind = |kind: &Kind| Choice::new(kind.name(), kind.label(), kind.name() == chosen);
        Ok(DetailsFields {
            title: self.title.clone(),
            description: self.description.clone(),
            category: self.category.clone(),
            categories: proposals.categories.into_iter().map(|category| category.name).collect(),
            tags: self.tags.clone(),
            known_tags: proposals.tags,
            kinds: kinds.iter().map(kind).collect(),
        })
    }

    /// The choice of who may see it, with the groups and people that there are.
    pub async fn visibility_fields(&self, app: &App, actor: Actor) -> Result<VisibilityFields> {
        let own = actor.user;
        let audience = app.audience(actor).await?;
        let groups = audience.groups.into_iter().map(|(group, members)| {
            let id = group.id.to_string();
            let selected = self.groups.contains(&id);
            let detail = format::counted(members, "member", "members");
            Choice { value: id, label: group.name, detail, selected }
        });
        let people = audience.people.into_iter().filter_map(|person| {
            let id = person.id.to_string();
            let selected = self.people.contains(&id);
            // Whoever adds a document sees it anyway. But who is chosen stays: what the form does
            // not show is lost when it is saved.
            let is_offered = !person.is_disabled && Some(person.id) != own;
            let label = match person.is_disabled {
                true => format!("{} (disabled)", person.display_name()),
                false => person.display_name().to_owned(),
            };
            (is_offered || selected).then_some(Choice {
                value: id,
                label,
                detail: person.email,
                selected,
            })
        });
        Ok(VisibilityFields {
            chosen: Visibility::from_key(&self.visibility),
            groups: groups.collect(),
            people: people.collect(),
        })
    }

    pub fn chosen_status(&self) -> Status {
        documents::Status::from_name(&self.status).map(Into::into).unwrap_or_default()
    }
}

/// What the form shows of who can see a document.
pub fn seen(visibility: &documents::Visibility) -> Seen {
    let mut parts = vec![visibility.name().to_owned()];
    if let documents::Visibility::Restricted { groups, people } = visibility {
        parts.extend(groups.iter().map(|id| format!("group {id}")));
        parts.extend(people.iter().map(|id| format!("person {id}")));
    }
    Seen::of(parts)
}

/// What a file can be: anything but a link.
pub fn kinds_of_files() -> Vec<Kind> {
    Kind::ALL.iter().copied().filter(|kind| *kind != Kind::Link).collect()
}

fn ids<T>(field: &'static str, texts: &[String]) -> Result<Vec<Id<T>>> {
    texts
        .iter()
        .map(|text| {
            text.parse().map_err(|_| Error::invalid_field(field, "This is not in the list."))
        })
        .collect()
}

impl Visibility {
    /// The choice in a form; an empty one is the ordinary case.
    pub fn from_key(key: &str) -> Self {
        Visibility::all().into_iter().find(|one| one.key() == key).unwrap_or_default()
    }
}
