//! What is made from a file: its text, a thumbnail, images of its first pages. All of it comes from
//! the sandboxed child and is stored beside the file, so that no file is parsed twice.

use anyhow::anyhow;
use bytes::Bytes;

use super::App;
use crate::{
    domain::blobs::{Extraction, Facts},
    error::{Error, Result},
    extract::{self, Extract, ExtractError, Picture, Wanted},
    hash::ContentHash,
};

/// The names of what is derived from a file.
pub(super) const TEXT: &str = "text";
pub(super) const THUMBNAIL: &str = "thumb";

/// Pages that are drawn in advance; later ones when somebody asks.
const PREVIEWS_MAX: u32 = 3;
/// Nobody turns that many pages in a browser, and each costs a child process.
const PAGES_DRAWN_MAX: u32 = 2_000;
const PAGE_WIDTH_PX: u32 = 1_000;
pub(super) const IMAGE_BYTES_MAX: usize = 32 << 20;

/// How reading a file ended for good.
pub(super) enum Read {
    Done(Extraction),
    /// Nothing about the file: the machine was at fault, so try again.
    Again(anyhow::Error),
}

impl App {
    /// Reads a file in the sandbox and stores what came out. `filename` helps to tell formats apart
    /// whose bytes look alike.
    pub(super) async fn extract(&self, hash: ContentHash, filename: &str) -> Result<Read> {
        let file = self.blobs.open_file(hash).await?;
        let head = self.blobs.open(hash, Some(0..extract::HEAD_BYTES as u64)).await?;
        let head = head.read(extract::HEAD_BYTES).await?;
        let format = extract::recognize(&head, filename).format;
        let wanted = Wanted { text: true, thumbnail: true, previews_max: PREVIEWS_MAX };
        match self.extractor.extract(file, format, wanted).await {
            Ok(extract) => Ok(Read::Done(Extraction::Done(self.keep(hash, extract).await?))),
            Err(ExtractError::Refused(extract::Refusal::Unsupported)) => {
                Ok(Read::Done(Extraction::Done(Facts::default())))
            }
            Err(fault) if fault.is_final() => {
                Ok(Read::Done(Extraction::Failed { reason: fault.sentence() }))
            }
            Err(fault) => Ok(Read::Again(anyhow!("{fault:?}"))),
        }
    }

    async fn keep(&self, hash: ContentHash, extract: Extract) -> Result<Facts> {
        let mut facts = Facts {
            language: extract.language,
            page_count: extract.page_count,
            width_px: extract.width_px,
            height_px: extract.height_px,
            is_text_truncated: extract.text_truncated,
            incomplete: extract.incomplete.map(|fault| fault.sentence()),
            ..Facts::default()
        };
        if !extract.text.trim().is_empty() {
            self.blobs.put_derived(hash, TEXT, extract.text.into()).await?;
            facts.has_text = true;
        }
        if let Some(thumbnail) = extract.thumbnail {
            facts.image_media_type = thumbnail.media_type.into();
            facts.has_thumbnail = true;
            self.blobs.put_derived(hash, THUMBNAIL, thumbnail.bytes.into()).await?;
        }
        for preview in extract.previews {
            let name = page_name(preview.page_index + 1);
            facts.preview_count = facts.preview_count.max(preview.page_index + 1);
            self.blobs.put_derived(hash, &name, framed(preview.picture)).await?;
        }
        Ok(facts)
    }

    /// The image of a page, counted from 1: stored, or drawn now and then stored.
    pub(super) async fn page_image(
        &self,
        hash: ContentHash,
        media_type: &str,
        facts: &Facts,
        page: u32,
    ) -> Result<Option<(Bytes, String)>> {
        let name = page_name(page);
        if let Some(stored) = self.blobs.read_derived(hash, &name, IMAGE_BYTES_MAX).await? {
            return unframed(stored).map(Some);
        }
        let page_count = facts.page_count.unwrap_or(0).min(PAGES_DRAWN_MAX);
        if media_type != "application/pdf" || page == 0 || page > page_count {
            return Ok(None);
        }
        let file = self.blobs.open_file(hash).await?;
        let picture = self
            .extractor
            .render_page(file, page - 1, PAGE_WIDTH_PX)
            .await
            .map_err(|fault| Error::NotFound(fault.sentence()))?;
        let framed = framed(picture);
        self.blobs.put_derived(hash, &name, framed.clone()).await?;
        unframed(framed).map(Some)
    }
}

fn page_name(page: u32) -> String {
    format!("page-{page}")
}

/// A page image with its media type in front: `image/webp\n` and the bytes. Pages may differ.
fn framed(picture: Picture) -> Bytes {
    let mut framed = Vec::with_capacity(picture.media_type.len() + 1 + picture.bytes.len());
    framed.extend_from_slice(picture.media_type.as_bytes());
    framed.push(b'\n');
    framed.extend_from_slice(&picture.bytes);
    framed.into()
}

fn unframed(framed: Bytes) -> Result<(Bytes, String)> {
    let end = framed.iter().take(40).position(|&byte| byte == b'\n');
    let end = end.ok_or_else(|| anyhow!("a stored page image has no media type"))?;
    let media_type = String::from_utf8_lossy(&framed[..end]).into_owned();
    Ok((framed.slice(end + 1..), media_type))
}
