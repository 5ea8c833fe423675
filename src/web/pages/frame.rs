//! What every page handler needs around its own work: the frame's data, a flash message for the
//! next page, and the pages for what went wrong.

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, Responder,
    body::{BoxBody, MessageBody},
    cookie::{Cookie, SameSite},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::Next,
};
use anyhow::Context;
use askama::Template;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    Flash, Page, Person, Place, Theme, Tone, Undo,
    failure::{Failure, FailurePage, PlainFailurePage},
    parts::HiddenField,
};
use crate::{
    app::App,
    domain::{access::Role, organizations, sessions::Session, users::User},
    error::Result,
    id::Id,
    web::{
        auth::{self, Member, Visitor},
        client, fault,
    },
};

const FLASH_COOKIE: &str = "flash";
pub const THEME_COOKIE: &str = "theme";

/// A rendered template as an answer.
pub struct Html<T>(pub T);

impl<T: Template> Responder for Html<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        match render(&self.0) {
            Ok(body) => html(HttpResponse::Ok(), body),
            Err(fault) => HttpResponse::from_error(fault::Fault(fault)),
        }
    }
}

impl<T: Template> Html<T> {
    /// The page with another status, for a form that is shown again.
    pub fn with_status(self, status: StatusCode) -> fault::Result<HttpResponse> {
        Ok(html(HttpResponse::build(status), render(&self.0)?))
    }
}

fn html(mut response: HttpResponseBuilder, body: String) -> HttpResponse {
    response.content_type("text/html; charset=utf-8").body(body)
}

fn render(template: &impl Template) -> Result<String> {
    Ok(template.render().context("rendering a page")?)
}

/// The frame of a page for this visitor.
pub async fn page(request: &HttpRequest, visitor: &Visitor, place: Place) -> Result<Page> {
    let app = auth::app(request)?;
    let organization = visitor.actor.organization;
    let organization = app
        .store
        .read(move |tx| match organization {
            Some(id) => organizations::get(tx, id).map(Some),
            None => organizations::first(tx),
        })
        .await?;
    let theme = request.cookie(THEME_COOKIE);
    Ok(Page {
        logo_url: organization
            .as_ref()
            .and_then(|organization| organization.logo.as_ref())
            .map(|logo| format!("/logo/{}", logo.blob)),
        accent: organization
            .as_ref()
            .and_then(|organization| organization.accent.as_ref())
            .and_then(|accent| super::accent::Accent::parse(accent.as_str())),
        organization: organization
            .map_or_else(|| "Appliance".into(), |organization| organization.name),
        person: visitor.user.as_ref().map(|user| {
            let role = visitor.actor.organization.and_then(|id| visitor.actor.role_in(id));
            Person {
                name: user.display_name().to_owned(),
                email: user.email.clone(),
                can_upload: role.is_some_and(|role| role >= Role::Editor),
                can_administer: role.is_some_and(|role| role >= Role::Manager),
            }
        }),
        csrf_token: visitor.csrf_token(),
        flash: take_flash(request),
        theme: theme.map_or(Theme::Auto, |cookie| Theme::from_key(cookie.value())),
        place,
        search: Default::default(),
    })
}

/// What the flash cookie holds: only what our own pages put there, and shown as plain text.
#[derive(Serialize, Deserialize)]
struct StoredFlash {
    is_bad: bool,
    text: String,
    undo: Option<StoredUndo>,
}

/// Where "Undo" posts to, and the ids that it carries.
#[derive(Serialize, Deserialize)]
struct StoredUndo {
    action: String,
    ids: Vec<String>,
}

/// Ids that an undo can carry: a cookie holds 4 kB.
const UNDO_IDS_MAX: usize = 60;

/// Leaves word that the page shows the flash message.
struct FlashTaken;

/// Gives the browser the message that an answer carries, and takes it away with the page that shows it.
pub async fn pass_flash(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let mut response = next.call(request).await?;
    if response.request().extensions().contains::<FlashTaken>() {
        let spent = Cookie::build(FLASH_COOKIE, "").path("/").finish();
        response.response_mut().add_removal_cookie(&spent)?;
    }
    let flash = response.response_mut().extensions_mut().remove::<StoredFlash>();
    if let (Some(flash), Ok(app)) = (flash, auth::app(response.request())) {
        let value = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&flash)?);
        let cookie = Cookie::build(FLASH_COOKIE, value)
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(client::is_secure(response.request(), &app.config))
            .finish();
        response.response_mut().add_cookie(&cookie)?;
    }
    Ok(response)
}

