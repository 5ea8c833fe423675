//! Every URL of the portal.

use super::{
    assets,
    endpoint::{Endpoint, get, post},
    health, pages,
};

/// All endpoints. The order is that of a match: more particular paths stand first.
pub fn endpoints() -> Vec<Endpoint> {
    let mut all = Vec::new();
    all.extend(files());
    all.extend(pages());
    all
}

/// What neither is a page nor belongs to the API.
fn files() -> Vec<Endpoint> {
    vec![
        get("/static/{path:.*}", assets::serve),
        get("/healthz", health::alive),
        get("/readyz", health::ready),
    ]
}

fn pages() -> Vec<Endpoint> {
    vec![
        get("/sign-in", pages::sign_in::show),
        post("/sign-in", pages::sign_in::submit),
        post("/sign-out", pages::sign_in::sign_out),
    ]
}
