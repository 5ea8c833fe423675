//! Plain text in any encoding, and what is close enough to it (CSV, JSON, XML, logs).

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

use super::output::{Output, Stop};
use crate::extract::utf_16;

/// Sends the whole text.
pub fn extract(bytes: &[u8], output: &mut Output) -> Result<(), Stop> {
    let encoding = encoding_of(bytes, None);
    // A part at a time: a log file of a gigabyte must not be decoded whole to keep its beginning.
    const PART_BYTES: usize = 1024 * 1024;
    let mut decoder = encoding.new_decoder();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (part, later) = rest.split_at(rest.len().min(PART_BYTES));
        let mut text = String::with_capacity(
            decoder.max_utf8_buffer_length(part.len()).unwrap_or(3 * PART_BYTES + 16),
        );
        // The buffer is large enough by the decoder's own account, so all of the part is read.
        let _ = decoder.decode_to_string(part, &mut text, later.is_empty());
        if !output.push(&text)? {
            break;
        }
        rest = later;
    }
    Ok(())
}

/// Decodes a text that is small enough to be held whole.
pub fn decode<'a>(bytes: &'a [u8], declared: Option<&'static Encoding>) -> Cow<'a, str> {
    encoding_of(bytes, declared).decode(bytes).0
}

/// Markup beyond this is not looked at; its text alone would exceed the limit for text.
const MARKUP_BYTES_MAX: usize = 64 * 1024 * 1024;

/// As much of a markup file as is read at all.
pub fn beginning<'a>(bytes: &'a [u8], output: &mut Output) -> &'a [u8] {
    if bytes.len() > MARKUP_BYTES_MAX {
        output.will_be_cut();
    }
    &bytes[..bytes.len().min(MARKUP_BYTES_MAX)]
}

/// The encoding: by its mark, else UTF-8 if it is (nearly) valid, else as declared inside the file,
/// else the likeliest.
fn encoding_of(bytes: &[u8], declared: Option<&'static Encoding>) -> &'static Encoding {
    const SAMPLE_BYTES: usize = 256 * 1024;
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    if let Some(encoding) = utf_16::without_mark(sample) {
        return encoding;
    }
    if is_mostly_utf_8(sample) {
        return UTF_8;
    }
    if let Some(declared) = declared.filter(|declared| *declared != UTF_8) {
        return declared;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    detector.guess(None, Utf8Detection::Deny)
}

/// One damaged byte in a long UTF-8 text should not turn all its umlauts into something else.
fn is_mostly_utf_8(sample: &[u8]) -> bool {
    let (mut longer, mut invalid) = (0usize, 0usize);
    for chunk in sample.utf8_chunks() {
        longer += chunk.valid().chars().filter(|character| !character.is_ascii()).count();
        // The sample may end within a character.
        invalid += usize::from(!chunk.invalid().is_empty());
    }
    invalid == 0 || invalid == 1 && ends_within_character(sample) || longer > 20 * invalid
}

fn ends_within_character(sample: &[u8]) -> bool {
    std::str::from_utf8(sample).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> String {
        decode(bytes, None).into_owned()
    }

    #[test]
    fn marks_are_believed() {
        assert_eq!(decoded(b"\xef\xbb\xbfGr\xc3\xb6\xc3\x9fe"), "Größe");
        assert_eq!(decoded(b"\xff\xfeG\0r\0\xf6\0"), "Grö");
        assert_eq!(decoded(b"\xfe\xff\0G\0r\0\xf6"), "Grö");
    }

    #[test]
    fn utf_16_is_seen_without_a_mark() {
        let bytes: Vec<u8> = "Ordinary words".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decoded(&bytes), "Ordinary words");
    }

    #[test]
    fn old_encodings_are_guessed() {
        let german = b"Sch\xf6ne Gr\xfc\xdfe aus M\xfcnchen, \xfcber alle Stra\xdfen";
        assert_eq!(decoded(german), "Schöne Grüße aus München, über alle Straßen");
        let (russian, _, _) = encoding_rs::WINDOWS_1251.encode("Годовой отчёт о деятельности");
        assert_eq!(decoded(&russian), "Годовой отчёт о деятельности");
        let (japanese, _, _) = encoding_rs::SHIFT_JIS.encode("これは日本語の文章です。");
        assert_eq!(decoded(&japanese), "これは日本語の文章です。");
    }

    #[test]
    fn one_damaged_byte_does_not_change_the_rest() {
        let mut bytes = "Größe und Länge, über Äcker und Öfen. ".repeat(5).into_bytes();
        bytes.push(0xff);
        assert!(decoded(&bytes).starts_with("Größe und Länge"));
    }
}
