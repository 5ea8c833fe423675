//! The library's address: the whole state of what is shown, so that it can be bookmarked, shared
//! and changed by links alone.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;

use crate::{
    app::{Find, Sort},
    domain::{
        documents::{Kind, Status},
        file_type::FileType,
    },
    web::pages::HiddenField,
};

/// What stands behind the `?`. Values that mean nothing are ignored, like unknown keys: an old
/// bookmark shows the library rather than an error.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Address {
    pub q: String,
    pub category: String,
    pub kind: String,
    pub r#type: String,
    pub tag: Vec<String>,
    pub person: String,
    pub from: String,
    pub to: String,
    pub status: String,
    pub sort: String,
    pub view: String,
    pub after: String,
}

/// Documents on a page of the list; the grid shows whole rows of two, three or four.
const LIMIT: usize = 24;

/// The orders that can be chosen, with their words.
pub const SORTS: [(Sort, &str, &str); 6] = [
    (Sort::Relevance, "best", "Best match"),
    (Sort::Newest, "newest", "Newest"),
    (Sort::Oldest, "oldest", "Oldest"),
    (Sort::RecentlyUpdated, "changed", "Recently changed"),
    (Sort::Title, "title", "Title"),
    (Sort::Largest, "largest", "Largest"),
];

impl Address {
    /// The question to the library.
    pub fn find(&self) -> Find {
        Find {
            text: self.q.clone(),
            category: self.category.parse().ok(),
            kinds: Kind::from_name(&self.kind).into_iter().collect(),
            file_type: FileType::from_name(&self.r#type),
            tags: self.tag.clone(),
            person: self.person.parse().ok(),
            from: date(&self.from).and_then(start_of),
            // The last day counts too.
            until: date(&self.to).and_then(|day| day.tomorrow().ok()).and_then(start_of),
            status: Status::from_name(&self.status).ok(),
            sort: self.chosen_sort(),
            after: Some(self.after.clone()).filter(|after| !after.is_empty()),
            limit: LIMIT,
            wants_facets: true,
        }
    }

    /// The order that is in force: by relevance where there are words to be relevant to.
    pub fn chosen_sort(&self) -> Sort {
        let chosen = SORTS.iter().find(|(_, key, _)| *key == self.sort).map(|(sort, ..)| *sort);
        match chosen {
            Some(sort) if sort != Sort::Relevance => sort,
            _ if self.q.trim().is_empty() => Sort::Newest,
            _ => Sort::Relevance,
        }
    }

    pub fn is_grid(&self) -> bool {
        self.view == "grid"
    }

    /// The address of this state.
    pub fn href(&self) -> String {
        let pairs: Vec<_> = self.pairs().collect();
        match serde_html_form::to_string(pairs) {
            Ok(query) if !query.is_empty() => format!("/documents?{query}"),
            _ => "/documents".into(),
        }
    }

    /// The address of the first page after a change.
    pub fn with(&self, change: impl FnOnce(&mut Address)) -> String {
        let mut changed = Address { after: String::new(), ..self.clone() };
        change(&mut changed);
        changed.href()
    }

    /// Asks for one more tag.
    pub fn narrow_to_tag(&mut self, tag: &str) {
        if !self.tag.iter().any(|known| known == tag) {
            self.tag.push(tag.to_owned());
        }
    }

    /// The state for a form that sets the fields `but` itself.
    pub fn kept(&self, but: &[&str]) -> Vec<HiddenField> {
        self.pairs()
            .filter(|(name, _)| *name != "after" && !but.contains(name))
            .map(|(name, value)| HiddenField::new(name, value))
            .collect()
    }

    fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let before = [
            ("q", &self.q),
            ("category", &self.category),
            ("type", &self.r#type),
            ("kind", &self.kind),
        ];
        let after = [
            ("person", &self.person),
            ("from", &self.from),
            ("to", &self.to),
            ("status", &self.status),
            ("sort", &self.sort),
            ("view", &self.view),
            ("after", &self.after),
        ];
        let tags = self.tag.iter().map(|tag| ("tag", tag));
        let all = before.into_iter().chain(tags).chain(after);
        all.map(|(name, value)| (name, value.as_str())).filter(|(_, value)| !value.is_empty())
    }
}

/// `2026-11-21`, as a date field sends it.
pub fn date(text: &str) -> Option<Date> {
    text.parse().ok()
}

/// The moment a day begins, in UTC.
pub fn start_of(day: Date) -> Option<Timestamp> {
    day.to_zoned(TimeZone::UTC).ok().map(|start| start.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Address {
        serde_html_form::from_str(query).unwrap()
    }

    #[test]
    fn an_address_is_read_as_it_was_written() {
        let query = "q=annual+report&kind=file&tag=a%26b&tag=c&sort=title&view=grid&after=xyz";
        let address = read(query);
        assert_eq!(address.tag, ["a&b", "c"]);
        assert_eq!(address.href(), format!("/documents?{query}"));
        assert_eq!(read("").href(), "/documents");
    }

    #[test]
    fn a_change_begins_at_the_first_page() {
        let address = read("q=plan&after=xyz&tag=a");
        assert_eq!(address.with(|it| it.tag.clear()), "/documents?q=plan");
        let kept: Vec<_> = address.kept(&["q"]).into_iter().map(|field| field.name).collect();
        assert_eq!(kept, ["tag"]);
    }

    #[test]
    fn what_means_nothing_is_ignored() {
        let find = read("category=1&kind=boat&from=yesterday&status=lost&sort=x&unknown=1").find();
        assert_eq!(find, Find { sort: Sort::Newest, ..Address::default().find() });
    }

    #[test]
    fn the_last_day_of_a_range_counts() {
        let find = read("from=2026-11-01&to=2026-11-02").find();
        assert_eq!(find.from.unwrap().to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(find.until.unwrap().to_string(), "2026-11-03T00:00:00Z");
    }
}
