//! Whether the portal is alive and ready, for load balancers and the command line.

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde::Serialize;

use super::fault::Result;
use crate::{app::App, domain::backups};

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
    /// `ok`, or since when the file storage does not answer and what waits for it. The portal works.
    storage: String,
    /// `ok`, `off`, `failing` or `unknown`: the portal works, and its administrators know more.
    backups: &'static str,
}

/// The store answers, too.
pub async fn ready(app: Data<App>) -> Result<HttpResponse> {
    let looked = app.store.read(|tx| Ok((tx.latest_change()?, backups::standing(tx)?))).await;
    let storage = app.blobs.status().await?.degraded().unwrap_or_else(|| "ok".into());
    let (status, readiness) = match looked {
        Ok((latest, standing)) => (
            StatusCode::OK,
            Readiness {
                status: "ready",
                store: "ok",
                index_behind: latest.saturating_sub(app.index.cursor()),
                storage,
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
                backups: "unknown",
            };
            (StatusCode::SERVICE_UNAVAILABLE, readiness)
        }
    };
    Ok(HttpResponse::build(status).json(readiness))
}
