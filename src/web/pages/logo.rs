//! `GET /logo/{hash}`: the organization's picture. Its address changes with its bytes, so that a
//! browser never asks twice.

use actix_web::{
    HttpResponse,
    http::header,
    web::{Data, Path},
};

use crate::{app::App, error::Error, web::fault::Result};

pub async fn serve(app: Data<App>, hash: Path<String>) -> Result<HttpResponse> {
    let hash = hash.parse().map_err(|_| Error::not_found("picture"))?;
    let (bytes, media_type) = app.logo(hash).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, media_type))
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .body(bytes))
}
