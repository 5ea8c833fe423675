//! Downloads: the access decision first, then the bytes, wherever they are.

use std::{ops::Range, time::Duration};

use anyhow::anyhow;

use super::{App, extraction};
use crate::{
    blobs::Opened,
    config::Delivery,
    domain::{
        access::Actor,
        blobs::{self as blob_records, Extraction},
        documents::{self, CurrentFile, Document},
        events,
        versions::{self, Version},
    },
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    store::ReadTx,
};

/// A file that an actor may read: what a client must know before the bytes.
#[derive(Clone, Debug)]
pub struct Content {
    pub document: Document,
    pub file: CurrentFile,
}

/// An image made from a file. Its bytes never change for the same source.
#[derive(Clone, Debug)]
pub struct Image {
    pub bytes: bytes::Bytes,
    pub media_type: String,
    pub source: ContentHash,
}

impl App {
    /// The file of a document, or of one of its versions.
    pub async fn content(
        &self,
        actor: Actor,
        document: Id<Document>,
        version: Option<Id<Version>>,
    ) -> Result<Content> {
        self.store
            .read(move |tx| match version {
                Some(id) => {
                    let (document, version) = versions::readable(tx, &actor, document, id)?;
                    Ok(Content { document, file: versions::current_file(&version) })
                }
                None => {
                    let document = documents::readable(tx, &actor, document)?;
                    let file = versions::current(&document)?.clone();
                    Ok(Content { document, file })
                }
            })
            .await
    }

    /// The bytes of a file, or a part of them.
    ///
    /// # Errors
    /// `Internal` when the file has another size than was recorded: it is damaged.
    pub async fn open_content(
        &self,
        content: &Content,
        range: Option<Range<u64>>,
    ) -> Result<Opened> {
        let CurrentFile { blob, size_bytes, .. } = content.file;
        let opened = self.blobs.open(blob, range).await?;
        match opened.size_bytes == size_bytes {
            true => Ok(opened),
            false => Err(Error::Internal(anyhow!(
                "blob {blob} has {} bytes and should have {size_bytes}",
                opened.size_bytes
            ))),
        }
    }

    /// An address of S3 that gives the file under these two headers for a few minutes. `None` when it
    /// is on this machine, or all files are to come from here.
    pub async fn link_content(
        &self,
        content: &Content,
        content_disposition: &str,
        content_type: &str,
    ) -> Result<Option<String>> {
        let storage = &self.config.storage;
        if storage.delivery == Delivery::Proxy {
            return Ok(None);
        }
        let lifetime = Duration::from_secs(60 * u64::from(storage.link_minutes));
        self.blobs.link(content.file.blob, content_disposition, content_type, lifetime).await
    }

    /// Notes a download in the document's activity, in the background: the client has waited long
    /// enough.
    pub fn note_download(&self, actor: Actor, content: &Content) {
        let store = self.store.clone();
        let Content { document, file } = content.clone();
        tokio::spawn(async move {
            let noted = async {
                let (stranger, id) = (actor.clone(), document.id);
                let look = move |tx: &ReadTx| events::is_noted_download(tx, &stranger, id);
                if store.read(look).await? {
                    return Ok(());
                }
                let number = file.number;
                store.write(move |tx| events::record_download(tx, &actor, &document, number)).await
            };
            if let Err(fault) = noted.await {
                tracing::error!("noting a download: {}", fault.chain());
            }
        });
    }

    /// The thumbnail of a document.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn thumbnail(&self, actor: Actor, document: Id<Document>) -> Result<Image> {
        let hash = self.content(actor, document, None).await?.file.blob;
        let blob = self.store.read(move |tx| blob_records::get(tx, hash)).await?;
        let Extraction::Done(facts) = blob.extraction else {
            return Err(Error::not_found("thumbnail"));
        };
        let bytes = self
            .blobs
            .read_derived(hash, extraction::THUMBNAIL, extraction::IMAGE_BYTES_MAX)
            .await?
            .ok_or_else(|| Error::not_found("thumbnail"))?;
        Ok(Image { bytes, media_type: facts.image_media_type, source: hash })
    }

    /// A page of a document as an image; pages count from 1.
    ///
    /// # Errors
    /// `NotFound` when there is no such page, or it cannot be drawn.
    pub async fn page(&self, actor: Actor, document: Id<Document>, page: u32) -> Result<Image> {
        let file = self.content(actor, document, None).await?.file;
        let blob = self.store.read(move |tx| blob_records::get(tx, file.blob)).await?;
        let Extraction::Done(facts) = blob.extraction else {
            return Err(Error::not_found("page"));
        };
        let drawn = self.page_image(file.blob, &file.media_type, &facts, page).await?;
        let (bytes, media_type) = drawn.ok_or_else(|| Error::not_found("page"))?;
        Ok(Image { bytes, media_type, source: file.blob })
    }

    /// The text that was read from the current file, up to `bytes_max` of it; empty when there is
    /// none.
    pub async fn text(
        &self,
        actor: Actor,
        document: Id<Document>,
        bytes_max: usize,
    ) -> Result<String> {
        let hash: ContentHash = self.content(actor, document, None).await?.file.blob;
        let text = self.blobs.read_derived_start(hash, extraction::TEXT, bytes_max).await?;
        Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default())
    }
}
