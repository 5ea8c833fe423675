//! Settings: what an administrator changes while the portal runs. What must be known before it
//! runs is in [`config`](crate::config) instead.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    access::{Action, Actor, decide},
    events::{self, Verb},
    organizations,
    secrets::Secret,
};
use crate::{
    config::is_domain,
    error::{Error, Result},
    id::Id,
    store::{ReadTx, Record, Table, WriteTx},
    together::together,
};

const ORIGINS_MAX: usize = 50;
const DOMAINS_MAX: usize = 20;
/// What the upload limit can be: 1 MB to 1 TB, counted as everywhere in the pages.
const UPLOAD_BYTES_MIN: u64 = 1_000_000;
const UPLOAD_BYTES_MAX: u64 = 1_000_000_000_000;

#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub upload_bytes_max: u64,
    /// How long a cookie's session outlives its last use.
    pub session_days: u32,
    /// Other origins whose pages may use the API, such as `https://www.example.com`.
    pub cors_origins: Vec<String>,
    /// The names of the portal for HTTPS, the main one first; `None` leaves them to the configuration.
    pub domains: Option<Vec<String>>,
    /// Whom the certificate authority may write to; `None` leaves it to the configuration.
    pub acme_email: Option<String>,
    /// Signs JSON Web Tokens. Made at the first start.
    pub token_key: String,
}

impl fmt::Debug for Settings {
    /// Without the key: no secret in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("upload_bytes_max", &self.upload_bytes_max)
            .field("session_days", &self.session_days)
            .field("cors_origins", &self.cors_origins)
            .field("domains", &self.domains)
            .finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            upload_bytes_max: 10_000_000_000,
            session_days: 14,
            cors_origins: Vec::new(),
            domains: None,
            acme_email: None,
            token_key: String::new(),
        }
    }
}

impl Settings {
    pub fn session_lifetime(&self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.session_days))
    }
}

impl Record for Settings {
    const TABLE: Table = Table { number: 1, name: "settings" };

    type Key = ();

    fn key(&self) -> Self::Key {}
}

pub fn get(tx: &ReadTx) -> Result<Settings> {
    Ok(tx.get(&())?.unwrap_or_default())
}

/// Makes what must be there before the first request.
pub fn prepare(tx: &mut WriteTx) -> Result<Settings> {
    tx.draw_on_reserve();
    let mut settings = get(tx)?;
    if settings.token_key.is_empty() {
        settings.token_key = Secret::random()?.reveal().into();
        tx.put(&settings)?;
    }
    Ok(settings)
}

/// What the settings page changes.
#[derive(Clone, Debug)]
pub struct SettingsEdit {
    pub upload_bytes_max: u64,
    pub session_days: u32,
    pub cors_origins: Vec<String>,
}

pub fn edit(tx: &mut WriteTx, actor: &Actor, edit: SettingsEdit) -> Result<Settings> {
    decide(actor, Action::Operate)?;
    let mut settings = get(tx)?;
    (settings.upload_bytes_max, settings.session_days, settings.cors_origins) = together((
        upload_bytes_max(edit.upload_bytes_max),
        session_days(edit.session_days),
        origins(&edit.cors_origins),
    ))?;
    tx.put(&settings)?;
    note_change(tx, actor, None)?;
    Ok(settings)
}

pub fn upload_bytes_max(bytes: u64) -> Result<u64> {
    match (UPLOAD_BYTES_MIN..=UPLOAD_BYTES_MAX).contains(&bytes) {
        true => Ok(bytes),
        false => Err(Error::invalid_field(
            "upload_limit",
            "The upload limit lies between 1 MB and 1 TB.",
        )),
    }
}

pub fn session_days(days: u32) -> Result<u32> {
    match (1..=365).contains(&days) {
        true => Ok(days),
        false => {
            Err(Error::invalid_field("session_days", "A session lasts between 1 and 365 days."))
        }
    }
}

