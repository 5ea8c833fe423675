//! The time, in milliseconds, from a clock that a test can set.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};

/// Where the time comes from. One is made in `main` (or by a test) and handed on; nothing else
/// reads the system's clock, except to measure how long something took.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Milliseconds since the Unix epoch when a test holds the hands; the system's time when not.
    held_ms: Option<Arc<AtomicI64>>,
}

impl Clock {
    pub fn system() -> Self {
        Clock { held_ms: None }
    }

    /// A clock that stands still until it is told to move.
    pub fn held(at: Timestamp) -> Self {
        Clock { held_ms: Some(Arc::new(AtomicI64::new(at.as_millisecond()))) }
    }

    /// The current time, cut to whole milliseconds: what records and keys store.
    #[expect(clippy::disallowed_methods, reason = "everybody else asks here")]
    pub fn now(&self) -> Timestamp {
        let now_ms = match &self.held_ms {
            Some(held_ms) => held_ms.load(Ordering::SeqCst),
            None => Timestamp::now().as_millisecond(),
        };
        Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Moves a held clock forward.
    ///
    /// # Panics
    /// If this clock shows the system's time.
    pub fn advance(&self, by: SignedDuration) {
        let held_ms = self.held_ms.as_ref().expect("only a held clock can be moved");
        held_ms.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
    }
}
