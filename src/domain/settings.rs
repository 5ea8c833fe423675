//! Settings: what an administrator changes while the portal runs. What must be known before it
//! runs is in [`config`](crate::config) instead.

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

#[derive(Clone, Debug, Serialize, Deserialize)]
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

impl Default for Settings {
    fn default() -> Self {
        Settings {
            upload_bytes_max: 5 << 30,
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
    if !(1 << 20..=1 << 40).contains(&edit.upload_bytes_max) {
        return Err(Error::invalid_field(
            "upload_limit",
            "The upload limit lies between 1 MB and 1 TB.",
        ));
    }
    if !(1..=365).contains(&edit.session_days) {
        return Err(Error::invalid_field("session_days", "A session lasts between 1 and 365 days."));
    }
    let mut settings = get(tx)?;
    settings.upload_bytes_max = edit.upload_bytes_max;
    settings.session_days = edit.session_days;
    settings.cors_origins = edit
        .cors_origins
        .iter()
        .map(|origin| origin.trim().trim_end_matches('/'))
        .filter(|origin| !origin.is_empty())
        .map(origin)
        .collect::<Result<_>>()?;
    tx.put(&settings)?;
    let subject = actor.organization.unwrap_or(Id::from_uuid(uuid::Uuid::nil()));
    let name = match actor.organization {
        Some(organization) => organizations::get(tx, organization)?.name,
        None => "the portal".into(),
    };
    events::record(tx, actor, Verb::SettingsChanged, subject, &name, None)?;
    Ok(settings)
}

/// Scheme, host and perhaps port; nothing after, and no wildcard.
fn origin(text: &str) -> Result<String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fits = host.is_some_and(|host| {
        !host.is_empty()
            && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
    });
    match fits {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(Error::invalid_field(
            "cors_origins",
            format!("“{text}” is not an origin. One looks like https://www.example.com."),
        )),
    }
}
