//! The front door of the API.

use actix_web::web::Json as Answer;
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::ADDRESS;

/// That the portal answers, and where to read on.
#[derive(Serialize, JsonSchema)]
pub struct Health {
    /// Always `ok`: whoever is not well does not answer.
    status: &'static str,
    documentation: &'static str,
    openapi: &'static str,
}

pub async fn show() -> Answer<Health> {
    Answer(Health { status: "ok", documentation: "/api/docs", openapi: ADDRESS })
}
