//! The search engine: what is found, what stays hidden, and what a crash leaves.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    io::{BufRead, BufReader},
    path::Path,
    time::{Duration, Instant},
};

use appliance::{
    error::Error,
    search::{
        Change, Entry, Facets, Filters, Index, Named, Opened, Options, Page, Request, Scope, Sort,
        Source,
    },
};
use proptest::prelude::*;
use uuid::Uuid;

/// Where the child that is killed writes.
const CHILD_FOLDER: &str = "APPLIANCE_TEST_INDEX_FOLDER";
const TENANT: Uuid = Uuid::from_u128(0x7E4A);

// ---- What is found -----------------------------------------------------------------------------

#[test]
fn all_words_must_be_found_anywhere_in_an_entry() {
    let index = Library::new();
    index.put([
        titled(1, "Lease contract").described("office in Berlin").with_body("signed in spring"),
        titled(2, "Lease contract").described("office in Hamburg"),
        titled(3, "Berlin city map"),
    ]);
    assert_eq!(index.find("contract berlin "), [1]);
    assert_eq!(index.find("berlin spring lease "), [1]);
    assert_eq!(index.find("lease "), [1, 2]);
    assert_eq!(index.find("munich "), []);
}

#[test]
fn every_field_that_people_search_by_is_found() {
    let index = Library::new();
    let mut entry = titled(1, "alpha").described("bravo").with_body("charlie");
    entry.category = Some(Named { id: id(90), name: "Delta reports".to_owned() });
    entry.person = Some(Named { id: id(91), name: "Echo Foxtrot".to_owned() });
    entry.tags = vec!["golf".to_owned(), "hotel bar".to_owned()];
    entry.filename = "india_juliet.v2.pdf".to_owned();
    index.put([entry]);
    for word in ["alpha", "bravo", "charlie", "delta", "foxtrot", "golf", "hotel", "juliet", "v2"] {
        assert_eq!(index.find(&format!("{word} ")), [1], "{word}");
    }
}

#[test]
fn a_phrase_is_found_side_by_side_only() {
    let index = Library::new();
    index.put([
        titled(1, "annual report"),
        titled(2, "report, annual"),
        titled(3, "x").with_body("the annual meeting got a report"),
    ]);
    assert_eq!(index.find("\"annual report\""), [1]);
    assert_eq!(index.find("annual report "), [1, 2, 3]);
    assert_eq!(index.find("\"annual rep"), [1], "an open quote goes on");
    assert_eq!(index.find("\"annual rep\""), []);
}

#[test]
fn a_phrase_does_not_run_from_the_title_into_the_text() {
    let index = Library::new();
    index.put([titled(1, "annual").described("report").with_body("budget")]);
    assert_eq!(index.find("\"annual report\""), []);
    assert_eq!(index.find("\"report budget\""), []);
}

#[test]
fn the_last_word_may_be_its_beginning_until_a_space_follows() {
    let index = Library::new();
    index.put([
        titled(1, "Contract"),
        titled(2, "Contractor"),
        titled(3, "x").with_body("contracts"),
    ]);
    assert_eq!(index.find("contr"), [1, 2, 3]);
    assert_eq!(index.find("contr "), []);
    assert_eq!(index.find("contra -contractor"), [], "only the last word may go on");
    assert_eq!(index.find("x contr"), [3]);
}

#[test]
fn one_or_two_letters_already_find_titles_and_names() {
    let index = Library::new();
    index.put([
        titled(1, "Zebra"),
        titled(2, "horse").tagged("zoo"),
        titled(3, "c").with_body("zeal"),
    ]);
    assert_eq!(index.find("z"), [1, 2]);
    assert_eq!(index.find("ze"), [1]);
    assert_eq!(index.find("zea"), [3]);
}

#[test]
fn excluded_words_and_phrases_are_left_out() {
    let index = Library::new();
    index.put([
        titled(1, "contract"),
        titled(2, "contract draft"),
        titled(3, "contract, second draft"),
        titled(4, "letter"),
    ]);
    assert_eq!(index.find("contract -draft"), [1]);
    assert_eq!(index.find("contract -\"second draft\""), [1, 2]);
    assert_eq!(index.find("-contract"), [4]);
}

#[test]
fn case_and_accents_do_not_matter() {
    let index = Library::new();
    index.put([
        titled(1, "Straße nach Łódź"),
        titled(2, "ÜNAL Çelik İstanbul"),
        titled(3, "Étude d’été"),
        titled(4, "Εκδόσεις Άγιος"),
        titled(5, "Resume\u{301} from a Mac"),
    ]);
    for (text, found) in [
        ("strasse", 1),
        ("STRASSE", 1),
        ("lodz", 1),
        ("łódź", 1),
        ("unal", 2),
        ("ünal", 2),
        ("celik", 2),
        ("istanbul", 2),
        ("etude", 3),
        ("ete", 3),
        ("εκδοσεις", 4),
        ("ΑΓΙΟΣ", 4),
        ("resumé", 5),
        ("resume", 5),
    ] {
        assert_eq!(index.find(&format!("{text} ")), [found], "{text}");
    }
}

#[test]
fn other_forms_of_a_word_are_found_in_the_language_of_the_text() {
    let index = Library::new();
    let german = "Der Bericht über die Häuser ist nicht für alle, und das wird sich auch nicht \
                  ändern: die Verträge sind mit den Mietern geschlossen.";
    let french = "Le rapport sur les maisons est pour la direction et les contrats sont dans une \
                  annexe qui sera publiée avec les comptes.";
    let english = "The reports were sent to all of the members, and the companies have signed \
                   contracts for housing which is not on the list.";
    index.put([
        titled(1, "a").with_body(german),
        titled(2, "b").with_body(french),
        titled(3, "c").with_body(english),
        titled(4, "Invoices 2024"),
    ]);
    assert_eq!(index.find("Haus "), [1]);
    assert_eq!(index.find("Vertrag "), [1]);
    assert_eq!(index.find("maison "), [2]);
    assert_eq!(index.find("contrat "), [2]);
    assert_eq!(index.find("report "), [3]);
    assert_eq!(index.find("company contract "), [3]);
    assert_eq!(index.find("invoice "), [4], "a title alone is found in singular and plural");
    assert_eq!(index.find("\"report\""), [], "quotes ask for the very word");
}

