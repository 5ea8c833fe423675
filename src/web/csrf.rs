//! Tokens that prove that a form comes from one of our pages (OWASP: "Cross-Site Request Forgery
//! Prevention"). Bound to the session, and masked anew on every page, so that compression tells
//! nothing about them (BREACH).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

use crate::{domain::sessions::Session, hash::Digest};

const BYTES: usize = 32;

/// The token for a page that is shown in this session.
pub fn token(session: &Session) -> String {
    let own = own(session);
    // Uniqueness is enough for a mask, and a random UUID has it.
    let mask = Digest::of(uuid::Uuid::new_v4().as_bytes()).0;
    let masked: Vec<u8> = own.iter().zip(&mask).map(|(own, mask)| own ^ mask).collect();
    URL_SAFE_NO_PAD.encode([mask.as_slice(), &masked].concat())
}

pub fn matches(session: &Session, token: &str) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
    if bytes.len() != 2 * BYTES {
        return false;
    }
    let (mask, masked) = bytes.split_at(BYTES);
    let unmasked: Vec<u8> = mask.iter().zip(masked).map(|(mask, masked)| mask ^ masked).collect();
    unmasked.ct_eq(&own(session)).into()
}

/// Derived from the hash of the session's secret, which never leaves the store.
fn own(session: &Session) -> [u8; BYTES] {
    let secret = session.secret.as_ref().map(|secret| secret.key().0).unwrap_or_default();
    let mut digest = Digest::new();
    digest.update(b"csrf");
    digest.update(&secret);
    digest.finish().0
}
