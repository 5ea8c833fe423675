//! The certificates that the server shows, by the name that a client asks for. They are exchanged
//! while it runs; who is connected already notices nothing.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{KeyPair, acme::ALPN as ACME_ALPN};

/// Shown to clients.
#[derive(Default)]
pub struct Keyring {
    shown: ArcSwap<Shown>,
    /// While a domain is proven by TLS-ALPN-01: shown to the authority alone.
    challenges: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

#[derive(Default)]
struct Shown {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    /// For every other name, and for none.
    otherwise: Option<Arc<CertifiedKey>>,
}

impl Keyring {
    /// Exchanges everything that is shown: one certificate for each of some names, and one for
    /// everybody else.
    pub fn show(&self, by_name: &[(String, KeyPair)], otherwise: &KeyPair) {
        let by_name = by_name.iter().map(|(name, pair)| (name.clone(), pair.certified.clone()));
        self.shown.store(Arc::new(Shown {
            by_name: by_name.collect(),
            otherwise: Some(otherwise.certified.clone()),
        }));
    }

    /// Answers a challenge for a domain until [`end_challenge`](Self::end_challenge).
    pub fn begin_challenge(&self, domain: &str, proof: &KeyPair) {
        let mut challenges = self.challenges.write().unwrap_or_else(PoisonError::into_inner);
        challenges.insert(domain.to_owned(), proof.certified.clone());
    }

    pub fn end_challenge(&self, domain: &str) {
        self.challenges.write().unwrap_or_else(PoisonError::into_inner).remove(domain);
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Keyring {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        if hello.alpn().is_some_and(|mut protocols| protocols.any(|one| one == ACME_ALPN)) {
            let challenges = self.challenges.read().unwrap_or_else(PoisonError::into_inner);
            return challenges.get(&name?).cloned();
        }
        let shown = self.shown.load();
        name.and_then(|name| shown.by_name.get(&name).cloned()).or_else(|| shown.otherwise.clone())
    }
}

/// TLS 1.2 and 1.3 with forward secrecy, HTTP/2 and HTTP/1.1, and sessions that are taken up again
/// with tickets, also after a change of certificates.
pub fn server_config(keyring: Arc<Keyring>) -> Result<Arc<ServerConfig>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choosing the versions of TLS")?
        .with_no_client_auth()
        .with_cert_resolver(keyring);
    config.alpn_protocols = vec![b"h2".into(), b"http/1.1".into(), ACME_ALPN.into()];
    config.ignore_client_order = true;
    config.ticketer = aws_lc_rs::Ticketer::new().context("making the key of session tickets")?;
    Ok(Arc::new(config))
}
