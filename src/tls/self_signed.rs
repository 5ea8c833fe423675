//! A certificate that vouches for itself: encrypted, and no browser believes it.

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};

use super::KeyPair as Checked;

/// The longest that browsers take from anybody.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 397);
/// For clients whose clock is behind.
const BEFORE: SignedDuration = SignedDuration::from_hours(24);

/// In PEM.
pub struct SelfSigned {
    pub chain: String,
    pub key: String,
    pub valid_until: Timestamp,
}

/// Makes one for these names and addresses.
pub fn self_signed(names: &[String], now: Timestamp) -> Result<SelfSigned> {
    let key = KeyPair::generate().context("making a key")?;
    let mut params = CertificateParams::new(names.to_vec()).context("naming a certificate")?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Appliance (self-signed)");
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    (params.not_before, params.not_after) = (moment(now - BEFORE)?, moment(now + LIFETIME)?);
    let certificate = params.self_signed(&key).context("signing a certificate")?;
    let (chain, key) = (certificate.pem(), key.serialize_pem());
    let valid_until = Checked::from_pem(chain.as_bytes(), key.as_bytes())?.valid_until;
    Ok(SelfSigned { chain, key, valid_until })
}

/// In the type that the library wants.
fn moment(at: Timestamp) -> Result<time::OffsetDateTime> {
    time::OffsetDateTime::from_unix_timestamp(at.as_second()).context("writing a time")
}
