//! Secrets that prove something to us: session cookies, API tokens, setup links. Only their
//! SHA-256 is ever stored: they are random, so a slow hash would add nothing.

use std::fmt;

use anyhow::anyhow;
use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{
    error::Result,
    hash::{ContentHash, Digest},
};

/// 256 random bits in 43 characters that need no escaping in a URL or a cookie.
pub struct Secret(String);

impl Secret {
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| anyhow!("the system gives no random bytes"))?;
        Ok(Secret(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The secret itself, to be shown or sent once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is kept of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(ContentHash);

impl SecretHash {
    pub fn of(secret: &str) -> Self {
        SecretHash(Digest::of(secret.as_bytes()))
    }

    /// Compares in constant time.
    pub fn matches(&self, secret: &str) -> bool {
        SecretHash::of(secret).0.0.ct_eq(&self.0.0).into()
    }

    /// For an index: who knows the hash still does not know the secret.
    pub fn key(&self) -> ContentHash {
        self.0
    }
}
