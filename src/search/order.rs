//! In which order hits come: every order is a number per document, the smaller the earlier, and
//! the entry's id between equals. So a page can begin after any hit without walking to it.

use std::{fmt::Debug, io, sync::Arc};

use tantivy::{
    COLLECT_BLOCK_BUFFER_LEN, DocId,
    columnar::{Column, TermOrdHit},
};

use super::{columns::Columns, fold, request::Sort};

/// Bytes of a title that count for its order.
const TITLE_ORDER_BYTES_MAX: usize = 64;

/// The order of the documents of one segment.
pub(super) struct SegmentOrder {
    pub sort: Sort,
    pub columns: Arc<Columns>,
}

/// What a hit is sorted by, comparable between segments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Number(u64),
    Title(String),
}

/// Where a page begins in one segment: behind this rank and id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub rank: u64,
    /// The last id of this rank on the page before; none when no document of the rank was on it.
    pub id: Option<u128>,
}

impl SegmentOrder {
    /// The ranks of at most [`COLLECT_BLOCK_BUFFER_LEN`] documents into `ranks`, which is as long.
    /// By relevance the rank is the score, which is no column.
    pub fn ranks(&self, docs: &[DocId], ranks: &mut [u64]) {
        let columns = &self.columns;
        match self.sort {
            Sort::Relevance => ranks.fill(0),
            Sort::Newest => read(&columns.created, docs, ranks, |time| time_rank(time, true)),
            Sort::Oldest => read(&columns.created, docs, ranks, |time| time_rank(time, false)),
            Sort::RecentlyUpdated => {
                read(&columns.updated, docs, ranks, |time| time_rank(time, true))
            }
            Sort::Title => read(columns.title.ords(), docs, ranks, |rank| rank),
            Sort::Largest => read(&columns.size, docs, ranks, |size: u64| !size),
            Sort::Smallest => read(&columns.size, docs, ranks, |size| size),
        }
    }

    pub fn id(&self, doc: DocId) -> u128 {
        self.columns.id(doc)
    }

    /// The rank between hits of the same score: the newest first.
    pub fn age_rank(&self, doc: DocId) -> u64 {
        time_rank(self.columns.created.first(doc).unwrap_or(0), true)
    }

    /// The rank in a form that other segments understand.
    pub fn key(&self, rank: u64) -> io::Result<Key> {
        if self.sort != Sort::Title {
            return Ok(Key::Number(rank));
        }
        let mut title = String::new();
        self.columns.title.ord_to_str(rank, &mut title)?;
        Ok(Key::Title(title))
    }

    /// Where a page that follows the hit with this key and id begins in this segment.
    pub fn start_after(&self, key: &Key, id: u128) -> io::Result<Start> {
        match key {
            Key::Number(rank) => Ok(Start { rank: *rank, id: Some(id) }),
            Key::Title(title) => {
                let titles = self.columns.title.dictionary();
                Ok(match titles.term_ord_or_next(title.as_bytes())? {
                    TermOrdHit::Exact(rank) => Start { rank, id: Some(id) },
                    TermOrdHit::Next(rank) => Start { rank, id: None },
                })
            }
        }
    }
}

impl Start {
    /// Whether a document stands behind the page before.
    pub fn is_before(&self, rank: u64, id: impl FnOnce() -> u128) -> bool {
        match self.id {
            _ if rank != self.rank => rank > self.rank,
            Some(last_id) => id() > last_id,
            None => true,
        }
    }
}

/// The rank of a score: the higher the score, the smaller. Scores are never negative, and then
/// floats sort like their bits.
pub(super) fn score_rank(score: f32) -> u64 {
    u64::from(!score.max(0.0).to_bits())
}

pub(super) fn score_of_rank(rank: u64) -> f32 {
    f32::from_bits(!(rank as u32))
}

/// Milliseconds as a number without a sign; flipping the sign bit keeps the order.
fn time_rank(time_ms: i64, latest_first: bool) -> u64 {
    let rank = (time_ms as u64) ^ (1 << 63);
    if latest_first { !rank } else { rank }
}

