//! A place in a list, as text for an address: the key of the last row, which means nothing to anybody
//! else.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::Key;
use crate::error::{Error, Result};

/// The text from which [`decode`] makes the same place.
pub fn encode(place: &impl Key) -> String {
    URL_SAFE_NO_PAD.encode(place.to_bytes())
}

/// # Errors
/// [`Error::Invalid`] for a text that did not come from [`encode`] with a key of this type.
pub fn decode<K: Key>(cursor: &str) -> Result<K> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    bytes.and_then(|bytes| K::from_bytes(&bytes)).ok_or_else(Error::no_such_page)
}
