//! What a file is, by its first bytes.
//!
//! The bytes decide. The file name only chooses among formats that look alike (a ZIP whose first
//! entry says nothing, or one kind of plain text and another), and what a browser declared is
//! never asked. Nothing here unpacks or parses: a dozen comparisons over the head of the file.

use super::{format::Format, utf_16};

/// How many bytes of the head are worth passing; more are ignored.
pub const HEAD_BYTES: usize = 8 * 1024;

/// The format of a file and the media type under which to store and serve it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recognized {
    pub media_type: &'static str,
    pub format: Format,
}

impl From<Format> for Recognized {
    fn from(format: Format) -> Self {
        Recognized { media_type: format.media_type(), format }
    }
}

/// Tells what a file is from its first bytes (8 KiB are plenty) and its name.
///
/// Pure and quick, never fails: what nobody knows is `application/octet-stream`.
pub fn recognize(head: &[u8], filename: &str) -> Recognized {
    let head = &head[..head.len().min(HEAD_BYTES)];
    let extension = extension_of(filename);
    if let Some(format) = by_magic(head) {
        return format.into();
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return in_zip(head, &extension);
    }
    if head.starts_with(COMPOUND_FILE) {
        return in_compound_file(&extension);
    }
    if looks_like_text(head) {
        return among_texts(head, &extension).into();
    }
    if let Some(known) = infer::get(head).filter(is_trustworthy) {
        return Recognized { media_type: known.mime_type(), format: Format::Other };
    }
    if utf_16::looks_like_text(head) {
        return among_texts(head, &extension).into();
    }
    Format::Other.into()
}

/// The format behind a media type that `recognize` once gave, for files whose bytes are not at hand.
pub fn format_of_media_type(media_type: &str) -> Format {
    let refined = ZIP_EXTENSIONS.iter().map(|(_, media_type, format)| (*media_type, *format));
    let usual = Format::ALL.into_iter().map(|format| (format.media_type(), format));
    usual
        .chain(refined)
        .chain(OPEN_DOCUMENT_VARIANTS)
        .find(|(known, _)| known.eq_ignore_ascii_case(media_type))
        .map_or(Format::Other, |(_, format)| format)
}

/// The signature of Microsoft's compound files (MS-CFB 2.2): the old Office formats, and new ones
/// behind a password.
const COMPOUND_FILE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

fn extension_of(filename: &str) -> String {
    match filename.rsplit_once('.') {
        Some((_, extension)) if extension.len() <= 10 => extension.to_ascii_lowercase(),
        _ => String::new(),
    }
}

fn by_magic(head: &[u8]) -> Option<Format> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    if starts(b"\xff\xd8\xff") {
        Some(Format::Jpeg)
    } else if starts(b"\x89PNG\r\n\x1a\n") {
        Some(Format::Png)
    } else if starts(b"GIF87a") || starts(b"GIF89a") {
        Some(Format::Gif)
    } else if starts(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        Some(Format::Webp)
    } else if starts(b"II*\0") || starts(b"MM\0*") {
        Some(Format::Tiff)
    } else if starts(b"\0\0\x01\0") && head.get(5) == Some(&0) && head.get(4) != Some(&0) {
        Some(Format::Ico)
    } else if starts(b"BM") && is_bitmap(head) {
        Some(Format::Bmp)
    } else if starts(b"{\\rtf") {
        Some(Format::Rtf)
    } else if has_pdf_header(head) {
        Some(Format::Pdf)
    } else {
        None
    }
}

/// "BM" opens many a text; a bitmap also has an information header of a known size (MSDN,
/// BITMAPINFOHEADER) and reserved zeros.
fn is_bitmap(head: &[u8]) -> bool {
    head.get(6..10) == Some(&[0; 4])
        && matches!(head.get(14..18), Some([12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]))
}

