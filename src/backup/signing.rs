//! Who made a backup: manifests and segments are signed (Ed25519, RFC 8032) by the portal that writes
//! them. A manifest names everything else by its hash, so a signature of it stands for all records and
//! files. What encrypts a repository is public; what signs is not, so its owner can neither add to it
//! nor exchange anything unnoticed.

use std::{fmt, sync::Arc};

use anyhow::anyhow;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use super::{Fault, Key};
use crate::error::{Error, Result};

const KEY_BYTES: usize = 32;

/// In front of what is signed, so that a signature is good for nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Manifest,
    Segment,
}

impl Purpose {
    fn text(self) -> &'static [u8] {
        match self {
            Purpose::Manifest => b"Appliance backup manifest\n",
            Purpose::Segment => b"Appliance backup segment\n",
        }
    }
}

/// The secret key of a portal.
#[derive(Clone)]
pub struct Signer(Arc<Ed25519KeyPair>);

impl Signer {
    pub fn generate() -> Result<Self> {
        let pair = Ed25519KeyPair::generate().map_err(|_| anyhow!("no key could be made"))?;
        Ok(Signer(Arc::new(pair)))
    }

    /// One line of text (PKCS#8 in Base64), to be kept secret.
    pub fn to_text(&self) -> Result<String> {
        let document = self.0.to_pkcs8().map_err(|_| anyhow!("the key cannot be written"))?;
        Ok(BASE64_STANDARD.encode(document.as_ref()))
    }

    pub fn from_text(text: &str) -> Result<Self> {
        let damaged = || Error::Internal(anyhow!("the key that signs backups is damaged"));
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| damaged())?;
        let pair = Ed25519KeyPair::from_pkcs8(&bytes).map_err(|_| damaged())?;
        Ok(Signer(Arc::new(pair)))
    }

    pub fn public(&self) -> SignerKey {
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(self.0.public_key().as_ref());
        SignerKey(key)
    }

    pub(super) fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature {
        let signature = self.0.sign(&[purpose.text(), message].concat());
        Signature { key: self.public(), signature: BASE64_STANDARD.encode(signature.as_ref()) }
    }
}

/// By which a portal's signatures are checked: 32 bytes, written in Base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SignerKey([u8; KEY_BYTES]);

impl fmt::Display for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl std::str::FromStr for SignerKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bytes = BASE64_STANDARD.decode(text.trim()).ok();
        let key = bytes.and_then(|bytes| bytes.try_into().ok()).map(SignerKey);
        key.ok_or_else(|| {
            Error::invalid("This is no key of a signer; “appliance backup signer” prints one.")
        })
    }
}

impl TryFrom<String> for SignerKey {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<SignerKey> for String {
    fn from(key: SignerKey) -> Self {
        key.to_string()
    }
}

/// As it stands in what is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    key: SignerKey,
    signature: String,
}

impl Signature {
    /// Who signed the message.
    ///
    /// # Errors
    /// [`Fault::Forged`] when this is no signature of it.
    pub(super) fn signer(&self, purpose: Purpose, message: &[u8]) -> Result<SignerKey, Fault> {
        let signature = BASE64_STANDARD.decode(&self.signature).map_err(|_| Fault::Forged)?;
        let message = [purpose.text(), message].concat();
        let key = UnparsedPublicKey::new(&ED25519, &self.key.0);
        key.verify(&message, &signature).map_err(|_| Fault::Forged)?;
        Ok(self.key)
    }
}

/// Whose backups are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signers {
    /// Anybody's, for who knows no key.
    #[default]
    Any,
    /// One's own, and those that are older than one's signatures.
    Own(SignerKey),
    /// This one's and no other's.
    Only(SignerKey),
}

impl Signers {
    pub fn key(&self) -> Option<SignerKey> {
        match self {
            Signers::Any => None,
            Signers::Own(key) | Signers::Only(key) => Some(*key),
        }
    }

    /// What is to be said about a backup that was signed by `found`; a sentence.
    ///
    /// # Errors
    /// `Invalid` when it is not to be taken.
    pub fn judge(&self, found: Option<SignerKey>) -> Result<Option<String>> {
        match (self, found) {
            (Signers::Only(wanted), found) if found != Some(*wanted) => {
                Err(Error::invalid(format!(
                    "This backup is not signed by {wanted}{}. Nothing was changed.",
                    found.map_or(String::new(), |other| format!(", but by {other}"))
                )))
            }
            (Signers::Own(own), Some(other)) if other != *own => Ok(Some(format!(
                "This backup is not signed by this portal, but by {other}: it is another portal's, or \
                 somebody has put it there."
            ))),
            (_, None) => Ok(Some(
                "This backup is not signed: a version before signatures made it, or somebody else \
                 has made or changed it. Nobody can tell."
                    .into(),
            )),
            (_, Some(_)) => Ok(None),
        }
    }
}

/// What opens backups, and whose are taken.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    pub key: Key,
    pub signers: Signers,
}

impl From<&Key> for Trust {
    fn from(key: &Key) -> Self {
        Trust { key: key.clone(), signers: Signers::Any }
    }
}
