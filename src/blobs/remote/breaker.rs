//! The breaker: when S3 is out of order, whoever asks is told so at once instead of waiting for a
//! timeout, and S3 is left alone but for one probe now and then.
//!
//! ```text
//! closed ──a request fails──▶ open ──the pause is over──▶ a probe ──it succeeds──▶ closed
//!                              ▲                             │
//!                              └──── a longer pause ◀────────┘ it fails
//! ```

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::Clock;

/// The first pause; each further one is twice as long, up to the given longest.
const PAUSE_MIN: Duration = Duration::from_millis(500);

pub(in crate::blobs) struct Breaker {
    clock: Clock,
    pause_max: Duration,
    state: Mutex<State>,
    is_closed: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// `None` while it is closed.
    trouble: Option<Trouble>,
    /// Counts openings: what a request began under an earlier one says nothing about now.
    epoch: u64,
    last_error: Option<LastError>,
}

struct Trouble {
    since: Timestamp,
    failures: u32,
    probe_at: Instant,
}

/// What went wrong last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    pub at: Timestamp,
    /// For the operator.
    pub message: String,
}

/// A breaker as the administrator sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BreakerStatus {
    /// Since when nothing gets through; `None` when all is well.
    pub open_since: Option<Timestamp>,
    pub last_error: Option<LastError>,
}

/// The permission for one request.
#[derive(Clone, Copy)]
pub(in crate::blobs) struct Pass {
    epoch: u64,
}

/// It is open: ask again after so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::blobs) struct IsOpen {
    pub retry_after_s: u64,
}

impl Breaker {
    pub fn new(clock: Clock, pause_max: Duration) -> Self {
        let (is_closed, _) = watch::channel(true);
        Breaker { clock, pause_max, state: Mutex::default(), is_closed }
    }

    pub fn admit(&self) -> Result<Pass, IsOpen> {
        let state = self.state();
        match &state.trouble {
            None => Ok(Pass { epoch: state.epoch }),
            Some(trouble) => Err(IsOpen {
                retry_after_s: trouble.probe_at.saturating_duration_since(Instant::now()).as_secs()
                    + 1,
            }),
        }
    }

    /// A request failed in a way that others will fail too. `true` when this opened the breaker:
    /// the caller then sees to it that somebody probes.
    pub fn failed(&self, pass: Pass, message: String) -> bool {
        let now = self.clock.now();
        let mut state = self.state();
        if state.trouble.is_some() || state.epoch != pass.epoch {
            return false;
        }
        state.last_error = Some(LastError { at: now, message });
        state.epoch += 1;
        let probe_at = Instant::now() + self.pause(1);
        state.trouble = Some(Trouble { since: now, failures: 1, probe_at });
        self.is_closed.send_replace(false);
        true
    }

    pub fn is_open(&self) -> bool {
        self.state().trouble.is_some()
    }

    /// When to probe next; `None` when it is closed.
    pub fn probe_at(&self) -> Option<Instant> {
        self.state().trouble.as_ref().map(|trouble| trouble.probe_at)
    }

    /// Since when it was open, if it was.
    pub fn probe_succeeded(&self) -> Option<Timestamp> {
        let trouble = self.state().trouble.take();
        self.is_closed.send_replace(true);
        trouble.map(|trouble| trouble.since)
    }

    pub fn probe_failed(&self, message: String) {
        let now = self.clock.now();
        let mut state = self.state();
        state.last_error = Some(LastError { at: now, message });
        if let Some(trouble) = &mut state.trouble {
            trouble.failures = trouble.failures.saturating_add(1);
            trouble.probe_at = Instant::now() + self.pause(trouble.failures);
        }
    }

    /// Ends as soon as requests do not get through.
    pub async fn opens(&self) {
        // The other end is ours, so there is always something to wait for.
        drop(self.watch().wait_for(|is_closed| !is_closed).await);
    }

    /// Shows `true` while requests get through.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.is_closed.subscribe()
    }

    pub fn status(&self) -> BreakerStatus {
        let state = self.state();
        BreakerStatus {
            open_since: state.trouble.as_ref().map(|trouble| trouble.since),
            last_error: state.last_error.clone(),
        }
    }

    /// Between half and all of it, so that many servers do not come back in the same moment.
    fn pause(&self, failures: u32) -> Duration {
        let doubled = PAUSE_MIN.saturating_mul(1 << (failures - 1).min(16));
        let chance = f64::from(Uuid::new_v4().as_u128() as u32) / f64::from(u32::MAX);
        doubled.min(self.pause_max).mul_f64(0.5 + chance / 2.0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole in itself, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(Clock::system(), Duration::from_secs(30))
    }

    #[test]
    fn it_opens_once_and_only_a_probe_closes_it() {
        let breaker = breaker();
        let passes = [breaker.admit().ok(), breaker.admit().ok()].map(|pass| pass.expect("closed"));
        assert!(breaker.failed(passes[0], "refused".into()));
        assert!(!breaker.failed(passes[1], "refused too".into()), "it is open already");
        assert!(breaker.admit().is_err());
        assert!(!*breaker.watch().borrow());
        assert_eq!(breaker.status().last_error.expect("an error").message, "refused");
        assert!(breaker.probe_succeeded().is_some());
        assert!(breaker.admit().is_ok());
        assert!(!breaker.failed(passes[1], "late".into()), "that was before the outage");
        assert_eq!(breaker.status().open_since, None);
        assert!(breaker.status().last_error.is_some(), "what went wrong is kept to be seen");
    }

    #[test]
    fn pauses_grow_to_half_a_minute_and_differ() {
        let breaker = breaker();
        let pauses: Vec<Duration> = (1..40).map(|failures| breaker.pause(failures)).collect();
        assert!(pauses[0] >= PAUSE_MIN / 2 && pauses[0] <= PAUSE_MIN);
        assert!(pauses[10..].iter().all(|pause| (15..=30).contains(&pause.as_secs())));
        assert!(pauses[10..].windows(2).any(|two| two[0] != two[1]));
    }
}
