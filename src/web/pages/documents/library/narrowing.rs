//! The ways to narrow a list, and the filters in force: every one is a link to another state of the
//! library's address.

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::{ActiveFilter, Address, DateFilter, Facet, address};
use crate::{
    app::Facets,
    domain::{
        documents::{Kind, Status},
        file_type::FileType,
    },
    web::pages::{ChoiceLink, format},
};

/// Values of a filter that are shown at once; the others are behind "Show more".
const SHOWN: usize = 8;

/// The names of the chosen category and person, which the address holds as ids.
#[derive(Default)]
pub struct Names {
    pub category: Option<String>,
    pub person: Option<String>,
}

/// The filters beside a list. `sees_drafts` is for those who can have any.
pub fn facets(address: &Address, facets: &Facets, sees_drafts: bool) -> Vec<Facet> {
    let category = facets.categories.iter().map(|(id, name, count)| {
        let id = id.to_string();
        let is_chosen = address.category == id;
        let chosen = if is_chosen { String::new() } else { id };
        option(name, address.with(|it| it.category = chosen), is_chosen, Some(*count))
    });
    let file_type = facets.file_types.iter().map(|(one, count)| {
        let is_chosen = address.r#type == one.name();
        let chosen = if is_chosen { "" } else { one.name() };
        option(one.label(), address.with(|it| it.r#type = chosen.into()), is_chosen, Some(*count))
    });
    // Most portals keep files and nothing else: that tells nobody anything.
    let has_kinds = facets.kinds.iter().any(|(kind, _)| *kind != Kind::File);
    let kinds = facets.kinds.iter().filter(|_| has_kinds);
    let kind = kinds.map(|(kind, count)| {
        let is_chosen = address.kind == kind.name();
        let chosen = if is_chosen { "" } else { kind.name() };
        option(kind.label(), address.with(|it| it.kind = chosen.into()), is_chosen, Some(*count))
    });
    let tag = facets.tags.iter().map(|(tag, count)| {
        let is_chosen = address.tag.contains(tag);
        let href = match is_chosen {
            true => address.with(|it| it.tag.retain(|known| known != tag)),
            false => address.with(|it| it.narrow_to_tag(tag)),
        };
        option(tag, href, is_chosen, Some(*count))
    });
    let person = facets.people.iter().map(|(id, name, count)| {
        let id = id.to_string();
        let is_chosen = address.person == id;
        let chosen = if is_chosen { String::new() } else { id };
        option(name, address.with(|it| it.person = chosen), is_chosen, Some(*count))
    });
    vec![
        facet("category", "Category", category.collect()),
        facet("type", "Type", file_type.collect()),
        facet("kind", "Kind", kind.collect()),
        facet("tag", "Tag", tag.collect()),
        facet("person", "Added by", person.collect()),
        facet("status", "Status", statuses(address, sees_drafts)),
    ]
}

fn statuses(address: &Address, sees_drafts: bool) -> Vec<ChoiceLink> {
    let offered = [(Status::Draft, "Drafts"), (Status::Archived, "Archive")];
    let offered = offered.into_iter().filter(|(status, _)| sees_drafts || *status != Status::Draft);
    offered
        .map(|(status, label)| {
            let is_chosen = address.status == status.name();
            let chosen = if is_chosen { "" } else { status.name() };
            option(label, address.with(|it| it.status = chosen.into()), is_chosen, None)
        })
        .collect()
}

fn facet(name: &str, title: &str, mut options: Vec<ChoiceLink>) -> Facet {
    // The chosen ones are never hidden.
    options.sort_by_key(|option| !option.selected);
    let more = options.split_off(options.len().min(SHOWN));
    Facet { name: name.into(), title: title.into(), options, more }
}

fn option(
    label: impl Into<String>,
    href: String,
    selected: bool,
    count: Option<u64>,
) -> ChoiceLink {
    ChoiceLink { label: label.into(), href, selected, count }
}

/// The filter by date: the last days, the years that there are, any other stretch.
pub fn dates(address: &Address, years: &[(i32, u64)], now: Timestamp) -> DateFilter {
    let today = now.to_zoned(TimeZone::UTC).date();
    let preset = |label: String, from: String, to: String, count| {
        let is_chosen = address.from == from && address.to == to;
        let (from, to) = if is_chosen { Default::default() } else { (from, to) };
        let href = address.with(|address| (address.from, address.to) = (from, to));
        option(label, href, is_chosen, count)
    };
    let days = [7, 30].into_iter().map(|days| {
        let first = today.saturating_sub(days.days()).to_string();
        preset(format!("Last {days} days"), first, String::new(), None)
    });
    let years = years.iter().take(SHOWN).map(|(year, count)| {
        let (first, last) = (format!("{year:04}-01-01"), format!("{year:04}-12-31"));
        preset(year.to_string(), first, last, Some(*count))
    });
    let shown = |text: &str| address::date(text).map(|date| date.to_string()).unwrap_or_default();
    DateFilter {
        presets: days.chain(years).collect(),
        from: shown(&address.from),
        to: shown(&address.to),
        kept: address.kept(&["from", "to"]),
    }
}

/// The filters in force, each with a link that drops it.
pub fn active(address: &Address, names: Names) -> Vec<ActiveFilter> {
    let filter = |name: &str, value: String, remove_href| ActiveFilter {
        name: name.into(),
        value,
        remove_href,
    };
    let mut active = Vec::new();
    if let Some(name) = names.category {
        active.push(filter("Category", name, address.with(|it| it.category.clear())));
    }
    if let Some(one) = FileType::from_name(&address.r#type) {
        active.push(filter("Type", one.label().into(), address.with(|it| it.r#type.clear())));
    }
    if let Ok(kind) = Kind::from_name(&address.kind) {
        active.push(filter("Kind", kind.label().into(), address.with(|it| it.kind.clear())));
    }
    for tag in &address.tag {
        let without = address.with(|it| it.tag.retain(|known| known != tag));
        active.push(filter("Tag", tag.clone(), without));
    }
    if let Some(name) = names.person {
        active.push(filter("Added by", name, address.with(|it| it.person.clear())));
    }
    if let Some(value) = stretch(address) {
        let without = address.with(|it| (it.from, it.to) = Default::default());
        active.push(filter("Date", value, without));
    }
    if let Ok(status) = Status::from_name(&address.status) {
        active.push(filter("Status", status.label().into(), address.with(|it| it.status.clear())));
    }
    active
}

/// `1 Nov 2026 – 21 Nov 2026`, `since 1 Nov 2026`, `until 21 Nov 2026`.
fn stretch(address: &Address) -> Option<String> {
    let day = |text| address::date(text).and_then(address::start_of).map(format::date);
    match (day(&address.from), day(&address.to)) {
        (Some(from), Some(to)) => Some(format!("{from} – {to}")),
        (Some(from), None) => Some(format!("since {from}")),
        (None, Some(to)) => Some(format!("until {to}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choosing_a_chosen_filter_drops_it() {
        let address: Address = serde_html_form::from_str("tag=plan&kind=poster").unwrap();
        let counted = Facets {
            kinds: vec![(Kind::Poster, 3)],
            file_types: vec![(FileType::Pdf, 2), (FileType::Image, 1)],
            tags: vec![("budget".into(), 2), ("plan".into(), 3)],
            ..Facets::default()
        };
        let [_, file_type, kind, tag, _, status] =
            facets(&address, &counted, false).try_into().unwrap();
        assert_eq!(kind.options[0].href, "/documents?tag=plan");
        assert_eq!(file_type.options[0].href, "/documents?type=pdf&kind=poster&tag=plan");
        assert_eq!(tag.options[0].href, "/documents?kind=poster");
        assert!(tag.options[0].selected);
        assert_eq!(tag.options[1].href, "/documents?kind=poster&tag=plan&tag=budget");
        assert_eq!(status.options.len(), 1, "only those who can have drafts are offered them");
    }

    #[test]
    fn filters_in_force_are_named_for_people() {
        let address: Address =
            serde_html_form::from_str("from=2026-11-01&to=&kind=poster&status=archived").unwrap();
        let names = Names { category: Some("Plans".into()), person: None };
        let active: Vec<_> = active(&address, names)
            .into_iter()
            .map(|filter| format!("{}: {}", filter.name, filter.value))
            .collect();
        assert_eq!(
            active,
            ["Category: Plans", "Kind: Poster", "Date: since 1 Nov 2026", "Status: Archived"]
        );
    }
}