/// Reads the ranks of a block of documents from a column.
fn read<V: Copy + Default + PartialOrd + Debug + Send + Sync + 'static>(
    column: &Column<V>,
    docs: &[DocId],
    ranks: &mut [u64],
    rank: impl Fn(V) -> u64,
) {
    let mut values = [None; COLLECT_BLOCK_BUFFER_LEN];
    let values = &mut values[..docs.len()];
    column.first_vals(docs, values);
    for (value, to) in values.iter().zip(ranks) {
        *to = rank(value.unwrap_or_default());
    }
}

/// A title in a form whose bytes sort as people expect: case and accents do not matter, nor does
/// punctuation, and `Report 9` comes before `Report 10`, because a number is preceded by how many
/// digits it has.
pub(super) fn title_order(title: &str) -> String {
    let mut folded = String::new();
    let mut digits = String::new();
    let mut order = String::new();
    let start = &title[..title.floor_char_boundary(4 * TITLE_ORDER_BYTES_MAX)];
    for word in start.split(|letter: char| !letter.is_alphanumeric() && !fold::is_mark(letter)) {
        folded.clear();
        fold::fold_word(word, &mut folded);
        if folded.is_empty() {
            continue;
        }
        if !order.is_empty() {
            order.push(' ');
        }
        for letter in folded.chars() {
            if letter.is_ascii_digit() {
                digits.push(letter);
            } else {
                put_number(&mut digits, &mut order);
                order.push(letter);
            }
        }
        put_number(&mut digits, &mut order);
    }
    order.truncate(order.floor_char_boundary(TITLE_ORDER_BYTES_MAX));
    order
}

fn put_number(digits: &mut String, order: &mut String) {
    if digits.is_empty() {
        return;
    }
    let number = match digits.trim_start_matches('0') {
        "" => "0",
        number => number,
    };
    // '1' to '9' for so many digits; ':' comes behind '9' and stands for ten or more.
    order.push(char::from(b'0' + number.len().min(10) as u8));
    order.push_str(number);
    digits.clear();
}

/// The calendar year (UTC) of a time in milliseconds since the Unix epoch, from 0 to 9999.
///
/// Counted in eras of 400 years, each of 146 097 days, with years that begin in March, so that the
/// leap day is the last of its year.
pub(super) fn year_of(time_ms: i64) -> u64 {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    const DAYS_FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    const ERA_DAYS: i64 = 146_097;
    let days = time_ms.div_euclid(DAY_MS) + DAYS_FROM_MARCH_OF_YEAR_0;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / (ERA_DAYS - 1);
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let is_january_or_february = day_of_year >= 306;
    let year = era * 400 + year_of_era + i64::from(is_january_or_february);
    year.clamp(0, 9_999) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_sort_as_people_expect() {
        let sorted = ["2 Ants", "10 Ants", "Äpfel", "apple pie", "(Report) 9", "report 10", "Zoë"];
        for pair in sorted.windows(2) {
            assert!(title_order(pair[0]) < title_order(pair[1]), "{pair:?}");
        }
        assert_eq!(title_order("  Straße  007 "), title_order("strasse 7"));
    }

    #[test]
    fn years_agree_with_the_calendar() {
        for (time, year) in [
            ("1970-01-01T00:00:00Z", 1970),
            ("1969-12-31T23:59:59Z", 1969),
            ("2000-02-29T12:00:00Z", 2000),
            ("2024-12-31T23:59:59Z", 2024),
            ("2025-01-01T00:00:00Z", 2025),
            ("2100-03-01T00:00:00Z", 2100),
        ] {
            let time: jiff::Timestamp = time.parse().unwrap();
            assert_eq!(year_of(time.as_millisecond()), year, "{time}");
        }
    }

    #[test]
    fn ranks_keep_the_order_of_times_and_scores() {
        let times = [i64::MIN, -5, 0, 3, i64::MAX];
        for pair in times.windows(2) {
            assert!(time_rank(pair[0], false) < time_rank(pair[1], false));
            assert!(time_rank(pair[0], true) > time_rank(pair[1], true));
        }
        assert!(score_rank(2.5) < score_rank(2.25));
        assert_eq!(score_of_rank(score_rank(2.5)), 2.5);
    }
}
