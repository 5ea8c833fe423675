//! Secrets that are shown once: the page that made one redirects, and the page that it leads to shows
//! it, so that loading that page again neither makes another nor shows this one again.

use std::time::Duration;

use moka::sync::Cache;

use crate::{
    domain::{sessions::Session, users::User},
    id::Id,
};

/// How long a secret waits for its page.
const KEPT: Duration = Duration::from_secs(60);
const KEPT_MAX: u64 = 1_000;

/// Whose secret, in which session, on which page.
pub type Place = (Id<User>, Option<Id<Session>>, String);

/// What is shown once. Kept in memory alone, for a minute.
pub struct ShownOnce {
    secrets: Cache<Place, String>,
}

impl ShownOnce {
    pub(super) fn new() -> Self {
        let secrets = Cache::builder().max_capacity(KEPT_MAX).time_to_live(KEPT).build();
        ShownOnce { secrets }
    }

    pub fn leave(&self, place: Place, secret: String) {
        self.secrets.insert(place, secret);
    }

    /// The secret that was left here; the second time there is none.
    pub fn take(&self, place: &Place) -> Option<String> {
        self.secrets.remove(place)
    }
}
