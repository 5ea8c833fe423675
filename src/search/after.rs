//! The cursor of a page: which hit it ended with, so that the next page begins behind that hit and
//! not at a number. Entries that come and go meanwhile then neither repeat nor swallow a hit.
//!
//! By relevance there is no such place, because scores move with every commit: there the cursor is
//! a number of hits to skip, up to [`SKIP_MAX`].

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{order::Key, request::Sort};
use crate::error::{Error, Result};

/// Hits that can be reached by relevance. Who turns that many pages needs another question.
pub(super) const SKIP_MAX: usize = 10_000;
/// Longest cursor that is looked at, in characters.
const CHARS_MAX: usize = 512;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum After {
    Hits(usize),
    Hit { key: Key, id: u128 },
}

impl After {
    /// The cursor as text: the order, what follows it, and the key.
    pub fn encode(&self, sort: Sort) -> String {
        let mut bytes = vec![sort_byte(sort)];
        match self {
            After::Hits(count) => bytes.extend((*count as u64).to_be_bytes()),
            After::Hit { key, id } => {
                bytes.extend(id.to_be_bytes());
                match key {
                    Key::Number(rank) => bytes.extend(rank.to_be_bytes()),
                    Key::Title(title) => bytes.extend(title.as_bytes()),
                }
            }
        }
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// # Errors
    /// [`Error::Invalid`] when this is no cursor of this order.
    pub fn decode(text: &str, sort: Sort) -> Result<After> {
        Self::read(text, sort).ok_or_else(Error::no_such_page)
    }

    fn read(text: &str, sort: Sort) -> Option<After> {
        if text.len() > CHARS_MAX {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (&first, rest) = bytes.split_first()?;
        if first != sort_byte(sort) {
            return None;
        }
        if sort == Sort::Relevance {
            let count = u64::from_be_bytes(rest.try_into().ok()?);
            return Some(After::Hits(usize::try_from(count).ok()?.min(SKIP_MAX)));
        }
        let (id, key) = rest.split_first_chunk::<16>()?;
        let key = if sort == Sort::Title {
            Key::Title(String::from_utf8(key.to_vec()).ok()?)
        } else {
            Key::Number(u64::from_be_bytes(key.try_into().ok()?))
        };
        Some(After::Hit { key, id: u128::from_be_bytes(*id) })
    }
}

fn sort_byte(sort: Sort) -> u8 {
    match sort {
        Sort::Relevance => b'r',
        Sort::Newest => b'n',
        Sort::Oldest => b'o',
        Sort::RecentlyUpdated => b'u',
        Sort::Title => b't',
        Sort::Largest => b'l',
        Sort::Smallest => b's',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_way_through_an_address() {
        for (sort, after) in [
            (Sort::Relevance, After::Hits(40)),
            (Sort::Newest, After::Hit { key: Key::Number(u64::MAX - 7), id: 1 << 90 }),
            (Sort::Title, After::Hit { key: Key::Title("zoë 17".to_owned()), id: 0 }),
        ] {
            assert_eq!(After::decode(&after.encode(sort), sort).unwrap(), after);
        }
    }

    #[test]
    fn a_cursor_of_another_order_or_of_nobody_is_refused() {
        let newest = After::Hit { key: Key::Number(1), id: 1 }.encode(Sort::Newest);
        for text in [newest.as_str(), "", "%%%", "bG9s", &"A".repeat(100_000)] {
            assert!(matches!(After::decode(text, Sort::Title), Err(Error::Invalid { .. })));
        }
    }
}
