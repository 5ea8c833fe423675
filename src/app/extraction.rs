//! What is made from a file: its text, a thumbnail, images of its first pages. All of it comes from
//! the sandboxed child and is stored beside the file, so that no file is parsed twice.

use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use moka::sync::Cache;
use tokio::sync::{Mutex, Semaphore};

use super::App;
use crate::{
    domain::blobs::{Extraction, Facts},
    error::{Error, Result},
    extract::{self, Extract, ExtractError, Picture, Refusal, Wanted},
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
/// How many may draw a page or wait for one, and how long for those before them.
const DRAWING_MAX: usize = 32;
const DRAWING_PATIENCE: Duration = Duration::from_secs(10);
const FAILURE_KEPT: Duration = Duration::from_secs(5 * 60);
const TURNS: usize = 64;
pub(super) const IMAGE_BYTES_MAX: usize = 32 << 20;

impl App {
    /// Reads a file in the sandbox and stores what came out. `filename` helps to tell formats apart
    /// whose bytes look alike.
    ///
    /// # Errors
    /// `Internal` with the [`ExtractError`] when another try makes sense.
    pub(super) async fn extract(&self, hash: ContentHash, filename: &str) -> Result<Extraction> {
        let file = self.blobs.open_file(hash).await?;
        let head = self.blobs.open(hash, Some(0..extract::HEAD_BYTES as u64)).await?;
        let head = head.read(extract::HEAD_BYTES).await?;
        let format = extract::recognize(&head, filename).format;
        let wanted = Wanted { text: true, thumbnail: true, previews_max: PREVIEWS_MAX };
        match self.extractor.extract(file, format, wanted).await {
            Ok(extract) => Ok(Extraction::Done(self.keep(hash, extract).await?)),
            Err(ExtractError::Refused(Refusal::Unsupported)) => {
                Ok(Extraction::Done(Facts::default()))
            }
            // The machine is at fault: the job fails, and can be retried when that is mended.
            Err(fault @ ExtractError::Refused(Refusal::Unsandboxed)) => {
                Err(Error::Internal(fault.into()))
            }
            Err(fault) if fault.is_final() => Ok(Extraction::Failed { reason: fault.sentence() }),
            Err(fault) => Err(Error::Internal(fault.into())),
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

    /// The image of a page, counted from 1: stored, or drawn now and then stored. Anybody may ask for
    /// the pages of a public file, so each is drawn once, and nobody waits for long.
    ///
    /// # Errors
    /// `NotFound` for a page that cannot be drawn, `Busy` when too many others are being drawn.
    pub(super) async fn page_image(
        &self,
        hash: ContentHash,
        media_type: &str,
        facts: &Facts,
        page: u32,
    ) -> Result<Option<(Bytes, String)>> {
        if let Some(stored) = self.stored_page(hash, page).await? {
            return Ok(Some(stored));
        }
        let page_count = facts.page_count.unwrap_or(0).min(PAGES_DRAWN_MAX);
        if media_type != "application/pdf" || page == 0 || page > page_count {
            return Ok(None);
        }
        let _place = self.drawing.places.try_acquire().map_err(|_| busy())?;
        let turn = self.drawing.turn_of(hash, page).lock();
        let _turn = tokio::time::timeout(DRAWING_PATIENCE, turn).await.map_err(|_| busy())?;
        // Whoever had the turn before may have drawn this very page.
        if let Some(stored) = self.stored_page(hash, page).await? {
            return Ok(Some(stored));
        }
        if let Some(sentence) = self.drawing.failures.get(&(hash, page)) {
            return Err(Error::NotFound(sentence));
        }
        let framed = framed(self.draw(hash, page).await?);
        self.blobs.put_derived(hash, &page_name(page), framed.clone()).await?;
        unframed(framed).map(Some)
    }

    async fn stored_page(&self, hash: ContentHash, page: u32) -> Result<Option<(Bytes, String)>> {
        let stored = self.blobs.read_derived(hash, &page_name(page), IMAGE_BYTES_MAX).await?;
        stored.map(unframed).transpose()
    }

    async fn draw(&self, hash: ContentHash, page: u32) -> Result<Picture> {
        let file = self.blobs.open_file(hash).await?;
        match self.extractor.render_page(file, page - 1, PAGE_WIDTH_PX, DRAWING_PATIENCE).await {
            Ok(picture) => Ok(picture),
            Err(ExtractError::Busy) => Err(busy()),
            Err(fault @ ExtractError::Internal(_)) => Err(Error::Internal(fault.into())),
            Err(fault) => {
                let sentence = fault.sentence();
                if !matches!(fault, ExtractError::Interrupted) {
                    self.drawing.failures.insert((hash, page), sentence.clone());
                }
                Err(Error::NotFound(sentence))
            }
        }
    }
}

/// Pages that are drawn while somebody waits.
pub(super) struct Drawing {
    /// Taken by whoever draws a page; by hash and page, so that few wait for a stranger.
    turns: [Mutex<()>; TURNS],
    /// For those who draw or wait for their turn.
    places: Semaphore,
    /// Why a page could not be drawn: trying takes as long each time.
    failures: Cache<(ContentHash, u32), String>,
}

impl Drawing {
    pub fn new() -> Self {
        let failures = Cache::builder().max_capacity(10_000).time_to_live(FAILURE_KEPT).build();
        Drawing {
            turns: std::array::from_fn(|_| Mutex::default()),
            places: Semaphore::new(DRAWING_MAX),
            failures,
        }
    }

    fn turn_of(&self, hash: ContentHash, page: u32) -> &Mutex<()> {
        &self.turns[(usize::from(hash.0[0]) + page as usize) % TURNS]
    }
}

fn busy() -> Error {
    Error::Busy {
        message: "Many pages are being drawn at the moment. Try again in a few seconds.".into(),
        retry_after_s: 5,
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
