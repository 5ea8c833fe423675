//! What is found.

use super::*;

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