/// Readers accept the header anywhere in the first 1024 bytes (ISO 32000-1, note in 7.5.2). Only a
/// binary-looking or empty lead is accepted before it: a text *about* PDF is a text.
fn has_pdf_header(head: &[u8]) -> bool {
    let window = &head[..head.len().min(1024)];
    match window.windows(5).position(|five| five == b"%PDF-") {
        Some(0) => true,
        Some(at) => {
            let lead = &window[..at];
            lead.iter().all(|byte| byte.is_ascii_whitespace())
                || lead.starts_with(b"\xef\xbb\xbf")
                || !looks_like_text(lead)
        }
        None => false,
    }
}

/// Office, OpenDocument and e-book files are ZIP archives; the names of their first entries tell
/// them apart.
fn in_zip(head: &[u8], extension: &str) -> Recognized {
    // OpenDocument and EPUB put their media type first, stored, as an entry named "mimetype".
    if let Some(declared) = zip_mimetype(head) {
        let known = [Format::Odt, Format::Ods, Format::Odp, Format::Epub];
        if let Some(format) = known.into_iter().find(|format| declared == format.media_type()) {
            return format.into();
        }
        let mut variants = OPEN_DOCUMENT_VARIANTS.into_iter();
        if let Some((media_type, format)) = variants.find(|(name, _)| declared == *name) {
            return Recognized { media_type, format };
        }
    }
    let inside = zip_entry_names(head).find_map(|name| {
        if name.starts_with(b"word/") {
            Some(Format::Docx)
        } else if name == b"xl/workbook.bin" {
            Some(Format::Xlsb)
        } else if name.starts_with(b"xl/") {
            Some(if extension == "xlsb" { Format::Xlsb } else { Format::Xlsx })
        } else if name.starts_with(b"ppt/") {
            Some(Format::Pptx)
        } else {
            None
        }
    });
    let named = ZIP_EXTENSIONS.iter().find(|(name, _, _)| *name == extension);
    match (inside, named) {
        // The name refines the media type (macros, templates) but not the family.
        (Some(format), Some((_, media_type, family))) if *family == format => {
            Recognized { media_type, format }
        }
        (Some(format), _) => format.into(),
        // The telling entry lies beyond the head: the name is the best hint, and the reader looks
        // again at the whole container.
        (None, Some((_, media_type, format))) => Recognized { media_type, format: *format },
        (None, None) => Recognized { media_type: "application/zip", format: Format::Other },
    }
}

/// Templates and drawings that are read like their relatives.
const OPEN_DOCUMENT_VARIANTS: [(&str, Format); 4] = [
    ("application/vnd.oasis.opendocument.text-template", Format::Odt),
    ("application/vnd.oasis.opendocument.spreadsheet-template", Format::Ods),
    ("application/vnd.oasis.opendocument.presentation-template", Format::Odp),
    ("application/vnd.oasis.opendocument.graphics", Format::Odp),
];

const ZIP_EXTENSIONS: &[(&str, &str, Format)] = &[
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Format::Docx,
    ),
    ("docm", "application/vnd.ms-word.document.macroenabled.12", Format::Docx),
    (
        "dotx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.template",
        Format::Docx,
    ),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Format::Xlsx),
    ("xlsm", "application/vnd.ms-excel.sheet.macroenabled.12", Format::Xlsx),
    ("xltx", "application/vnd.openxmlformats-officedocument.spreadsheetml.template", Format::Xlsx),
    ("xlsb", "application/vnd.ms-excel.sheet.binary.macroenabled.12", Format::Xlsb),
    (
        "pptx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        Format::Pptx,
    ),
    ("pptm", "application/vnd.ms-powerpoint.presentation.macroenabled.12", Format::Pptx),
    (
        "ppsx",
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow",
        Format::Pptx,
    ),
    ("potx", "application/vnd.openxmlformats-officedocument.presentationml.template", Format::Pptx),
    ("odt", "application/vnd.oasis.opendocument.text", Format::Odt),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet", Format::Ods),
    ("odp", "application/vnd.oasis.opendocument.presentation", Format::Odp),
    ("epub", "application/epub+zip", Format::Epub),
];

