//! `/metrics`, for Prometheus: who may read it, and the counting of requests.
//!
//! Without a token in the configuration this machine alone may, and nobody who comes through a proxy:
//! for such a one the machine stands in for the whole world. Nor by another name: a page open in a
//! browser here can have its own name point to this machine, and read what it gets. With a token everybody must send it, this
//! machine too, since an ssh tunnel or a plain TCP proxy looks just like it.

use std::{rc::Rc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};

use super::{
    client,
    fault::Result,
    front::{State, asks_this_machine},
};
use crate::{app::App, domain::secrets::SecretHash};

pub const PATH: &str = "/metrics";

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The same lines are valid in the older format, for those who know no other.
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

pub async fn show(app: Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    if let Some(refusal) = refusal(&app, &request) {
        return Ok(refusal);
    }
    let connections = request.conn_data::<Rc<State>>().map_or(0, |state| state.gate.connections());
    let text = app.metrics_text(connections).await?;
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let knows_it = accept.is_some_and(|accept| accept.contains("application/openmetrics-text"));
    let kind = if knows_it { OPEN_METRICS } else { PLAIN };
    Ok(HttpResponse::Ok().content_type(kind).body(text))
}

/// True when the page has a lock of its own, and the name by which it is asked for does not matter.
pub fn is_locked(app: &App) -> bool {
    !app.config.metrics.token.is_empty()
}

fn refusal(app: &App, request: &HttpRequest) -> Option<HttpResponse> {
    let (status, sentence) = if is_locked(app) {
        let sent = request.headers().get(header::AUTHORIZATION);
        let sent = sent.and_then(|sent| sent.to_str().ok()?.strip_prefix("Bearer "));
        let wanted = SecretHash::of(app.config.metrics.token.reveal());
        if sent.is_some_and(|sent| wanted.matches(sent.trim())) {
            return None;
        }
        (
            StatusCode::UNAUTHORIZED,
            "Send the token of the configuration (metrics.token) as “Authorization: Bearer …”.",
        )
    } else {
        let is_local = client::is_local(request, &app.config);
        let is_direct = !client::is_proxied(request, &app.config) && asks_this_machine(request);
        if is_local && is_direct {
            return None;
        }
        (
            StatusCode::FORBIDDEN,
            "Only this machine itself may read the metrics, by the name localhost or 127.0.0.1. To \
             let others: metrics.token in the configuration.",
        )
    };
    let mut answer = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED {
        answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    Some(answer.content_type("text/plain; charset=utf-8").body(format!("{sentence}\n")))
}

/// The pattern of a route, as its endpoint is mounted with it.
#[derive(Clone, Copy)]
pub struct Pattern(pub &'static str);

/// Counts an answer, for the pattern of the route and not for the address.
pub fn count(request: &HttpRequest, status: StatusCode, took: Duration) {
    let Some(app) = request.app_data::<Data<App>>() else { return };
    let route = request.app_data::<Pattern>().map(|pattern| pattern.0);
    app.metrics.http.count(request.method().as_str(), route, status.as_u16(), took);
}
