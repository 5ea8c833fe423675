//! Versions: the files that a document has had, each immutable.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    access::{Action, Actor, decide, unknown},
    blobs::{self, Blob, NewBlob},
    documents::{self, CurrentFile, Document},
    events::{self, Verb},
    organizations::Organization,
    text,
    users::User,
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    store::{Index, IndexEntries, ReadTx, Record, Table, WriteTx},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    pub id: Id<Version>,
    pub document: Id<Document>,
    pub organization: Id<Organization>,
    /// 1 for the first upload.
    pub number: u32,
    pub filename: String,
    pub media_type: String,
    pub size_bytes: u64,
    pub blob: ContentHash,
    pub created_by: Id<User>,
    pub created_at: Timestamp,
}

impl Record for Version {
    const TABLE: Table = Table { number: 9, name: "versions" };

    type Key = Id<Version>;

    fn key(&self) -> Self::Key {
        self.id
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&BY_DOCUMENT, &(self.document, self.number));
        entries.add(&BY_BLOB, &self.blob);
    }
}

/// So many in a month are an import, which says nothing about the next month.
const VERSIONS_SUMMED_MAX: usize = 100_000;
const UPLOADS_ASKED_MAX: usize = 100;

const BY_DOCUMENT: Index<Version, (Id<Document>, u32)> = Index::unique(1);
const BY_BLOB: Index<Version, ContentHash> = Index::new(2);

/// A file that was uploaded and is durable on the spool.
#[derive(Clone, Debug)]
pub struct NewFile {
    pub filename: String,
    pub blob: NewBlob,
}

/// Adds a file to a document and makes it the current one.
///
/// # Errors
/// `Conflict` for a link, which has no file.
pub fn add(
    tx: &mut WriteTx,
    actor: &Actor,
    document: Id<Document>,
    file: NewFile,
) -> Result<(Document, Version)> {
    let mut document = documents::editable(tx, actor, document)?;
    if document.link.is_some() {
        return Err(Error::conflict(
            "This document is a link and has no versions. Upload the file as a new document.",
        ));
    }
    let version = insert(tx, actor, &document, file)?;
    document.current = Some(current_file(&version));
    documents::save(tx, &mut document)?;
    let detail = format!("version {}: {}", version.number, version.filename);
    events::record(
        tx,
        actor,
        document.organization,
        Verb::VersionAdded,
        document.id,
        &document.title,
        Some(&detail),
    )?;
    Ok((document, version))
}

/// Writes the version itself, numbered after the last.
pub(super) fn insert(
    tx: &mut WriteTx,
    actor: &Actor,
    document: &Document,
    file: NewFile,
) -> Result<Version> {
    let last = tx.index(&BY_DOCUMENT).within(&document.id).backward().keys()?.next().transpose()?;
    let media_type = file.blob.media_type.clone();
    let blob = blobs::adopt(tx, file.blob)?;
    let version = Version {
        id: tx.new_id(),
        document: document.id,
        organization: document.organization,
        number: last.map_or(1, |((_, number), _)| number + 1),
        filename: text::filename(&file.filename)?,
        media_type,
        size_bytes: blob.size_bytes,
        blob: blob.hash,
        created_by: actor.user.unwrap_or(document.created_by),
        created_at: tx.now(),
    };
    tx.put(&version)?;
    Ok(version)
}

/// What a document remembers of the version that it shows.
pub fn current_file(version: &Version) -> CurrentFile {
    CurrentFile {
        version: version.id,
        number: version.number,
        filename: version.filename.clone(),
        media_type: version.media_type.clone(),
        size_bytes: version.size_bytes,
        blob: version.blob,
    }
}

/// The versions of a document that the actor may read, newest first.
pub fn list(tx: &ReadTx, actor: &Actor, document: &Document) -> Result<Vec<Version>> {
    decide(actor, Action::Read(document))?;
    if decide(actor, Action::ReadHistory(document)).is_ok() {
        return of_document(tx, document.id);
    }
    let Some(current) = &document.current else { return Ok(Vec::new()) };
    Ok(tx.get(&current.version)?.into_iter().collect())
}

