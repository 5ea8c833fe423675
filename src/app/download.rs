//! Downloads: the access decision, then the bytes, wherever they are.

use std::ops::Range;

use super::App;
use crate::{
    blobs::Opened,
    domain::{
        access::Actor,
        blobs as blob_records,
        documents::{self, Document},
        events::{self, Verb},
        versions::{self, Version},
    },
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
};

/// Bytes with everything a client must know about them.
pub struct Content {
    pub opened: Opened,
    pub filename: String,
    pub media_type: String,
    /// Also the entity tag: content never changes under its name.
    pub hash: ContentHash,
}

/// What a client does with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Saves them; noted in the document's activity.
    Attachment,
    /// Shows them in a page.
    Inline,
}

/// An image made from a file.
pub enum Image {
    Thumbnail,
    /// Of a page, counted from 1.
    Page(u32),
}

/// The largest text that a page shows of a file.
const SHOWN_TEXT_BYTES_MAX: usize = 16 << 20;
const IMAGE_BYTES_MAX: usize = 32 << 20;

impl App {
    /// The file of a document, or of one of its versions.
    pub async fn download(
        &self,
        actor: Actor,
        document: Id<Document>,
        version: Option<Id<Version>>,
        disposition: Disposition,
        range: Option<Range<u64>>,
    ) -> Result<Content> {
        let (document, file) = {
            let actor = actor.clone();
            self.store
                .read(move |tx| match version {
                    Some(id) => {
                        let (document, version) = versions::readable(tx, &actor, document, id)?;
                        Ok((document, versions::current_file(&version)))
                    }
                    None => {
                        let document = documents::readable(tx, &actor, document)?;
                        let file = versions::current(&document)?.clone();
                        Ok((document, file))
                    }
                })
                .await?
        };
        let opened = self.blobs.open(file.blob, range).await?;
        if disposition == Disposition::Attachment && opened.range.start == 0 {
            self.note_download(actor, document);
        }
        Ok(Content {
            opened,
            filename: file.filename,
            media_type: file.media_type,
            hash: file.blob,
        })
    }

    /// An image of the current file, with its media type; `NotFound` when there is none.
    pub async fn image(
        &self,
        actor: Actor,
        document: Id<Document>,
        image: Image,
    ) -> Result<(bytes::Bytes, String, ContentHash)> {
        let hash = self.current_blob(actor, document).await?;
        let blob = self.store.read(move |tx| blob_records::get(tx, hash)).await?;
        let facts = match blob.extraction {
            blob_records::Extraction::Done(facts) => facts,
            _ => return Err(Error::not_found("image")),
        };
        let made = match image {
            Image::Thumbnail => {
                self.blobs.read_derived(hash, "thumb", IMAGE_BYTES_MAX).await?
                    .map(|bytes| (bytes, facts.image_media_type.clone()))
            }
            Image::Page(page) => self.page_image(hash, &blob.media_type, &facts, page).await?,
        };
        let (bytes, media_type) = made.ok_or_else(|| Error::not_found("image"))?;
        Ok((bytes, media_type, hash))
    }

    /// The text that was read from the current file; empty when there is none.
    pub async fn text(&self, actor: Actor, document: Id<Document>) -> Result<String> {
        let hash = self.current_blob(actor, document).await?;
        let text = self.blobs.read_derived(hash, "text", SHOWN_TEXT_BYTES_MAX).await?;
        Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default())
    }

    async fn current_blob(&self, actor: Actor, document: Id<Document>) -> Result<ContentHash> {
        self.store
            .read(move |tx| {
                let document = documents::readable(tx, &actor, document)?;
                Ok(versions::current(&document)?.blob)
            })
            .await
    }

    /// In the background: the client has waited long enough.
    fn note_download(&self, actor: Actor, document: Document) {
        let store = self.store.clone();
        tokio::spawn(async move {
            let noted = store.write(move |tx| {
                events::record(tx, &actor, Verb::DocumentDownloaded, document.id, &document.title, None)
            });
            if let Err(Error::Internal(fault)) = noted.await {
                tracing::error!("noting a download: {fault:#}");
            }
        });
    }
}
