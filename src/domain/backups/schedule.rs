//! When the next backup is due: every so many hours from a time of day on, or by a cron line.

use cronexpr::{Crontab, FallbackTimezoneOption, MakeTimestamp, ParseOptions};
use jiff::Timestamp;

use super::Plan;
use crate::error::{Error, Result};

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
/// as `Europe/Berlin` follows them.
///
/// # Errors
/// `Invalid` for what is no such line, and for a day that does not come.
pub(super) fn next_of(line: &str, now: Timestamp) -> Result<Timestamp> {
    let next = crontab(line)?.find_next(MakeTimestamp(now)).map_err(|_| {
        Error::invalid_field("cron", "This cron line names a day that does not come.")
    })?;
    Ok(next.timestamp())
}

fn crontab(line: &str) -> Result<Crontab> {
    let mut options = ParseOptions::default();
    options.fallback_timezone_option = FallbackTimezoneOption::UTC;
    cronexpr::parse_crontab_with(line, options).map_err(|_| {
        Error::invalid_field(
            "cron",
            "This is no cron line. One looks like 30 2 * * 1-5: minute, hour, day of the month, \
             month, day of the week, and perhaps a time zone.",
        )
    })
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