/// The content of a stored first entry named "mimetype" (OpenDocument 1.2 part 3, 3.3).
fn zip_mimetype(head: &[u8]) -> Option<&str> {
    let (name, rest) = zip_entry(head)?;
    let length = u32::from_le_bytes(head.get(18..22)?.try_into().ok()?) as usize;
    if name != b"mimetype" || length > 100 {
        return None;
    }
    std::str::from_utf8(rest.get(..length)?).ok().map(str::trim_end)
}

/// The entry names of all local file headers within the head.
fn zip_entry_names(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.windows(4)
        .enumerate()
        .filter(|(_, four)| *four == b"PK\x03\x04")
        .filter_map(|(at, _)| zip_entry(&head[at..]).map(|(name, _)| name))
}

/// Name and content of the local file header at the start of `bytes` (APPNOTE.TXT 4.3.7).
fn zip_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let name_length = u16::from_le_bytes(bytes.get(26..28)?.try_into().ok()?) as usize;
    let extra_length = u16::from_le_bytes(bytes.get(28..30)?.try_into().ok()?) as usize;
    let name = bytes.get(30..30 + name_length)?;
    Some((name, bytes.get(30 + name_length + extra_length..)?))
}

/// The directory of a compound file can lie anywhere in it, so the name decides here; the reader
/// looks inside and says if that was wrong or if it is a protected document.
fn in_compound_file(extension: &str) -> Recognized {
    match extension {
        "doc" | "dot" => Format::Doc.into(),
        "xls" | "xlt" | "xla" => Format::Xls.into(),
        "ppt" | "pps" | "pot" => Format::Ppt.into(),
        // A new-style name on a compound file: encrypted (MS-OFFCRYPTO), or an old file renamed.
        "docx" | "docm" => Format::Docx.into(),
        "xlsx" | "xlsm" => Format::Xlsx.into(),
        "pptx" | "pptm" => Format::Pptx.into(),
        "msg" => Format::Msg.into(),
        "msi" => Recognized { media_type: "application/x-msi", format: Format::Other },
        _ => Recognized { media_type: "application/x-ole-storage", format: Format::Other },
    }
}

/// What is left to the crate are sound, film, fonts, archives and programs. Of these, the ones it
/// tells by two bytes are left out, and so is everything that was looked at here already.
fn is_trustworthy(kind: &infer::Type) -> bool {
    use infer::MatcherType::*;
    let is_own = matches!(kind.matcher_type(), Text | Doc | Book);
    !is_own && !matches!(kind.extension(), "obj" | "der" | "pem" | "bmp")
}

/// No zero bytes and hardly any other control characters; or a UTF-16 byte order mark.
fn looks_like_text(head: &[u8]) -> bool {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return true;
    }
    let odd = head.iter().filter(|byte| is_odd_in_text(**byte)).count();
    !head.is_empty() && !head.contains(&0) && odd * 100 <= head.len()
}

fn is_odd_in_text(byte: u8) -> bool {
    byte == 0x7f || (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b))
}

/// The name decides among texts, unless the text itself opens with an unmistakable line.
fn among_texts(head: &[u8], extension: &str) -> Format {
    match extension {
        "md" | "markdown" | "mdown" => return Format::Markdown,
        "csv" | "tsv" | "tab" => return Format::Csv,
        "html" | "htm" | "xhtml" | "shtml" => return Format::Html,
        "json" | "jsonl" | "ndjson" | "geojson" => return Format::Json,
        "eml" => return Format::Eml,
        "svg" => return Format::Svg,
        "txt" | "text" | "log" => return Format::Text,
        _ => {}
    }
    let opening: Vec<u8> = head
        .iter()
        .skip_while(|byte| byte.is_ascii_whitespace() || matches!(byte, 0xef | 0xbb | 0xbf))
        .take(1024)
        .map(u8::to_ascii_lowercase)
        .collect();
    let contains = |needle: &[u8]| opening.windows(needle.len()).any(|part| part == needle);
    if opening.starts_with(b"<!doctype html") || opening.starts_with(b"<html") {
        Format::Html
    } else if opening.starts_with(b"<svg")
        || (opening.starts_with(b"<?xml") || opening.starts_with(b"<!doctype svg"))
            && contains(b"<svg")
    {
        Format::Svg
    } else if opening.starts_with(b"<?xml") {
        if contains(b"<html") { Format::Html } else { Format::Xml }
    } else if opens_like_mail(&opening) {
        Format::Eml
    } else if extension == "xml" {
        Format::Xml
    } else {
        Format::Text
    }
}

