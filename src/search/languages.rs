//! The languages whose words are reduced to their stems, and the guess which one a text is in.
//!
//! `reports`, `reported` and `reporting` share the English stem `report`. A text is stemmed in its
//! own language; what a person types is stemmed in every language the index holds, and each stem
//! carries the letter of its language, so that German rules never answer for an English text.
//! Stemmers: Snowball (<https://snowballstem.org>).

use std::{collections::HashMap, sync::LazyLock};

use frostem::{Algorithm, Stemmer};

use super::{
    fold,
    words::{Kind, Pieces},
};

/// A language is guessed from so many stretches of a text, of so many bytes; a title page is often
/// in another one. So many common words must be there, and one word in so many must be common.
const SAMPLES: usize = 3;
const SAMPLE_BYTES: usize = 1024;
const COMMON_WORDS_MIN: u32 = 2;
const COMMON_SHARE: u32 = 12;
/// Marks a stem among the words of a field. No word contains it.
const STEM_MARK: char = '\u{1}';
/// The language of a text is handed to the tokenizer as its first character, from a private area
/// of Unicode: this one for no language, the next ones for the languages in order.
const FIRST_MARKER: u32 = 0xE000;

/// A language by its place in [`LANGUAGES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Language(u8);

struct Known {
    /// ISO 639-1.
    code: &'static str,
    algorithm: Algorithm,
    /// Frequent small words that tell this language from the others.
    common: &'static str,
}

/// The order is part of the format of the index: add at the end only, or raise the format number.
const LANGUAGES: [Known; 18] = [
    known(
        "en",
        Algorithm::English,
        "the of and to is that for with on this from by are was which have not be",
    ),
    known(
        "de",
        Algorithm::German,
        "der die das und ist nicht den von mit für auf dem eine ein werden zu im sich auch",
    ),
    known(
        "fr",
        Algorithm::French,
        "le la les des et est dans pour une que du qui par sur avec pas au ce cette sont",
    ),
    known(
        "es",
        Algorithm::Spanish,
        "el la los las de y en que es por para con una del se no su al como más",
    ),
    known(
        "it",
        Algorithm::Italian,
        "il di che la per non sono con del della una gli nel alla è dei si le anche",
    ),
    known(
        "pt",
        Algorithm::Portuguese,
        "o de que e do da em para com não uma os no na por dos mais as ao é",
    ),
    known(
        "nl",
        Algorithm::Dutch,
        "de het een van en is dat niet op te voor met zijn aan die door ook naar bij",
    ),
    known(
        "sv",
        Algorithm::Swedish,
        "och att det som är på för av med den en inte till ett om har de kan eller",
    ),
    known(
        "da",
        Algorithm::Danish,
        "og at det som er på for af med den en ikke til et om har de kan eller blev",
    ),
    known(
        "no",
        Algorithm::Norwegian,
        "og at det som er på for av med den en ikke til et om har de kan eller ble",
    ),
    known(
        "fi",
        Algorithm::Finnish,
        "ja on ei että se oli hän mutta ovat myös kun joka tai kuin sekä voi ole sen",
    ),
    known(
        "hu",
        Algorithm::Hungarian,
        "a az és hogy nem egy is van meg ez azt csak vagy már volt mint még ha",
    ),
    known(
        "ro",
        Algorithm::Romanian,
        "și de în la cu pe nu este din care pentru sunt că mai sau prin fost au",
    ),
    known(
        "tr",
        Algorithm::Turkish,
        "ve bir bu için ile da de olan olarak çok daha gibi en kadar ne var değil",
    ),
    known(
        "ru",
        Algorithm::Russian,
        "и в не на что с по это как к из для от но был или также при он она",
    ),
    known("el", Algorithm::Greek, "και το να του η της με που την από για τα είναι των σε ο οι"),
    known("ar", Algorithm::Arabic, "في من على إلى أن هذا التي الذي عن مع هذه كان ما لا بين"),
    known("ta", Algorithm::Tamil, "மற்றும் ஒரு இந்த என்று அது என்ற இது உள்ள அவர் போன்ற"),
];

const fn known(code: &'static str, algorithm: Algorithm, common: &'static str) -> Known {
    Known { code, algorithm, common }
}

impl Language {
    const ENGLISH: Language = Language(0);

    /// The language with this ISO 639-1 code; a region behind it (`pt-BR`) does not matter.
    pub fn from_code(code: &str) -> Option<Language> {
        let code = code.split(['-', '_']).next()?.to_ascii_lowercase();
        let code = if matches!(code.as_str(), "nb" | "nn") { "no" } else { code.as_str() };
        let place = LANGUAGES.iter().position(|known| known.code == code)?;
        Some(Language(place as u8))
    }

    /// The language of `text`, or English when it cannot be told: a title alone should still be
    /// found in singular and plural, and English rules do little harm to other languages.
    pub fn guess(text: &str) -> Language {
        let mut hits = [0_u32; LANGUAGES.len()];
        let mut words = 0_u32;
        for sample in samples(text) {
            let sample = fold::composed(sample);
            let mut lowered = String::new();
            for piece in Pieces::new(&sample).filter(|piece| piece.kind == Kind::Word) {
                words += 1;
                lowered.clear();
                piece.lower(&sample, &mut lowered);
                for &language in COMMON.get(lowered.as_str()).map_or(&[][..], Vec::as_slice) {
                    hits[usize::from(language.0)] += 1;
                }
            }
        }
        let best = (0..hits.len()).max_by_key(|&place| (hits[place], hits.len() - place));
        best.filter(|&best| hits[best] >= COMMON_WORDS_MIN && hits[best] * COMMON_SHARE >= words)
            .map_or(Language::ENGLISH, |best| Language(best as u8))
    }

