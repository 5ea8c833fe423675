//! When the next backup is due: every so many hours from a time of day on, or by a cron line.

use cronexpr::{Crontab, FallbackTimezoneOption, MakeTimestamp, ParseOptions};
use jiff::{Timestamp, fmt::temporal::DateTimeParser, tz::TimeZone};

use super::Plan;
use crate::error::{Error, Result};

const FIELDS: usize = 5;
/// Minutes that a clock is put back at the most, as when a place moves to another side of the date line.
const REPEATED_MAX: usize = 24 * 60 + 1;

impl Plan {
    /// The first moment of the plan after `now`.
    pub fn next_after(&self, now: Timestamp) -> Timestamp {
        match self.cron.as_str() {
            "" => self.next_period(now),
            // Its form was checked when it was set. What never comes again is as far as can be.
            line => next_of(line, now).unwrap_or(Timestamp::MAX),
        }
    }

    fn next_period(&self, now: Timestamp) -> Timestamp {
        let period = 3_600 * i64::from(self.every_hours.max(1));
        let first = 60 * i64::from(self.minute_of_day);
        let periods = (now.as_second() - first).div_euclid(period) + 1;
        Timestamp::from_second(first + periods * period).unwrap_or(Timestamp::MAX)
    }
}

/// The first moment after `now` that a cron line means: five fields, in UTC unless a time zone such
/// as `Europe/Berlin` follows them. They are held against the clock on the wall there: what the beginning
/// of summer time leaves out comes as much later, and what its end repeats counts once.
///
/// # Errors
/// `Invalid` for what is no such line, and for a day that does not come.
pub(super) fn next_of(line: &str, now: Timestamp) -> Result<Timestamp> {
    let never = || Error::invalid_field("cron", "This cron line names a day that does not come.");
    let (crontab, zone) = crontab(line).ok_or_else(|| {
        Error::invalid_field(
            "cron",
            "This is no cron line. One looks like 30 2 * * 1-5: minute, hour, day of the month, \
             month, day of the week, and perhaps a time zone.",
        )
    })?;
    // The times of the wall, as if they were UTC, in which there is each of them once.
    let wall =
        now.to_zoned(zone.clone()).datetime().to_zoned(TimeZone::UTC).map_err(|_| never())?;
    let walls = crontab.iter_after(MakeTimestamp(wall.timestamp())).map_err(|_| never())?;
    for wall in walls.take(REPEATED_MAX) {
        let next = wall.map_err(|_| never())?.datetime().to_zoned(zone.clone());
        let next = next.map_err(|_| never())?.timestamp();
        if next > now {
            return Ok(next);
        }
    }
    Err(never())
}

/// The fields and the time zone of a cron line; `None` when it is none.
fn crontab(line: &str) -> Option<(Crontab, TimeZone)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (fields, zone) = words.split_at_checked(FIELDS)?;
    let mut options = ParseOptions::default();
    options.fallback_timezone_option = FallbackTimezoneOption::UTC;
    let crontab = cronexpr::parse_crontab_with(&fields.join(" "), options).ok()?;
    let zone = match zone {
        [] => TimeZone::UTC,
        [zone] => DateTimeParser::new().parse_time_zone(zone).ok()?,
        _ => return None,
    };
    Some((crontab, zone))
}

/// Minutes after midnight.
///
/// # Errors
/// `Invalid` for what does not look like `03:00`.
pub fn minute_of_day(text: &str) -> Result<u32> {
    let time = text.trim().split_once(':').and_then(|(hours, minutes)| {
        Some((hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?))
    });
    match time {
        Some((hours @ 0..24, minutes @ 0..60)) => Ok(60 * hours + minutes),
        _ => Err(Error::invalid_field("at", "A time of day looks like 03:00.")),
    }
}

/// How the moments of a plan are told: `every 24 hours, from 03:00 UTC`, or the cron line.
pub fn shown(plan: &Plan) -> String {
    match plan.cron.as_str() {
        "" => {
            let (hours, minutes) = (plan.minute_of_day / 60, plan.minute_of_day % 60);
            format!("every {} hours, from {hours:02}:{minutes:02} UTC", plan.every_hours)
        }
        line => format!("by the cron line {line}"),
    }
}
