//! Where it was found.

use super::*;

#[test]
fn titles_and_snippets_are_escaped_and_marked() {
    let index = Library::new();
    index.put([titled(1, "<b>Böse</b> & \"reports\"")
        .described("A <script>alert('report')</script> in the description")
        .with_body(&format!(
            "{}end. The réport itself. {}",
            "word ".repeat(400),
            "more ".repeat(400)
        ))]);
    let page = index.page("report ");
    let hit = &page.hits[0];
    assert_eq!(hit.title_html, "&lt;b&gt;Böse&lt;/b&gt; &amp; &quot;<mark>reports</mark>&quot;");
    assert_eq!(hit.snippets[0].source, Source::Description);
    assert_eq!(
        hit.snippets[0].html,
        "A &lt;script&gt;alert(&#39;<mark>report</mark>&#39;)&lt;/script&gt; in the description"
    );
    assert_eq!(hit.snippets[1].source, Source::Body);
    assert!(
        hit.snippets[1].html.starts_with("The <mark>réport</mark> itself. more"),
        "{}",
        hit.snippets[1].html
    );
    assert!(hit.snippets[1].html.ends_with('…'));
    assert!(hit.snippets[1].html.len() < 400);
    assert_eq!(hit.snippets[1].page, None);

    assert_eq!(index.page("bose ").hits[0].title_html.matches("<mark>Böse</mark>").count(), 1);
}

#[test]
fn a_snippet_names_the_page_of_the_document() {
    let index = Library::new();
    let body = format!(
        "first page\u{C}second page\u{C}{} the needle stands here\u{C}last",
        "hay ".repeat(3_000)
    );
    index.put([titled(1, "x").with_body(&body)]);
    let snippet = index.page("needle ").hits[0].snippets[0].clone();
    assert_eq!(snippet.page, Some(3));
    assert!(snippet.html.contains("the <mark>needle</mark> stands here"));
    assert!(!snippet.html.contains("last"), "a snippet ends with its page: {}", snippet.html);
}

#[test]
fn a_snippet_shows_the_place_where_the_words_meet() {
    let index = Library::new();
    let hay = "hay ".repeat(2_000);
    let body = format!("alpha {hay} beta {hay} here alpha and beta meet {hay}");
    index.put([titled(1, "x").with_body(&body)]);
    let html = index.page("alpha beta ").hits[0].snippets[0].html.clone();
    assert!(html.contains("<mark>alpha</mark> and <mark>beta</mark>"), "{html}");
}

#[test]
fn a_word_with_accents_is_shown_where_it_stands_in_a_longer_text() {
    let index = Library::new();
    let hay = "hay ".repeat(700);
    let near = titled(1, "x").with_body(&format!("{hay} à l’École normale {hay}"));
    // Where letters of the same beginning stand, and not the word.
    let misled = titled(2, "x").with_body(&format!("eco ecole-less {hay} École {hay}"));
    index.put([near, misled]);
    for hit in index.page("ecole ").hits {
        let html = &hit.snippets[0].html;
        assert!(html.contains("<mark>École</mark>") || html.contains("<mark>ecole"), "{html}");
    }
}

#[test]
fn beginnings_phrases_and_parts_are_marked() {
    let index = Library::new();
    let mut file = titled(1, "AnnualReport2024");
    file.filename = "東京都報告.pdf".to_owned();
    index.put([file.with_body("the annual report of the contractor")]);
    let title = |text: &str| index.page(text).hits[0].title_html.clone();
    let body = |text: &str| index.page(text).hits[0].snippets[0].html.clone();
    assert_eq!(title("2024"), "AnnualReport<mark>2024</mark>");
    assert_eq!(title("report "), "Annual<mark>Report</mark>2024");
    assert!(body("contr").contains("<mark>contractor</mark>"));
    assert!(body("\"annual report\"").contains("<mark>annual report</mark>"));
    let filename = |text: &str| index.page(text).hits[0].filename_html.clone();
    assert_eq!(filename("京都報").as_deref(), Some("東<mark>京都報</mark>告.pdf"));
    assert_eq!(filename("報").as_deref(), Some("東京都<mark>報</mark>告.pdf"));
    assert_eq!(filename("annual "), None);
}

#[test]
fn huge_bodies_do_not_make_a_page_slow() {
    let index = Library::new();
    let body = "lorem ipsum dolor sit amet ".repeat(4_000) + "needle";
    index.put((0..20).map(|number| titled(number, "x").with_body(&body)));
    let page = index.page("lorem needle ");
    assert_eq!(page.hits.len(), 20);
    let without = Request { snippets: false, ..request("lorem needle ") };
    assert_eq!(index.search(&without).unwrap().hits.len(), 20);
    let best_of = |request: &Request| {
        (0..5)
            .map(|_| {
                let start = Instant::now();
                index.search(request).unwrap();
                start.elapsed()
            })
            .min()
            .unwrap()
    };
    // Cutting all of it into words takes many times as long, even unoptimized.
    let slow = best_of(&request("lorem needle "));
    let fast = best_of(&without);
    assert!(slow < fast + Duration::from_secs(3), "{slow:?} and {fast:?}");
}

#[test]
fn a_title_is_suggested_while_it_is_typed() {
    let index = Library::new();
    index.put([
        titled(1, "Annual report 2024"),
        titled(2, "Annual meeting"),
        titled(3, "x").with_body("annual"),
        titled(4, "Annual secret").visible_to(&["u:boss"]),
    ]);
    let suggested = |text: &str| {
        let mut titles: Vec<String> =
            index.suggest(&request(text)).unwrap().into_iter().map(|found| found.title).collect();
        titles.sort();
        titles
    };
    assert_eq!(suggested("ann"), ["Annual meeting", "Annual report 2024"]);
    assert_eq!(suggested("annual rep"), ["Annual report 2024"]);
    assert_eq!(suggested("reports "), ["Annual report 2024"]);
    assert_eq!(suggested(""), Vec::<String>::new());
    let first = index.suggest(&Request { limit: 1, ..request("ann") }).unwrap();
    assert_eq!(first.len(), 1);
    assert!(first[0].title_html.starts_with("<mark>Annual</mark>"));
}