/// Two different header fields that only mail has, at the start of lines.
fn opens_like_mail(opening: &[u8]) -> bool {
    const FIELDS: [&[u8]; 8] = [
        b"from:",
        b"to:",
        b"subject:",
        b"date:",
        b"received:",
        b"message-id:",
        b"mime-version:",
        b"return-path:",
    ];
    let starts_with_field = FIELDS.iter().any(|field| opening.starts_with(field))
        || opening.starts_with(b"delivered-to:");
    let found = FIELDS
        .iter()
        .filter(|field| opening.split(|byte| *byte == b'\n').any(|line| line.starts_with(field)))
        .count();
    starts_with_field && found >= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_decide_and_not_the_name() {
        assert_eq!(recognize(b"%PDF-1.7\n", "photo.jpg").format, Format::Pdf);
        assert_eq!(recognize(b"\xff\xd8\xff\xe0", "report.pdf").format, Format::Jpeg);
        assert_eq!(recognize(b"\0\x01\x02\x03rubbish", "report.pdf").format, Format::Other);
        assert_eq!(recognize(b"MZ\x90\0\x03", "a.txt").format, Format::Other);
    }

    #[test]
    fn a_text_about_pdf_is_a_text() {
        assert_eq!(recognize(b"The header is %PDF-1.7 there.", "a.txt").format, Format::Text);
        assert_eq!(recognize(b"BM is a German abbreviation", "a.txt").format, Format::Text);
    }

    #[test]
    fn texts_are_told_apart_by_name_then_by_opening() {
        assert_eq!(recognize(b"# Title", "readme.md").format, Format::Markdown);
        assert_eq!(recognize(b"a;b\n1;2", "x.csv").format, Format::Csv);
        assert_eq!(recognize(b"<!DOCTYPE html><p>", "noname").format, Format::Html);
        assert_eq!(recognize(b"<?xml version='1.0'?><svg>", "a.xml").format, Format::Svg);
        assert_eq!(recognize(b"<svg onload='x'>", "picture").format, Format::Svg);
        let mail = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\n\r\nHello";
        assert_eq!(recognize(mail, "saved").format, Format::Eml);
        assert_eq!(recognize(b"plain words", "").media_type, "text/plain");
        let wide: Vec<u8> = "wide words".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(recognize(&wide, "a.txt").format, Format::Text);
    }

    #[test]
    fn a_media_type_leads_back_to_its_format() {
        for format in Format::ALL {
            assert_eq!(format_of_media_type(format.media_type()), format);
        }
        let macros = "application/vnd.ms-word.document.macroEnabled.12";
        assert_eq!(format_of_media_type(macros), Format::Docx);
        assert_eq!(format_of_media_type("video/mp4"), Format::Other);
    }

    #[test]
    fn an_empty_head_is_unknown() {
        assert_eq!(recognize(b"", "a.pdf").format, Format::Other);
    }

    #[test]
    fn no_head_makes_it_panic() {
        for length in 0..64 {
            for magic in [&b"PK\x03\x04"[..], COMPOUND_FILE, b"RIFF", b"\0\0\x01\0", b"BM"] {
                let mut head = magic.to_vec();
                head.resize(magic.len() + length, 0xff);
                recognize(&head, "a.docx");
            }
        }
    }
}
