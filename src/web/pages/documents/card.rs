//! From the library's records to what its pages show of them.

use jiff::Timestamp;

use super::{ChoiceLink, DocumentCard, FileFace, Status, Visibility, library::Address};
use crate::{
    app::Found,
    domain::{
        blobs::{Blob, Extraction},
        documents::{self, Document},
        users::User,
    },
    web::pages::{Marked, Moment},
};

impl DocumentCard {
    /// A card whose links narrow the list at `address`. What the reader added is not new to them.
    pub fn of(found: Found, address: &Address, reader: &User, now: Timestamp) -> Self {
        let snippet = found.best_snippet_html().map(Marked::from_html).unwrap_or_default();
        let Found { document, category, creator, blob, title_html, .. } = found;
        let link = |label: String, href: String| ChoiceLink { label, href, ..Default::default() };
        let category = category.zip(document.category).map(|(name, id)| {
            link(name, address.with(|address| address.category = id.to_string()))
        });
        let narrowed = |tag: &String| link(tag.clone(), address.with(|it| it.narrow_to_tag(tag)));
        DocumentCard {
            title: match &title_html {
                Some(html) => Marked::from_html(html),
                None => Marked::plain(&document.title),
            },
            snippet,
            category,
            tags: document.tags.iter().map(narrowed).collect(),
            face: face(&document),
            thumbnail_url: thumbnail_url(&document, blob.as_ref()),
            size_bytes: document.current.as_ref().map(|file| file.size_bytes),
            host: document.link.as_deref().map(host),
            owner: creator,
            updated: Moment::new(document.updated_at, now),
            is_new: document.is_new_to(Some(reader), now),
            status: document.status.into(),
            visibility: (&document.visibility).into(),
            id: document.id.to_string(),
        }
    }
}

/// The face of a document's file, or of a link.
pub fn face(document: &Document) -> FileFace {
    FileFace::of_type(document.file_type())
}

/// The address of the thumbnail, where there is one.
pub fn thumbnail_url(document: &Document, blob: Option<&Blob>) -> Option<String> {
    match &blob?.extraction {
        Extraction::Done(facts) if facts.has_thumbnail => {
            Some(format!("/documents/{}/thumbnail", document.id))
        }
        _ => None,
    }
}

/// `https://www.example.org/a?b` → `www.example.org`.
pub fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

impl From<documents::Status> for Status {
    fn from(status: documents::Status) -> Self {
        match status {
            documents::Status::Draft => Status::Draft,
            documents::Status::Published => Status::Published,
            documents::Status::Archived => Status::Archived,
        }
    }
}

impl From<&documents::Visibility> for Visibility {
    fn from(visibility: &documents::Visibility) -> Self {
        match visibility {
            documents::Visibility::Organization => Visibility::Organization,
            documents::Visibility::Restricted { .. } => Visibility::Restricted,
            documents::Visibility::Public => Visibility::Public,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_address_is_what_a_browser_would_open() {
        assert_eq!(host("https://www.example.org/a?b#c"), "www.example.org");
        assert_eq!(host("http://example.org:8080"), "example.org:8080");
        assert_eq!(host("https://bank.example@evil.example/login"), "evil.example");
    }
}
