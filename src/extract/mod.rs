//! Bytes → text, page images, facts.
//!
//! Files come from strangers and parsers have bugs, so nothing is parsed in the server. Each file
//! is read by a child: the same program started again as `appliance worker`, which maps the file,
//! locks itself in (no file, no socket, no new process, bounded memory and time), and only then
//! looks at the first byte. What it finds comes back through a pipe; if it crashes, hangs or eats
//! too much, the child dies and the document is marked with a sentence that says why.
//!
//! * [`recognize()`] tells what a file is from its head; quick, and safe in the server.
//! * [`Extractor`] is the parent's side: one method per question, each one child.
//! * [`worker`] is the child's side, with a reader per format.
//! * `protocol` is what the two say to each other.
//!
//! There is deliberately no optical character recognition, nothing is fetched, no macro or script
//! is looked at, and SVG is never rendered.

mod child;
mod error;
mod format;
mod protocol;
mod recognize;
mod utf_16;
pub mod worker;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use child::Conversation;
pub use error::{ExtractError, Refusal};
pub use format::Format;
pub use protocol::{Attempt, Landlock, Walls};
use protocol::{Request, Task};
pub use recognize::{HEAD_BYTES, Recognized, format_of_media_type, recognize};

/// Of a longer text only the beginning is kept, and found.
pub const TEXT_BYTES_MAX: usize = 16 << 20;

/// What one child may use. The defaults suit a host with 1 GiB of memory or more.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Address space beside the mapped input; a parser that wants more is out of memory.
    pub memory_bytes: u64,
    /// Computing time, in seconds.
    pub cpu_s: u64,
    /// Time on the clock, from the start of the child.
    pub wall: Duration,
    /// Larger files are not opened at all.
    pub input_bytes_max: u64,
    /// Text beyond this is cut off and marked so.
    pub text_bytes_max: usize,
    /// Images with more pixels are not decoded.
    pub pixels_max: u64,
    /// The longer side of a thumbnail.
    pub thumbnail_px: u32,
    /// The width of a page preview.
    pub preview_px: u32,
    /// Read files also where the kernel has no system call filter for the child.
    pub allow_unsandboxed: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_bytes: 1024 * 1024 * 1024,
            cpu_s: 20,
            wall: Duration::from_secs(30),
            input_bytes_max: 1024 * 1024 * 1024,
            text_bytes_max: TEXT_BYTES_MAX,
            pixels_max: 200_000_000,
            thumbnail_px: 400,
            preview_px: 1000,
            allow_unsandboxed: false,
        }
    }
}

/// Which results are worth the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub text: bool,
    pub thumbnail: bool,
    /// Previews of the first so many pages; an image has one page.
    pub previews_max: u32,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted { text: true, thumbnail: true, previews_max: 3 }
    }
}

/// What was found in a file.
#[derive(Debug, Default)]
pub struct Extract {
    /// NFC, no control characters but line ends, runs of blanks made one. Pages of a PDF and
    /// slides of a presentation are separated by a form feed, other formats have none.
    pub text: String,
    /// There was more text than the limits allow.
    pub text_truncated: bool,
    /// ISO 639-1, when the text leaves little doubt.
    pub language: Option<String>,
    /// As the file's own title field says.
    pub title: Option<String>,
    /// Pages or slides; for word processor files what the author's program last counted.
    pub page_count: Option<u32>,
    /// Images only, as seen (after turning by EXIF).
    pub width_px: Option<u32>,
    pub height_px: Option<u32>,
    pub thumbnail: Option<Picture>,
    /// The first pages, in order; a page that could not be drawn is missing.
    pub previews: Vec<Preview>,
    /// Why some of it is missing although reading got somewhere.
    pub incomplete: Option<ExtractError>,
    /// What protected the server while the file was read.
    pub walls: Walls,
}

/// An image made by the child, ready to be stored and served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub bytes: Vec<u8>,
    /// `image/webp` or `image/jpeg`.
    pub media_type: &'static str,
    pub width_px: u32,
    pub height_px: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// From 0.
    pub page_index: u32,
    pub picture: Picture,
}

/// What `doctor` wants to know about the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxReport {
    pub walls: Walls,
    /// What a locked-in child tried; each should have been refused.
    pub attempts: Vec<Attempt>,
}

impl SandboxReport {
    /// Every attempt was refused, whichever wall did it.
    pub fn holds(&self) -> bool {
        !self.attempts.is_empty() && self.attempts.iter().all(|attempt| attempt.refused)
    }
}

/// Starts a child for each question and judges its answer. Share one per process.
pub struct Extractor {
    limits: Limits,
    executable: PathBuf,
    /// Children that read whole files, in the background.
    background: Semaphore,
    /// Children a person waits for; they never queue behind the background.
    foreground: Semaphore,
    weak_sandbox_logged: AtomicBool,
}

impl Extractor {
    /// `children_max` children read files at the same time, and as many draw pages on demand.
    pub fn new(limits: Limits, children_max: usize) -> Self {
        // The kernel resolves this link in the child, so it works after the file was replaced.
        Self::with_executable(limits, children_max, PathBuf::from("/proc/self/exe"))
    }

    /// For tests, whose own executable has no `worker` verb.
    pub fn with_executable(limits: Limits, children_max: usize, executable: PathBuf) -> Self {
        Extractor {
            limits,
            executable,
            background: Semaphore::new(children_max.max(1)),
            foreground: Semaphore::new(children_max.max(1)),
            weak_sandbox_logged: AtomicBool::new(false),
        }
    }

