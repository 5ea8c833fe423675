//! A certificate and its key, looked at before they are used.

use std::{fmt, net::IpAddr, sync::Arc};

use anyhow::{Context, Result, anyhow, bail};
use jiff::Timestamp;
use rustls::{
    InconsistentKeys,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// More is no chain.
const CERTIFICATES_MAX: usize = 20;

/// A certificate with its chain and the key that belongs to it.
#[derive(Clone)]
pub struct KeyPair {
    pub(super) certified: Arc<CertifiedKey>,
    /// The names and addresses it is for, in lower case; one may begin with `*.`.
    pub names: Vec<String>,
    /// Who signed it, in words.
    pub issuer: String,
    pub is_self_signed: bool,
    pub valid_from: Timestamp,
    pub valid_until: Timestamp,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("names", &self.names)
            .field("issuer", &self.issuer)
            .field("valid_until", &self.valid_until)
            .finish_non_exhaustive()
    }
}

impl KeyPair {
    /// Reads a certificate with its chain and a key, both in PEM.
    ///
    /// # Errors
    /// A sentence without the key in it, when one of them cannot be read or they do not belong
    /// together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .take(CERTIFICATES_MAX)
            .collect::<Result<_, _>>()
            .map_err(|fault| anyhow!("the certificate is no PEM: {fault}"))?;
        if chain.is_empty() {
            bail!("there is no certificate in PEM in it");
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| anyhow!("there is no private key in PEM in it, or one with a password"))?;
        let key = aws_lc_rs::sign::any_supported_type(&key)
            .map_err(|_| anyhow!("its private key is of a kind that TLS does not use"))?;
        let certified = CertifiedKey::new(chain, key);
        // (That it does not know every extension, as in the proof of a challenge, is another matter.)
        if let Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) =
            certified.keys_match()
        {
            bail!("the key does not belong to the certificate");
        }
        KeyPair::look_at(certified)
    }

    fn look_at(certified: CertifiedKey) -> Result<Self> {
        let leaf = certified.end_entity_cert().context("finding the certificate")?;
        let (_, leaf) = X509Certificate::from_der(leaf.as_ref())
            .map_err(|fault| anyhow!("the certificate cannot be read: {fault}"))?;
        let time = |of: x509_parser::time::ASN1Time| {
            Timestamp::from_second(of.timestamp()).context("reading how long it is valid")
        };
        Ok(KeyPair {
            names: names(&leaf),
            issuer: issuer(&leaf),
            is_self_signed: leaf.issuer() == leaf.subject(),
            valid_from: time(leaf.validity().not_before)?,
            valid_until: time(leaf.validity().not_after)?,
            certified: Arc::new(certified),
        })
    }

    /// True when a browser that asks for `host` finds it in the certificate.
    pub fn is_for(&self, host: &str) -> bool {
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
            None => name == host,
        })
    }

    /// The certificate itself, without its chain.
    pub fn leaf(&self) -> Option<&CertificateDer<'static>> {
        self.certified.cert.first()
    }
}

fn names(leaf: &X509Certificate) -> Vec<String> {
    let Ok(Some(alternatives)) = leaf.subject_alternative_name() else { return Vec::new() };
    let name = |general: &GeneralName| match general {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    };
    alternatives.value.general_names.iter().filter_map(name).collect()
}

/// The organization that signed it and the name it gives itself there, as far as they are told.
fn issuer(leaf: &X509Certificate) -> String {
    let issuer = leaf.issuer();
    let first = |mut values: Box<dyn Iterator<Item = &str> + '_>| values.next().map(str::to_owned);
    let organization =
        first(Box::new(issuer.iter_organization().filter_map(|it| it.as_str().ok())));
    let name = first(Box::new(issuer.iter_common_name().filter_map(|it| it.as_str().ok())));
    match (organization, name) {
        (Some(organization), Some(name)) => format!("{organization} ({name})"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => issuer.to_string(),
    }
}
