//! Word 97 to 2003 (MS-DOC): the text lies in pieces, listed in a table of their own.

use super::super::super::error::Refusal;
use super::super::output::{Lost, Output, Stop};
use super::{Compound, stream, u16_at, u32_at};

/// Sends body, footnotes, headers and comments, which follow each other in the file.
pub fn extract(document: &[u8], file: &mut Compound<'_>, output: &mut Output) -> Result<(), Stop> {
    const FLAGS_AT: usize = 0x0a;
    const ENCRYPTED: u16 = 0x0100;
    const SECOND_TABLE: u16 = 0x0200;
    let broken = || Refusal::broken("its text cannot be found");
    if u16_at(document, 0) != Some(0xa5ec) {
        return Err(broken().into());
    }
    let flags = u16_at(document, FLAGS_AT).ok_or_else(broken)?;
    if flags & ENCRYPTED != 0 {
        return Err(Refusal::Encrypted.into());
    }
    let table = if flags & SECOND_TABLE != 0 { "/1Table" } else { "/0Table" };
    let table = stream(file, table).ok_or_else(broken)?;
    let mut text = Text { output, instruction_depth: 0 };
    for piece in pieces(document, &table).ok_or_else(broken)? {
        text.push(&piece.decode(document))?;
        if text.output.is_full() {
            break;
        }
    }
    Ok(())
}

struct Piece {
    start: usize,
    characters: usize,
    /// One byte per character (Windows-1252) instead of two.
    is_compressed: bool,
}

impl Piece {
    fn decode(&self, document: &[u8]) -> String {
        let width = if self.is_compressed { 1 } else { 2 };
        let start = self.start.min(document.len());
        let end = start.saturating_add(self.characters.saturating_mul(width)).min(document.len());
        let bytes = &document[start..end];
        let encoding =
            if self.is_compressed { encoding_rs::WINDOWS_1252 } else { encoding_rs::UTF_16LE };
        encoding.decode_without_bom_handling(bytes).0.into_owned()
    }
}

/// The piece table (MS-DOC 2.4.1 and 2.9.38): character positions, then where each piece lies.
fn pieces(document: &[u8], table: &[u8]) -> Option<Vec<Piece>> {
    const CLX_AT: usize = 0x1a2;
    const CLX_LENGTH_AT: usize = 0x1a6;
    const COMPRESSED: u32 = 0x4000_0000;
    let start = u32_at(document, CLX_AT)? as usize;
    let length = u32_at(document, CLX_LENGTH_AT)? as usize;
    let mut clx = table.get(start..start.checked_add(length)?)?;
    // Formatting that applies to pieces comes first.
    while clx.first() == Some(&1) {
        clx = clx.get(3 + u16_at(clx, 1)? as usize..)?;
    }
    if clx.first() != Some(&2) {
        return None;
    }
    let list = clx.get(5..)?;
    let list = &list[..list.len().min(u32_at(clx, 1)? as usize)];
    let count = list.len().checked_sub(4)? / 12;
    let mut pieces = Vec::with_capacity(count);
    for index in 0..count {
        let from = u32_at(list, index * 4)?;
        let to = u32_at(list, index * 4 + 4)?;
        let place = u32_at(list, (count + 1) * 4 + index * 8 + 2)?;
        let is_compressed = place & COMPRESSED != 0;
        let offset = (place & !COMPRESSED) as usize;
        pieces.push(Piece {
            start: if is_compressed { offset / 2 } else { offset },
            characters: to.checked_sub(from)? as usize,
            is_compressed,
        });
    }
    Some(pieces)
}

struct Text<'a> {
    output: &'a mut Output,
    /// Within the instruction of a field, such as a link's address.
    instruction_depth: usize,
}

impl Text<'_> {
    /// Characters below 32 are Word's marks (MS-DOC 2.4.1, 2.8.25).
    fn push(&mut self, raw: &str) -> Result<(), Lost> {
        let mut text = String::with_capacity(raw.len());
        for character in raw.chars() {
            match character {
                '\x13' => self.instruction_depth += 1,
                '\x14' | '\x15' => {
                    self.instruction_depth = self.instruction_depth.saturating_sub(1);
                }
                _ if self.instruction_depth > 0 => {}
                // The mark after the last cell ends the row.
                '\x07' if text.ends_with('\t') => text.push('\n'),
                '\x07' => text.push('\t'),
                '\x1e' => text.push('-'),
                '\x0b' | '\x0c' | '\x0e' | '\r' => text.push('\n'),
                other => text.push(other),
            }
        }
        self.output.push(&text)?;
        Ok(())
    }
}