    /// Reads a whole file: text, facts, pictures.
    ///
    /// `file` must be open for reading; where its offset stands does not matter. `Err` means that
    /// nothing was found; when reading failed half-way, what was found comes with
    /// [`Extract::incomplete`]. Dropping the future kills the child.
    pub async fn extract(
        &self,
        file: File,
        format: Format,
        wanted: Wanted,
    ) -> Result<Extract, ExtractError> {
        if !format.is_readable() {
            return Err(Refusal::Unsupported.into());
        }
        self.check_size(&file)?;
        let task = Task::Extract {
            format,
            text: wanted.text,
            thumbnail: wanted.thumbnail,
            previews_max: wanted.previews_max,
        };
        let pictures_max = wanted.previews_max as usize + 1;
        let _permit = self.background.acquire().await.map_err(closed)?;
        let conversation = self.ask(file, task, pictures_max, true).await;
        self.note_walls(&conversation);
        extract_from(conversation)
    }

    /// Draws one page of a PDF, `width_px` wide (16 to 4000). Waits for `patience` until others are
    /// done; then it is [`ExtractError::Busy`].
    pub async fn render_page(
        &self,
        file: File,
        page_index: u32,
        width_px: u32,
        patience: Duration,
    ) -> Result<Picture, ExtractError> {
        self.check_size(&file)?;
        let task = Task::RenderPage { page_index, width_px: width_px.clamp(16, 4000) };
        let permit = tokio::time::timeout(patience, self.foreground.acquire()).await;
        let _permit = permit.map_err(|_| ExtractError::Busy)?.map_err(closed)?;
        let conversation = self.ask(file, task, 1, false).await;
        self.note_walls(&conversation);
        let mut pictures = conversation.pictures;
        match (pictures.pop(), conversation.problem) {
            (Some((_, picture)), _) => Ok(picture),
            (None, Some(problem)) => Err(problem),
            (None, None) => Err(ExtractError::Crashed("no picture in the reply".into())),
        }
    }

    /// Starts a child that locks itself in and tries to break out; for `doctor`.
    pub async fn sandbox_report(&self) -> Result<SandboxReport, ExtractError> {
        // Any readable file will do as the input; the probe tries to write to it.
        let input = File::open("/dev/null").map_err(internal("opening /dev/null"))?;
        let _permit = self.foreground.acquire().await.map_err(closed)?;
        let conversation = self.ask(input, Task::Probe, 0, false).await;
        match conversation.problem {
            Some(problem) => Err(problem),
            None => {
                Ok(SandboxReport { walls: conversation.walls, attempts: conversation.attempts })
            }
        }
    }

    fn check_size(&self, file: &File) -> Result<(), ExtractError> {
        let size = file.metadata().map_err(internal("reading the size of the input"))?.len();
        if size == 0 {
            return Err(Refusal::Empty.into());
        }
        if size > self.limits.input_bytes_max {
            let mebibytes = self.limits.input_bytes_max / (1024 * 1024);
            let sentence =
                format!("Files above {mebibytes} MB are stored, but not read for their text.");
            return Err(Refusal::TooLarge(sentence).into());
        }
        Ok(())
    }

    async fn ask(
        &self,
        file: File,
        task: Task,
        pictures_max: usize,
        in_background: bool,
    ) -> Conversation {
        let limits = &self.limits;
        let request = Request {
            task,
            memory_bytes: limits.memory_bytes,
            cpu_s: limits.cpu_s.max(1),
            wall_ms: limits.wall.as_millis().try_into().unwrap_or(u64::MAX),
            text_bytes_max: limits.text_bytes_max,
            pixels_max: limits.pixels_max,
            thumbnail_px: limits.thumbnail_px,
            preview_px: limits.preview_px,
            allow_unsandboxed: limits.allow_unsandboxed,
            in_background,
        };
        child::converse(&self.executable, file, &request, limits.wall, pictures_max).await
    }

    /// What is missing beside the system call filter is no reason to refuse work, but the operator
    /// should know, once.
    fn note_walls(&self, conversation: &Conversation) {
        let walls = &conversation.walls;
        if conversation.greeted
            && !walls.are_complete()
            && !self.weak_sandbox_logged.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                landlock = ?walls.landlock,
                seccomp = walls.seccomp,
                no_new_privileges = walls.no_new_privileges,
                resource_limits = walls.resource_limits,
                "files are read in an incomplete sandbox; `appliance doctor` says more"
            );
        }
    }
}

fn extract_from(conversation: Conversation) -> Result<Extract, ExtractError> {
    let nothing_found = conversation.is_empty();
    let problem = match conversation.problem {
        // A kill from outside says nothing about the file: better all of it in the next try.
        Some(problem) if nothing_found || matches!(problem, ExtractError::Interrupted) => {
            return Err(problem);
        }
        problem => problem,
    };
    let mut extract = Extract {
        text: conversation.text,
        text_truncated: conversation.facts.text_truncated,
        language: conversation.facts.language,
        title: conversation.facts.title,
        page_count: conversation.facts.page_count,
        width_px: conversation.facts.width_px,
        height_px: conversation.facts.height_px,
        incomplete: problem,
        walls: conversation.walls,
        ..Extract::default()
    };
    for (page_index, picture) in conversation.pictures {
        match page_index {
            None => extract.thumbnail = Some(picture),
            Some(page_index) => extract.previews.push(Preview { page_index, picture }),
        }
    }
    Ok(extract)
}

fn internal(what: &'static str) -> impl Fn(std::io::Error) -> ExtractError {
    move |error| ExtractError::Internal(anyhow::Error::new(error).context(what))
}

/// The semaphores are never closed; should one be, the caller gets a fault and not a panic.
fn closed(error: tokio::sync::AcquireError) -> ExtractError {
    ExtractError::Internal(error.into())
}
