//! The text of one page, in the order in which the page draws it.
//!
//! A page says "this glyph here, that one there" and knows neither words nor lines. The collector
//! looks at how each glyph lies to the one before: close by, it continues the word; a gap is a
//! blank; elsewhere, a new line begins. Drawing order is reading order in what office programs and
//! typesetters write, and unlike sorting by position it keeps columns apart.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use hayro::hayro_interpret::font::{Glyph, GlyphRun};
use hayro::hayro_interpret::hayro_cmap::{BfString, WritingMode};
use hayro::hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps,
    InterpreterCache, InterpreterSettings, SoftMask, interpret_page,
};
use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::page::Page;
use hayro::kurbo::{Affine, BezPath, Point, Rect, Vec2};

use super::super::budget::Budget;
use super::words::{Joint, Words};

/// Reads page after page of one document; fonts are loaded once.
pub struct PageReader<'a> {
    pdf: &'a Pdf,
    cache: InterpreterCache<'a>,
    settings: InterpreterSettings,
    budget: Budget,
}

impl<'a> PageReader<'a> {
    /// Pages are cut short when the share of the time for text is used.
    pub fn new(pdf: &'a Pdf, budget: Budget) -> Self {
        let (cache, settings) = (InterpreterCache::new(), InterpreterSettings::default());
        PageReader { pdf, cache, settings, budget }
    }

    /// The text of a page, and whether all of it was read: an endless page is left when its time
    /// or its room is used up, and one that the interpreter falls over keeps what came before.
    pub fn read(&mut self, page: &'a Page<'a>) -> (String, bool) {
        let mut collector = Collector::new(self.budget);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let anywhere = Rect::new(0.0, 0.0, 1.0, 1.0);
            let (xref, settings) = (self.pdf.xref(), self.settings.clone());
            let mut context = Context::new(Affine::IDENTITY, anywhere, &self.cache, xref, settings);
            interpret_page(page, &mut context, &mut collector);
        }));
        if outcome.is_err() {
            // It may have been left in the middle of a change.
            self.cache = InterpreterCache::new();
        }
        (join_hyphenated(&collector.words.finish()), outcome.is_ok())
    }
}

/// Text beyond this on one page is not language.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

struct Collector {
    words: Words,
    budget: Budget,
    calls: u32,
    last: Option<Placed>,
    /// The run before, to recognize one that is drawn twice to look bold.
    last_run: Option<(String, Point)>,
}

/// Where a glyph ended, in page space.
struct Placed {
    end: Point,
    direction: Vec2,
    size: f64,
    width: f64,
}

/// Thrown to leave the interpreter, which offers no other way out.
struct Enough;

impl Collector {
    fn new(budget: Budget) -> Self {
        Collector { words: Words::default(), budget, calls: 0, last: None, last_run: None }
    }

    /// Ends the page if it has had its share. Looking at the clock at every call would cost more
    /// than the calls.
    fn check_share(&mut self) {
        self.calls = self.calls.wrapping_add(1);
        let is_late = self.calls.is_multiple_of(4096) && self.budget.is_spent_for_text();
        if is_late || self.words.len() > PAGE_BYTES_MAX {
            resume_unwind(Box::new(Enough));
        }
    }

    fn add_run(&mut self, run: &GlyphRun<'_, '_>, transform: Affine) {
        let is_vertical = matches!(run.writing_mode(), WritingMode::Vertical);
        let glyphs = run.glyphs();
        if self.repeats_last(glyphs.first().map(|glyph| transform * glyph.transform()), run) {
            return;
        }
        for glyph in glyphs {
            let Some(unicode) = glyph.as_unicode() else { continue };
            let joint = self.place(transform * glyph.transform(), advance(glyph, is_vertical));
            match unicode {
                BfString::Char(character) => {
                    self.words.push(character.encode_utf8(&mut [0; 4]), joint);
                }
                BfString::String(characters) => self.words.push(&characters, joint),
            }
        }
    }

    /// Whether the same words were just drawn at nearly the same place.
    fn repeats_last(&mut self, first: Option<Affine>, run: &GlyphRun<'_, '_>) -> bool {
        const CHARACTERS_MAX: usize = 200;
        let Some(first) = first else { return false };
        let mut words = String::new();
        for glyph in run.glyphs().iter().take(CHARACTERS_MAX) {
            match glyph.as_unicode() {
                Some(BfString::Char(character)) => words.push(character),
                Some(BfString::String(characters)) => words.push_str(&characters),
                None => {}
            }
        }
        let at = first * Point::ZERO;
        let size = (first * Point::new(0.0, 1000.0) - at).hypot();
        let repeats = self.last_run.as_ref().is_some_and(|(last_words, last_at)| {
            !words.trim().is_empty() && *last_words == words && (at - *last_at).hypot() < 0.1 * size
        });
        if !repeats {
            self.last_run = Some((words, at));
        }
        repeats
    }