#[test]
fn chinese_japanese_korean_and_thai_are_found_by_any_part() {
    let index = Library::new();
    index.put([
        titled(1, "东京都年度报告书"),
        titled(2, "東京タワーの写真"),
        titled(3, "서울에서 보낸 편지"),
        titled(4, "รายงานประจำปีของบริษัท"),
        titled(5, "x").with_body("这是一份2024年报告的摘要"),
    ]);
    for (text, found) in [
        ("年度报告", vec![1]),
        ("报告", vec![1, 5]),
        ("书", vec![1]),
        ("京都", vec![1]),
        ("タワー", vec![2]),
        ("の写", vec![2]),
        ("東", vec![2]),
        ("서울", vec![3]),
        ("편지", vec![3]),
        ("지", vec![3]),
        ("ประจำปี", vec![4]),
        ("บริษัท", vec![4]),
        ("2024年报告", vec![5]),
        ("2024", vec![5]),
        ("度告", vec![]),
    ] {
        assert_eq!(index.find(text), found, "{text}");
    }
}

#[test]
fn words_with_combining_marks_are_whole() {
    let index = Library::new();
    index.put([
        titled(1, "ශ්‍රී ලංකාව"),
        titled(2, "தமிழ் மொழி"),
        titled(3, "हिन्दी भाषा"),
        titled(4, "مَدْرَسَة كبيرة"),
        titled(5, "ලංකා බැංකුව"),
    ]);
    for (text, found) in [
        ("ලංකාව ", vec![1]),
        ("ශ්රී ", vec![1]),
        ("ලංකා", vec![1, 5]),
        ("தமிழ் ", vec![2]),
        ("हिन्दी ", vec![3]),
        ("हिन ", vec![]),
        ("مدرسة ", vec![4]),
        ("\"தமிழ் மொழி\"", vec![2]),
    ] {
        assert_eq!(index.find(text), found, "{text}");
    }
}

#[test]
fn codes_and_addresses_are_found_whole_and_by_parts() {
    let index = Library::new();
    let mut file = titled(2, "Scan");
    file.filename = "report_final.v2.pdf".to_owned();
    index.put([
        titled(1, "Invoice INV-2024-001"),
        file,
        titled(3, "x").with_body("write to foo@bar.com today"),
        titled(4, "Invoice INV-2024-0012"),
        titled(5, "001 of 2024, no INV"),
        titled(6, "AnnualReport2024.pdf"),
        titled(7, "e-mail from Mr O'Brien of the U.S.A."),
    ]);
    for (text, found) in [
        ("INV-2024-001 ", vec![1]),
        ("inv-2024-001", vec![1, 4]),
        ("2024-001 ", vec![1]),
        ("INV 001 ", vec![1, 5]),
        ("report_final.v2.pdf", vec![2]),
        ("final.v2", vec![2]),
        ("v2 ", vec![2]),
        ("foo@bar.com", vec![3]),
        ("bar.com ", vec![3]),
        ("foo ", vec![3]),
        ("annual ", vec![6]),
        ("annualreport2024 ", vec![6]),
        ("email ", vec![7]),
        ("e-mail ", vec![7]),
        ("obrien ", vec![7]),
        ("O’Brien ", vec![7]),
        ("usa ", vec![7]),
    ] {
        assert_eq!(index.find(text), found, "{text}");
    }
}

#[test]
fn title_weighs_most_then_names_then_description_then_text() {
    let index = Library::new();
    let filler = "some other words that make every entry about as long as the next one";
    index.put([
        titled(1, "one").described(filler).with_body(&format!("{filler} needle {filler}")),
        titled(2, "two").described(&format!("needle {filler}")).with_body(filler),
        titled(3, "three").tagged("needle").described(filler).with_body(filler),
        titled(4, "needle").described(filler).with_body(filler),
    ]);
    assert_eq!(ids(&index.page("needle ")), [4, 3, 2, 1]);
    assert_eq!(ids(&index.page("need")).first(), Some(&4));
}

#[test]
fn between_equal_matches_the_newest_comes_first() {
    let index = Library::new();
    index.put([
        titled(1, "same").at(1_000),
        titled(2, "same").at(3_000),
        titled(3, "same").at(2_000),
    ]);
    assert_eq!(ids(&index.page("same ")), [2, 3, 1]);
}

#[test]
fn whatever_is_typed_is_never_an_error() {
    let index = Library::new();
    index.put([titled(1, "and or not"), titled(2, "(brackets) [more] {these}")]);
    let hostile = [
        "\"".repeat(10_000),
        "(".repeat(10_000),
        "AND OR NOT ".repeat(1_000),
        "-".repeat(10_000),
        "-\"".repeat(5_000),
        "a".repeat(10_000),
        "\u{301}".repeat(5_000),
        "東".repeat(3_000),
        "\u{0}\u{1}\u{2}\u{FFFF}\u{10FFFF}\u{E001}".to_owned(),
        "title:foo AND [a TO z] ~2 ^3 * ? \\ / {} +".to_owned(),
        "'; DROP TABLE documents; --".to_owned(),
        "\u{202E}reversed\u{202C}".to_owned(),
        "🙂🙃 🏳️‍🌈".to_owned(),
        "a.b.c.d.e.f.g.h.i.j".repeat(500),
        "x*".to_owned(),
        "*".to_owned(),
    ];
    for text in &hostile {
        for scope in [Scope::Everything, Scope::Title] {
            let request = Request { scope, facets: true, ..request(text) };
            let page = index.search(&request).unwrap();
            assert!(page.total <= 2);
            index.suggest(&request).unwrap();
        }
    }
    assert_eq!(index.find("and or not "), [1]);
    assert_eq!(index.find("(brackets)"), [2]);
}

