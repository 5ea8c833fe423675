//! Passwords: what is accepted, and how they are kept.
//!
//! Argon2id with 19 MiB, two passes and one lane: the first choice of the OWASP Password Storage
//! Cheat Sheet. Hashing takes some 20 ms of a core: do it before a transaction, never inside.

use anyhow::anyhow;
use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash as PhcHash,
};
use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};

use super::text;
use crate::error::{Error, Result};

const CHARS_MIN: usize = 8;
/// Longer ones would only make hashing slow.
const BYTES_MAX: usize = 1_000;

/// Long enough for the rule and still the first that anybody would try.
const COMMON: [&str; 12] = [
    "password",
    "passwort",
    "12345678",
    "123456789",
    "1234567890",
    "87654321",
    "qwertyui",
    "qwertyuiop",
    "asdfghjkl",
    "abcdefgh",
    "iloveyou",
    "administrator",
];

/// A password hash in the PHC string format.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// # Errors
/// `Invalid` with the rule that a new password breaks. `names` are what it must not repeat.
pub fn accept(password: &str, names: &[&str]) -> Result<()> {
    let refuse = |message: &str| Err(Error::invalid_field("password", message));
    if password.chars().count() < CHARS_MIN {
        return refuse(
            "The password needs at least 8 characters. Three or four words make a good one.",
        );
    }
    if password.len() > BYTES_MAX {
        return refuse("The password is too long: at most 1,000 characters are possible.");
    }
    let folded = text::fold(password);
    let first = folded.chars().next();
    if COMMON.contains(&folded.as_str()) || folded.chars().all(|c| Some(c) == first) {
        return refuse("This password is among the first that anybody would try. Choose another.");
    }
    if names.iter().any(|name| text::fold(name) == folded) {
        return refuse("The password must differ from the username and the e-mail address.");
    }
    Ok(())
}

/// A password that nobody guesses and that can be typed: four groups of five, without letters that
/// look like others; 97 bits.
pub fn generate() -> Result<String> {
    const LETTERS: &[u8; 29] = b"abcdefghjkmnpqrstuvwxyz234579";
    let mut groups = [[0; 5]; 4];
    for letter in groups.as_flattened_mut() {
        *letter = loop {
            let mut byte = [0];
            rand::fill(&mut byte).map_err(|_| anyhow!("the system gives no random bytes"))?;
            // The rest of the byte's values would make the first letters more likely.
            if usize::from(byte[0]) < 256 / LETTERS.len() * LETTERS.len() {
                break LETTERS[usize::from(byte[0]) % LETTERS.len()];
            }
        };
    }
    let groups = groups.map(|group| String::from_utf8_lossy(&group).into_owned());
    Ok(groups.join("-"))
}

pub fn hash(password: &str) -> Result<PasswordHash> {
    let hash = hasher()?
        .hash_password(password.as_bytes())
        .map_err(|fault| anyhow!("hashing a password: {fault}"))?;
    Ok(PasswordHash(hash.to_string()))
}

/// Compares in constant time. With `None`, for somebody who does not exist, it takes just as long
/// and says no.
pub fn verify(password: &str, expected: Option<&PasswordHash>) -> Result<bool> {
    let Some(PasswordHash(expected)) = expected else {
        hash(password)?;
        return Ok(false);
    };
    let expected =
        PhcHash::new(expected).map_err(|fault| anyhow!("reading a password hash: {fault}"))?;
    Ok(hasher()?.verify_password(password.as_bytes(), &expected).is_ok())
}

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(19 * 1024, 2, 1, None)
        .map_err(|fault| anyhow!("setting up password hashing: {fault}"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_passes() {
        let kept = hash("correct horse").unwrap();
        assert!(verify("correct horse", Some(&kept)).unwrap());
        assert!(!verify("correct horsE", Some(&kept)).unwrap());
        assert!(!verify("correct horse", None).unwrap());
    }

    #[test]
    fn a_password_that_anybody_would_try_is_refused() {
        for weak in ["short", "12345678", "Password", "aaaaaaaaaa", "ann@example.com"] {
            assert!(accept(weak, &["ann", "ann@example.com"]).is_err(), "{weak}");
        }
        assert!(accept("tall green kettle", &["ann"]).is_ok());
    }
}
