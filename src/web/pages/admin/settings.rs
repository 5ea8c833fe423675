//! What an administrator can set while the portal runs.

use actix_multipart::Multipart;
use actix_web::{HttpRequest, HttpResponse, web::Data};
use askama::Template;
use serde::Deserialize;

use super::Sidebar;
use crate::{
    app::App,
    domain::{
        access::{Action, decide},
        organizations,
        settings::{self, Settings, SettingsEdit},
    },
    error::{Error, Result as DomainResult},
    store::ReadTx,
    together::together,
    web::{
        auth::Member,
        body::{self, Form},
        fault::Result,
        pages::{FormErrors, Go, Html, Page, Place, accent::Accent, filters, page, sign_in::Empty},
    },
};

/// `GET` and `POST /admin/settings`: `name`, `use_default_accent` = `1` or `accent` (`#1d6b5c`),
/// `upload_limit_mb`, `session_days`, `cors_origins` (one in each line). The logo posts to
/// `/admin/settings/logo` (`multipart/form-data`, `file`) and `/admin/settings/logo/remove`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/settings.html")]
pub struct SettingsPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub errors: FormErrors,
    pub name: String,
    pub accent: Accent,
    pub uses_default_accent: bool,
    /// As they were typed, so that a wrong one can be corrected.
    pub upload_limit_mb: String,
    pub session_days: String,
    pub cors_origins: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct SettingsForm {
    name: String,
    accent: String,
    use_default_accent: String,
    upload_limit_mb: String,
    session_days: String,
    cors_origins: String,
}

const MB: u64 = 1_000_000;

pub async fn show(app: Data<App>, request: HttpRequest, member: Member) -> Result<HttpResponse> {
    let form = SettingsForm::stored(&app, &member).await?;
    shown(&app, &request, &member, form, Ok(())).await
}

pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<SettingsForm>,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Govern(member.organization))?;
    match save(&app, &member, &form).await {
        Ok(()) => {
            app.refresh_settings().await?;
            Ok(Go::to("/admin/settings").saying("The settings are saved.").response())
        }
        Err(error) => shown(&app, &request, &member, form, Err(error)).await,
    }
}

async fn save(app: &App, member: &Member, form: &SettingsForm) -> DomainResult<()> {
    let (actor, organization, name) = (member.actor(), member.organization, form.name.clone());
    let accent = match form.use_default_accent.as_str() {
        "1" => Ok(None),
        _ => organizations::Accent::try_from(form.accent.clone()).map(Some),
    };
    // Whoever keeps only the organization is not asked about the rest.
    let limits = match member.may(Action::Operate) {
        true => form.limits(&app.settings()).map(Some),
        false => Ok(None),
    };
    let wanted = name.clone();
    let free_name = move |tx: &ReadTx| organizations::free_name(tx, &wanted, Some(organization));
    let free_name = app.store.read(free_name).await;
    let (_, accent, limits) = together((free_name, accent, limits))?;
    app.write_as(actor, move |tx, actor| {
        organizations::present(tx, actor, organization, Some(&name), Some(accent), None)?;
        if let Some(limits) = limits {
            settings::edit(tx, actor, limits)?;
        }
        Ok(())
    })
    .await
}

impl SettingsForm {
    async fn stored(app: &App, member: &Member) -> DomainResult<Self> {
        let (actor, id) = (member.actor(), member.organization);
        let organization = app
            .store
            .read(move |tx| {
                decide(&actor, Action::Govern(id))?;
                organizations::get(tx, id)
            })
            .await?;
        let settings = app.settings();
        Ok(SettingsForm {
            name: organization.name,
            use_default_accent: if organization.accent.is_none() {
                "1".into()
            } else {
                String::new()
            },
            accent: organization.accent.map(|it| it.as_str().to_owned()).unwrap_or_default(),
            upload_limit_mb: in_mb(&settings),
            session_days: settings.session_days.to_string(),
            cors_origins: settings.cors_origins.join("\n"),
        })
    }

    fn limits(&self, now: &Settings) -> DomainResult<SettingsEdit> {
        let number = |field: &'static str, text: &str| {
            let digits: String = text.chars().filter(|c| !matches!(c, ' ' | ',')).collect();
            let wrong = || Error::invalid_field(field, "This must be a whole number.");
            digits.parse::<u32>().map_err(|_| wrong())
        };
        let lines: Vec<String> = self.cors_origins.lines().map(str::to_owned).collect();
        let upload_bytes_max = match self.upload_limit_mb == in_mb(now) {
            // What was only shown in round numbers stays exactly as it is.
            true => Ok(now.upload_bytes_max),
            false => number("upload_limit_mb", &self.upload_limit_mb)
                .and_then(|megabytes| settings::upload_bytes_max(u64::from(megabytes) * MB)),
        };
        let session_days =
            number("session_days", &self.session_days).and_then(settings::session_days);
        let (upload_bytes_max, session_days, cors_origins) =
            together((upload_bytes_max, session_days, settings::origins(&lines)))?;
        Ok(SettingsEdit { upload_bytes_max, session_days, cors_origins })
    }
}

fn in_mb(settings: &Settings) -> String {
    settings.upload_bytes_max.div_ceil(MB).to_string()
}

pub async fn set_logo(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    multipart: Multipart,
) -> Result<HttpResponse> {
    // Before a byte is received.
    decide(&member.actor(), Action::Govern(member.organization))?;
    let set = async {
        let mut received =
            body::receive(&app, &request, &member.visitor, multipart, &["file"]).await?;
        let file = received.one_file()?;
        app.set_logo(member.actor(), member.organization, file).await
    };
    match set.await {
        Ok(()) => Ok(Go::to("/admin/settings").saying("The logo is on every page now.").response()),
        Err(error) => {
            let form = SettingsForm::stored(&app, &member).await?;
            shown(&app, &request, &member, form, Err(error)).await
        }
    }
}

pub async fn remove_logo(app: Data<App>, member: Member, _form: Form<Empty>) -> Result<Go> {
    let (actor, organization) = (member.actor(), member.organization);
    app.write_as(actor, move |tx, actor| {
        organizations::present(tx, actor, organization, None, None, Some(None))
    })
    .await?;
    Ok(Go::to("/admin/settings").saying("The logo is removed."))
}

async fn shown(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    form: SettingsForm,
    outcome: DomainResult<()>,
) -> Result<HttpResponse> {
    let (errors, status) = FormErrors::after(outcome)?;
    let errors = errors
        .renamed("organization", Some("name"))
        .renamed("upload_limit", Some("upload_limit_mb"));
    Html(SettingsPage {
        page: page(request, &member.visitor, Place::Settings).await?,
        sidebar: Sidebar::of(app, member).await?,
        errors,
        name: form.name,
        accent: Accent::parse(&form.accent).unwrap_or(Accent::DEFAULT),
        uses_default_accent: form.use_default_accent == "1",
        upload_limit_mb: form.upload_limit_mb,
        session_days: form.session_days,
        cors_origins: form.cors_origins,
    })
    .with_status(status)
}