#[test]
fn any_entry_and_any_question_is_taken() {
    let index = Library::new();
    let strategy = (any::<String>(), any::<String>(), any::<String>());
    check(120, &strategy, |(title, body, text)| {
        index.put([titled(1, &title).with_body(&body)]);
        index.search(&request(&text)).unwrap();
        index.search(&request(&title)).unwrap();
        Ok(())
    });
}

#[test]
fn a_word_of_the_title_finds_its_entry_and_is_marked() {
    let index = Library::new();
    index.put([titled(2, "something else entirely")]);
    let word = "[a-zäöüß]{2,12}|[0-9]{1,6}|[一-龥]{2,5}";
    check(120, &proptest::collection::vec(word, 1..6), |words| {
        let title = words.join(" ");
        index.put([titled(1, &title)]);
        for word in &words {
            let page = index.page(&format!("\"{word}\""));
            prop_assert!(ids(&page).contains(&1), "{} in {}", word, title);
            let marked = page.hits.iter().any(|hit| hit.title_html.contains("<mark>"));
            prop_assert!(marked, "{} in {}", word, title);
        }
        Ok(())
    });
}

// ---- The second try ----------------------------------------------------------------------------

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

// ---- Who sees what -----------------------------------------------------------------------------

#[test]
fn without_rights_nothing_is_seen() {
    let index = Library::new();
    index.put([titled(1, "public thing").visible_to(&["org", "public", ""])]);
    for text in ["", "public ", "publ", "pulbic "] {
        let nobody = Request { access: Vec::new(), facets: true, ..request(text) };
        let page = index.search(&nobody).unwrap();
        assert_eq!((page.total, page.hits.len(), page.next), (0, 0, None));
        assert_eq!(page.facets, Some(Facets::default()));
        assert!(index.suggest(&nobody).unwrap().is_empty());
        assert_eq!(index.count(&nobody).unwrap(), 0);
    }
}

#[test]
fn an_entry_without_access_terms_is_seen_by_nobody() {
    let index = Library::new();
    index.put([titled(1, "orphan").visible_to(&[])]);
    let anybody = Request { access: strings(&["org", "all", "public", ""]), ..request("") };
    assert_eq!(index.search(&anybody).unwrap().total, 0);
}

#[test]
fn equal_rights_in_another_tenant_see_nothing() {
    let index = Library::new();
    let mut foreign = titled(1, "secret plan");
    foreign.tenant = id(999);
    index.put([foreign, titled(2, "own plan")]);
    assert_eq!(index.find("plan "), [2]);
    let forged = format!("{}/org", id(999).simple());
    let forger = Request { access: vec![forged], ..request("plan ") };
    assert_eq!(index.search(&forger).unwrap().total, 0);
}

#[test]
fn a_change_of_rights_counts_with_the_commit() {
    let index = Library::new();
    index.put([titled(1, "plan")]);
    assert_eq!(index.find("plan "), [1]);
    index.put([titled(1, "plan").visible_to(&["g:1"])]);
    assert_eq!(index.find("plan "), []);
    index.put([titled(1, "plan").visible_to(&["g:1", "org"])]);
    assert_eq!(index.find("plan "), [1]);
}

#[test]
fn a_removed_entry_leaves_nothing() {
    let index = Library::new();
    index.put([
        titled(1, "Zanzibar memo").tagged("travel").with_body("zanzibar"),
        titled(2, "memo"),
    ]);
    index.remove([1]);
    let page = index.search(&Request { facets: true, ..request("") }).unwrap();
    assert_eq!(ids(&page), [2]);
    assert_eq!(page.total, 1);
    assert_eq!(page.facets.unwrap().tags, []);
    assert_eq!(index.page("zanzibra ").corrected, None);
    assert!(index.suggest(&request("zan")).unwrap().is_empty());
}

#[test]
fn an_entry_that_is_put_again_is_replaced() {
    let index = Library::new();
    index.put([titled(1, "first name"), titled(1, "second name")]);
    assert_eq!(index.find("name "), [1]);
    index.put([titled(1, "third name")]);
    assert_eq!(index.find("name "), [1]);
    assert_eq!(index.find("third "), [1]);
    assert_eq!(index.find("first "), []);
    assert_eq!(index.find("second "), []);
}

/// Random worlds: the index must give exactly what a walk over all entries gives.
#[test]
fn totals_hits_and_facets_are_those_of_the_visible_entries_and_no_others() {
    let strategy = (world(), proptest::collection::vec(question(), 12));
    check(24, &strategy, |(world, questions)| {
        let index = Library::new();
        let mut truth: BTreeMap<Uuid, Entry> = BTreeMap::new();
        for batch in world {
            for change in &batch {
                match change {
                    Change::Put(entry) => truth.insert(entry.id, (**entry).clone()),
                    Change::Remove(id) => truth.remove(id),
                };
            }
            index.apply(batch);
        }
        for question in questions {
            let expected: Vec<&Entry> =
                truth.values().filter(|entry| matches(entry, &question)).collect();
            let page = index.search(&question).unwrap();
            let found: BTreeSet<Uuid> = page.hits.iter().map(|hit| hit.id).collect();
            prop_assert_eq!(found, expected.iter().map(|entry| entry.id).collect());
            prop_assert_eq!(page.total, expected.len() as u64);
            prop_assert_eq!(page.facets.unwrap(), count(&expected));
        }
        Ok(())
    });
}

