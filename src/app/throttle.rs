//! How often a password may be guessed: failures are counted for the account and for the address
//! they came from, and each further one makes the next wait longer.

use std::{net::IpAddr, time::Duration};

use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;

use crate::{
    clock::Clock,
    domain::text,
    error::{Error, Result},
};

/// Failures are forgotten this long after the last one.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);
const FAILURES_FREE_FOR_ACCOUNT: u32 = 5;
/// More, since a whole office may share an address.
const FAILURES_FREE_FOR_ADDRESS: u32 = 30;
/// Who guesses with a new name each time must not fill the memory.
const REMEMBERED_MAX: u64 = 100_000;

pub(super) struct Throttle {
    clock: Clock,
    failures: Cache<String, Failures>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Throttle {
    pub fn new(clock: Clock) -> Self {
        let failures =
            Cache::builder().max_capacity(REMEMBERED_MAX).time_to_idle(REMEMBERED).build();
        Throttle { clock, failures }
    }

    /// # Errors
    /// `TooMany` with the time to wait when this account or address has failed too often.
    pub fn check(&self, login: &str, address: Option<IpAddr>) -> Result<()> {
        let account = self.wait(&account_key(login), FAILURES_FREE_FOR_ACCOUNT);
        let origin =
            address.map(|address| self.wait(&address_key(address), FAILURES_FREE_FOR_ADDRESS));
        let wait_s = account.max(origin.unwrap_or(0));
        if wait_s == 0 {
            return Ok(());
        }
        Err(Error::TooMany {
            message: format!("Too many failed sign-ins. Try again in {}.", human(wait_s)),
            retry_after_s: wait_s,
        })
    }

    pub fn note_failure(&self, login: &str, address: Option<IpAddr>) {
        self.count(account_key(login));
        if let Some(address) = address {
            self.count(address_key(address));
        }
    }

    /// The right password ends the account's wait. The address keeps its count: else one known
    /// account would be a licence to guess all others.
    pub fn note_success(&self, login: &str) {
        self.failures.invalidate(&account_key(login));
    }

    fn count(&self, key: String) {
        let last = self.clock.now();
        self.failures.entry(key).and_upsert_with(|known| match known {
            Some(known) => Failures { count: known.value().count.saturating_add(1), last },
            None => Failures { count: 1, last },
        });
    }

    /// Seconds until the next try is allowed.
    fn wait(&self, key: &str, free: u32) -> u64 {
        let Some(failures) = self.failures.get(key) else { return 0 };
        let Some(above) = failures.count.checked_sub(free) else { return 0 };
        let pause =
            SignedDuration::from_secs(15 << above.min(6)).min(SignedDuration::from_mins(15));
        let remaining = failures.last + pause;
        remaining.duration_since(self.clock.now()).as_secs().max(0) as u64
    }
}

fn account_key(login: &str) -> String {
    let login: String = login.trim().chars().take(300).collect();
    format!("account {}", text::fold(&login))
}

/// A whole IPv6 network counts as one: its owner has all of its addresses.
fn address_key(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("address {address}"),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("address {a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}

fn human(seconds: u64) -> String {
    match seconds {
        0..=1 => "a second".into(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}
