//! What the index holds of a document: its record, the names around it, and the text of its file.

use super::STEP;
use crate::{
    app::{App, extraction::TEXT},
    domain::{
        blobs::{self, Extraction},
        categories::Category,
        documents::Document,
    },
    error::Result,
    extract,
    hash::ContentHash,
    id::Id,
    search::{Entry, Named},
    store::ReadTx,
};

/// An entry whose text is still with the blobs.
pub(super) struct Unread {
    entry: Entry,
    text_of: Option<ContentHash>,
}

impl Unread {
    /// A text that cannot be read is left out: the document is found by all else that is known of
    /// it, and the index goes on.
    pub async fn read(mut self, app: &App) -> Entry {
        let Some(hash) = self.text_of else { return self.entry };
        match app.blobs.read_derived_start(hash, TEXT, extract::TEXT_BYTES_MAX).await {
            Ok(text) => {
                self.entry.body = text.map(|text| String::from_utf8_lossy(&text).into_owned());
            }
            Err(fault) => tracing::error!(
                document = %self.entry.id,
                "a document is indexed without its text: {}",
                fault.chain()
            ),
        }
        self.entry
    }
}

pub(super) fn text_bytes(entry: &Entry) -> usize {
    entry.body.as_ref().map_or(0, String::len)
}

/// A document as the index sees it; `None` when it must not be found.
pub(super) fn entry(tx: &ReadTx, id: Id<Document>) -> Result<Option<Unread>> {
    match tx.get::<Document>(&id)? {
        Some(document) if document.trashed.is_none() => entry_of(tx, document).map(Some),
        _ => Ok(None),
    }
}

fn entry_of(tx: &ReadTx, document: Document) -> Result<Unread> {
    let category = document.category.map(|id| tx.get::<Category>(&id)).transpose()?.flatten();
    let mut entry = Entry {
        id: document.id.uuid(),
        tenant: document.organization.uuid(),
        access: document.terms().into_iter().map(|term| term.word()).collect(),
        status: document.status.name().into(),
        category: category.map(|category| Named { id: category.id.uuid(), name: category.name }),
        person: Some(Named { id: document.created_by.uuid(), name: String::new() }),
        kind: document.kind.name().into(),
        file_type: document.file_type().name().into(),
        created_at_ms: document.created_at.as_millisecond(),
        updated_at_ms: document.updated_at.as_millisecond(),
        title: document.title,
        description: document.description,
        tags: document.tags,
        filename: document.link.unwrap_or_default(),
        ..Entry::default()
    };
    let Some(file) = document.current else { return Ok(Unread { entry, text_of: None }) };
    entry.filename = file.filename;
    entry.media_type = file.media_type;
    entry.size_bytes = file.size_bytes;
    let mut text_of = None;
    match blobs::find(tx, file.blob)?.map(|blob| blob.extraction) {
        Some(Extraction::Done(facts)) => {
            text_of = facts.has_text.then_some(file.blob);
            entry.language = facts.language;
        }
        Some(Extraction::Pending | Extraction::Failed { .. }) => {}
        None => tracing::error!(document = %document.id, "its file {} has no record", file.blob),
    }
    Ok(Unread { entry, text_of })
}

pub(super) struct EntryPage {
    pub unread: Vec<Unread>,
    pub looked_at: u64,
    pub last: Option<Id<Document>>,
}

/// The next step of all documents.
pub(super) fn next_entries(tx: &ReadTx, after: Option<Id<Document>>) -> Result<EntryPage> {
    let mut page = EntryPage { unread: Vec::new(), looked_at: 0, last: None };
    let mut scan = tx.records::<Document>();
    if let Some(after) = after {
        scan = scan.after(&after);
    }
    for document in scan.iter()?.take(STEP) {
        let document = document?;
        page.last = Some(document.id);
        page.looked_at += 1;
        if document.trashed.is_none() {
            page.unread.push(entry_of(tx, document)?);
        }
    }
    Ok(page)
}
