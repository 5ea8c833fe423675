//! The second try, for what is mistyped.

use super::*;

#[test]
fn a_mistyped_word_is_taken_for_a_similar_one_and_the_page_says_so() {
    let index = Library::new();
    index.put([titled(1, "Contract Berlin"), titled(2, "Environment statement")]);
    let page = index.page("contarct berlin ");
    assert_eq!(ids(&page), [1]);
    let corrected = page.corrected.unwrap();
    assert_eq!(corrected.words, [("contarct".to_owned(), "contract".to_owned())]);
    assert!(page.hits[0].title_html.contains("<mark>Contract</mark>"));

    assert_eq!(index.find("envirnmant"), [2], "two mistakes in a long word");
    assert_eq!(index.find("berl"), [1]);
    assert_eq!(index.page("berlin ").corrected, None);
}

#[test]
fn short_words_and_quoted_words_are_not_corrected() {
    let index = Library::new();
    index.put([titled(1, "cat sat here")]);
    assert_eq!(index.find("cap "), []);
    assert_eq!(index.find("\"hare\""), []);
    assert_eq!(index.find("hare "), [1]);
}

#[test]
fn a_correction_never_betrays_a_word_that_may_not_be_seen() {
    let index = Library::new();
    index.put([titled(1, "Takeover of Zephyrus").visible_to(&["u:boss"]), titled(2, "lunch menu")]);
    let page = index.page("zephyrsu ");
    assert_eq!((page.total, page.corrected), (0, None));

    let boss = Request { access: strings(&["u:boss"]), ..request("zephyrsu ") };
    assert_eq!(ids(&index.search(&boss).unwrap()), [1]);
}
