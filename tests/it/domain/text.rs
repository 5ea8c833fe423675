//! The short texts that people type.

use appliance::domain::text;
use proptest::{collection::vec, prelude::*, sample::select};

use super::world::assert_invalid;

/// Letters whose cases, forms and accents are odd, among others.
fn an_odd_text() -> impl Strategy<Value = String> {
    let odd = vec![
        'a', 'A', 'ß', 'ẞ', 'ſ', 'İ', 'ı', 'I', 'i', 'Σ', 'σ', 'ς', 'ﬁ', 'K', 'é', 'e', '\u{301}',
        '\u{345}', 'ŉ', 'ｗ', 'Å', '²', 'ΐ', 'ῼ', 'ᾳ', '한', '\u{1100}', ' ', '\u{202E}', '\0',
        '\n',
    ];
    vec(prop_oneof![4 => select(odd), 1 => any::<char>()], 0..12)
        .prop_map(|characters| characters.into_iter().collect())
}

/// Whole letters: in upper case a loose accent can move from one letter to the next.
fn a_name() -> impl Strategy<Value = String> {
    let letters =
        vec!['a', 'ß', 'ẞ', 'ſ', 's', 'İ', 'ı', 'I', 'Σ', 'ς', 'ﬁ', 'K', 'é', 'ŉ', 'ｗ', 'Å', ' '];
    vec(select(letters), 0..12).prop_map(|letters| letters.into_iter().collect())
}

proptest! {
    #[test]
    fn folding_twice_is_folding_once(text in an_odd_text()) {
        let folded = text::fold(&text);
        prop_assert_eq!(&text::fold(&folded), &folded);
    }

    #[test]
    fn the_case_of_a_name_does_not_count(text in a_name()) {
        prop_assert_eq!(text::fold(&text.to_uppercase()), text::fold(&text));
        prop_assert_eq!(text::fold(&text.to_lowercase()), text::fold(&text));
    }

    #[test]
    fn what_was_cleaned_stays_as_it_is(text in an_odd_text()) {
        for clean in [
            text::optional_line("title", &text, 1_000).ok(),
            text::line("title", &text, 1_000).ok(),
        ]
        .into_iter()
        .flatten()
        {
            prop_assert_eq!(&text::optional_line("title", &clean, 1_000).unwrap(), &clean);
            prop_assert!(!clean.chars().any(char::is_control));
        }
        let clean = text::paragraph("description", &text, 1_000).unwrap();
        prop_assert_eq!(&text::paragraph("description", &clean, 1_000).unwrap(), &clean);
    }

    #[test]
    fn a_filename_is_safe_in_a_path_and_a_header(text in any::<String>()) {
        if let Ok(name) = text::filename(&text) {
            prop_assert!(!name.is_empty() && name != "." && name != "..");
            prop_assert!(!name.contains(['/', '\\', '\r', '\n', '\0']));
            prop_assert!(name.chars().count() <= 200);
            prop_assert_eq!(&text::filename(&name).unwrap(), &name);
        }
    }

    #[test]
    fn a_username_that_is_accepted_is_no_address_and_an_address_no_username(text in an_odd_text()) {
        if let Ok(name) = text::username(&text) {
            prop_assert!(text::email(&name).is_err());
            prop_assert!(!text::fold(&name).contains('@'));
        }
        if let Ok(address) = text::email(&format!("{text}@example.com")) {
            prop_assert!(text::username(&address).is_err());
        }
    }
}

#[test]
fn names_meet_that_a_person_would_call_the_same() {
    for (left, right) in [
        ("STRASSE", "straße"),
        ("STRAẞE", "strasse"),
        ("Ärger", "A\u{308}RGER"),
        ("ΟΔΟΣ", "οδος"),
        ("ﬁle", "FILE"),
        ("ｗｉｄｅ", "Wide"),
    ] {
        assert_eq!(text::fold(left), text::fold(right));
    }
    for (left, right) in [("resume", "résumé"), ("a", "а"), ("o", "ö")] {
        assert_ne!(text::fold(left), text::fold(right));
    }
}

#[test]
fn a_line_is_one_line() {
    assert_eq!(text::line("title", " a\tb\r\nc\u{0}d ", 10).unwrap(), "a b c d");
    assert_invalid(text::line("title", " \u{202E}\n ", 10), "title");
    assert_invalid(text::line("title", "12345678901", 10), "title");
    // Ten characters, not ten bytes.
    text::line("title", &"ä".repeat(10), 10).unwrap();
}

#[test]
fn a_paragraph_keeps_its_lines() {
    assert_eq!(
        text::paragraph("description", "\r\na\r\nb\rc\n\td\u{7}\n", 100).unwrap(),
        "a\nb\nc\n\td"
    );
}

#[test]
fn letters_and_their_accents_are_put_together() {
    assert_eq!(text::line("title", "Cafe\u{301}", 10).unwrap(), "Café");
    assert_eq!(text::filename("Cafe\u{301}.pdf").unwrap(), "Café.pdf");
    assert_eq!(text::paragraph("description", "Cafe\u{301}", 10).unwrap(), "Café");
}

#[test]
fn a_name_cannot_show_itself_the_wrong_way_round() {
    assert_eq!(text::filename("annex\u{202E}fdp.exe").unwrap(), "annexfdp.exe");
    assert_eq!(text::line("title", "\u{2066}a\u{2069}", 10).unwrap(), "a");
}