    pub fn code(self) -> &'static str {
        LANGUAGES[usize::from(self.0)].code
    }
}

/// Appends the stem of a word in folded form, if it has one that is not the word itself. `lowered`
/// is the word in lower case with its accents, `folded` without.
pub(super) fn stem(language: Language, lowered: &str, folded: &str, stem: &mut String) -> bool {
    if lowered.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let start = stem.len();
    let algorithm = LANGUAGES[usize::from(language.0)].algorithm;
    fold::fold_word(&Stemmer::new(algorithm).stem(lowered), stem);
    if stem[start..] == *folded {
        stem.truncate(start);
    }
    stem.len() > start
}

/// What precedes a stem to make it a term: no word begins like this.
pub(super) fn stem_mark(language: Language) -> [char; 2] {
    [STEM_MARK, char::from(b'a' + language.0)]
}

/// Whether a term is a stem and no word.
pub(super) fn is_stem(term: &str) -> bool {
    term.starts_with(STEM_MARK)
}

/// The character that tells a tokenizer the language of the text behind it.
pub(super) fn marker(language: Option<Language>) -> char {
    let place = language.map_or(0, |language| u32::from(language.0) + 1);
    // All of U+E000..=U+F8FF are characters.
    char::from_u32(FIRST_MARKER + place).unwrap_or('\u{E000}')
}

/// Splits what [`marker`] put before a text from it.
pub(super) fn split_marker(marked: &str) -> (Option<Language>, &str) {
    let Some(first) = marked.chars().next() else { return (None, marked) };
    let place = (first as u32).wrapping_sub(FIRST_MARKER);
    let language = match place {
        1..=18 => Some(Language(place as u8 - 1)),
        _ => None,
    };
    (language, &marked[first.len_utf8()..])
}

/// The whole of a short text, or stretches from its beginning and its inside.
fn samples(text: &str) -> impl Iterator<Item = &str> {
    let is_short = text.len() <= SAMPLES * SAMPLE_BYTES;
    let (count, bytes) = if is_short { (1, text.len()) } else { (SAMPLES, SAMPLE_BYTES) };
    (0..count).map(move |place| {
        let start = text.ceil_char_boundary(text.len() / SAMPLES * place);
        &text[start..text.floor_char_boundary(start + bytes)]
    })
}

static COMMON: LazyLock<HashMap<&'static str, Vec<Language>>> = LazyLock::new(|| {
    let mut common: HashMap<&'static str, Vec<Language>> = HashMap::new();
    for (place, known) in LANGUAGES.iter().enumerate() {
        for word in known.common.split(' ') {
            common.entry(word).or_default().push(Language(place as u8));
        }
    }
    common
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_of_a_text_is_guessed_from_its_small_words() {
        for (code, text) in [
            ("en", "The report of the year was sent to all members and is now in the archive."),
            (
                "de",
                "Der Bericht ist nicht vollständig und wird von der Abteilung mit den Zahlen ergänzt.",
            ),
            (
                "fr",
                "Le rapport est dans les archives et la commission a lu toutes les pages pour une fois.",
            ),
            (
                "es",
                "El informe de la comisión es para los socios y se publica en las páginas del archivo.",
            ),
            (
                "nl",
                "Het verslag van de commissie is niet op tijd en wordt met een brief aan de leden gestuurd.",
            ),
            ("ru", "Отчёт не готов, и в этом году он был отправлен на проверку, но это не поздно."),
            ("ta", "இந்த அறிக்கை மற்றும் ஒரு கடிதம் என்று அது சொல்கிறது"),
        ] {
            assert_eq!(Language::guess(text).code(), code, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_counts_as_english() {
        for text in ["Annual reports", "", "17.50 18.20 19.00", "sprawozdanie roczne zarządu"] {
            assert_eq!(Language::guess(text), Language::ENGLISH, "{text}");
        }
    }

    #[test]
    fn a_marker_survives_the_way_to_the_tokenizer() {
        for language in [None, Language::from_code("de-AT"), Language::from_code("ta")] {
            let marked = format!("{}\u{E001}text", marker(language));
            assert_eq!(split_marker(&marked), (language, "\u{E001}text"));
        }
    }

    #[test]
    fn forms_of_a_word_share_a_stem() {
        let stemmed = |code, word: &str| {
            let (mut folded, mut stem) = (String::new(), String::new());
            fold::fold_word(word, &mut folded);
            let language = Language::from_code(code).unwrap();
            if super::stem(language, word, &folded, &mut stem) { stem } else { folded }
        };
        assert_eq!(stemmed("en", "reports"), "report");
        assert_eq!(stemmed("en", "report"), "report");
        assert_eq!(stemmed("de", "häuser"), stemmed("de", "haus"));
        assert_eq!(stemmed("fr", "études"), stemmed("fr", "étude"));
        assert_eq!(stemmed("en", "b2bs"), "b2bs");
    }
}
