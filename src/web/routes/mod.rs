//! Every URL of the portal: what people open is in [`pages`], what programs ask for in [`api`].

mod api;
mod pages;

use super::{
    api::media,
    assets,
    endpoint::{Endpoint, get},
    health, metrics,
    pages::logo,
};

/// All endpoints. The order is that of a match: more particular paths stand first.
pub fn endpoints() -> Vec<Endpoint> {
    let mut all = Vec::new();
    all.extend(files());
    all.extend(api::endpoints());
    all.extend(pages::endpoints());
    all
}

/// What neither is a page nor belongs to the API.
fn files() -> Vec<Endpoint> {
    vec![
        get(assets::ADDRESS, assets::serve),
        get("/favicon.ico", assets::serve_by_convention),
        get("/apple-touch-icon.png", assets::serve_by_convention),
        get("/robots.txt", assets::serve_by_convention),
        get("/logo/{hash}", logo::serve),
        get("/healthz", health::alive),
        get("/readyz", health::ready),
        get(metrics::PATH, metrics::show),
        get("/media/{id}/{filename}", media::serve),
    ]
}
