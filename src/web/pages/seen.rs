//! What a form showed of somebody's rights: who saves over what another has changed meanwhile is told
//! so, rather than undo it unknowingly.

use std::fmt;

use serde::Deserialize;

use crate::{
    error::{Error, Result},
    hash::Digest,
};

/// Tells two states apart. It goes along as the hidden field `seen`; a program may leave it out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Seen(String);

impl Seen {
    /// The state that these parts, in this order, make up.
    pub fn of<T: fmt::Display>(parts: impl IntoIterator<Item = T>) -> Self {
        let mut digest = Digest::new();
        for part in parts {
            digest.update(format!("{part}\n").as_bytes());
        }
        Seen(digest.finish().to_string())
    }

    /// # Errors
    /// `Conflict` when it is no longer so.
    pub fn require(&self, now: &Seen) -> Result<()> {
        if self.0.is_empty() || self == now {
            return Ok(());
        }
        Err(Error::conflict(
            "Somebody changed this in the meantime. Nothing of yours is saved yet.",
        ))
    }
}

/// A field that somebody else has changed meanwhile. The form shows it beside what was typed, with the
/// mark of their state: who saves then has seen both.
#[derive(Clone, Debug)]
pub struct Difference {
    pub label: &'static str,
    pub stored: String,
    pub own: String,
}

impl Difference {
    /// Of these fields, as they are stored and as they were typed.
    pub fn among(fields: impl IntoIterator<Item = (&'static str, String, String)>) -> Vec<Self> {
        fields
            .into_iter()
            .filter(|(_, stored, own)| stored != own)
            .map(|(label, stored, own)| Difference { label, stored, own })
            .collect()
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