/// Sets the names of the portal and the address for the certificate authority; `None` leaves each to
/// the configuration.
///
/// # Errors
/// `Invalid` for a name that no certificate can be had for.
pub fn set_https(
    tx: &mut WriteTx,
    actor: &Actor,
    names: Option<Vec<String>>,
    email: Option<String>,
) -> Result<Settings> {
    decide(actor, Action::Operate)?;
    let mut settings = get(tx)?;
    (settings.domains, settings.acme_email) = together((
        names.map(|names| domains(&names)).transpose(),
        email.map(|email| acme_email(&email)).transpose(),
    ))?;
    tx.put(&settings)?;
    let named =
        settings.domains.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
    let detail = if named.is_empty() { "HTTPS".to_owned() } else { format!("HTTPS: {named}") };
    note_change(tx, actor, Some(&detail))?;
    Ok(settings)
}

fn note_change(tx: &mut WriteTx, actor: &Actor, detail: Option<&str>) -> Result<()> {
    let subject = actor.organization.unwrap_or(Id::from_uuid(uuid::Uuid::nil()));
    let name = match actor.organization {
        Some(organization) => organizations::get(tx, organization)?.name,
        None => "the portal".into(),
    };
    events::record(tx, actor, actor.organization, Verb::SettingsChanged, subject, &name, detail)
}

/// As the DNS compares them: in lower case, without the dot of the root, each once.
fn domains(texts: &[String]) -> Result<Vec<String>> {
    let mut domains: Vec<String> = Vec::new();
    for text in texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        let lower = text.to_ascii_lowercase();
        let domain = lower.strip_suffix('.').unwrap_or(&lower);
        if !is_domain(domain) {
            return Err(Error::invalid_field(
                "domains",
                format!(
                    "“{text}” is not a domain. One looks like docs.example.com: no address, no https://, \
                     no star, letters beyond a to z as xn--…"
                ),
            ));
        }
        if !domains.iter().any(|known| known == domain) {
            domains.push(domain.to_owned());
        }
        if domains.len() > DOMAINS_MAX {
            return Err(Error::invalid_field("domains", "At most 20 domains are possible."));
        }
    }
    Ok(domains)
}

fn acme_email(text: &str) -> Result<String> {
    let email = text.trim();
    let is_address = email
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && is_domain(&host.to_ascii_lowercase()));
    let is_plain = email.len() <= 254 && email.bytes().all(|byte| byte.is_ascii_graphic());
    if !(email.is_empty() || is_address && is_plain) {
        return Err(Error::invalid_field("email", "An e-mail address looks like ops@example.com."));
    }
    Ok(email.to_owned())
}

/// The origins in these lines, each once.
///
/// # Errors
/// `Invalid` for what is no origin.
pub fn origins(texts: &[String]) -> Result<Vec<String>> {
    let filled = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    let mut origins: Vec<String> = Vec::new();
    for text in filled {
        let origin = origin(text)?;
        if !origins.contains(&origin) {
            origins.push(origin);
        }
        if origins.len() > ORIGINS_MAX {
            return Err(Error::invalid_field("cors_origins", "At most 50 origins are possible."));
        }
    }
    Ok(origins)
}

/// Scheme, host and perhaps port, as browsers write it (RFC 6454); nothing after, and no wildcard.
/// Browsers leave out the port that the scheme implies, so one that is typed goes.
fn origin(text: &str) -> Result<String> {
    let refused = || {
        Error::invalid_field(
            "cors_origins",
            format!("“{text}” is not an origin. One looks like https://www.example.com."),
        )
    };
    let lower = text.to_ascii_lowercase();
    let lower = lower.strip_suffix('/').unwrap_or(&lower);
    let (scheme, authority) = lower.split_once("://").ok_or_else(refused)?;
    let implied = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return Err(refused()),
    };
    let is_v6 = authority.starts_with('[');
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !is_v6 || host.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_host = match host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        }),
    };
    let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let port = match port {
        Some(port) if is_number(port) => Some(port.parse::<u16>().map_err(|_| refused())?),
        Some(_) => return Err(refused()),
        None => None,
    };
    match port.filter(|&port| port != implied) {
        _ if !is_host => Err(refused()),
        Some(port) => Ok(format!("{scheme}://{host}:{port}")),
        None => Ok(format!("{scheme}://{host}")),
    }
}
