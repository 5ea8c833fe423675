//! Random worlds, and a simple program that knows what must be found in them.

use super::*;

pub const WORDS: [&str; 6] = ["amber", "bronze", "copper", "diamond", "emerald", "flint"];
pub const ACCESS: [&str; 5] = ["org", "all", "g:1", "g:2", "u:1"];
pub const TAGS: [&str; 4] = ["red", "green", "blue", "grün"];

pub fn some_of(all: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(all, 0..=most).prop_map(|chosen| strings(&chosen))
}

pub fn entry_in_world() -> impl Strategy<Value = Entry> {
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
pub fn world() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let change = prop_oneof![
        8 => entry_in_world().prop_map(put),
        1 => (0..30_u128).prop_map(|number| Change::Remove(id(number))),
    ];
    proptest::collection::vec(proptest::collection::vec(change, 0..14), 1..7)
}

pub fn question() -> impl Strategy<Value = Request> {
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
pub fn matches(entry: &Entry, question: &Request) -> bool {
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

pub fn count(entries: &[&Entry]) -> Facets {
    pub fn ordered<V: Ord + Clone>(values: impl Iterator<Item = V>) -> Vec<(V, u64)> {
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
