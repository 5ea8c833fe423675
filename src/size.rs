//! Sizes and counts as people say them.

use std::fmt;

/// A number of bytes that prints as `2.4 MB` (decimal units, as disks and browsers count).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A unit and its number of bytes.
const UNITS: [(&str, u64); 6] = [
    ("PB", 1_000_000_000_000_000),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("", 1),
];

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &(unit, unit_bytes) = UNITS.iter().find(|unit| self.0 >= unit.1).unwrap_or(&("", 1));
        if unit_bytes == 1 {
            return write!(f, "{} {}", self.0, if self.0 == 1 { "byte" } else { "bytes" });
        }
        // Whole tenths, cut and not rounded: a file never looks larger than a limit it keeps.
        let tenths = self.0 / (unit_bytes / 10);
        match tenths % 10 {
            _ if tenths >= 100 => write!(f, "{} {unit}", tenths / 10),
            0 => write!(f, "{} {unit}", tenths / 10),
            tenth => write!(f, "{}.{tenth} {unit}", tenths / 10),
        }
    }
}

/// `1204` → `1,204`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1, "document", "documents"` → `1 document`; `1204, …` → `1,204 documents`.
pub fn counted(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(value), if value == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (value, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (1_204, "1,204"), (12_345_678, "12,345,678")]
        {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn counts_have_a_plural() {
        assert_eq!(counted(0, "document", "documents"), "0 documents");
        assert_eq!(counted(1, "document", "documents"), "1 document");
        assert_eq!(counted(1204, "document", "documents"), "1,204 documents");
        assert_eq!(counted(2, "person", "people"), "2 people");
    }

    #[test]
    fn sizes_read_as_people_say_them() {
        let shown = [0, 1, 999, 1_000, 1_999, 2_400_000, 25_000_000, 1_500_000_000, u64::MAX]
            .map(|bytes| Size(bytes).to_string());
        assert_eq!(
            shown,
            [
                "0 bytes",
                "1 byte",
                "999 bytes",
                "1 kB",
                "1.9 kB",
                "2.4 MB",
                "25 MB",
                "1.5 GB",
                "18446 PB",
            ]
        );
    }
}
