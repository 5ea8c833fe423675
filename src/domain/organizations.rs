//! Organizations: the tenants. Each owns its documents, groups and categories.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    access::{Action, Actor, decide},
    blobs::BLOB_KEPT,
    events::{self, Verb},
    jobs::{self, Task},
    text,
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    store::{Index, IndexEntries, ReadTx, Record, Table, WriteTx},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Organization {
    pub id: Id<Organization>,
    pub name: String,
    /// `#rrggbb`; the pages derive their shades from it.
    #[serde(default)]
    pub accent: Option<Accent>,
    #[serde(default)]
    pub logo: Option<Logo>,
    pub created_at: jiff::Timestamp,
}

/// An image that stands for the organization on every page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    pub blob: ContentHash,
    pub media_type: String,
}

/// A color as `#rrggbb` in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Accent(String);

impl Accent {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Accent {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let text = text.trim().to_lowercase();
        let digits = text.strip_prefix('#').unwrap_or(&text);
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::invalid_field("accent", "A color looks like #2563eb."));
        }
        Ok(Accent(format!("#{digits}")))
    }
}

impl Record for Organization {
    const TABLE: Table = Table { number: 2, name: "organizations" };

    type Key = Id<Organization>;

    fn key(&self) -> Self::Key {
        self.id
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&BY_NAME, &text::fold(&self.name));
    }
}

const BY_NAME: Index<Organization, String> = Index::unique(1);

pub fn create(tx: &mut WriteTx, actor: &Actor, name: &str) -> Result<Organization> {
    decide(actor, Action::Operate)?;
    let name = free_name(tx, name, None)?;
    let organization =
        Organization { id: tx.new_id(), name, accent: None, logo: None, created_at: tx.now() };
    tx.put(&organization)?;
    Ok(organization)
}

pub fn get(tx: &ReadTx, id: Id<Organization>) -> Result<Organization> {
    tx.get(&id)?.ok_or_else(|| Error::not_found("organization"))
}

/// The organization with this name, however it is capitalized.
pub fn by_name(tx: &ReadTx, name: &str) -> Result<Option<Organization>> {
    tx.find(&BY_NAME, &text::fold(name.trim()))
}

/// The organization made at setup: the one that a single-organization portal is about.
pub fn first(tx: &ReadTx) -> Result<Option<Organization>> {
    tx.records().iter()?.next().transpose()
}

/// The logo with this hash, when an organization shows it.
pub fn logo(tx: &ReadTx, hash: ContentHash) -> Result<Logo> {
    for organization in tx.records::<Organization>().iter()? {
        if let Some(logo) = organization?.logo.filter(|logo| logo.blob == hash) {
            return Ok(logo);
        }
    }
    Err(Error::not_found("picture"))
}

/// A name that no other organization has.
pub fn free_name(tx: &ReadTx, name: &str, own: Option<Id<Organization>>) -> Result<String> {
    let name = text::line("organization", name, 100)?;
    match tx.find(&BY_NAME, &text::fold(&name))? {
        Some(taken) if Some(taken.id) != own => {
            let message = format!("There is an organization named “{name}” already.");
            Err(Error::taken("organization", message))
        }
        _ => Ok(name),
    }
}

/// Changes how the organization presents itself. `None` leaves a part as it is. A logo that is
/// replaced goes when nothing else uses its bytes.
pub fn present(
    tx: &mut WriteTx,
    actor: &Actor,
    id: Id<Organization>,
    name: Option<&str>,
    accent: Option<Option<Accent>>,
    logo: Option<Option<Logo>>,
) -> Result<Organization> {
    decide(actor, Action::Govern(id))?;
    let mut organization = get(tx, id)?;
    if let Some(name) = name {
        organization.name = free_name(tx, name, Some(id))?;
    }
    if let Some(accent) = accent {
        organization.accent = accent;
    }
    if let Some(logo) = logo {
        let old = std::mem::replace(&mut organization.logo, logo);
        if let Some(Logo { blob, .. }) = old.filter(|old| Some(old) != organization.logo.as_ref()) {
            jobs::enqueue_after(tx, Task::RemoveBlob { blob }, BLOB_KEPT)?;
        }
    }
    tx.put(&organization)?;
    events::record(tx, actor, id, Verb::SettingsChanged, id, &organization.name, None)?;
    Ok(organization)
}
