//! Whether the portal is alive and ready, for load balancers and the command line.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use serde::Serialize;

use super::{client, fault::Result};
use crate::{app::App, space::Room};

/// The process answers.
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    store: &'static str,
    /// How many changes the search index has yet to follow.
    index_behind: u64,
    /// `ok` or `degraded`: the portal works, and files wait. Who asks on this machine itself is told
    /// what and since when: `degraded: …`.
    storage: String,
    /// `ok`, `nearly full` (uploads and backups wait), `full` (only what makes room is written) or
    /// `unknown`: reading goes on.
    disk: &'static str,
    /// `ok`, `off`, `failing` or `unknown`: the portal works, and its administrators know more.
    backups: &'static str,
}

/// The store answers, too.
pub async fn ready(app: Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    let looked = match app.store.read(|tx| tx.latest_change()).await {
        Ok(latest) => app.backup_standing().await.map(|standing| (latest, standing)),
        Err(fault) => Err(fault),
    };
    let storage = storage(&app, client::is_local(&request, &app.config)).await;
    let disk = app.reserve.room().map_or("unknown", Room::word);
    let (status, readiness) = match looked {
        Ok((latest, standing)) => (
            StatusCode::OK,
            Readiness {
                status: "ready",
                store: "ok",
                index_behind: app.index_lag(latest),
                storage,
                disk,
                backups: standing.word(),
            },
        ),
        Err(fault) => {
            tracing::error!("the store does not answer: {}", fault.chain());
            let readiness = Readiness {
                status: "failing",
                store: "failing",
                index_behind: 0,
                storage,
                disk,
                backups: "unknown",
            };
            (StatusCode::SERVICE_UNAVAILABLE, readiness)
        }
    };
    Ok(HttpResponse::build(status).json(readiness))
}

/// Names and numbers are nobody's business outside; and only when something is wrong are they
/// looked for.
async fn storage(app: &App, is_local: bool) -> String {
    if !app.blobs.is_degraded() {
        return "ok".into();
    }
    let status = if is_local { app.blobs.status().await.ok() } else { None };
    match status.and_then(|status| status.degraded()) {
        Some(sentence) => format!("degraded: {sentence}"),
        None => "degraded".into(),
    }
}
