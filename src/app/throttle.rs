//! How often a password may be guessed: failures are counted for the account and for the address
//! they came from, and each further one makes the next wait longer.
//!
//! An attempt counts before its password is checked, and is taken back when it was right: many
//! guesses at the same time are many guesses.

use std::{net::IpAddr, time::Duration};

use jiff::{SignedDuration, Timestamp};
use moka::{ops::compute::Op, sync::Cache};

use crate::{
    clock::Clock,
    domain::{text, users::User},
    error::{Error, Result},
    id::Id,
};

/// Failures are forgotten this long after the last one.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);
/// From where somebody has signed in they are not locked out by others for so long.
const FAMILIAR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Who guesses with a new name each time must not fill the memory.
const REMEMBERED_MAX: u64 = 100_000;

/// What is allowed without a wait.
#[derive(Clone, Copy)]
struct Limit {
    failures: u32,
    together: u32,
}

const FOR_ACCOUNT: Limit = Limit { failures: 5, together: 5 };
/// More, since a whole office may share an address.
const FOR_ADDRESS: Limit = Limit { failures: 30, together: 10 };
const NONE: Limit = Limit { failures: u32::MAX, together: u32::MAX };

/// What is guessed at.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Account(Id<User>),
    /// A name that nobody has: it has to wait like one that somebody has.
    Name(String),
    /// The current password of who is signed in already. It has a count of its own, so that nobody
    /// else can keep them from changing it.
    Confirmation(Id<User>),
}

pub(super) struct Throttle {
    clock: Clock,
    tallies: Cache<String, Tally>,
    /// The accounts that have signed in, each with its address. In memory: a restart forgets the
    /// failures too.
    familiar: Cache<String, ()>,
}

#[derive(Clone, Copy)]
struct Tally {
    failures: u32,
    /// Attempts that are being checked.
    pending: u32,
    /// When the last failure was.
    last: Timestamp,
}

/// An attempt that counts as a failure unless it [succeeds](Attempt::succeed).
pub(super) struct Attempt<'a> {
    throttle: &'a Throttle,
    keys: Vec<String>,
    familiar: Option<String>,
    is_right: bool,
}

impl Throttle {
    pub fn new(clock: Clock) -> Self {
        let remembered = Cache::builder().max_capacity(REMEMBERED_MAX);
        let familiar = Cache::builder().max_capacity(REMEMBERED_MAX);
        Throttle {
            clock,
            tallies: remembered.time_to_live(REMEMBERED).build(),
            familiar: familiar.time_to_live(FAMILIAR).build(),
        }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// `TooMany` with the time to wait when this account or address has failed too often, or is
    /// trying too much at once.
    pub fn attempt(&self, target: &Target, address: Option<IpAddr>) -> Result<Attempt<'_>> {
        let account = target.key();
        let address = address.map(network);
        let familiar = address.as_ref().map(|address| format!("{account} from {address}"));
        let is_familiar =
            familiar.as_ref().is_some_and(|familiar| self.familiar.contains_key(familiar));
        let for_account = if is_familiar { NONE } else { FOR_ACCOUNT };
        let mut attempt = Attempt { throttle: self, keys: Vec::new(), familiar, is_right: false };
        let of_address = address.map(|address| (format!("address {address}"), FOR_ADDRESS));
        for (key, limit) in of_address.into_iter().chain([(account, for_account)]) {
            if let Err(refused) = self.enter(&key, limit) {
                attempt.take_back();
                return Err(refused);
            }
            attempt.keys.push(key);
        }
        Ok(attempt)
    }

    fn enter(&self, key: &str, limit: Limit) -> Result<()> {
        let now = self.clock.now();
        let mut wait_s = 0;
        self.tallies.entry_by_ref(key).and_compute_with(|known| {
            let known = known.map(|known| known.into_value());
            let mut tally = known.unwrap_or(Tally { failures: 0, pending: 0, last: now });
            wait_s = tally.wait_s(limit, now);
            if wait_s > 0 {
                return Op::Nop;
            }
            tally.pending += 1;
            Op::Put(tally)
        });
        match wait_s {
            0 => Ok(()),
            _ => Err(Error::TooMany {
                message: format!("Too many failed sign-ins. Try again in {}.", human(wait_s)),
                retry_after_s: wait_s,
            }),
        }
    }

    fn leave(&self, key: &str, is_failure: bool) {
        let now = self.clock.now();
        self.tallies.entry_by_ref(key).and_compute_with(|known| {
            let known = known.map(|known| known.into_value());
            let mut tally = known.unwrap_or(Tally { failures: 0, pending: 1, last: now });
            tally.pending = tally.pending.saturating_sub(1);
            if is_failure {
                tally.failures = tally.failures.saturating_add(1);
                tally.last = now;
            }
            match (tally.failures, tally.pending) {
                (0, 0) => Op::Remove,
                _ => Op::Put(tally),
            }
        });
    }
}

impl Attempt<'_> {
    /// The password was right. What failed before still counts, for the account as for the address:
    /// else each sign-in of its owner, or one known account, would be a licence to guess on. The
    /// owner does not wait for it where they have signed in now.
    pub fn succeed(mut self) {
        self.is_right = true;
        if let Some(familiar) = self.familiar.take() {
            self.throttle.familiar.insert(familiar, ());
        }
    }

    /// Nothing was learned by it.
    pub fn take_back(mut self) {
        self.is_right = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        for key in &self.keys {
            self.throttle.leave(key, !self.is_right);
        }
    }
}

impl Tally {
    /// Seconds until the next try is allowed.
    fn wait_s(&self, limit: Limit, now: Timestamp) -> u64 {
        let remaining = match self.failures.checked_sub(limit.failures) {
            None => 0,
            Some(above) => {
                let pause = SignedDuration::from_secs(15 << above.min(6));
                let pause = pause.min(SignedDuration::from_mins(15));
                (self.last + pause).duration_since(now).as_secs().max(0) as u64
            }
        };
        // With the allowance used up, one at a time.
        let together = limit.failures.saturating_sub(self.failures).clamp(1, limit.together);
        let is_busy = self.pending >= together;
        remaining.max(u64::from(is_busy))
    }
}

impl Target {
    fn key(&self) -> String {
        match self {
            Target::Account(id) => format!("account {id}"),
            Target::Name(login) => {
                let login: String = login.trim().chars().take(300).collect();
                format!("name {}", text::fold(&login))
            }
            Target::Confirmation(id) => format!("confirmation {id}"),
        }
    }
}

/// A whole IPv6 network counts as one: its owner has all of its addresses.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
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