pub(in crate::domain) fn of_document(tx: &ReadTx, document: Id<Document>) -> Result<Vec<Version>> {
    tx.index(&BY_DOCUMENT).within(&document).backward().records()?.collect()
}

/// One version with its document, for an actor who may read it.
pub fn readable(
    tx: &ReadTx,
    actor: &Actor,
    document: Id<Document>,
    id: Id<Version>,
) -> Result<(Document, Version)> {
    let document = documents::readable(tx, actor, document)?;
    let version = tx
        .get::<Version>(&id)?
        .filter(|version| version.document == document.id)
        .ok_or_else(|| unknown(actor, "version"))?;
    if document.current.as_ref().is_none_or(|current| current.version != id) {
        decide(actor, Action::ReadHistory(&document))?;
    }
    Ok((document, version))
}

/// Makes an older version the one that is shown and downloaded.
pub fn make_current(
    tx: &mut WriteTx,
    actor: &Actor,
    document: Id<Document>,
    id: Id<Version>,
) -> Result<Document> {
    let mut document = documents::editable(tx, actor, document)?;
    let (_, version) = readable(tx, actor, document.id, id)?;
    if document.current.as_ref().is_some_and(|current| current.version == id) {
        return Ok(document);
    }
    document.current = Some(current_file(&version));
    documents::save(tx, &mut document)?;
    let detail = format!("version {}", version.number);
    events::record(
        tx,
        actor,
        document.organization,
        Verb::VersionMadeCurrent,
        document.id,
        &document.title,
        Some(&detail),
    )?;
    Ok(document)
}

/// True when some version consists of these bytes.
pub fn refers_to(tx: &ReadTx, blob: ContentHash) -> Result<bool> {
    Ok(tx.index(&BY_BLOB).within(&blob).keys()?.next().transpose()?.is_some())
}

/// The versions that consist of these bytes after `after`, at most `limit`.
pub fn of_blob(
    tx: &ReadTx,
    blob: ContentHash,
    after: Option<Id<Version>>,
    limit: usize,
) -> Result<Vec<Version>> {
    let mut scan = tx.index(&BY_BLOB).within(&blob);
    if let Some(after) = after {
        scan = scan.after(&(blob, after));
    }
    scan.records()?.take(limit).collect()
}

/// # Errors
/// `NotFound` for a document without a file.
pub fn current(document: &Document) -> Result<&CurrentFile> {
    document.current.as_ref().ok_or_else(|| {
        Error::NotFound("This document is a link: there is no file to download.".into())
    })
}

/// The first upload of these bytes; `None` when nothing refers to them.
pub fn first_of_blob(tx: &ReadTx, blob: ContentHash) -> Result<Option<Version>> {
    Ok(of_blob(tx, blob, None, 1)?.pop())
}

/// The upload whose name says best how these bytes are to be read: one that was taken for what they are
/// read as, else the first. `None` when nothing refers to them.
pub fn named_for_reading(tx: &ReadTx, blob: &Blob) -> Result<Option<Version>> {
    let mut uploads = of_blob(tx, blob.hash, None, UPLOADS_ASKED_MAX)?;
    let best = uploads.iter().position(|version| version.media_type == blob.media_type);
    Ok((!uploads.is_empty()).then(|| uploads.swap_remove(best.unwrap_or(0))))
}

/// The bytes of all versions that were uploaded since a moment, as their ids tell the order.
pub fn bytes_since(tx: &ReadTx, since: Timestamp) -> Result<u64> {
    let mut bytes = 0_u64;
    for version in tx.records::<Version>().backward().iter()?.take(VERSIONS_SUMMED_MAX) {
        let version = version?;
        if version.created_at < since {
            break;
        }
        bytes = bytes.saturating_add(version.size_bytes);
    }
    Ok(bytes)
}