// ---- Filters, facets, order --------------------------------------------------------------------

#[test]
fn filters_restrict_and_several_tags_mean_all_of_them() {
    let index = Library::new();
    let mut image = titled(3, "c").tagged("red");
    image.media_type = "image/png".to_owned();
    image.kind = "poster".to_owned();
    image.category = Some(Named { id: id(90), name: "Art".to_owned() });
    index.put([
        titled(1, "a").tagged("red").tagged("blue").at(1_000),
        titled(2, "b").tagged("blue"),
        image,
    ]);
    let filtered =
        |filters: Filters| ids_sorted(&index.search(&Request { filters, ..request("") }).unwrap());
    let all = Filters::default;
    assert_eq!(filtered(Filters { tags: strings(&["red"]), ..all() }), [1, 3]);
    assert_eq!(filtered(Filters { tags: strings(&["red", "blue"]), ..all() }), [1]);
    assert_eq!(filtered(Filters { kinds: strings(&["poster", "logo"]), ..all() }), [3]);
    assert_eq!(filtered(Filters { categories: vec![id(90)], ..all() }), [3]);
    assert_eq!(filtered(Filters { persons: vec![id(90)], ..all() }), []);
    assert_eq!(filtered(Filters { media_types: strings(&["image/"]), ..all() }), [3]);
    assert_eq!(
        filtered(Filters { created_from_ms: Some(1_000), created_before_ms: Some(1_001), ..all() }),
        [1]
    );
    assert_eq!(filtered(Filters { created_before_ms: Some(1_000), ..all() }), [2, 3]);
    assert_eq!(filtered(Filters { statuses: strings(&["draft"]), ..all() }), []);
}

#[test]
fn facets_count_what_is_found_with_the_filters_in_force() {
    let index = Library::new();
    let day_ms = 24 * 60 * 60 * 1000;
    index.put([
        titled(1, "a red").tagged("red").at(0),
        titled(2, "a red").tagged("red").tagged("blue").at(400 * day_ms),
        titled(3, "a blue").tagged("blue").at(401 * day_ms),
    ]);
    let facets = |text: &str, filters: Filters| {
        index
            .search(&Request { facets: true, limit: 0, filters, ..request(text) })
            .unwrap()
            .facets
            .unwrap()
    };
    let all = facets("", Filters::default());
    assert_eq!(all.tags, [("blue".to_owned(), 2), ("red".to_owned(), 2)]);
    assert_eq!(all.years, [(1971, 2), (1970, 1)]);
    assert_eq!(
        facets("red ", Filters::default()).tags,
        [("red".to_owned(), 2), ("blue".to_owned(), 1)]
    );
    let blue = Filters { tags: strings(&["blue"]), ..Filters::default() };
    assert_eq!(facets("", blue).tags, [("blue".to_owned(), 2), ("red".to_owned(), 1)]);
}

#[test]
fn every_order_gives_every_entry_exactly_once_whatever_the_page_size() {
    let index = Library::new();
    // Many equal values, and several segments.
    for batch in 0..6 {
        index.put((0..40).map(|number| {
            let mut entry = titled(batch * 100 + number, &format!("Report {}", number % 4))
                .at(i64::from(number as u8 % 3));
            entry.updated_at_ms = i64::from(number as u8 % 2);
            entry.size_bytes = number as u64 % 5;
            entry
        }));
    }
    let sorts = [
        Sort::Relevance,
        Sort::Newest,
        Sort::Oldest,
        Sort::RecentlyUpdated,
        Sort::Title,
        Sort::Largest,
        Sort::Smallest,
    ];
    for sort in sorts {
        let at_once = Request { sort, limit: 500, ..request("report ") };
        let at_once = ids(&index.search(&at_once).unwrap());
        assert_eq!(at_once.len(), 240);
        assert_eq!(at_once.iter().collect::<HashSet<_>>().len(), 240);
        for limit in [1, 7, 100, 240] {
            let paged = all_pages(&index, &Request { sort, limit, ..request("report ") });
            assert_eq!(paged, at_once, "{sort:?} by {limit}");
        }
    }
}

#[test]
fn each_order_is_what_its_name_says() {
    let index = Library::new();
    let make = |number, title: &str, created, updated, size| {
        let mut entry = titled(number, title).at(created);
        entry.updated_at_ms = updated;
        entry.size_bytes = size;
        entry
    };
    // Two commits, so that orders hold across segments.
    index.put([make(1, "Report 10", 10, 7, 500), make(2, "apple", -5, 9, 100)]);
    index.put([make(3, "report 9", 20, 8, 300), make(4, "Ärger", 15, 6, 400)]);
    for (sort, expected) in [
        (Sort::Newest, [3, 4, 1, 2]),
        (Sort::Oldest, [2, 1, 4, 3]),
        (Sort::RecentlyUpdated, [2, 3, 1, 4]),
        (Sort::Title, [2, 4, 3, 1]),
        (Sort::Largest, [1, 4, 3, 2]),
        (Sort::Smallest, [2, 3, 4, 1]),
        (Sort::Relevance, [3, 4, 1, 2]),
    ] {
        let page = index.search(&Request { sort, ..request("") }).unwrap();
        assert_eq!(ids(&page), expected, "{sort:?}");
    }
}

