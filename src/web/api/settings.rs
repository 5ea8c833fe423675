//! What an administrator changes while the portal runs: how an organization presents itself, and
//! the limits of the whole portal.

use actix_multipart::Multipart;
use actix_web::{
    HttpRequest,
    web::{Data, Json as Answer},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{documents::only_known_fields, parts::present};
use crate::{
    app::App,
    domain::{
        access::{Action, Actor, decide},
        organizations::{self, Accent, Organization},
        settings::{self, SettingsEdit},
    },
    error::Result as AppResult,
    id::Id,
    store::ReadTx,
    web::{
        auth::Member,
        body::{self, Json, NoBody},
        fault::Result,
    },
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Settings")]
pub struct SettingsView {
    /// The name of the organization.
    organization: String,
    /// `#rrggbb`.
    accent: Option<String>,
    logo_url: Option<String>,
    /// Those of the whole portal; `null` for who does not operate it.
    portal: Option<PortalSettings>,
}

#[derive(Serialize, JsonSchema)]
pub struct PortalSettings {
    upload_bytes_max: u64,
    /// How long a browser's session outlives its last use.
    session_days: u32,
    /// Other origins whose pages may use the API.
    cors_origins: Vec<String>,
}

impl SettingsView {
    fn of(tx: &ReadTx, actor: &Actor, id: Id<Organization>) -> AppResult<Self> {
        decide(actor, Action::Govern(id))?;
        let organization = organizations::get(tx, id)?;
        let portal = match decide(actor, Action::Operate) {
            Ok(()) => Some(settings::get(tx)?),
            Err(_) => None,
        };
        Ok(SettingsView {
            organization: organization.name,
            accent: organization.accent.map(|accent| accent.as_str().to_owned()),
            logo_url: organization.logo.map(|logo| format!("/logo/{}", logo.blob)),
            portal: portal.map(|portal| PortalSettings {
                upload_bytes_max: portal.upload_bytes_max,
                session_days: portal.session_days,
                cors_origins: portal.cors_origins,
            }),
        })
    }
}

pub async fn show(app: Data<App>, member: Member) -> Result<Answer<SettingsView>> {
    let (actor, organization) = (member.actor(), member.organization);
    let view = app.store.read(move |tx| SettingsView::of(tx, &actor, organization)).await?;
    Ok(Answer(view))
}

/// What to change; a field that is left out stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    organization: Option<String>,
    /// `#rrggbb`; `null` for the standard color.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Accent>")]
    accent: Option<Option<Accent>>,
    #[serde(default)]
    portal: PortalChange,
}

/// What to change; a field that is left out stays as it is.
#[derive(Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PortalChange {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "u64")]
    upload_bytes_max: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "u32")]
    session_days: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Vec<String>")]
    cors_origins: Option<Vec<String>>,
}

pub async fn edit(
    app: Data<App>,
    member: Member,
    Json(change): Json<SettingsChange>,
) -> Result<Answer<SettingsView>> {
    let (actor, organization) = (member.actor(), member.organization);
    let view = app
        .write_as(actor, move |tx, actor| {
            if change.organization.is_some() || change.accent.is_some() {
                let name = change.organization.as_deref();
                organizations::present(tx, actor, organization, name, change.accent, None)?;
            }
            if change.portal != PortalChange::default() {
                let now = settings::get(tx)?;
                let PortalChange { upload_bytes_max, session_days, cors_origins } = change.portal;
                let edit = SettingsEdit {
                    upload_bytes_max: upload_bytes_max.unwrap_or(now.upload_bytes_max),
                    session_days: session_days.unwrap_or(now.session_days),
                    cors_origins: cors_origins.unwrap_or(now.cors_origins),
                };
                settings::edit(tx, actor, edit)?;
            }
            SettingsView::of(tx, actor, organization)
        })
        .await?;
    app.refresh_settings().await?;
    Ok(Answer(view))
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "described here, read field by field")]
pub struct LogoForm {
    /// A PNG, JPEG, WebP or GIF picture of at most 1 MB.
    #[schemars(extend("format" = "binary"))]
    file: String,
}

pub async fn set_logo(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    multipart: Multipart,
) -> Result<Answer<SettingsView>> {
    let (actor, organization) = (member.actor(), member.organization);
    // Before a byte is received.
    decide(&actor, Action::Govern(organization))?;
    let mut received = body::receive(&app, &request, &member.visitor, multipart, &["file"]).await?;
    only_known_fields(&received, &[])?;
    app.set_logo(actor.clone(), organization, received.one_file()?).await?;
    let view = app.store.read(move |tx| SettingsView::of(tx, &actor, organization)).await?;
    Ok(Answer(view))
}

pub async fn remove_logo(
    app: Data<App>,
    member: Member,
    _: NoBody,
) -> Result<Answer<SettingsView>> {
    let (actor, organization) = (member.actor(), member.organization);
    let view = app
        .write_as(actor, move |tx, actor| {
            organizations::present(tx, actor, organization, None, None, Some(None))?;
            SettingsView::of(tx, actor, organization)
        })
        .await?;
    Ok(Answer(view))
}
