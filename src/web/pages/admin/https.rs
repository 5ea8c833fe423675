//! HTTPS: the domains of the portal, and how their certificates stand.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::Sidebar;
use crate::{
    app::{App, CertificateSource, HttpsStanding},
    domain::{
        access::{Action, decide},
        certificates::Standing,
    },
    error::Result as DomainResult,
    web::{
        auth::Member,
        body::Form,
        fault::Result,
        pages::{FormErrors, Go, Html, Moment, Page, Place, Tone, filters, page, sign_in::Empty},
    },
};

const PAGE: &str = "/admin/https";

/// `GET` and `POST /admin/https`: `domains` (one in each line) and `email`; what is left empty is for
/// the configuration to say. `/admin/https/fetch` makes the next attempt now.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/https.html")]
pub struct HttpsPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub errors: FormErrors,
    pub domains: String,
    pub email: String,
    /// What the configuration says, where the form says nothing.
    pub configured_domains: String,
    /// How it stands, in a sentence.
    pub summary: String,
    pub tone: Tone,
    pub certificates: Vec<CertificateRow>,
    /// An authority is asked, and something is missing.
    pub can_fetch: bool,
}

/// The certificate of a domain.
#[derive(Clone, Debug)]
pub struct CertificateRow {
    pub domain: String,
    pub tone: Tone,
    /// `Valid`, `Fetching`, `Failed`.
    pub state: &'static str,
    pub issuer: Option<String>,
    pub until: Option<Moment>,
    pub next_attempt: Option<Moment>,
    /// What went wrong, and what to do.
    pub fault: Option<(String, String)>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct HttpsForm {
    domains: String,
    email: String,
}

pub async fn show(app: Data<App>, request: HttpRequest, member: Member) -> Result<HttpResponse> {
    let form = HttpsForm::stored(&app);
    shown(&app, &request, &member, form, Ok(())).await
}

pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<HttpsForm>,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Operate)?;
    let lines: Vec<String> = form.domains.split_whitespace().map(str::to_owned).collect();
    let domains = (!lines.is_empty()).then_some(lines);
    let email = Some(form.email.trim().to_owned()).filter(|email| !email.is_empty());
    match app.set_https(member.actor(), domains, email).await {
        Ok(_) => {
            let said = "Saved. A certificate that is missing is fetched within a minute.";
            Ok(Go::to(PAGE).saying(said).response())
        }
        Err(error) => shown(&app, &request, &member, form, Err(error)).await,
    }
}

pub async fn fetch(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    _form: Form<Empty>,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Operate)?;
    match app.fetch_certificates_now(member.actor()).await {
        Ok(()) => {
            let said = "It is being tried. Load the page again in a moment.";
            Ok(Go::to(PAGE).saying(said).response())
        }
        Err(error) => {
            let form = HttpsForm::stored(&app);
            shown(&app, &request, &member, form, Err(error)).await
        }
    }
}

impl HttpsForm {
    fn stored(app: &App) -> Self {
        let settings = app.settings();
        HttpsForm {
            domains: settings.domains.iter().flatten().cloned().collect::<Vec<_>>().join("\n"),
            email: settings.acme_email.clone().unwrap_or_default(),
        }
    }
}

async fn shown(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    form: HttpsForm,
    outcome: DomainResult<()>,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Operate)?;
    let (errors, status) = FormErrors::after(outcome)?;
    let standing = app.https_standing().await?;
    let now = app.clock.now();
    let (tone, summary) = summary(&standing);
    let is_missing = |one: &Standing| one.valid_until.is_none() || one.fault.is_some();
    Html(HttpsPage {
        page: page(request, &member.visitor, Place::Https).await?,
        sidebar: Sidebar::of(app, member).await?,
        errors,
        domains: form.domains,
        email: form.email,
        configured_domains: app.config.https.domains.join(", "),
        tone,
        summary,
        can_fetch: standing.source == CertificateSource::Acme
            && standing.certificates.iter().any(is_missing),
        certificates: standing.certificates.into_iter().map(|one| row(one, now)).collect(),
    })
    .with_status(status)
}

fn summary(standing: &HttpsStanding) -> (Tone, String) {
    let has_fault = standing.certificates.iter().any(|one| one.fault.is_some());
    let is_complete = standing.certificates.iter().all(|one| one.valid_until.is_some());
    match standing.source {
        CertificateSource::None => (
            Tone::Plain,
            "This server does not speak HTTPS itself. To let it: listen_https in the configuration. \
             A proxy in front may do so instead."
                .into(),
        ),
        CertificateSource::SelfSigned => (
            Tone::Warning,
            "Encrypted, but browsers warn: the certificate vouches for itself. Name a domain below, \
             or a certificate of your own in the configuration."
                .into(),
        ),
        CertificateSource::Files if has_fault => {
            (Tone::Bad, "The certificate in the configuration needs a look.".into())
        }
        CertificateSource::Files => {
            (Tone::Good, "The certificate in the configuration is used, and read again when it changes.".into())
        }
        CertificateSource::Acme if has_fault => (
            Tone::Bad,
            "A certificate could not be fetched. The portal goes on with what it has, and tries again \
             by itself."
                .into(),
        ),
        CertificateSource::Acme if is_complete => {
            (Tone::Good, "All is well. Certificates are renewed by themselves.".into())
        }
        CertificateSource::Acme => {
            (Tone::Plain, "The first certificate is on its way. Until it is there, browsers warn.".into())
        }
    }
}

fn row(standing: Standing, now: Timestamp) -> CertificateRow {
    let is_over = standing.valid_until.is_some_and(|until| until <= now);
    let (tone, state) = match (&standing.fault, standing.valid_until) {
        (_, Some(_)) if is_over => (Tone::Bad, "Run out"),
        (Some(_), Some(_)) => (Tone::Warning, "Not renewed"),
        (Some(_), None) => (Tone::Bad, "Failed"),
        (None, Some(_)) => (Tone::Good, "Valid"),
        (None, None) => (Tone::Plain, "Fetching"),
    };
    CertificateRow {
        domain: standing.domain,
        tone,
        state,
        issuer: standing.issuer,
        until: standing.valid_until.map(|at| Moment::new(at, now)),
        next_attempt: standing.next_attempt_at.map(|at| Moment::new(at, now)),
        fault: standing.fault.map(|fault| (fault.message, fault.remedy)),
    }
}
