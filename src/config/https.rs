//! HTTPS: for which names, and where the certificates come from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Production and staging of Let's Encrypt.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
/// The longest name in the DNS (RFC 1035), and the longest part of one.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpsConfig {
    /// The names of the portal, the main one first. Those that an administrator sets while it runs
    /// take their place.
    pub domains: Vec<String>,
    /// Whom the certificate authority may write to.
    pub email: String,
    /// `letsencrypt`, `staging`, the address of another directory, or `off`.
    pub acme: String,
    pub challenge: ChallengeChoice,
    /// Certificates in PEM that an ACME server of one's own is trusted by.
    pub ca_file: PathBuf,
    /// A certificate of one's own with its chain, in PEM, and its key.
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

/// How the portal proves to the certificate authority that a name is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengeChoice {
    /// The one that worked last, else the other.
    #[serde(rename = "auto")]
    Auto,
    /// On port 80 (RFC 8555, 8.3).
    #[serde(rename = "http-01")]
    Http01,
    /// On port 443 (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

impl Default for HttpsConfig {
    fn default() -> Self {
        HttpsConfig {
            domains: Vec::new(),
            email: String::new(),
            acme: "letsencrypt".into(),
            challenge: ChallengeChoice::Auto,
            ca_file: PathBuf::new(),
            certificate_file: PathBuf::new(),
            key_file: PathBuf::new(),
        }
    }
}

impl HttpsConfig {
    /// The directory of the ACME server; `None` when none is asked.
    pub fn directory(&self) -> Option<&str> {
        match self.acme.as_str() {
            "off" => None,
            "letsencrypt" => Some(LETS_ENCRYPT),
            "staging" => Some(LETS_ENCRYPT_STAGING),
            url => Some(url),
        }
    }

    pub fn has_own_files(&self) -> bool {
        !self.certificate_file.as_os_str().is_empty()
    }

    /// What does not fit together, as sentences; each names a key.
    pub(super) fn problems(&self) -> Vec<String> {
        let has_key = !self.key_file.as_os_str().is_empty();
        let missing = match (self.has_own_files(), has_key) {
            (true, false) => ("https.key_file", "https.certificate_file"),
            (false, true) => ("https.certificate_file", "https.key_file"),
            _ => return Vec::new(),
        };
        vec![format!("{} is missing: it belongs to {}.", missing.0, missing.1)]
    }
}

/// True for what an ACME directory can be.
pub(super) fn is_directory(text: &str) -> bool {
    let is_url = text
        .strip_prefix("https://")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()));
    matches!(text, "off" | "letsencrypt" | "staging") || is_url
}

/// Empty, or something that a mail server may accept.
pub fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    let is_address =
        parts.is_some_and(|(name, host)| !name.is_empty() && is_host(&host.to_ascii_lowercase()));
    text.is_empty() || is_address && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The name of a host in the public DNS, in lower case, without a dot at its end: the only thing that
/// certificates by ACME are given for. Letters beyond ASCII are written as `xn--…`.
pub fn is_domain(name: &str) -> bool {
    let is_number = name.rsplit('.').next().is_some_and(|last| last.parse::<u64>().is_ok());
    name.contains('.') && is_host(name) && !is_number
}

/// A name or an address, perhaps with `*.` for everything below, or `*` for any.
pub(super) fn is_host_pattern(pattern: &str) -> bool {
    let bare = pattern.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    pattern == "*"
        || is_host(pattern.strip_prefix("*.").unwrap_or(pattern))
        || bare.unwrap_or(pattern).parse::<std::net::IpAddr>().is_ok()
}

fn is_host(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(is_letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_written_in_capitals() {
        assert!(is_email("Ops@Example.com") && is_email(""));
        assert!(!is_email("ops@exämple.com") && !is_email("ops") && !is_email("@example.com"));
    }

    #[test]
    fn only_names_that_a_certificate_can_be_had_for_are_domains() {
        for name in ["docs.example.com", "xn--mller-kva.example", "a-b.example.org"] {
            assert!(is_domain(name), "{name}");
        }
        let others = ["localhost", "10.0.0.1", "*.example.com", "Docs.example.com", "a..b", "-a.b"];
        for name in others.into_iter().chain(["docs.example.com.", "https://docs.example.com", ""])
        {
            assert!(!is_domain(name), "{name}");
        }
    }
}
