//! What can be found: an entry, and how it becomes a document of the index.

use std::collections::BTreeSet;

use tantivy::{TantivyDocument, Term};
use uuid::Uuid;

use super::{
    fold,
    languages::{self, Language},
    order,
    schema::Fields,
};

/// Longest title, description and file name that are indexed, in bytes; more is cut off.
const TITLE_BYTES_MAX: usize = 4 * 1024;
const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;
/// Most tags and access terms of one entry.
const TAGS_MAX: usize = 256;

/// One thing that can be found. The engine knows nothing about it beyond what stands here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    pub id: Uuid,
    /// Nobody ever sees an entry of another tenant.
    pub tenant: Uuid,
    /// Who may see it: a request that brings any of these terms. None: nobody.
    pub access: Vec<String>,
    /// For instance `published`.
    pub status: String,
    pub title: String,
    pub description: String,
    pub category: Option<Named>,
    pub tags: Vec<String>,
    /// Empty when there is no file.
    pub filename: String,
    pub person: Option<Named>,
    pub kind: String,
    /// For instance `application/pdf`; may be empty.
    pub media_type: String,
    /// For instance `pdf`; may be empty.
    pub file_type: String,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    pub size_bytes: u64,
    /// The text inside; pages are separated by form feeds (U+000C).
    pub body: Option<String>,
    /// ISO 639-1 code; guessed from the text when missing. Decides how words are stemmed.
    pub language: Option<String>,
}

/// Something with an id to filter by and a name to search for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Named {
    pub id: Uuid,
    pub name: String,
}

/// One step in the life of an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The entry is new, or replaces the one with its id.
    Put(Box<Entry>),
    Remove(Uuid),
}

impl Change {
    pub fn id(&self) -> Uuid {
        match self {
            Change::Put(entry) => entry.id,
            Change::Remove(id) => *id,
        }
    }

    /// About how much text this change brings, in bytes.
    pub(super) fn text_bytes(&self) -> usize {
        match self {
            Change::Put(entry) => entry.body.as_ref().map_or(0, String::len) + 1024,
            Change::Remove(_) => 0,
        }
    }
}

/// How much of a body is kept, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimits {
    pub indexed_bytes_max: usize,
    pub stored_bytes_max: usize,
}

/// The term under which an entry is removed and replaced.
pub(super) fn id_term(fields: &Fields, id: Uuid) -> Term {
    Term::from_field_bytes(fields.id, id.as_bytes())
}

/// Tenant and access term in one: who does not bring both has nothing in common with the entry.
/// The tenant's 32 digits come first, so no access term can reach into another tenant.
pub(super) fn access_value(tenant: Uuid, access: &str) -> String {
    format!("{}/{access}", tenant.simple())
}

pub(super) fn id_value(id: Uuid) -> String {
    id.simple().to_string()
}

/// The document of the index that stands for this entry.
pub(super) fn document(entry: &Entry, fields: &Fields, limits: BodyLimits) -> TantivyDocument {
    let title = fold::composed(start_of(&entry.title, TITLE_BYTES_MAX));
    let description = fold::composed(start_of(&entry.description, DESCRIPTION_BYTES_MAX));
    let filename = fold::composed(start_of(&entry.filename, TITLE_BYTES_MAX));
    let body = entry.body.as_deref().unwrap_or("");
    let body = fold::composed(start_of(body, limits.indexed_bytes_max));
    let names = names(entry, &filename);
    let language = language(entry, &title, &description, &body);
    let marked = |text: &str| format!("{}{text}", languages::marker(language));

    let mut document = TantivyDocument::new();
    document.add_bytes(fields.id, entry.id.as_bytes());
    for access in entry.access.iter().take(TAGS_MAX) {
        document.add_text(fields.access, access_value(entry.tenant, access));
    }
    document.add_text(fields.status, &entry.status);
    document.add_text(fields.language, language.map_or("", Language::code));
    for text in [&*title, &names, &*description, &*body] {
        if !text.is_empty() {
            document.add_text(fields.text, text);
            document.add_text(fields.stem, marked(text));
        }
    }
    document.add_text(fields.title, marked(&title));
    document.add_text(fields.names, marked(&names));
    if !description.is_empty() {
        document.add_text(fields.description, marked(&description));
        document.add_text(fields.stored_description, &description);
    }
    if let Some(category) = &entry.category {
        document.add_text(fields.category, id_value(category.id));
    }
    if let Some(person) = &entry.person {
        document.add_text(fields.person, id_value(person.id));
    }
    document.add_text(fields.kind, &entry.kind);
    // Twice the same tag would be counted twice.
    for tag in entry.tags.iter().take(TAGS_MAX).collect::<BTreeSet<_>>() {
        document.add_text(fields.tag, tag);
    }
    document.add_text(fields.media_type, &entry.media_type);
    if let Some((family, _)) = entry.media_type.split_once('/') {
        document.add_text(fields.media_type, format!("{family}/"));
    }
    if !entry.file_type.is_empty() {
        document.add_text(fields.file_type, &entry.file_type);
    }
    document.add_text(fields.stored_title, &title);
    if !filename.is_empty() {
        document.add_text(fields.stored_filename, &filename);
    }
    if !body.is_empty() {
        document.add_text(fields.stored_body, start_of(&body, limits.stored_bytes_max));
    }
    add_columns(entry, &title, fields, &mut document);
    document
}

fn add_columns(entry: &Entry, title: &str, fields: &Fields, document: &mut TantivyDocument) {
    let (high, low) = entry.id.as_u64_pair();
    document.add_u64(fields.id_high, high);
    document.add_u64(fields.id_low, low);
    document.add_i64(fields.created, entry.created_at_ms);
    document.add_i64(fields.updated, entry.updated_at_ms);
    document.add_u64(fields.year, order::year_of(entry.created_at_ms));
    document.add_u64(fields.size, entry.size_bytes);
    document.add_text(fields.title_order, order::title_order(title));
}

/// Everything an entry is called besides its title, one name a line.
fn names(entry: &Entry, filename: &str) -> String {
    let mut names = String::new();
    let named = [&entry.category, &entry.person].into_iter().flatten().map(|named| &*named.name);
    let tags = entry.tags.iter().take(TAGS_MAX).map(String::as_str);
    for name in tags.chain(named) {
        names.push_str(&fold::composed(start_of(name, TITLE_BYTES_MAX)));
        names.push('\n');
    }
    names.push_str(filename);
    names
}

/// None for a language without a stemmer: its words are found as they are.
fn language(entry: &Entry, title: &str, description: &str, body: &str) -> Option<Language> {
    match entry.language.as_deref() {
        Some(code) if !code.is_empty() => Language::from_code(code),
        _ if body.is_empty() => Some(Language::guess(&format!("{title}\n{description}"))),
        _ => Some(Language::guess(body)),
    }
}

fn start_of(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
