//! Folding: writing every letter in the one form under which it is found.
//!
//! `Straße`, `STRASSE` and `strasse` are the same word to a person who searches, and so are `łódź`
//! and `lodz`. Folding lower-cases, takes compatibility forms apart (ﬁ, ², Ａ) and drops the marks
//! that are accents in Latin, Greek, Cyrillic, Hebrew and Arabic. Marks that spell vowels (Sinhala,
//! Tamil, Devanagari, Thai) or turn one letter into another (か, が) stay.
//!
//! Text must be in Unicode normalization form C (UAX #15) before it is folded, see [`composed`]:
//! file names made on a Mac are not, and Korean then falls apart into single jamo.

use std::{borrow::Cow, sync::LazyLock};

use icu_normalizer::{
    ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed,
    properties::CanonicalCombiningClassMapBorrowed,
};

/// Longest folded word in characters; the rest of a longer one is ignored. Base64 in a log file
/// must not become a term of a megabyte.
pub(super) const WORD_CHARS_MAX: usize = 64;

/// Characters below this come from a table that is filled once: Latin to Arabic.
const TABLE_END: u32 = 0x0800;

/// The text in normalization form C; borrowed when it already is, which is the usual case.
pub(super) fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// Appends `word` to `folded` in its folded form, at most [`WORD_CHARS_MAX`] characters of it.
pub(super) fn fold_word(word: &str, folded: &mut String) {
    if word.is_ascii() {
        return lower_ascii(word, folded);
    }
    for letter in word.chars().take(WORD_CHARS_MAX) {
        fold_letter(letter, folded);
    }
}

/// Appends `word` to `lowered` in lower case with its accents, which is what stemmers expect.
pub(super) fn lower_word(word: &str, lowered: &mut String) {
    if word.is_ascii() {
        return lower_ascii(word, lowered);
    }
    for letter in word.chars().take(WORD_CHARS_MAX).filter(|&letter| !is_invisible(letter)) {
        if letter.is_ascii() {
            lowered.push(letter.to_ascii_lowercase());
        } else {
            lowered.extend(letter.to_lowercase());
        }
    }
}

/// Whether this character continues a word without being a letter or a digit: a combining mark,
/// or a joiner that shapes the letters around it.
pub(super) fn is_mark(letter: char) -> bool {
    is_invisible(letter) || CanonicalCombiningClassMapBorrowed::new().get_u8(letter) != 0
}

/// The usual case, without a look at each letter.
fn lower_ascii(word: &str, lowered: &mut String) {
    let start = lowered.len();
    lowered.push_str(&word[..word.len().min(WORD_CHARS_MAX)]);
    lowered[start..].make_ascii_lowercase();
}

fn fold_letter(letter: char, folded: &mut String) {
    let code = letter as u32;
    if letter.is_ascii() {
        folded.push(letter.to_ascii_lowercase());
    } else if code < TABLE_END {
        let (start, end) = TABLE.ranges[(code - 0x80) as usize];
        folded.push_str(&TABLE.letters[usize::from(start)..usize::from(end)]);
    } else if is_unchanged(code) {
        folded.push(letter);
    } else {
        fold_rare_letter(letter, folded);
    }
}

/// Han, kana and Hangul: most of the text that is not in the table, and never changed.
fn is_unchanged(code: u32) -> bool {
    matches!(code, 0x3041..=0x30FF | 0x3400..=0x9FFF | 0xAC00..=0xD7A3 | 0x20000..=0x2F7FF)
}

fn fold_rare_letter(letter: char, folded: &mut String) {
    let decomposer = DecomposingNormalizerBorrowed::new_nfkd();
    for part in decomposer.normalize_iter(letter.to_lowercase()) {
        if is_invisible(part) || is_accent(part) {
            continue;
        }
        match spelled_out(part) {
            Some(spelling) => folded.push_str(spelling),
            None => folded.push(western_digit(part).unwrap_or(part)),
        }
    }
}

struct Table {
    letters: String,
    /// Start and end in `letters` for each character from U+0080.
    ranges: Vec<(u16, u16)>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { letters: String::new(), ranges: Vec::new() };
    for code in 0x80..TABLE_END {
        let start = table.letters.len() as u16;
        if let Some(letter) = char::from_u32(code) {
            fold_rare_letter(letter, &mut table.letters);
        }
        table.ranges.push((start, table.letters.len() as u16));
    }
    table
});

/// Soft hyphen, the joiners of Indic and Persian script, and the Arabic stretching line: typed or
/// not, the word is the same.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{AD}' | '\u{200C}' | '\u{200D}' | '\u{640}')
}

/// Combining marks that are accents or optional vowel points, by block.
fn is_accent(mark: char) -> bool {
    matches!(mark as u32,
        0x0300..=0x036F | 0x0483..=0x0487                        // Latin, Greek, Cyrillic
        | 0x0591..=0x05BD | 0x05BF | 0x05C1..=0x05C2 | 0x05C4..=0x05C5 | 0x05C7 // Hebrew
        | 0x0610..=0x061A | 0x064B..=0x065F | 0x0670             // Arabic
        | 0x06D6..=0x06DC | 0x06DF..=0x06E4 | 0x06E7..=0x06E8 | 0x06EA..=0x06ED
        | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0xFE20..=0xFE2F)
}

/// Letters that Unicode does not take apart but people type differently.
fn spelled_out(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ł' => "l",
        'ħ' => "h",
        'ŧ' => "t",
        'ŋ' => "n",
        'ı' => "i",
        'ĸ' => "k",
        'ς' => "σ",
        'ى' | 'ی' => "ي",
        'ة' => "ه",
        'ک' => "ك",
        _ => return None,
    })
}

/// The digits of other scripts, so that ٢٠٢٤ and 2024 are one number.
fn western_digit(letter: char) -> Option<char> {
    const ZEROS: [u32; 15] = [
        0x0660, 0x06F0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
        0x0E50, 0x0ED0, 0x1040, 0x17E0,
    ];
    let code = letter as u32;
    let zero = ZEROS.iter().find(|&&zero| (zero..zero + 10).contains(&code))?;
    char::from_digit(code - zero, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut folded = String::new();
        fold_word(&composed(text), &mut folded);
        folded
    }

    #[test]
    fn spellings_of_one_word_fold_to_the_same_letters() {
        for (left, right) in [
            ("Straße", "STRASSE"),
            ("łódź", "Lodz"),
            ("Ünal", "unal"),
            ("İstanbul", "istanbul"),
            ("ΆΓΙΟΣ", "αγιος"),
            ("Ёлка", "елка"),
            ("e\u{301}tude", "étude"),
            ("ﬁnal", "final"),
            ("Ｆｕｌｌ", "full"),
            ("m²", "m2"),
            ("٢٠٢٤", "2024"),
            ("أحمد", "احمد"),
            ("مَدْرَسَة", "مدرسه"),
            ("co\u{AD}operate", "cooperate"),
            ("ක්\u{200D}රිකට්", "ක්රිකට්"),
        ] {
            assert_eq!(folded(left), folded(right), "{left} and {right}");
        }
    }

    #[test]
    fn marks_that_spell_are_kept() {
        for word in ["කොළඹ", "தமிழ்", "हिन्दी", "ที่", "が"] {
            assert_eq!(composed(&folded(word)), word);
        }
        assert_ne!(folded("か"), folded("が"));
    }

    #[test]
    fn a_name_written_by_a_mac_is_put_together_again() {
        assert_eq!(folded("\u{1112}\u{1161}\u{11AB}\u{1100}\u{116E}\u{11A8}"), "한국");
    }
}
