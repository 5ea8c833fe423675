//! PowerPoint 97 to 2003 (MS-PPT): a stream of nested records, some of which are text.

use super::super::output::{Output, Stop};
use super::{u16_at, u32_at};

const HEADER_BYTES: usize = 8;
const MAIN_MASTER: u16 = 0x03f8;
const TEXT_CHARACTERS: u16 = 0x0fa0;
const TEXT_BYTES: u16 = 0x0fa8;

/// Sends every text on slides and notes. Masters hold only "click to edit" and are left out.
pub fn extract(document: &[u8], output: &mut Output) -> Result<(), Stop> {
    let mut at = 0;
    while let Some((kind, is_container, content)) = record(document, at) {
        let start = at + HEADER_BYTES;
        let end = start + content.len();
        let text = match kind {
            TEXT_CHARACTERS => Some(encoding_rs::UTF_16LE.decode_without_bom_handling(content).0),
            // The low bytes of UTF-16 (MS-PPT 2.9.43).
            TEXT_BYTES => Some(encoding_rs::mem::decode_latin1(content)),
            _ => None,
        };
        // A lone asterisk stands for the slide's number or the date (MS-PPT 2.9.50).
        if let Some(text) = text.filter(|text| text.trim() != "*") {
            output.push(&text)?;
            if !output.push("\n\n")? {
                break;
            }
        }
        // A container is entered by going on right after its header.
        at = if is_container && kind != MAIN_MASTER { start } else { end };
    }
    Ok(())
}

/// Kind, whether it contains records, and content of the record at `at`; cut at the end of the
/// stream if it says it is longer.
fn record(document: &[u8], at: usize) -> Option<(u16, bool, &[u8])> {
    let is_container = u16_at(document, at)? & 0x0f == 0x0f;
    let kind = u16_at(document, at + 2)?;
    let length = u32_at(document, at + 4)? as usize;
    let start = at + HEADER_BYTES;
    let end = start.saturating_add(length).min(document.len());
    Some((kind, is_container, &document[start.min(end)..end]))
}
