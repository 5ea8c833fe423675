//! How HTTPS stands: for the administration, the command line and `doctor`.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    app::{App, Finding},
    domain::certificates::{self, Standing},
    error::Result,
    store::ReadTx,
};

/// So long before its end a certificate of one's own is worth a word.
const ENDS_SOON: SignedDuration = SignedDuration::from_hours(24 * 14);
/// So long before its end a certificate that could not be renewed is a problem.
const ENDS_VERY_SOON: SignedDuration = SignedDuration::from_hours(24 * 7);

/// What is shown at this moment, without a secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HttpsStanding {
    /// Where the server listens; `None` for what it does not.
    pub http: Option<SocketAddr>,
    pub https: Option<SocketAddr>,
    pub source: CertificateSource,
    /// The names of the portal, the main one first.
    pub domains: Vec<String>,
    /// Set while the portal runs; else they are those of the configuration.
    pub are_domains_set: bool,
    pub email: String,
    pub is_email_set: bool,
    /// Of the certificate authority, when one is asked.
    pub directory: Option<String>,
    /// One for each domain, or the one in the files.
    pub certificates: Vec<Standing>,
    /// Where people open the portal, as far as that is known.
    pub url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSource {
    /// HTTPS is not spoken.
    None,
    /// Only certificates that vouch for themselves.
    SelfSigned,
    /// The files in the configuration.
    Files,
    /// A certificate authority.
    Acme,
}

impl App {
    /// How HTTPS stands at this moment.
    pub async fn https_standing(&self) -> Result<HttpsStanding> {
        let doors = self.https.doors();
        let settings = self.settings();
        let terms = self.acme_terms();
        let domains = self.domains();
        let (source, certificates) = match &terms {
            _ if doors.https.is_none() => (CertificateSource::None, Vec::new()),
            _ if self.config.https.has_own_files() => {
                (CertificateSource::Files, vec![self.standing_of_files().await])
            }
            Some(terms) if !domains.is_empty() => {
                let (domains, terms) = (domains.clone(), terms.clone());
                let read = move |tx: &ReadTx| certificates::standing(tx, &domains, &terms);
                let mut standings = self.store.read(read).await?;
                self.https.orders.complete(&mut standings);
                (CertificateSource::Acme, standings)
            }
            _ => (CertificateSource::SelfSigned, Vec::new()),
        };
        Ok(HttpsStanding {
            http: doors.http,
            https: doors.https,
            source,
            domains,
            are_domains_set: settings.domains.is_some(),
            email: self.acme_email(),
            is_email_set: settings.acme_email.is_some(),
            directory: terms.map(|terms| terms.directory),
            certificates,
            url: self.public_url(),
        })
    }

    async fn standing_of_files(&self) -> Standing {
        let files = self.https.files.lock().await;
        let pair = files.pair.as_ref();
        Standing {
            domain: pair.map(|pair| pair.names.join(", ")).unwrap_or_default(),
            issuer: pair.map(|pair| pair.issuer.clone()),
            valid_until: pair.map(|pair| pair.valid_until),
            next_attempt_at: None,
            is_under_way: false,
            fault: files.fault.clone(),
        }
    }

    /// What is wrong with HTTPS, or that all is well; nothing where it is not spoken and no domain
    /// asks for it.
    pub(in crate::app) async fn https_findings(&self) -> Result<Vec<Finding>> {
        let standing = self.https_standing().await?;
        let about = "HTTPS";
        Ok(match standing.source {
            CertificateSource::None if standing.domains.is_empty() => Vec::new(),
            CertificateSource::None => vec![Finding::warning(
                about,
                "There are domains, and the server that runs does not speak HTTPS.",
                "Set listen_https in the configuration and restart, or let a proxy in front do it.",
            )],
            CertificateSource::SelfSigned => vec![Finding::warning(
                about,
                "HTTPS is encrypted, but browsers warn: the certificate vouches for itself.",
                "With a public name: appliance config set domain docs.example.com. In a private \
                 network: a certificate of your own in [https].",
            )],
            CertificateSource::Files | CertificateSource::Acme => {
                let now = self.clock.now();
                standing.certificates.iter().map(|one| certificate_finding(one, now)).collect()
            }
        })
    }
}

fn certificate_finding(standing: &Standing, now: Timestamp) -> Finding {
    let about = "certificate";
    let Standing { domain, valid_until, fault, .. } = standing;
    let left = valid_until.map(|until| until.duration_since(now));
    let until = valid_until.map(|until| until.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
    match (left, fault) {
        (None, Some(fault)) => {
            let message = format!("{domain} has no certificate. {}", fault.message);
            Finding::problem(about, message.trim_start(), &fault.remedy)
        }
        (None, None) => Finding::warning(
            about,
            format!("{domain} has no certificate yet."),
            "Wait a minute: it is being fetched.",
        ),
        (Some(left), _) if left <= SignedDuration::ZERO => Finding::problem(
            about,
            format!("The certificate of {domain} has run out on {until}."),
            remedy(standing),
        ),
        (Some(left), Some(fault)) if left < ENDS_VERY_SOON => Finding::problem(
            about,
            format!("The certificate of {domain} ends on {until}. {}", fault.message),
            &fault.remedy,
        ),
        (Some(_), Some(fault)) => Finding::warning(
            about,
            format!("The certificate of {domain} is good until {until}. {}", fault.message),
            &fault.remedy,
        ),
        (Some(left), None) if left < ENDS_SOON && standing.next_attempt_at.is_none() => {
            Finding::warning(
                about,
                format!("The certificate of {domain} ends on {until}."),
                remedy(standing),
            )
        }
        (Some(_), None) => {
            Finding::fine(about, format!("The certificate of {domain} is good until {until}."))
        }
    }
}

fn remedy(standing: &Standing) -> &'static str {
    match standing.next_attempt_at {
        Some(_) => "Look under HTTPS in the administration, and at the log.",
        None => "Put a new one into the files that [https] names: they are read by themselves.",
    }
}

/// When each domain's authority is asked again about its renewal.
#[derive(Default)]
pub struct Asks(Mutex<HashMap<String, Timestamp>>);

impl Asks {
    pub fn is_time(&self, domain: &str, now: Timestamp) -> bool {
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        next.get(domain).is_none_or(|at| *at <= now)
    }

    pub fn note(&self, domain: &str, next: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(domain.to_owned(), next);
    }
}
