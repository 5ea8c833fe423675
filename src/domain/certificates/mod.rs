//! Certificates for HTTPS: the one of each domain with its key, when it is renewed, and why that
//! failed. They are records, so they are in every backup; a key leaves this module only on its way
//! into a TLS connection.

mod attempts;
mod standing;

use std::{fmt, path::PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    attempts::{begin_attempt, move_renewal, note_failure, note_issued, try_now, try_soon},
    standing::{Standing, standing},
};
use crate::{
    config::ChallengeChoice,
    error::Result,
    store::{ReadTx, Record, Table, WriteTx},
};

/// A secret in PEM or JSON that is stored as it is and shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    pub fn new(text: impl Into<String>) -> Self {
        Hidden(text.into())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// The portal's account at an ACME server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AcmeAccount {
    /// The address of the server's directory.
    pub directory: String,
    pub email: String,
    /// With its key; what the client library reads again.
    pub credentials: Hidden,
    pub created_at: Timestamp,
}

impl Record for AcmeAccount {
    const TABLE: Table = Table { number: 30, name: "acme_accounts" };

    type Key = String;

    fn key(&self) -> Self::Key {
        self.directory.clone()
    }
}

/// A certificate and its key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Issued {
    /// The certificate and those up to the authority, in PEM.
    pub chain: String,
    pub key: Hidden,
    /// The directory it came from.
    pub directory: String,
    /// The name of who signed it.
    pub issuer: String,
    pub valid_from: Timestamp,
    pub valid_until: Timestamp,
}

/// How a domain stands: its certificate once there is one, and what comes next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Certificate {
    pub domain: String,
    #[serde(default)]
    pub issued: Option<Issued>,
    /// When it is fetched or renewed; at once when that is past.
    pub next_attempt_at: Timestamp,
    /// Until when the authority wants to hear nothing after the last failure.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    #[serde(default)]
    pub attempted_at: Option<Timestamp>,
    #[serde(default)]
    pub attempted_with: Option<Terms>,
    /// In a row.
    #[serde(default)]
    pub failures: u32,
    #[serde(default)]
    pub fault: Option<Fault>,
    /// The challenge that was passed last, as ACME names it.
    #[serde(default)]
    pub challenge: Option<String>,
}

/// What an attempt is made with. What failed on other terms says nothing about these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub directory: String,
    pub email: String,
    pub challenge: ChallengeChoice,
    pub ca_file: PathBuf,
}

/// Why there is no new certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub at: Timestamp,
    /// A sentence.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl Record for Certificate {
    const TABLE: Table = Table { number: 31, name: "certificates" };

    type Key = String;

    fn key(&self) -> Self::Key {
        self.domain.clone()
    }
}

/// What is shown for itself while there is nothing better.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SelfSigned {
    pub names: Vec<String>,
    pub chain: String,
    pub key: Hidden,
    pub valid_until: Timestamp,
}

impl Record for SelfSigned {
    const TABLE: Table = Table { number: 32, name: "self_signed_certificate" };

    type Key = ();

    fn key(&self) -> Self::Key {}
}

pub fn account(tx: &ReadTx, directory: &str) -> Result<Option<AcmeAccount>> {
    tx.get(&directory.to_owned())
}

pub fn keep_account(
    tx: &mut WriteTx,
    directory: &str,
    email: &str,
    credentials: Hidden,
) -> Result<()> {
    tx.draw_on_reserve();
    let created_at = tx.now();
    let (directory, email) = (directory.to_owned(), email.to_owned());
    tx.put(&AcmeAccount { directory, email, credentials, created_at })
}

/// For when the server knows it no longer.
pub fn forget_account(tx: &mut WriteTx, directory: &str) -> Result<()> {
    tx.draw_on_reserve();
    tx.remove::<AcmeAccount>(&directory.to_owned()).map(drop)
}

pub fn self_signed(tx: &ReadTx) -> Result<Option<SelfSigned>> {
    tx.get(&())
}

pub fn keep_self_signed(tx: &mut WriteTx, certificate: &SelfSigned) -> Result<()> {
    tx.draw_on_reserve();
    tx.put(certificate)
}

/// What is known of a domain; one that is new is due at once.
pub fn of_domain(tx: &ReadTx, domain: &str) -> Result<Certificate> {
    Ok(tx.get(&domain.to_owned())?.unwrap_or_else(|| Certificate {
        domain: domain.to_owned(),
        issued: None,
        next_attempt_at: tx.now(),
        not_before: None,
        attempted_at: None,
        attempted_with: None,
        failures: 0,
        fault: None,
        challenge: None,
    }))
}

/// Those of these domains, in their order.
pub fn of_domains(tx: &ReadTx, domains: &[String]) -> Result<Vec<Certificate>> {
    domains.iter().map(|domain| of_domain(tx, domain)).collect()
}

impl Certificate {
    /// The certificate, if it is from this directory and has not run out: one of a staging directory
    /// is none for production.
    pub fn usable(&self, directory: &str, now: Timestamp) -> Option<&Issued> {
        self.issued
            .as_ref()
            .filter(|issued| issued.directory == directory && now < issued.valid_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_no_debug_output() {
        assert!(!format!("{:?}", Hidden::new("secret")).contains("secret"));
    }
}
