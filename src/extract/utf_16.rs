//! UTF-16 without a byte order mark, as some programs still write it.

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

/// Western text in UTF-16 has a zero in every other byte.
pub fn without_mark(sample: &[u8]) -> Option<&'static Encoding> {
    let pairs = sample.len() / 2;
    let zeros = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if pairs < 4 {
        None
    } else if odd * 10 > pairs * 7 && even * 10 < pairs {
        Some(UTF_16LE)
    } else if even * 10 > pairs * 7 && odd * 10 < pairs {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Whether these first bytes are such a text, and not small numbers of two bytes each.
pub fn looks_like_text(head: &[u8]) -> bool {
    let whole_pairs = &head[..head.len() & !1];
    let Some(encoding) = without_mark(whole_pairs) else { return false };
    let (text, _) = encoding.decode_without_bom_handling(whole_pairs);
    let is_odd = |char: &char| {
        *char == char::REPLACEMENT_CHARACTER || char.is_control() && !char.is_ascii_whitespace()
    };
    text.chars().filter(is_odd).count() * 100 <= text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_text_and_numbers_are_not() {
        let words = "Ordinary words,\r\nand more of them";
        let little: Vec<u8> = words.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = words.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let numbers: Vec<u8> = (1..200_u16).flat_map(u16::to_le_bytes).collect();
        assert!(looks_like_text(&little) && looks_like_text(&big));
        assert!(looks_like_text(&little[..little.len() - 1]));
        assert!(!looks_like_text(&numbers) && !looks_like_text(&[0; 64]) && !looks_like_text(b""));
    }
}
