//! Which version of Appliance this is, and which records it can read.
//!
//! Both stand in one line of text inside the program, where `strings` finds them too. Two programs
//! whose records have the same number read what the other one wrote, so that an update between them
//! can be taken back without losing anything.

use std::{cmp::Ordering, fmt, str::FromStr};

/// The number goes up with every change of the records that an earlier version could not live with:
/// a field that it needs and that is gone, a new variant of an enum, a table that counts on another.
/// A field with a default is no such change. See [`domain::records`](crate::domain::records).
macro_rules! records {
    () => {
        1
    };
}

static LINE: &str =
    concat!("Appliance release ", env!("CARGO_PKG_VERSION"), " with records ", records!());

/// Such as `0.1.0`.
pub fn number() -> &'static str {
    LINE.split(' ').nth(2).unwrap_or_default()
}

/// The number of the records that this program writes; those with a smaller one it converts.
pub fn records() -> u32 {
    LINE.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// A version that can be compared: three numbers, and perhaps a word such as `rc.1` for one that
/// comes before them (as in <https://semver.org>, without what may stand behind a plus sign).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    numbers: [u64; 3],
    before: String,
}

impl Version {
    pub fn own() -> Self {
        // Cargo accepts no other form.
        number().parse().unwrap_or(Version { numbers: [0; 3], before: String::new() })
    }
}

/// The text is no version.
#[derive(Debug, PartialEq, Eq)]
pub struct NoVersion;

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let (numbers, before) = text.split_once('-').unwrap_or((text, ""));
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let parts: Vec<&str> = numbers.split('.').collect();
        if text.len() > 64 || !before.chars().all(is_word) || !parts.iter().all(|p| is_number(p)) {
            return Err(NoVersion);
        }
        let [Ok(major), Ok(minor), Ok(patch)] =
            <[&str; 3]>::try_from(parts).map_err(|_| NoVersion)?.map(str::parse)
        else {
            return Err(NoVersion);
        };
        Ok(Version { numbers: [major, minor, patch], before: before.to_owned() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if self.before.is_empty() { Ok(()) } else { write!(f, "-{}", self.before) }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_word = || match (self.before.as_str(), other.before.as_str()) {
            ("", "") => Ordering::Equal,
            // What comes before a version is older than the version itself.
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (own, other) => compare_words(own, other),
        };
        self.numbers.cmp(&other.numbers).then_with(by_word)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Part by part; numbers by their value, before words, and the longer one last.
fn compare_words(own: &str, other: &str) -> Ordering {
    let key = |part: &str| match part.parse::<u64>() {
        Ok(number) => (0, number, String::new()),
        Err(_) => (1, 0, part.to_owned()),
    };
    own.split('.').map(key).cmp(other.split('.').map(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_knows_its_version() {
        assert_eq!(number(), env!("CARGO_PKG_VERSION"));
        assert_eq!(Version::own().to_string(), number());
        assert!(records() >= 1);
    }

    #[test]
    fn versions_are_in_the_order_in_which_they_come_out() {
        let order = ["0.9.9", "0.10.0-alpha", "0.10.0-rc.2", "0.10.0-rc.10", "0.10.0", "1.0.0"];
        let versions = order.map(|text| text.parse::<Version>().unwrap());
        assert!(versions.is_sorted(), "{versions:?}");
        assert_eq!(versions.map(|version| version.to_string()), order);
        for text in ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.x", "1.2.3-a/b", "1..3", "+1.0.0"] {
            assert_eq!(text.parse::<Version>(), Err(NoVersion), "{text}");
        }
    }
}
