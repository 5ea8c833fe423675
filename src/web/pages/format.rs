//! Numbers, sizes and times as people read them: pure functions, used by the view models and,
//! through [`filters`](super::filters), by the templates.

use jiff::{Timestamp, tz::TimeZone};

pub use crate::size::{counted, number};
use crate::{size::Size, web::content::percent_encoded};

/// `2_400_000` → `2.4 MB`.
pub fn bytes(size_bytes: u64) -> String {
    Size(size_bytes).to_string()
}

/// `21 Nov 2026`, in UTC.
pub fn date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %b %Y").to_string()
}

/// `21 November 2026, 14:05 UTC`.
pub fn date_and_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %B %Y, %H:%M UTC").to_string()
}

/// `3 minutes ago`, `in 2 hours`; beyond 30 days the date. The pages' script
/// (`scripts/times.js`) refreshes the text in the same words.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    let away = seconds.unsigned_abs();
    let (value, one, many) = match away {
        0..45 => return "just now".to_owned(),
        45..3570 => ((away + 30) / 60, "minute", "minutes"),
        3570..84_600 => ((away + 1800) / 3600, "hour", "hours"),
        84_600..2_592_000 => ((away + 43_200) / 86_400, "day", "days"),
        _ => return date(at),
    };
    let (value, text) = match value.max(1) {
        1 if one == "day" && seconds < 0 => return "yesterday".to_owned(),
        1 if one == "day" => return "tomorrow".to_owned(),
        value => (value, if value == 1 { one } else { many }),
    };
    if seconds < 0 { format!("{value} {text} ago") } else { format!("in {value} {text}") }
}

/// `1500 ms` → `1.5 s`, `95_000` → `1 min 35 s`: how long a job took.
pub fn duration_ms(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..9_950 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        9_950..60_000 => format!("{} s", (milliseconds + 500) / 1000),
        60_000..3_600_000 => {
            format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1000)
        }
        _ => format!("{} h {} min", milliseconds / 3_600_000, milliseconds % 3_600_000 / 60_000),
    }
}

/// How long something has been so: `3 days`, `5 hours`. Cut, not rounded.
pub fn span_s(seconds: u64) -> String {
    match seconds {
        0..120 => counted(seconds, "second", "seconds"),
        120..7_200 => counted(seconds / 60, "minute", "minutes"),
        7_200..172_800 => counted(seconds / 3_600, "hour", "hours"),
        _ => counted(seconds / 86_400, "day", "days"),
    }
}

/// When a wait is over, for a sentence: `47 seconds`, `3 minutes`. Rounded up, so that whoever
/// comes back then is let in.
pub fn wait_s(seconds: u64) -> String {
    match seconds {
        0..90 => counted(seconds.max(1), "second", "seconds"),
        90..5400 => counted(seconds.div_ceil(60), "minute", "minutes"),
        _ => counted(seconds.div_ceil(3600), "hour", "hours"),
    }
}

/// The letters in a person's round picture: `Ana María López` → `AL`.
pub fn initials(name: &str) -> String {
    let mut words =
        name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = words.next();
    let last = words.next_back();
    let letters: String = first.into_iter().chain(last).flat_map(char::to_uppercase).collect();
    if letters.is_empty() { "?".to_owned() } else { letters }
}

/// An address with the fields that are not empty behind its `?`.
pub fn address(path: &str, fields: &[(&str, &str)]) -> String {
    let mut address = path.to_owned();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        address.push(if address.len() == path.len() { '?' } else { '&' });
        address.push_str(&format!("{name}={}", percent_encoded(value)));
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_now() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let ago = |seconds: i64| relative(now - jiff::SignedDuration::from_secs(seconds), now);
        for (seconds, text) in [
            (0, "just now"),
            (44, "just now"),
            (45, "1 minute ago"),
            (180, "3 minutes ago"),
            (3569, "59 minutes ago"),
            (3570, "1 hour ago"),
            (7200, "2 hours ago"),
            (84_599, "23 hours ago"),
            (86_400, "yesterday"),
            (3 * 86_400, "3 days ago"),
            (40 * 86_400, "12 Oct 2026"),
            (-120, "in 2 minutes"),
            (-86_400, "tomorrow"),
            (-5 * 86_400, "in 5 days"),
        ] {
            assert_eq!(ago(seconds), text, "{seconds} s");
        }
        assert_eq!(date(now), "21 Nov 2026");
        assert_eq!(date_and_time(now), "21 November 2026, 12:00 UTC");
    }

    #[test]
    fn durations_and_waits_fit_their_size() {
        assert_eq!(duration_ms(412), "412 ms");
        assert_eq!(duration_ms(1_500), "1.5 s");
        assert_eq!(duration_ms(9_990), "10 s");
        assert_eq!(duration_ms(95_000), "1 min 35 s");
        assert_eq!(duration_ms(7_260_000), "2 h 1 min");
        assert_eq!(span_s(1), "1 second");
        assert_eq!(span_s(7_199), "119 minutes");
        assert_eq!(span_s(400_000), "4 days");
        assert_eq!(wait_s(0), "1 second");
        assert_eq!(wait_s(47), "47 seconds");
        assert_eq!(wait_s(121), "3 minutes");
        assert_eq!(wait_s(7201), "3 hours");
    }

    #[test]
    fn initials_come_from_the_first_and_last_name() {
        assert_eq!(initials("Ana María López"), "AL");
        assert_eq!(initials("øyvind"), "Ø");
        assert_eq!(initials("(Li) Wei"), "LW");
        assert_eq!(initials(" - "), "?");
    }
}
