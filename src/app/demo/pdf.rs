//! Sets a manuscript as a PDF: text in Helvetica, which every reader has, bars and colors.
//!
//! Written by hand after ISO 32000-1: objects with a table of where they begin; nothing is
//! compressed, so the file can be read with an editor.

use std::fmt::Write;

use super::manuscript::Block;

/// A4 in points.
const PAGE: (f32, f32) = (595.0, 842.0);
const MARGIN: f32 = 64.0;
const TEXT_WIDTH: f32 = PAGE.0 - 2.0 * MARGIN;
const LOWEST: f32 = 90.0;
const ACCENT: [u8; 3] = [0x1f, 0x4e, 0x5f];
const INK: [u8; 3] = [0x22, 0x26, 0x2b];
const FAINT: [u8; 3] = [0x80, 0x86, 0x8c];

/// The document, with `footer` below each page.
pub(super) fn write(blocks: &[Block], footer: &str) -> Vec<u8> {
    let mut sheet = Sheet::default();
    sheet.begin_page();
    for block in blocks {
        sheet.set(block);
    }
    let title = blocks.iter().find_map(|block| match block {
        Block::Title(title) => Some(title.as_str()),
        _ => None,
    });
    assemble(&sheet.pages, title.unwrap_or_default(), footer)
}

/// Pages in the making, each a list of drawing operators.
#[derive(Default)]
struct Sheet {
    pages: Vec<String>,
    /// How far down the page is filled.
    y: f32,
}

impl Sheet {
    fn begin_page(&mut self) {
        self.pages.push(String::new());
        self.y = PAGE.1 - MARGIN;
    }

    /// Goes down by so much; to the next page when that does not fit.
    fn go_down(&mut self, by: f32) {
        self.y -= by;
        if self.y < LOWEST {
            self.begin_page();
            self.y -= by;
        }
    }

    fn set(&mut self, block: &Block) {
        match block {
            Block::NewPage => self.begin_page(),
            Block::Title(text) => {
                self.rectangle(MARGIN, self.y - 2.0, 48.0, 6.0, ACCENT);
                self.go_down(8.0);
                self.lines(text, Font::Bold, 26.0, 0.0, INK);
                self.go_down(14.0);
            }
            Block::Heading(text) => {
                self.go_down(12.0);
                self.lines(text, Font::Bold, 14.0, 0.0, ACCENT);
                self.go_down(2.0);
            }
            Block::Paragraph(text) => {
                self.lines(text, Font::Plain, 11.0, 0.0, INK);
                self.go_down(8.0);
            }
            Block::Item(text) => {
                self.lines(text, Font::Plain, 11.0, 16.0, INK);
                self.go_down(3.0);
            }
            Block::Bars(bars) => self.bars(bars),
            Block::Swatches(swatches) => self.swatches(swatches),
        }
    }

    fn lines(&mut self, text: &str, font: Font, size: f32, indent: f32, color: [u8; 3]) {
        for (number, line) in wrapped(text, font, size, TEXT_WIDTH - indent).iter().enumerate() {
            self.go_down(size * 1.45);
            if indent > 0.0 && number == 0 {
                self.text("•", Font::Plain, size, MARGIN + 2.0, self.y, ACCENT);
            }
            self.text(line, font, size, MARGIN + indent, self.y, color);
        }
    }

    fn bars(&mut self, bars: &[(String, f32)]) {
        const HEIGHT: f32 = 130.0;
        self.go_down(HEIGHT + 40.0);
        let largest = bars.iter().map(|bar| bar.1.abs()).fold(1.0, f32::max);
        let step = TEXT_WIDTH / bars.len().max(1) as f32;
        // Falls leave room below the line.
        let has_falls = bars.iter().any(|bar| bar.1 < 0.0);
        let base = self.y + if has_falls { 46.0 } else { 16.0 };
        let scale = (HEIGHT - 50.0) / largest;
        for (number, (name, value)) in bars.iter().enumerate() {
            let x = MARGIN + step * number as f32;
            let height = value.abs() * scale;
            let bottom = if *value < 0.0 { base - height } else { base };
            let color = if *value < 0.0 { [0xb4, 0x53, 0x3a] } else { ACCENT };
            self.rectangle(x + step * 0.2, bottom, step * 0.6, height, color);
            let label = if *value < 0.0 { bottom - 11.0 } else { bottom + height + 4.0 };
            self.text(&format!("{value:.1}"), Font::Plain, 9.0, x + step * 0.2, label, INK);
            self.text(name, Font::Plain, 9.0, x + step * 0.2, self.y, FAINT);
        }
        self.rectangle(MARGIN, base - 0.5, TEXT_WIDTH, 0.5, FAINT);
        self.go_down(16.0);
    }

