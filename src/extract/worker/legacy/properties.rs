//! The summary of a compound file (MS-OLEPS): a list of numbered properties.

use super::{u16_at, u32_at};

/// The title a person gave the document.
pub fn title(stream: &[u8]) -> Option<String> {
    const FIRST_SET_AT: usize = 44;
    const TITLE: u32 = 2;
    const CODE_PAGE: u32 = 1;
    let set = stream.get(u32_at(stream, FIRST_SET_AT)? as usize..)?;
    let value = property(set, TITLE)?;
    const NARROW: u32 = 30;
    const WIDE: u32 = 31;
    let length = u32_at(value, 4)? as usize;
    let text = match u32_at(value, 0)? {
        NARROW => {
            let page = property(set, CODE_PAGE).and_then(|value| u16_at(value, 4));
            decode(value.get(8..8usize.checked_add(length)?)?, page.unwrap_or(1252))
        }
        WIDE => {
            let bytes = value.get(8..8usize.checked_add(length.checked_mul(2)?)?)?;
            encoding_rs::UTF_16LE.decode_without_bom_handling(bytes).0.into_owned()
        }
        _ => return None,
    };
    Some(text.trim_end_matches('\0').to_owned())
}

/// The typed value of a property: from its type on.
fn property(set: &[u8], wanted: u32) -> Option<&[u8]> {
    const PROPERTIES_MAX: usize = 200;
    let count = (u32_at(set, 4)? as usize).min(PROPERTIES_MAX);
    let index = (0..count).find(|index| u32_at(set, 8 + index * 8) == Some(wanted))?;
    set.get(u32_at(set, 8 + index * 8 + 4)? as usize..)
}

fn decode(bytes: &[u8], code_page: u16) -> String {
    let label = match code_page {
        1200 => "utf-16le".to_owned(),
        65001 => "utf-8".to_owned(),
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        page => format!("windows-{page}"),
    };
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes());
    let encoding = encoding.unwrap_or(encoding_rs::WINDOWS_1252);
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}