#[test]
fn entries_that_come_and_go_neither_repeat_nor_hide_others_on_later_pages() {
    let index = Library::new();
    index.put((1..=20).map(|number| titled(number, "x").at(i64::from(number as u8) * 10)));
    let first = index.search(&Request { sort: Sort::Newest, limit: 5, ..request("") }).unwrap();
    assert_eq!(ids(&first), [20, 19, 18, 17, 16]);
    index.put([titled(50, "x").at(9_999)]);
    index.remove([16, 18]);
    let second = Request { sort: Sort::Newest, limit: 5, after: first.next, ..request("") };
    let second = index.search(&second).unwrap();
    assert_eq!(ids(&second), [15, 14, 13, 12, 11]);
    assert_eq!(second.total, 19);
}

#[test]
fn a_cursor_from_elsewhere_is_refused_with_a_sentence() {
    let index = Library::new();
    index.put((1..=3).map(|number| titled(number, "x")));
    let newest = index.search(&Request { sort: Sort::Newest, limit: 1, ..request("") }).unwrap();
    for after in [newest.next.unwrap(), "nonsense".to_owned(), String::new()] {
        let refused =
            index.search(&Request { sort: Sort::Title, after: Some(after), ..request("") });
        assert!(matches!(refused, Err(Error::Invalid { field: Some("after"), .. })));
    }
}

// ---- Where it was found ------------------------------------------------------------------------

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

// ---- Keeping the index -------------------------------------------------------------------------

#[test]
fn a_commit_is_searchable_at_once_and_the_cursor_moves_with_it() {
    let index = Library::new();
    assert_eq!(index.cursor(), 0);
    let before = index.generation();
    index.index.apply(0, vec![put(titled(1, "hello"))], 17).unwrap();
    assert_eq!(index.cursor(), 17);
    assert!(index.generation() > before);
    assert_eq!(index.find("hello "), [1]);
    index.index.apply(17, Vec::new(), 18).unwrap();
    assert_eq!(index.cursor(), 18);
}

#[test]
fn changes_that_do_not_follow_on_are_refused() {
    let index = Library::new();
    index.index.apply(0, vec![put(titled(1, "hello"))], 17).unwrap();
    let gap = index.index.apply(20, vec![put(titled(2, "world"))], 21);
    assert!(matches!(gap, Err(Error::Conflict(_))));
    assert_eq!(index.cursor(), 17);
}

#[test]
fn reopening_keeps_entries_and_cursor() {
    let index = Library::new();
    index.put([titled(1, "hello")]);
    index.remove([1]);
    index.put([titled(2, "world")]);
    let cursor = index.cursor();
    let index = index.reopen();
    assert_eq!(index.opened(), &Opened::Existing);
    assert_eq!(index.cursor(), cursor);
    assert_eq!(index.find(""), [2]);
    index.put([titled(3, "more")]);
    assert_eq!(index.find(""), [2, 3]);
}

#[test]
fn a_new_folder_is_an_empty_index() {
    let index = Library::new();
    assert_eq!(index.opened(), &Opened::Created);
    assert_eq!(index.page("").total, 0);
    assert!(index.damaged_files().unwrap().is_empty());
}

#[test]
fn a_damaged_index_is_replaced_by_an_empty_one_that_says_so() {
    let damages: [(&str, fn(&Path)); 7] = [
        ("meta.json emptied", |edition| fs::write(edition.join("meta.json"), "").unwrap()),
        ("meta.json garbled", |edition| {
            fs::write(edition.join("meta.json"), "{\"segments\": 7}").unwrap()
        }),
        ("meta.json removed", |edition| fs::remove_file(edition.join("meta.json")).unwrap()),
        ("term dictionary cut off", |edition| cut_off(edition, ".term")),
        ("columns cut off", |edition| cut_off(edition, ".fast")),
        ("stored texts overwritten", |edition| {
            let path = file_with(edition, ".store");
            let length = fs::metadata(&path).unwrap().len() as usize;
            fs::write(path, vec![0xA5; length]).unwrap();
        }),
        ("a segment removed", |edition| fs::remove_file(file_with(edition, ".idx")).unwrap()),
    ];
    for (what, damage) in damages {
        let index = Library::new();
        index.put([titled(1, "hello").with_body("some text")]);
        let index = index.reopen_after(|folder| damage(&current_edition(folder)));
        assert!(matches!(index.opened(), Opened::Rebuilt { .. }), "{what}: {:?}", index.opened());
        assert_eq!((index.cursor(), index.page("").total), (0, 0), "{what}");
        index.put([titled(1, "hello")]);
        assert_eq!(index.find("hello "), [1], "{what}");
        let index = index.reopen();
        assert_eq!(index.opened(), &Opened::Existing, "{what}");
    }
}

#[test]
fn an_index_of_another_version_is_replaced() {
    let index = Library::new();
    index.put([titled(1, "hello")]);
    let index = index.reopen_after(|folder| {
        let current = fs::read_to_string(folder.join("current")).unwrap();
        fs::write(folder.join("current"), current.replace("format ", "format 9")).unwrap();
    });
    let Opened::Rebuilt { reason } = index.opened() else { panic!("{:?}", index.opened()) };
    assert!(reason.contains("format 9"), "{reason}");
    assert_eq!(index.page("").total, 0);
}

#[test]
fn a_folder_that_was_lost_in_part_is_replaced() {
    for lost in ["current", "edition-1"] {
        let index = Library::new();
        index.put([titled(1, "hello")]);
        let index = index.reopen_after(|folder| {
            let lost = folder.join(lost);
            if lost.is_dir() {
                fs::remove_dir_all(lost).unwrap()
            } else {
                fs::remove_file(lost).unwrap()
            }
        });
        assert!(matches!(index.opened(), Opened::Rebuilt { .. }));
        assert_eq!(index.cursor(), 0);
    }
}

#[test]
fn flipped_bits_are_found_by_the_check() {
    let index = Library::new();
    index.put([titled(1, "hello").with_body(&"some text ".repeat(100))]);
    let path = file_with(&current_edition(index.folder.path()), ".pos");
    let mut bytes = fs::read(&path).unwrap();
    bytes[3] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    assert_eq!(index.damaged_files().unwrap().len(), 1);
}

