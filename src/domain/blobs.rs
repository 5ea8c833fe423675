//! Blobs: what is known about stored bytes. The bytes themselves are with the blobs engine, under
//! the same hash; a record here means that they are safely there.

use anyhow::anyhow;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    jobs::{self, Task},
    organizations::Organization,
    versions,
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
    store::{ReadTx, Record, Table, WriteTx},
};

/// How long bytes outlive the last thing that used them.
pub(super) const BLOB_KEPT: SignedDuration = SignedDuration::from_hours(1);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Blob {
    pub hash: ContentHash,
    pub size_bytes: u64,
    /// What they are read as. A version may call the same bytes something else.
    pub media_type: String,
    pub place: Place,
    #[serde(default)]
    pub extraction: Extraction,
    pub created_at: Timestamp,
}

/// Where the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// On the local disk, waiting for their move.
    Spooled,
    /// Where files rest: on the disk, or on S3.
    Stored,
}

/// What reading the bytes gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Extraction {
    /// Not read yet.
    #[default]
    Pending,
    /// Read; its text and images are stored beside it.
    Done(Facts),
    /// Cannot be read; the reason is a sentence for a person.
    Failed { reason: String },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// ISO 639-1.
    pub language: Option<String>,
    pub page_count: Option<u32>,
    pub width_px: Option<u32>,
    pub height_px: Option<u32>,
    pub has_text: bool,
    pub is_text_truncated: bool,
    /// Why some of it could not be read; a sentence for a person.
    pub incomplete: Option<String>,
    pub has_thumbnail: bool,
    /// The media type of the thumbnail and the page images.
    pub image_media_type: String,
    /// How many page images are stored, from the first page on.
    pub preview_count: u32,
}

impl Record for Blob {
    const TABLE: Table = Table { number: 10, name: "blobs" };

    type Key = ContentHash;

    fn key(&self) -> Self::Key {
        self.hash
    }
}

/// Bytes that an upload has made durable.
#[derive(Clone, Debug)]
pub struct NewBlob {
    pub hash: ContentHash,
    pub size_bytes: u64,
    pub media_type: String,
}

/// Notes that `new` is in use from now on. The first time it also sends the bytes on their way and
/// has them read, and so when nothing came of reading them and they may be something else.
pub fn adopt(tx: &mut WriteTx, new: NewBlob) -> Result<Blob> {
    if let Some(mut known) = tx.get::<Blob>(&new.hash)? {
        if wants_another_reading(tx, &known, &new)? {
            known.media_type = new.media_type;
            known.extraction = Extraction::Pending;
            tx.put(&known)?;
            jobs::enqueue(tx, Task::ExtractBlob { blob: known.hash })?;
        }
        return Ok(known);
    }
    let blob = Blob {
        hash: new.hash,
        size_bytes: new.size_bytes,
        media_type: new.media_type,
        place: Place::Spooled,
        extraction: Extraction::Pending,
        created_at: tx.now(),
    };
    tx.put(&blob)?;
    jobs::enqueue(tx, Task::StoreBlob { blob: blob.hash })?;
    jobs::enqueue(tx, Task::ExtractBlob { blob: blob.hash })?;
    Ok(blob)
}

/// Whether bytes of which nothing was read come back under a name that says something else, or after
/// nothing referred to them: the job passes over what nobody refers to.
fn wants_another_reading(tx: &ReadTx, known: &Blob, new: &NewBlob) -> Result<bool> {
    let is_read = match &known.extraction {
        Extraction::Done(facts) => facts.has_text || facts.has_thumbnail,
        Extraction::Pending | Extraction::Failed { .. } => false,
    };
    Ok(!is_read && (known.media_type != new.media_type || !versions::refers_to(tx, known.hash)?))
}

pub fn get(tx: &ReadTx, hash: ContentHash) -> Result<Blob> {
    tx.get(&hash)?.ok_or_else(|| Error::Internal(anyhow!("there is no record of blob {hash}")))
}

pub fn find(tx: &ReadTx, hash: ContentHash) -> Result<Option<Blob>> {
    tx.get(&hash)
}

/// At most `limit` blobs after `after`, in the order of their hashes.
pub fn after(tx: &ReadTx, after: Option<ContentHash>, limit: usize) -> Result<Vec<Blob>> {
    let mut scan = tx.records::<Blob>();
    if let Some(after) = after {
        scan = scan.after(&after);
    }
    scan.iter()?.take(limit).collect()
}

/// Notes that the bytes have arrived where files rest.
pub fn mark_stored(tx: &mut WriteTx, hash: ContentHash) -> Result<()> {
    tx.draw_on_reserve();
    let Some(mut blob) = find(tx, hash)? else { return Ok(()) };
    blob.place = Place::Stored;
    tx.put(&blob)
}

/// Notes that the bytes wait in the spool again.
pub fn mark_spooled(tx: &mut WriteTx, hash: ContentHash) -> Result<()> {
    tx.draw_on_reserve();
    let Some(mut blob) = find(tx, hash)? else { return Ok(()) };
    blob.place = Place::Spooled;
    tx.put(&blob)
}

/// Notes what reading the bytes gave.
pub fn mark_extracted(tx: &mut WriteTx, hash: ContentHash, extraction: Extraction) -> Result<()> {
    let Some(mut blob) = find(tx, hash)? else { return Ok(()) };
    blob.extraction = extraction;
    tx.put(&blob)
}

/// Notes that the bytes will not be read; what an earlier reading gave stays.
pub(super) fn give_up_reading(tx: &mut WriteTx, hash: ContentHash, reason: &str) -> Result<()> {
    let Some(mut blob) = find(tx, hash)? else { return Ok(()) };
    if blob.extraction == Extraction::Pending {
        blob.extraction = Extraction::Failed { reason: reason.into() };
    }
    tx.put(&blob)
}

/// Notes that bytes which could not be read are about to be read once more.
pub(super) fn await_reading(tx: &mut WriteTx, hash: ContentHash) -> Result<()> {
    let Some(mut blob) = find(tx, hash)? else { return Ok(()) };
    if matches!(blob.extraction, Extraction::Failed { .. }) {
        blob.extraction = Extraction::Pending;
    }
    tx.put(&blob)
}

/// Forgets a blob that nothing refers to. `false` when it is still in use; then its bytes must
/// stay.
pub fn forget(tx: &mut WriteTx, hash: ContentHash) -> Result<bool> {
    tx.draw_on_reserve();
    if is_in_use(tx, hash)? {
        return Ok(false);
    }
    tx.remove::<Blob>(&hash)?;
    Ok(true)
}

fn is_in_use(tx: &ReadTx, hash: ContentHash) -> Result<bool> {
    if versions::refers_to(tx, hash)? {
        return Ok(true);
    }
    for organization in tx.records::<Organization>().iter()? {
        if organization?.logo.is_some_and(|logo| logo.blob == hash) {
            return Ok(true);
        }
    }
    Ok(false)
}
