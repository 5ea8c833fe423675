//! HTTP: pages for people, JSON for programs, files for both.
//!
//! [`routes`] lists every URL. A handler parses, asks one verb of `domain` or one flow of `app`, and
//! renders; what all requests share happens around it, in [`front`], [`guard`] and [`answer`].

pub mod endpoint;
pub mod routes;

mod answer;
mod auth;
mod body;
mod client;
pub mod content;
mod csrf;
mod fault;
mod front;
mod guard;
mod health;
mod metrics;

pub mod api;
pub mod assets;
pub mod pages;

use std::sync::Arc;

use actix_cors::Cors;
use actix_web::{
    App as ActixApp, HttpResponse,
    dev::Server,
    http::header,
    middleware::{Compress, from_fn},
    web::{self, Data},
};

pub use self::front::{Door, Heard, Stopping, probe, probe_ready};
use crate::{app::App, error::Result};

/// Serves the portal on sockets that are bound already. The server runs when it is awaited.
pub fn serve(app: Arc<App>, doors: Vec<Door>) -> Result<(Server, Stopping)> {
    let data = Data::from(app.clone());
    let portal = move || {
        ActixApp::new()
            .app_data(data.clone())
            // From the inside out: a refusal, too, is given its body.
            .wrap(from_fn(guard::refuse_cross_site))
            .wrap(from_fn(answer::answer))
            .wrap(from_fn(pages::pass_flash))
            .wrap(Compress::default())
            .wrap(cors(data.clone()))
            .wrap(from_fn(assets::serve_first))
            .wrap(from_fn(front::admit))
            .wrap(from_fn(guard::secure))
            .wrap(from_fn(guard::trace))
            .wrap(from_fn(front::underway))
            .configure(|config| endpoint::mount(config, &routes::endpoints()))
            .default_service(web::to(async || HttpResponse::NotFound().finish()))
    };
    front::serve(&app, doors, portal)
}

/// Lets pages of the origins in the settings use the API; none by default. They send a token, never
/// our cookie.
fn cors(app: Data<App>) -> Cors {
    Cors::default()
        .allowed_origin_fn(move |origin, request| {
            let is_api = request.uri.path().starts_with("/api/");
            let origin = origin.to_str().unwrap_or_default();
            is_api && app.settings().cors_origins.iter().any(|allowed| allowed == origin)
        })
        .block_on_origin_mismatch(false)
        .allow_any_method()
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            header::RANGE,
        ])
        .expose_headers([
            header::ACCEPT_RANGES,
            header::CONTENT_DISPOSITION,
            header::CONTENT_RANGE,
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            guard::REQUEST_ID,
        ])
        .max_age(600)
}