#[test]
fn a_lock_left_by_a_dead_process_does_not_matter() {
    let index = Library::new();
    index.put([titled(1, "hello")]);
    let index = index.reopen_after(|folder| {
        for lock in [".tantivy-writer.lock", ".tantivy-meta.lock"] {
            fs::write(current_edition(folder).join(lock), "").unwrap();
        }
    });
    assert_eq!(index.opened(), &Opened::Existing);
    index.put([titled(2, "world")]);
    assert_eq!(index.find(""), [1, 2]);
}

/// The other half of the next test: writes until it is killed. Entry `n` is the change `n`.
#[test]
#[ignore = "runs as a child of another test"]
fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else { return };
    let index = Index::open(Path::new(&folder), Options::default()).unwrap();
    for cursor in index.cursor()..100_000 {
        let next = cursor + 1;
        index.apply(cursor, vec![put(titled(u128::from(next), "word"))], next).unwrap();
        println!("\napplied {next}");
    }
}

#[test]
fn a_process_killed_at_any_moment_leaves_an_index_as_new_as_its_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..8_u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "search::writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(CHILD_FOLDER, folder.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let until = acknowledged + 3 + round * 4;
        for line in output.lines() {
            if let Some(cursor) = line.unwrap().strip_prefix("applied ") {
                acknowledged = cursor.parse().unwrap();
                if acknowledged >= until {
                    // Somewhere within the next commit, or in a merge beside it.
                    std::thread::sleep(Duration::from_micros(round * 1_700));
                    break;
                }
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let index = Index::open(folder.path(), Options::default()).unwrap();
        assert_eq!(index.opened(), &Opened::Existing);
        let cursor = index.cursor();
        assert!(cursor >= acknowledged, "{cursor} after {acknowledged}");
        let found = all_pages(&index, &Request { limit: 500, ..request("word ") });
        assert_eq!(found.len() as u64, cursor);
        assert_eq!(
            found.iter().copied().collect::<HashSet<_>>(),
            (1..=u128::from(cursor)).collect()
        );
        assert!(index.damaged_files().unwrap().is_empty());
        acknowledged = cursor;
    }
}

#[test]
fn what_a_crash_left_lying_about_is_swept_away() {
    let index = Library::new();
    index.put([titled(1, "hello")]);
    let index = index.reopen_after(|folder| {
        fs::create_dir(folder.join("edition-77")).unwrap();
        fs::write(folder.join("edition-77/meta.json"), "{}").unwrap();
        fs::write(folder.join("current.new"), "format 1\nedition-77\n").unwrap();
    });
    assert_eq!(index.opened(), &Opened::Existing);
    assert_eq!(index.find("hello "), [1]);
    assert!(!index.folder.path().join("edition-77").exists());
}

#[test]
fn the_old_index_answers_and_follows_on_while_a_new_one_is_built() {
    let index = Library::new();
    index.put([titled(1, "old")]);
    let mut rebuild = index.rebuild(1).unwrap();
    rebuild.put(vec![titled(1, "new"), titled(2, "new")]).unwrap();
    rebuild.put(vec![titled(2, "newer")]).unwrap();
    index.put([titled(3, "old too")]);
    assert_eq!(index.find("old "), [1, 3]);
    assert!(matches!(index.index.rebuild(2), Err(Error::Conflict(_))));

    assert_eq!(index.index.needless_until(), 1, "the new one begins there");
    let generation = index.generation();
    rebuild.finish().unwrap();
    assert_eq!(index.cursor(), 1, "what came later must be applied again");
    assert!(index.generation() > generation);
    assert_eq!(index.find(""), [1, 2]);
    assert_eq!(index.find("newer "), [2]);
    assert_eq!(index.find("old "), []);
    index.put([titled(3, "old too")]);
    assert_eq!(index.find(""), [1, 2, 3]);

    let index = index.reopen();
    assert_eq!(index.opened(), &Opened::Existing);
    assert_eq!(index.find(""), [1, 2, 3]);
    assert_eq!(editions(index.folder.path()), 1);
    assert_eq!(index.index.needless_until(), index.cursor());
    index.rebuild(2).unwrap();
}

#[test]
fn a_rebuild_that_is_given_up_changes_nothing() {
    let index = Library::new();
    index.put([titled(1, "old")]);
    let mut rebuild = index.rebuild(0).unwrap();
    rebuild.put(vec![titled(2, "new")]).unwrap();
    drop(rebuild);
    assert_eq!(index.index.needless_until(), 1);
    assert_eq!(index.find(""), [1]);
    let index = index.reopen();
    assert_eq!(index.find(""), [1]);
    assert_eq!(editions(index.folder.path()), 1);
}

#[test]
fn a_cleared_index_is_empty_and_begins_at_zero() {
    let index = Library::new();
    index.put([titled(1, "hello")]);
    index.clear().unwrap();
    assert_eq!((index.cursor(), index.page("").total), (0, 0));
    index.put([titled(2, "world")]);
    let index = index.reopen();
    assert_eq!(index.find(""), [2]);
}

#[test]
fn many_small_commits_leave_few_segments() {
    let index = Library::new();
    for number in 0..60 {
        index.put([titled(number, "x")]);
    }
    let settled = wait_until(|| index.status().unwrap().segments <= 8);
    assert!(settled, "{:?}", index.status().unwrap());
    assert_eq!(index.page("x ").total, 60);
    index.optimize().unwrap();
    assert_eq!(index.status().unwrap().segments, 1);
    assert_eq!(index.page("x ").total, 60);
}

