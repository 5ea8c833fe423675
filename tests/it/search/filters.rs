//! Filters, facets, and the order of hits.

use super::*;

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
