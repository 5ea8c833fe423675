//! What happens around every request: an id, a line in the log, the security headers, and a refusal
//! of what another site makes a browser send.

use std::time::Instant;

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
};

use super::{
    auth::{self, Visitor},
    client, metrics,
};

/// Names one request in its answer, its error and the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The header that tells it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Scripts, styles, images and requests: only our own. Nothing inline, no frames around us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; media-src 'self'; frame-src 'self'; object-src 'self'; \
    manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What load balancers and the service manager ask.
pub const HEALTH: [&str; 3] = ["/healthz", "/readyz", metrics::PATH];

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // For browsers that do not read the policy; our own pages show files in frames.
    (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// Numbers the request, times it, counts it, and writes its line to the log.
pub async fn trace(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let began = Instant::now();
    let id = format!("{:016x}", uuid::Uuid::new_v4().as_u64_pair().1);
    let method = request.method().clone();
    let path = loggable_path(request.path());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.call(request).await?;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let user =
        response.request().extensions().get::<Visitor>().and_then(|visitor| visitor.actor.user);
    let user = user.map(|user| user.to_string()).unwrap_or_default();
    let status = response.status().as_u16();
    let took = began.elapsed();
    metrics::count(response.request(), response.status(), took);
    let ms = took.as_secs_f64() * 1_000.0;
    // Assets would drown everything else, and so would those who only ask whether it lives.
    let is_routine = path.starts_with("/static/") || HEALTH.contains(&&*path);
    if is_routine && status < 400 {
        tracing::debug!(target: "request", id, %method, path, status, ms, user);
    } else {
        tracing::info!(target: "request", id, %method, path, status, ms, user);
    }
    Ok(response)
}

/// The path without what would let a reader of the log in.
fn loggable_path(path: &str) -> String {
    match path.strip_prefix("/setup/") {
        Some(_) => "/setup/…".into(),
        None => path.to_owned(),
    }
}

/// Adds the security headers that a handler has not set itself.
pub async fn secure(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut response = next.call(request).await?;
    // It kept the compressing away; a client has no use for it (RFC 9110, section 8.4.1).
    if response.headers().get(header::CONTENT_ENCODING).is_some_and(|it| it == "identity") {
        response.headers_mut().remove(header::CONTENT_ENCODING);
    }
    for (name, value) in HEADERS {
        if !response.headers().contains_key(&name) {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    if !response.headers().contains_key(header::CACHE_CONTROL) {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// Refuses what a page of another site makes a browser do here in its user's name. Browsers say
/// where a request comes from, in `Sec-Fetch-Site` or `Origin`; programs say nothing and carry no
/// cookie. Without one there is no name to act in: the API may be asked, within what
/// `settings.cors_origins` lets a browser send.
pub async fn refuse_cross_site(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let is_nobody = request.path().starts_with("/api/") && request.cookie(auth::COOKIE).is_none();
    let is_by_header = request.headers().contains_key(header::AUTHORIZATION);
    if !is_safe && !is_by_header && !is_nobody && is_cross_site(&request) {
        let refused = HttpResponse::Forbidden().finish();
        return Ok(request.into_response(refused).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

fn is_cross_site(request: &ServiceRequest) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    match (header("origin"), client::authority(request.request())) {
        (Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, from)| from != host),
        _ => false,
    }
}
