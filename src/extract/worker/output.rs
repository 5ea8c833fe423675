//! Where readers put what they find. It normalizes text, keeps to the limits, and sends each piece
//! to the parent as soon as it is whole.

use std::io::{self, Write};
use std::ops::ControlFlow;

use super::super::error::Refusal;
use super::super::protocol::{
    Facts, Frame, PICTURE_FRAME_BYTES_MAX, PictureHead, Request, TEXT_FRAME_BYTES_MAX,
};
use super::image::Encoded;
use super::language;
use super::normalize::{CELL_END, CELL_ENDS_MAX, Normalizer};

/// The parent is gone; there is nobody to work for.
#[derive(Debug)]
pub struct Lost;

impl From<io::Error> for Lost {
    fn from(_: io::Error) -> Self {
        Lost
    }
}

/// Why a reader ends early.
#[derive(Debug)]
pub enum Stop {
    Lost,
    Refused(Refusal),
}

impl From<Lost> for Stop {
    fn from(_: Lost) -> Self {
        Stop::Lost
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Stop::Refused(refusal)
    }
}

/// Raw text is normalized and sent in pieces of about this size.
const PIECE_BYTES: usize = 128 * 1024;
/// So much of the text is kept to tell its language.
const SAMPLE_BYTES: usize = 32 * 1024;
const TITLE_CHARS_MAX: usize = 300;

pub struct Output {
    pub want_text: bool,
    normalizer: Normalizer,
    /// Text as it came, not yet normalized.
    raw: String,
    sample: String,
    text_bytes_left: usize,
    /// No more text is taken.
    is_full: bool,
    /// There is more text in the file than was sent.
    is_cut: bool,
    /// What the file says of itself; the text's own testimony goes first.
    declared_language: Option<String>,
    text_is_finished: bool,
}

impl Output {
    pub fn new(request: &Request) -> Self {
        Output {
            want_text: true,
            normalizer: Normalizer::default(),
            raw: String::new(),
            sample: String::new(),
            text_bytes_left: request.text_bytes_max,
            is_full: false,
            is_cut: false,
            declared_language: None,
            text_is_finished: false,
        }
    }

    /// Adds text to the current page.
    ///
    /// Returns whether more is welcome; a reader that goes on nevertheless only wastes time.
    pub fn push(&mut self, text: &str) -> Result<bool, Lost> {
        for piece in pieces(text) {
            if self.is_full || !self.want_text {
                return Ok(false);
            }
            self.raw.push_str(piece);
            if self.raw.len() >= PIECE_BYTES {
                self.send_raw(false)?;
            }
        }
        Ok(!self.is_full && self.want_text)
    }

    /// Ends a cell of a spreadsheet, and as many in all when empty ones follow it.
    pub fn end_cells(&mut self, count: u32) -> Result<(), Lost> {
        for _ in 0..count.min(CELL_ENDS_MAX) {
            self.push(CELL_END.encode_utf8(&mut [0; 1]))?;
        }
        Ok(())
    }

    /// Ends a page: the next text belongs to the following one.
    pub fn end_page(&mut self) -> Result<(), Lost> {
        self.send_raw(true)?;
        self.normalizer.start_page();
        if self.want_text && !self.is_full { self.send_text("\x0c") } else { Ok(()) }
    }

    /// Reading stops here although there is more.
    pub fn cut_text(&mut self) {
        self.is_full = true;
        self.is_cut = true;
    }