    fn swatches(&mut self, swatches: &[(String, [u8; 3])]) {
        self.go_down(110.0);
        let step = TEXT_WIDTH / swatches.len().max(1) as f32;
        for (number, (name, color)) in swatches.iter().enumerate() {
            let x = MARGIN + step * number as f32;
            self.rectangle(x, self.y + 16.0, step - 8.0, 80.0, *color);
            self.text(name, Font::Plain, 9.0, x, self.y, INK);
        }
        self.go_down(12.0);
    }

    fn text(&mut self, text: &str, font: Font, size: f32, x: f32, y: f32, color: [u8; 3]) {
        let page = self.page();
        fill_color(page, color);
        let name = font.name();
        // Writing to a `String` cannot fail.
        let _ = writeln!(page, "BT /{name} {size} Tf {x:.1} {y:.1} Td {} Tj ET", literal(text));
    }

    fn rectangle(&mut self, x: f32, y: f32, width: f32, height: f32, color: [u8; 3]) {
        let page = self.page();
        fill_color(page, color);
        let _ = writeln!(page, "{x:.1} {y:.1} {width:.1} {height:.1} re f");
    }

    fn page(&mut self) -> &mut String {
        if self.pages.is_empty() {
            self.begin_page();
        }
        let last = self.pages.len() - 1;
        &mut self.pages[last]
    }
}

fn fill_color(page: &mut String, [red, green, blue]: [u8; 3]) {
    let part = |value: u8| f32::from(value) / 255.0;
    let _ = writeln!(page, "{:.3} {:.3} {:.3} rg", part(red), part(green), part(blue));
}

#[derive(Clone, Copy, PartialEq)]
enum Font {
    Plain,
    Bold,
}

impl Font {
    fn name(self) -> &'static str {
        match self {
            Font::Plain => "F1",
            Font::Bold => "F2",
        }
    }
}

/// How wide the letters from space to tilde are in Helvetica, in thousandths of the size (Adobe's
/// font metrics, 1989).
#[rustfmt::skip]
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

fn width(text: &str, font: Font, size: f32) -> f32 {
    let thousandths: f32 = text
        .chars()
        .map(|letter| match (letter as usize).checked_sub(32).and_then(|at| WIDTHS.get(at)) {
            Some(width) => f32::from(*width),
            None => 556.0,
        })
        .sum();
    // Bold letters are a little wider.
    thousandths / 1000.0 * size * if font == Font::Bold { 1.07 } else { 1.0 }
}

fn wrapped(text: &str, font: Font, size: f32, widest: f32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if line.is_empty() || width(&longer, font, size) <= widest {
            *line = longer;
        } else {
            lines.push(word.into());
        }
    }
    lines
}

/// A string of the encoding WinAnsi, everything beyond ASCII as an octal escape.
fn literal(text: &str) -> String {
    let mut literal = String::from("(");
    for letter in text.chars() {
        match letter {
            '(' | ')' | '\\' => literal.extend(['\\', letter]),
            ' '..='~' => literal.push(letter),
            _ => {
                let _ = write!(literal, "\\{:03o}", win_ansi(letter));
            }
        }
    }
    literal.push(')');
    literal
}

fn win_ansi(letter: char) -> u8 {
    match letter {
        '\u{a0}'..='\u{ff}' => letter as u32 as u8,
        '€' => 0x80,
        '…' => 0x85,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '–' => 0x96,
        '—' => 0x97,
        _ => b'?',
    }
}

fn assemble(pages: &[String], title: &str, footer: &str) -> Vec<u8> {
    // Objects 1 to 5 are the same in each file; a page is two more.
    let kids: Vec<String> = (0..pages.len()).map(|page| format!("{} 0 R", 6 + 2 * page)).collect();
    let font = |name| {
        format!("<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>")
    };
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Count {} /Kids [{}] >>", pages.len(), kids.join(" ")),
        font("Helvetica"),
        font("Helvetica-Bold"),
        format!("<< /Title {} /Producer (Appliance) >>", literal(title)),
    ];
    for (number, operators) in pages.iter().enumerate() {
        let mut sheet = Sheet { pages: vec![operators.clone()], y: 0.0 };
        let line = format!("{footer}   {} / {}", number + 1, pages.len());
        sheet.text(&line, Font::Plain, 8.0, MARGIN, 48.0, FAINT);
        let operators = sheet.pages.remove(0);
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {} {}] /Contents {} 0 R /Resources << \
             /Font << /F1 3 0 R /F2 4 0 R >> >> >>",
            PAGE.0,
            PAGE.1,
            7 + 2 * number
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{operators}endstream", operators.len()));
    }
    let mut file = String::from("%PDF-1.4\n");
    let mut begins = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        begins.push(file.len());
        let _ = write!(file, "{} 0 obj\n{object}\nendobj\n", number + 1);
    }
    let table = file.len();
    let _ = write!(file, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for begin in begins {
        let _ = writeln!(file, "{begin:010} 00000 n ");
    }
    let _ = write!(
        file,
        "trailer\n<< /Size {} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{table}\n%%EOF\n",
        objects.len() + 1
    );
    file.into_bytes()
}