#[test]
fn the_writer_goes_home_when_nothing_changes() {
    let index =
        Library::with(Options { writer_idle: Duration::from_millis(50), ..Options::default() });
    index.put([titled(1, "hello")]);
    assert!(wait_until(|| !index.status().unwrap().writer_is_open));
    index.put([titled(2, "world")]);
    assert_eq!(index.find(""), [1, 2]);
}

#[test]
fn what_is_being_built_waits_for_slow_readers() {
    let index =
        Library::with(Options { writer_idle: Duration::from_millis(20), ..Options::default() });
    let mut rebuild = index.rebuild(5).unwrap();
    rebuild.put(vec![titled(1, "first")]).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    rebuild.put(vec![titled(2, "second")]).unwrap();
    rebuild.finish().unwrap();
    assert_eq!(index.find(""), [1, 2]);
}

#[test]
fn searches_and_changes_go_on_side_by_side() {
    let index = Library::new();
    index.put((0..50).map(|number| titled(number, "shared word")));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..100 {
                    // Each entry is replaced over and over: there are always exactly fifty.
                    assert_eq!(index.page("shared ").total, 50);
                }
            });
        }
        for round in 0..20 {
            index.put((0..50).map(|number| titled(number, &format!("shared word {round}"))));
        }
    });
    assert_eq!(index.page("19 ").total, 50);
}

// ---- Tools -------------------------------------------------------------------------------------

/// An index in a folder of its own.
struct Library {
    index: Index,
    folder: tempfile::TempDir,
    options: Options,
}

impl std::ops::Deref for Library {
    type Target = Index;

    fn deref(&self) -> &Index {
        &self.index
    }
}

impl Library {
    fn new() -> Self {
        Self::with(Options { writer_memory_bytes: 15_000_000, ..Options::default() })
    }

    fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Library { index: Index::open(folder.path(), options.clone()).unwrap(), folder, options }
    }

    fn reopen(self) -> Self {
        self.reopen_after(|_| {})
    }

    fn reopen_after(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let Library { index, folder, options } = self;
        drop(index);
        meanwhile(folder.path());
        Library { index: Index::open(folder.path(), options.clone()).unwrap(), folder, options }
    }

    fn put(&self, entries: impl IntoIterator<Item = Entry>) {
        self.apply(entries.into_iter().map(put).collect());
    }

    fn remove(&self, numbers: impl IntoIterator<Item = u128>) {
        self.apply(numbers.into_iter().map(|number| Change::Remove(id(number))).collect());
    }

    fn apply(&self, changes: Vec<Change>) {
        let cursor = self.index.cursor();
        self.index.apply(cursor, changes, cursor + 1).unwrap();
    }

    fn page(&self, text: &str) -> Page {
        self.index.search(&request(text)).unwrap()
    }

    /// The numbers of what is found, in rising order.
    fn find(&self, text: &str) -> Vec<u128> {
        ids_sorted(&self.page(text))
    }
}