    /// Only the beginning of the file is going to be read.
    pub fn will_be_cut(&mut self) {
        self.is_cut = true;
    }

    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// The same, for readers that are called back.
    pub fn flow(&self) -> ControlFlow<()> {
        if self.is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    pub fn page_count(&mut self, page_count: usize) -> Result<(), Lost> {
        let page_count = Some(u32::try_from(page_count).unwrap_or(u32::MAX));
        self.send(&Frame::Facts(Facts { page_count, ..Facts::default() }))
    }

    pub fn size_px(&mut self, width_px: u32, height_px: u32) -> Result<(), Lost> {
        let (width_px, height_px) = (Some(width_px), Some(height_px));
        self.send(&Frame::Facts(Facts { width_px, height_px, ..Facts::default() }))
    }

    /// The title field of a file; ignored where it is only what programs put there by themselves.
    pub fn title(&mut self, title: &str) -> Result<(), Lost> {
        let mut normalizer = Normalizer::default();
        let title = normalizer.normalize(title).replace('\n', " ");
        let title = title.trim().trim_start_matches("Microsoft Word - ").trim();
        let title: String = title.chars().take(TITLE_CHARS_MAX).collect();
        let says_nothing =
            ["untitled", "(anonymous)", "title", "document", "powerpoint presentation"];
        if title.is_empty() || says_nothing.contains(&title.to_lowercase().as_str()) {
            return Ok(());
        }
        self.send(&Frame::Facts(Facts { title: Some(title), ..Facts::default() }))
    }

    /// What the file declares as its language, such as "de-CH".
    pub fn declare_language(&mut self, tag: &str) {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        if primary.len() == 2 && primary.bytes().all(|byte| byte.is_ascii_lowercase()) {
            self.declared_language.get_or_insert(primary);
        }
    }

    /// Sends a picture; `None` as the page is the thumbnail. One that is too large is left out.
    pub fn picture(&mut self, page_index: Option<u32>, picture: &Encoded) -> Result<(), Lost> {
        if picture.bytes.len() > PICTURE_FRAME_BYTES_MAX {
            return Ok(());
        }
        let (width_px, height_px) = (picture.width_px, picture.height_px);
        let head = PictureHead { page_index, width_px, height_px };
        self.send(&Frame::Picture(head, picture.bytes.clone()))
    }

    /// Sends what is left of the text, and what the whole of it tells. Readers call it before they
    /// turn to pictures; for all others it is called at the end.
    pub fn finish_text(&mut self) -> Result<(), Lost> {
        if std::mem::replace(&mut self.text_is_finished, true) {
            return Ok(());
        }
        self.send_raw(true)?;
        let language = language::detect(&self.sample).map(str::to_owned);
        let facts = Facts {
            language: language.or(self.declared_language.take()),
            text_truncated: self.is_cut,
            ..Facts::default()
        };
        self.send(&Frame::Facts(facts))
    }

    /// The last frame.
    pub fn finish(&mut self) -> Result<(), Lost> {
        if self.want_text {
            self.finish_text()?;
        }
        self.send(&Frame::Done)
    }

    pub fn send(&mut self, frame: &Frame) -> Result<(), Lost> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        frame.write(&mut out)?;
        Ok(out.flush()?)
    }

    /// Normalizes and sends the raw text: all of it, or up to the last line end.
    fn send_raw(&mut self, whole: bool) -> Result<(), Lost> {
        let line_end = self.raw.rfind('\n').map(|at| at + 1);
        let cut = if whole { self.raw.len() } else { line_end.unwrap_or(self.raw.len()) };
        let rest = self.raw.split_off(cut);
        let raw = std::mem::replace(&mut self.raw, rest);
        let text = self.normalizer.normalize(&raw);
        self.send_text(&text)
    }

    fn send_text(&mut self, text: &str) -> Result<(), Lost> {
        let kept = &text[..text.floor_char_boundary(self.text_bytes_left)];
        if kept.len() < text.len() {
            self.cut_text();
        }
        self.text_bytes_left -= kept.len();
        if self.sample.len() < SAMPLE_BYTES {
            self.sample.push_str(&kept[..kept.floor_char_boundary(SAMPLE_BYTES)]);
        }
        for piece in pieces(kept) {
            self.send(&Frame::Text(piece.as_bytes().to_vec()))?;
        }
        Ok(())
    }
}

/// The text in parts that fit a frame, cut between characters.
fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let (piece, rest) = text.split_at(text.floor_char_boundary(TEXT_FRAME_BYTES_MAX / 8));
        text = rest;
        Some(piece)
    })
}