    /// How this glyph lies to the last one. Glyph space has 1000 units to the em.
    fn place(&mut self, transform: Affine, advance: Vec2) -> Joint {
        let start = transform * Point::ZERO;
        let step = transform * advance.to_point() - start;
        let across =
            if advance.x == 0.0 { Point::new(1000.0, 0.0) } else { Point::new(0.0, 1000.0) };
        let size = (transform * across - start).hypot();
        let direction = if step.hypot() > 1e-9 {
            step / step.hypot()
        } else {
            self.last.as_ref().map_or(Vec2::new(1.0, 0.0), |last| last.direction)
        };
        if !(start.is_finite() && step.is_finite() && size.is_finite()) {
            return Joint::Close;
        }
        let joint = self.last.as_ref().map_or(Joint::Close, |last| {
            let gap = start - last.end;
            let along = gap.dot(last.direction);
            let beside = gap.cross(last.direction).abs();
            let (smaller, larger) = (last.size.min(size), last.size.max(size));
            let is_turned = last.direction.dot(direction) < 0.9;
            // From one glyph back to the left of it: its own width and the last one's.
            let back = -(last.width + step.hypot()) - 0.17 * larger;
            if beside > 0.45 * larger || is_turned || along < back.min(-1.2 * larger) {
                Joint::Elsewhere
            } else if along < -0.4 * (last.width + step.hypot()) && along < -0.2 * smaller {
                Joint::Back
            } else if along > 0.17 * smaller {
                Joint::Gap
            } else {
                Joint::Close
            }
        });
        self.last = Some(Placed { end: start + step, direction, size, width: step.hypot() });
        joint
    }
}

/// How far the pen moves, in glyph space.
fn advance(glyph: &Glyph<'_>, is_vertical: bool) -> Vec2 {
    if is_vertical {
        return Vec2::new(0.0, -1000.0);
    }
    let width = match glyph {
        Glyph::Outline(outline) => outline.advance_width(),
        Glyph::Type3(drawn) => drawn.advance_width(),
    };
    Vec2::new(f64::from(width.unwrap_or(500.0)), 0.0)
}

impl<'a> Device<'a> for Collector {
    fn draw_glyph_run(
        &mut self,
        run: &GlyphRun<'_, 'a>,
        props: DrawProps<'a>,
        // Invisible text is what a scanner recognized under its image: wanted above all.
        _: &DrawMode,
    ) {
        self.check_share();
        self.add_run(run, props.transform);
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {
        self.check_share();
    }

    fn draw_rect(&mut self, _: &Rect, _: DrawProps<'a>, _: &DrawMode) {
        self.check_share();
    }

    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {
        self.check_share();
    }

    fn push_clip_path(&mut self, _: &ClipPath) {
        self.check_share();
    }

    fn push_clip_rect(&mut self, _: &Rect) {
        self.check_share();
    }

    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {
        self.check_share();
    }

    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}

/// Joins words that were divided at the end of a line: "extrac-", "tion" → "extraction".
///
/// Whether a hyphen belongs to the word ("well-", "known") cannot be seen at the line end. The rest
/// of the page knows: if the joined word occurs on it, or one of the halves does not, the hyphen
/// was the typesetter's.
fn join_hyphenated(text: &str) -> String {
    if !text.contains("-\n") {
        return text.to_owned();
    }
    let known = whole_words(text);
    let mut joined = String::with_capacity(text.len());
    let mut lines = text.lines().map(str::trim).peekable();
    // The second half of a divided word is already in the line before.
    let mut is_begun = false;
    while let Some(line) = lines.next() {
        let line = if is_begun { line.split_once(' ').map_or("", |(_, rest)| rest) } else { line };
        is_begun = false;
        match (divided(line), lines.peek().and_then(|next| continuation(next))) {
            (Some((before, first)), Some(second)) => {
                let whole = format!("{first}{second}");
                let bare = second.trim_end_matches(|c: char| !c.is_alphabetic());
                let is_compound = known.contains(first)
                    && known.contains(bare)
                    && !known.contains(format!("{first}{bare}").as_str());
                joined.push_str(before);
                if is_compound {
                    joined.push_str(&format!("{first}-{second}"));
                } else {
                    joined.push_str(&whole);
                }
                is_begun = true;
            }
            _ => joined.push_str(line),
        }
        joined.push('\n');
    }
    joined
}

/// The words of a text, without the halves at line ends: they are no evidence for themselves.
fn whole_words(text: &str) -> HashSet<&str> {
    let mut known = HashSet::new();
    let mut after_hyphen = false;
    for line in text.lines().map(str::trim) {
        let line =
            if after_hyphen { line.split_once(' ').map_or("", |(_, rest)| rest) } else { line };
        after_hyphen = line.ends_with('-');
        let whole =
            if after_hyphen { line.rsplit_once(' ').map_or("", |(rest, _)| rest) } else { line };
        known.extend(whole.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()));
    }
    known
}

/// A line that ends in a hyphen after letters: what stands before the half word, and the half.
fn divided(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_suffix('-')?;
    let start = line
        .rfind(|c: char| !c.is_alphabetic())
        .map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    let (before, half) = line.split_at(start);
    (half.chars().count() >= 2 && !before.ends_with('-')).then_some((before, half))
}

/// The first word of a line that begins in small letters, with its punctuation.
fn continuation(line: &str) -> Option<&str> {
    let word = line.split(' ').next()?;
    let letters = word.chars().take_while(|c| c.is_alphabetic()).count();
    (word.starts_with(char::is_lowercase) && letters >= 2).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divided_words_are_joined() {
        assert_eq!(
            join_hyphenated("the extrac-\ntion of text\nends"),
            "the extraction\nof text\nends\n"
        );
        assert_eq!(join_hyphenated("one extrac-\ntion, so"), "one extraction,\nso\n");
    }

    #[test]
    fn hyphens_that_belong_to_the_word_stay() {
        let text = "known as well\nis well-\nknown here";
        assert_eq!(join_hyphenated(text), "known as well\nis well-known\nhere\n");
        assert_eq!(join_hyphenated("from A-\nB to"), "from A-\nB to\n");
        assert_eq!(join_hyphenated("2019-\n2020"), "2019-\n2020\n");
    }
}