/// Holds a sentence against random cases.
fn check<S: Strategy>(
    cases: u32,
    strategy: &S,
    holds: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest::test_runner::TestRunner::new(config).run(strategy, holds).unwrap();
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn put(entry: Entry) -> Change {
    Change::Put(Box::new(entry))
}

/// What the members of the tenant ask.
fn request(text: &str) -> Request {
    Request {
        tenant: TENANT,
        access: strings(&["org"]),
        text: text.to_owned(),
        limit: 100,
        snippets: true,
        ..Request::default()
    }
}

fn titled(number: u128, title: &str) -> Entry {
    Entry {
        id: id(number),
        tenant: TENANT,
        access: strings(&["org"]),
        status: "published".to_owned(),
        title: title.to_owned(),
        kind: "file".to_owned(),
        ..Entry::default()
    }
}

trait Described: Sized {
    fn described(self, description: &str) -> Self;
    fn with_body(self, body: &str) -> Self;
    fn tagged(self, tag: &str) -> Self;
    fn visible_to(self, access: &[&str]) -> Self;
    fn at(self, created_at_ms: i64) -> Self;
}

impl Described for Entry {
    fn described(mut self, description: &str) -> Self {
        self.description = description.to_owned();
        self
    }

    fn with_body(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    fn tagged(mut self, tag: &str) -> Self {
        self.tags.push(tag.to_owned());
        self
    }

    fn visible_to(mut self, access: &[&str]) -> Self {
        self.access = strings(access);
        self
    }

    fn at(mut self, created_at_ms: i64) -> Self {
        self.created_at_ms = created_at_ms;
        self
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn ids(page: &Page) -> Vec<u128> {
    page.hits.iter().map(|hit| hit.id.as_u128()).collect()
}

fn ids_sorted(page: &Page) -> Vec<u128> {
    let mut ids = ids(page);
    ids.sort_unstable();
    ids
}

fn all_pages(index: &Index, request: &Request) -> Vec<u128> {
    let mut all = Vec::new();
    let mut request = request.clone();
    for _ in 0..10_000 {
        let page = index.search(&request).unwrap();
        assert!(page.hits.len() <= request.limit);
        all.extend(ids(&page));
        match page.next {
            Some(next) => request.after = Some(next),
            None => return all,
        }
    }
    panic!("pages without end");
}

fn wait_until(mut is_so: impl FnMut() -> bool) -> bool {
    for _ in 0..500 {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn current_edition(folder: &Path) -> std::path::PathBuf {
    let current = fs::read_to_string(folder.join("current")).unwrap();
    folder.join(current.lines().nth(1).unwrap())
}

fn editions(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().filter(|found| found.as_ref().unwrap().path().is_dir()).count()
}

fn file_with(edition: &Path, ending: &str) -> std::path::PathBuf {
    fs::read_dir(edition)
        .unwrap()
        .map(|found| found.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with(ending))
        .unwrap()
}

fn cut_off(edition: &Path, ending: &str) {
    let path = file_with(edition, ending);
    let length = fs::metadata(&path).unwrap().len();
    fs::File::options().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
}

// ---- Random worlds -----------------------------------------------------------------------------

const WORDS: [&str; 6] = ["amber", "bronze", "copper", "diamond", "emerald", "flint"];
const ACCESS: [&str; 5] = ["org", "all", "g:1", "g:2", "u:1"];
const TAGS: [&str; 4] = ["red", "green", "blue", "grün"];

fn some_of(all: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(all, 0..=most).prop_map(|chosen| strings(&chosen))
}

fn entry_in_world() -> impl Strategy<Value = Entry> {
    let words = || proptest::sample::subsequence(&WORDS[..], 0..=4);
    let head = (0..30_u128, 0..2_u128, some_of(&ACCESS, 3), words(), words());
    let rest =
        (some_of(&TAGS, 3), 0..3_u128, 0..3_u128, 0..3_i64, prop::bool::ANY, prop::bool::ANY);
    (head, rest).prop_map(|((number, tenant, access, title, body), rest)| {
        let (tags, category, person, years, is_draft, is_link) = rest;
        Entry {
            id: id(number),
            tenant: id(tenant),
            access,
            status: if is_draft { "draft" } else { "published" }.to_owned(),
            title: title.join(" "),
            category: (category > 0).then(|| Named { id: id(100 + category), name: String::new() }),
            person: (person > 0).then(|| Named { id: id(200 + person), name: String::new() }),
            tags,
            kind: if is_link { "link" } else { "file" }.to_owned(),
            file_type: if is_link { "link" } else { "pdf" }.to_owned(),
            created_at_ms: years * 400 * 24 * 60 * 60 * 1000,
            body: Some(body.join(", ")),
            ..Entry::default()
        }
    })
}

/// Batches of changes.
fn world() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let change = prop_oneof![
        8 => entry_in_world().prop_map(put),
        1 => (0..30_u128).prop_map(|number| Change::Remove(id(number))),
    ];
    proptest::collection::vec(proptest::collection::vec(change, 0..14), 1..7)
}

fn question() -> impl Strategy<Value = Request> {
    let words = proptest::sample::subsequence(&WORDS[..], 0..=2);
    let excluded = proptest::option::weighted(0.2, proptest::sample::select(&WORDS[..]));
    let filters =
        (some_of(&TAGS, 1), some_of(&["draft", "published"], 1), 0..3_u128, prop::bool::ANY);
    (0..2_u128, some_of(&ACCESS, 3), words, excluded, filters, 0..7_usize).prop_map(
        |(tenant, access, words, excluded, (tags, statuses, category, links), sort)| Request {
            tenant: id(tenant),
            access,
            text: words.iter().map(|word| format!("{word} ")).collect::<String>()
                + &excluded.map_or(String::new(), |word| format!("-{word} ")),
            filters: Filters {
                tags,
                statuses,
                categories: (category > 0).then(|| id(100 + category)).into_iter().collect(),
                kinds: if links { strings(&["link"]) } else { Vec::new() },
                file_types: if links { strings(&["link", "word"]) } else { Vec::new() },
                ..Filters::default()
            },
            sort: [
                Sort::Relevance,
                Sort::Newest,
                Sort::Oldest,
                Sort::RecentlyUpdated,
                Sort::Title,
                Sort::Largest,
                Sort::Smallest,
            ][sort],
            limit: 100,
            facets: true,
            ..Request::default()
        },
    )
}

/// The oracle: whether an entry answers a question of the random worlds.
fn matches(entry: &Entry, question: &Request) -> bool {
    let filters = &question.filters;
    let body = entry.body.clone().unwrap();
    let words: BTreeSet<&str> = entry.title.split(' ').chain(body.split(", ")).collect();
    let is_any = |all: &[String], one: &String| all.is_empty() || all.contains(one);
    entry.tenant == question.tenant
        && entry.access.iter().any(|access| question.access.contains(access))
        && is_any(&filters.statuses, &entry.status)
        && is_any(&filters.kinds, &entry.kind)
        && is_any(&filters.file_types, &entry.file_type)
        && filters.tags.iter().all(|tag| entry.tags.contains(tag))
        && (filters.categories.is_empty()
            || entry.category.as_ref().is_some_and(|own| filters.categories.contains(&own.id)))
        && question.text.split_whitespace().all(|word| match word.strip_prefix('-') {
            Some(excluded) => !words.contains(excluded),
            None => words.contains(word),
        })
}

fn count(entries: &[&Entry]) -> Facets {
    fn ordered<V: Ord + Clone>(values: impl Iterator<Item = V>) -> Vec<(V, u64)> {
        let mut counts: BTreeMap<V, u64> = BTreeMap::new();
        values.for_each(|value| *counts.entry(value).or_default() += 1);
        let mut counts: Vec<(V, u64)> = counts.into_iter().collect();
        counts.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        counts
    }
    let year = |entry: &&Entry| 1970 + (entry.created_at_ms / (400 * 24 * 60 * 60 * 1000)) as i32;
    let mut years = ordered(entries.iter().map(year));
    years.sort_by_key(|&(year, _)| std::cmp::Reverse(year));
    Facets {
        categories: ordered(entries.iter().filter_map(|entry| Some(entry.category.as_ref()?.id))),
        kinds: ordered(entries.iter().map(|entry| entry.kind.clone())),
        tags: ordered(entries.iter().flat_map(|entry| entry.tags.clone())),
        persons: ordered(entries.iter().filter_map(|entry| Some(entry.person.as_ref()?.id))),
        file_types: ordered(entries.iter().map(|entry| entry.file_type.clone())),
        years,
    }
}
