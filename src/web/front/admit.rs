//! What each request meets first: the challenges of the certificate authority, the limits, the name
//! that was asked for, and the way to HTTPS.

use std::{rc::Rc, time::Instant};

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderValue},
    },
    middleware::Next,
    web::Data,
};

use super::{State, hosts};
use crate::{
    app::{App, Face},
    web::{
        client,
        fault::Problem,
        guard::{HEALTH, RequestId},
        metrics,
    },
};

/// Where the certificate authority looks for its answer (RFC 8555, 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";
const ADDRESS_BYTES_MAX: usize = 8 << 10;
const HEADERS_BYTES_MAX: usize = 32 << 10;
/// A year, for this name alone: what is below it may be somebody else's.
const STRICT: HeaderValue = HeaderValue::from_static("max-age=31536000");

pub async fn admit(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    let Some(app) = request.app_data::<Data<App>>().cloned() else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let face = app.https.face();
    let asked = Asked::of(request.request(), &app);
    if let Some(answer) = asked.answer(request.request(), &app, &face) {
        return Ok(request.into_response(answer).map_into_right_body());
    }
    if !HEALTH.contains(&request.path()) {
        app.wait_for_trial().await;
    }
    let mut response = next.call(request).await?;
    if asked.is_tls && asked.host.as_deref().is_some_and(|host| face.is_believed(host)) {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, STRICT);
    }
    Ok(response.map_into_left_body())
}

/// What the decision is made by.
struct Asked {
    host: Option<String>,
    is_tls: bool,
    /// Passed on by a proxy that sees to HTTPS itself.
    leaves_https_to_proxy: bool,
    state: Option<Rc<State>>,
}

impl Asked {
    fn of(request: &HttpRequest, app: &App) -> Self {
        let state = request.conn_data::<Rc<State>>().cloned();
        Asked {
            host: hosts::host(request),
            is_tls: state.as_ref().is_some_and(|state| state.is_tls),
            leaves_https_to_proxy: client::leaves_https_to_proxy(request, &app.config),
            state,
        }
    }

    /// The answer to what goes no further.
    fn answer(&self, request: &HttpRequest, app: &App, face: &Face) -> Option<HttpResponse> {
        if let Some(token) = request.path().strip_prefix(CHALLENGES) {
            return Some(challenge(app, token));
        }
        if let Some(refusal) = self.limited(request, app).or_else(|| too_large(request)) {
            return Some(refusal);
        }
        // By whatever name.
        let is_proxied = client::is_proxied(request, &app.config);
        if HEALTH.contains(&request.path()) && (is_proxied || client::is_here(request)) {
            return None;
        }
        if request.path() == metrics::PATH && metrics::is_locked(app) {
            return None;
        }
        let Some(host) = &self.host else {
            let message = "The request does not say which site it is for (a Host header).";
            return Some(refusal(request, StatusCode::BAD_REQUEST, message.into()));
        };
        let is_allowed = hosts::is_allowed(host, &app.config, face);
        let is_address = host.parse::<std::net::IpAddr>().is_ok();
        // By its address the portal was found before it had a name.
        let is_plain = !self.is_tls && !self.leaves_https_to_proxy && !hosts::is_this_machine(host);
        if is_plain
            && (is_allowed || is_address)
            && let Some(origin) = face.secure_origin(host)
        {
            return Some(redirect(request, &origin));
        }
        (!is_allowed).then(|| {
            let advice = match hosts::proper_address(&app.config, face) {
                Some(url) => format!("Open {url} instead."),
                None => {
                    "The administrator can allow it: allowed_hosts in the configuration.".into()
                }
            };
            let message = format!("This server does not answer to “{host}”. {advice}");
            refusal(request, StatusCode::MISDIRECTED_REQUEST, message)
        })
    }

    /// Of an address that asks too often.
    fn limited(&self, request: &HttpRequest, app: &App) -> Option<HttpResponse> {
        let gate = &self.state.as_ref()?.gate;
        let address = client::address(request, &app.config)?;
        if gate.is_exempt(address) {
            return None;
        }
        let wait = gate.rates.count(address, Instant::now()).err()?;
        let message = "Too many requests come from your address. Wait a moment.";
        let mut answer = refusal(request, StatusCode::TOO_MANY_REQUESTS, message.into());
        let seconds = HeaderValue::from(wait.as_secs() + 1);
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
        Some(answer)
    }
}

fn challenge(app: &App, token: &str) -> HttpResponse {
    match app.https.answer_to(token) {
        Some(text) => HttpResponse::Ok().content_type("application/octet-stream").body(text),
        None => HttpResponse::NotFound()
            .content_type("text/plain; charset=utf-8")
            .body("No challenge is under way.\n"),
    }
}

fn too_large(request: &HttpRequest) -> Option<HttpResponse> {
    let address = request.uri().path_and_query().map_or(0, |it| it.as_str().len());
    if address > ADDRESS_BYTES_MAX {
        let message = "The address is too long.";
        return Some(refusal(request, StatusCode::URI_TOO_LONG, message.into()));
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (headers > HEADERS_BYTES_MAX).then(|| {
        let message = "The headers of the request are too long. Delete the cookies of this site.";
        refusal(request, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message.into())
    })
}

/// The same request over HTTPS; for good, as far as the certificate goes.
fn redirect(request: &HttpRequest, origin: &str) -> HttpResponse {
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    let status = match *request.method() {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        // Keeps the method and the body.
        _ => StatusCode::PERMANENT_REDIRECT,
    };
    HttpResponse::build(status)
        .insert_header((header::LOCATION, format!("{origin}{path}")))
        .finish()
}

/// Cheap, since it may be given often.
fn refusal(request: &HttpRequest, status: StatusCode, message: String) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    if !request.path().starts_with("/api/") {
        return answer.content_type("text/plain; charset=utf-8").body(format!("{message}\n"));
    }
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    answer.content_type("application/problem+json").json(Problem::new(
        status,
        message,
        id.unwrap_or_default(),
    ))
}
