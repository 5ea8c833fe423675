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
    error::{Error, Result},
    id::Id,
    store::{ReadTx, Record, Table, WriteTx},
};

const ORIGINS_MAX: usize = 50;
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
            .finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            upload_bytes_max: 10_000_000_000,
            session_days: 14,
            cors_origins: Vec::new(),
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
    if !(UPLOAD_BYTES_MIN..=UPLOAD_BYTES_MAX).contains(&edit.upload_bytes_max) {
        return Err(Error::invalid_field(
            "upload_limit",
            "The upload limit lies between 1 MB and 1 TB.",
        ));
    }
    if !(1..=365).contains(&edit.session_days) {
        return Err(Error::invalid_field(
            "session_days",
            "A session lasts between 1 and 365 days.",
        ));
    }
    let mut settings = get(tx)?;
    settings.upload_bytes_max = edit.upload_bytes_max;
    settings.session_days = edit.session_days;
    settings.cors_origins = origins(&edit.cors_origins)?;
    tx.put(&settings)?;
    let subject = actor.organization.unwrap_or(Id::from_uuid(uuid::Uuid::nil()));
    let name = match actor.organization {
        Some(organization) => organizations::get(tx, organization)?.name,
        None => "the portal".into(),
    };
    events::record(tx, actor, actor.organization, Verb::SettingsChanged, subject, &name, None)?;
    Ok(settings)
}

fn origins(texts: &[String]) -> Result<Vec<String>> {
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
