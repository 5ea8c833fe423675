//! Certificates for HTTPS: the one of each domain with its key, when it is renewed, and why that
//! failed. They are records, so they are in every backup; a key leaves this module only on its way
//! into a TLS connection.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::access::{Action, Actor, decide};
use crate::{
    error::{Error, Result},
    store::{ReadTx, Record, Table, WriteTx},
};

/// After a failure, and after each one that follows it. Let's Encrypt lets five proofs of a name
/// fail in an hour, and one attempt makes up to two.
const WAITS: [SignedDuration; 6] = [
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(3),
    SignedDuration::from_hours(6),
    SignedDuration::from_hours(12),
];
/// "Try now" may be pressed again after this time: whoever presses on has the domain locked out.
const PATIENCE: SignedDuration = SignedDuration::from_secs(20);

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
    #[serde(default)]
    pub attempted_at: Option<Timestamp>,
    /// In a row.
    #[serde(default)]
    pub failures: u32,
    #[serde(default)]
    pub fault: Option<Fault>,
    /// The challenge that was passed last, as ACME names it.
    #[serde(default)]
    pub challenge: Option<String>,
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
        attempted_at: None,
        failures: 0,
        fault: None,
        challenge: None,
    }))
}

/// Those of these domains, in their order.
pub fn of_domains(tx: &ReadTx, domains: &[String]) -> Result<Vec<Certificate>> {
    domains.iter().map(|domain| of_domain(tx, domain)).collect()
}

/// Keeps a new certificate and forgets what went wrong before. `chance`, from 0 to 1, spreads the
/// renewals of many portals over time.
pub fn note_issued(
    tx: &mut WriteTx,
    domain: &str,
    issued: Issued,
    challenge: &str,
    chance: f64,
) -> Result<()> {
    tx.draw_on_reserve();
    let mut certificate = of_domain(tx, domain)?;
    certificate.next_attempt_at = renewal_of(&issued, chance);
    certificate.attempted_at = Some(tx.now());
    certificate.issued = Some(issued);
    certificate.failures = 0;
    certificate.fault = None;
    certificate.challenge = Some(challenge.to_owned());
    tx.put(&certificate)
}

/// Notes why it failed and when the next attempt is made: after a pause that grows, and not before
/// the authority said.
pub fn note_failure(
    tx: &mut WriteTx,
    domain: &str,
    message: String,
    remedy: String,
    not_before: Option<Timestamp>,
) -> Result<Certificate> {
    tx.draw_on_reserve();
    let mut certificate = of_domain(tx, domain)?;
    let now = tx.now();
    let wait = WAITS[(certificate.failures as usize).min(WAITS.len() - 1)];
    certificate.failures = certificate.failures.saturating_add(1);
    certificate.next_attempt_at = not_before.map_or(now + wait, |at| at.max(now + wait));
    certificate.attempted_at = Some(now);
    certificate.fault = Some(Fault { at: now, message, remedy });
    tx.put(&certificate)?;
    Ok(certificate)
}

/// The authority asks for another time than ours (RFC 9773).
pub fn move_renewal(tx: &mut WriteTx, domain: &str, at: Timestamp) -> Result<()> {
    tx.draw_on_reserve();
    let mut certificate = of_domain(tx, domain)?;
    if certificate.fault.is_none() {
        certificate.next_attempt_at = at;
        tx.put(&certificate)?;
    }
    Ok(())
}

/// Makes the next attempt of these domains due now.
///
/// # Errors
/// `TooMany` when one was made a moment ago.
pub fn try_now(tx: &mut WriteTx, actor: &Actor, domains: &[String]) -> Result<()> {
    decide(actor, Action::Operate)?;
    let now = tx.now();
    let all = of_domains(tx, domains)?;
    if let Some(last) = all.iter().filter_map(|one| one.attempted_at).max()
        && now.duration_since(last) < PATIENCE
    {
        return Err(Error::TooMany {
            message:
                "An attempt was just made. Look at what came of it, and try again in a moment."
                    .into(),
            retry_after_s: PATIENCE.as_secs().unsigned_abs(),
        });
    }
    for mut certificate in all.into_iter().filter(|one| one.issued.is_none() || one.fault.is_some())
    {
        certificate.next_attempt_at = now;
        tx.put(&certificate)?;
    }
    Ok(())
}

/// At two thirds of the lifetime, give or take a little.
fn renewal_of(issued: &Issued, chance: f64) -> Timestamp {
    let lifetime_s = issued.valid_until.duration_since(issued.valid_from).as_secs().max(0);
    let jitter_s = (lifetime_s as f64 / 20.0) * (chance.clamp(0.0, 1.0) - 0.5);
    let after_s = (lifetime_s / 3 * 2).saturating_add(jitter_s as i64);
    issued.valid_from + SignedDuration::from_secs(after_s)
}

/// How HTTPS stands for one domain, without a secret: for the administration, `doctor` and `status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Standing {
    pub domain: String,
    /// `None` until the first certificate is there.
    pub issuer: Option<String>,
    pub valid_until: Option<Timestamp>,
    /// `None` for what the portal does not renew.
    pub next_attempt_at: Option<Timestamp>,
    pub fault: Option<Fault>,
}

/// How these domains stand with the certificates of one directory.
pub fn standing(tx: &ReadTx, domains: &[String], directory: &str) -> Result<Vec<Standing>> {
    let now = tx.now();
    let of_one = |certificate: Certificate| {
        let issued = certificate.usable(directory, now);
        Standing {
            issuer: issued.map(|issued| issued.issuer.clone()),
            valid_until: issued.map(|issued| issued.valid_until),
            next_attempt_at: Some(match issued {
                None if certificate.fault.is_none() => now,
                _ => certificate.next_attempt_at,
            }),
            fault: certificate.fault.clone(),
            domain: certificate.domain,
        }
    };
    Ok(of_domains(tx, domains)?.into_iter().map(of_one).collect())
}

impl Certificate {
    /// The certificate, if it is from this directory and has not run out: one of a staging directory
    /// is none for production.
    pub fn usable(&self, directory: &str, now: Timestamp) -> Option<&Issued> {
        self.issued
            .as_ref()
            .filter(|issued| issued.directory == directory && now < issued.valid_until)
    }

    /// True when it is time to fetch or renew it.
    pub fn is_due(&self, directory: &str, now: Timestamp) -> bool {
        // One from elsewhere says nothing about when the first one from here is due.
        let is_new = self.fault.is_none() && self.usable(directory, now).is_none();
        is_new || self.next_attempt_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(days: i64) -> Issued {
        let valid_from: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        Issued {
            chain: String::new(),
            key: Hidden::new("secret"),
            directory: String::new(),
            issuer: String::new(),
            valid_from,
            valid_until: valid_from + SignedDuration::from_hours(24 * days),
        }
    }

    #[test]
    fn a_certificate_is_renewed_at_about_two_thirds_of_its_life() {
        let after = |chance| {
            let of = issued(90);
            renewal_of(&of, chance).duration_since(of.valid_from).as_hours()
        };
        assert_eq!(after(0.5), 60 * 24);
        assert!((57 * 24..60 * 24).contains(&after(0.0)), "{}", after(0.0));
        assert!((60 * 24 + 1..63 * 24).contains(&after(1.0)), "{}", after(1.0));
    }

    #[test]
    fn a_key_is_in_no_debug_output() {
        assert!(!format!("{:?}", issued(1)).contains("secret"));
    }
}
