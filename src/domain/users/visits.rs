//! When somebody was here: what came while they were away is new to them.

use anyhow::anyhow;
use jiff::{SignedDuration, Timestamp};

use super::User;
use crate::{
    error::{Error, Result},
    id::Id,
    store::WriteTx,
};

/// Who does nothing for so long has gone; what they do next begins another visit.
const GONE_AFTER: SignedDuration = SignedDuration::from_hours(4);

impl User {
    /// When the visit before the present one ended, to within five minutes; `None` on the first.
    pub fn away_since(&self, now: Timestamp) -> Option<Timestamp> {
        match self.seen_at {
            // The present visit is not noted yet.
            Some(seen) if now.duration_since(seen) >= GONE_AFTER => Some(seen),
            _ => self.left_at,
        }
    }
}

/// Notes that somebody signed in. In a browser that begins a visit; a program makes none.
pub fn note_sign_in(tx: &mut WriteTx, id: Id<User>, is_visit: bool) -> Result<()> {
    tx.draw_on_reserve();
    let mut user: User = tx.get(&id)?.ok_or_else(|| {
        Error::Internal(anyhow!("user {id} vanished between the password check and the session"))
    })?;
    if is_visit {
        user.left_at = user.seen_at.or(user.signed_in_at);
        user.seen_at = Some(tx.now());
    }
    user.signed_in_at = Some(tx.now());
    tx.put(&user)
}

/// Notes that somebody is here; whose account is gone by now needs no note.
pub fn note_visit(tx: &mut WriteTx, id: Id<User>) -> Result<()> {
    tx.draw_on_reserve();
    let Some(mut user) = tx.get::<User>(&id)? else { return Ok(()) };
    user.left_at = user.away_since(tx.now());
    user.seen_at = Some(tx.now());
    tx.put(&user)
}