fn take_flash(request: &HttpRequest) -> Option<Flash> {
    let cookie = request.cookie(FLASH_COOKIE)?;
    request.extensions_mut().insert(FlashTaken);
    let json = URL_SAFE_NO_PAD.decode(cookie.value()).ok()?;
    let stored: StoredFlash = serde_json::from_slice(&json).ok()?;
    let undo = stored.undo.filter(|undo| is_own_path(&undo.action)).map(|undo| Undo {
        label: "Undo".into(),
        action: undo.action,
        fields: undo.ids.into_iter().map(|id| HiddenField::new("id", id)).collect(),
    });
    let tone = if stored.is_bad { Tone::Bad } else { Tone::Good };
    Some(Flash { tone, text: stored.text, undo })
}

/// After a form: on to another page (303), which says what happened.
pub struct Go {
    to: String,
    flash: Option<StoredFlash>,
}

impl Go {
    /// On to a path of ours.
    pub fn to(path: impl Into<String>) -> Self {
        Go { to: path.into(), flash: None }
    }

    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.flash = Some(StoredFlash { is_bad: false, text: text.into(), undo: None });
        self
    }

    pub fn complaining(mut self, text: impl Into<String>) -> Self {
        self.flash = Some(StoredFlash { is_bad: true, text: text.into(), undo: None });
        self
    }

    /// Offers a button that posts to `action`.
    pub fn with_undo(self, action: impl Into<String>) -> Self {
        self.with_undo_of(action, Vec::new())
    }

    /// The same, with the field `id` for each of these; nothing is offered for too many.
    pub fn with_undo_of(mut self, action: impl Into<String>, ids: Vec<String>) -> Self {
        if let Some(flash) = self.flash.as_mut().filter(|_| ids.len() <= UNDO_IDS_MAX) {
            flash.undo = Some(StoredUndo { action: action.into(), ids });
        }
        self
    }

    pub fn response(self) -> HttpResponse {
        let mut response =
            HttpResponse::SeeOther().insert_header((header::LOCATION, self.to)).finish();
        if let Some(flash) = self.flash {
            response.extensions_mut().insert(flash);
        }
        response
    }
}

impl Responder for Go {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.response()
    }
}

/// True for a path on this portal; anything that a browser could take for another host is not.
pub fn is_own_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && !path.contains(char::is_control)
}

/// Where a secret waits for the page at `path`.
pub fn once_at(member: &Member, path: &str) -> (Id<User>, Option<Id<Session>>, String) {
    (member.user.id, member.session.as_ref().map(|session| session.id), path.to_owned())
}

/// The secret that was left for the page at `path`. Asking for its headers alone takes nothing.
pub fn take_once(app: &App, request: &HttpRequest, member: &Member, path: &str) -> Option<String> {
    let is_shown = *request.method() == Method::GET;
    is_shown.then(|| app.shown_once.take(&once_at(member, path))).flatten()
}

/// The page of ours that a form was sent from.
pub fn back(request: &HttpRequest, otherwise: &str) -> String {
    let referer = request.headers().get(header::REFERER).and_then(|value| value.to_str().ok());
    let path = referer.and_then(|referer| {
        let (_, rest) = referer.split_once("://")?;
        let (host, path) = rest.split_at(rest.find('/')?);
        (client::authority(request) == Some(host)).then_some(path)
    });
    path.filter(|path| is_own_path(path)).unwrap_or(otherwise).to_owned()
}

/// The way to the sign-in page and back.
pub fn to_sign_in(request: &HttpRequest) -> HttpResponse {
    let wanted = request.uri().path_and_query().map_or("/", |path| path.as_str());
    Go::to(sign_in_href(wanted)).response()
}

fn sign_in_href(next: &str) -> String {
    let next = serde_html_form::to_string([("next", next)]).unwrap_or_default();
    format!("/sign-in?{next}")
}

/// The page for a request that failed: in the frame, or without it where the frame cannot be had.
pub async fn error_page(
    request: &HttpRequest,
    status: StatusCode,
    message: &str,
    retry_after_s: Option<u64>,
    request_id: &str,
) -> fault::Result<String> {
    let mut failure = Failure::told(status, message, retry_after_s, Some(request_id));
    if failure.sign_in_href.is_some() {
        failure.sign_in_href = Some(sign_in_href(&back(request, "/")));
    }
    match framed(request, failure.clone()).await {
        Ok(page) => Ok(page),
        Err(fault) => {
            tracing::debug!("an error page without its frame: {}", fault.0.chain());
            Ok(render(&PlainFailurePage { failure })?)
        }
    }
}

async fn framed(request: &HttpRequest, failure: Failure) -> fault::Result<String> {
    let visitor = Visitor::from_request(request, &mut Payload::None).await?;
    let page = page(request, &visitor, Place::Elsewhere).await?;
    Ok(render(&FailurePage { page, failure })?)
}
