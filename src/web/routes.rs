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
        get("/favicon.ico", assets::serve_by_convention),
        get("/apple-touch-icon.png", assets::serve_by_convention),
        get("/robots.txt", assets::serve_by_convention),
        get("/healthz", health::alive),
        get("/readyz", health::ready),
    ]
}

fn pages() -> Vec<Endpoint> {
    use pages::{landing, setup, sign_in};
    let mut all = vec![
        get("/", landing::show),
        get("/setup/{token}", setup::show),
        post("/setup/{token}", setup::submit),
        get("/sign-in", sign_in::show),
        post("/sign-in", sign_in::submit),
        post("/sign-out", sign_in::sign_out),
    ];
    all.extend(document_pages());
    all
}

fn document_pages() -> Vec<Endpoint> {
    use pages::documents::{acts, edit, files, library, link, show, upload, versions, visibility};
    vec![
        get("/documents", library::show),
        get("/documents/results", library::results),
        get("/documents/upload", upload::show),
        post("/documents/upload", upload::submit),
        get("/documents/link", link::show),
        post("/documents/link", link::submit),
        get("/documents/{id}", show::show),
        get("/documents/{id}/preview", show::preview),
        get("/documents/{id}/download", files::download),
        get("/documents/{id}/content", files::content),
        get("/documents/{id}/thumbnail", files::thumbnail),
        get("/documents/{id}/pages/{page}", files::page_image),
        get("/documents/{id}/edit", edit::show),
        post("/documents/{id}/edit", edit::submit),
        get("/documents/{id}/visibility", visibility::show),
        post("/documents/{id}/visibility", visibility::submit),
        post("/documents/{id}/publish", acts::publish),
        post("/documents/{id}/withdraw", acts::withdraw),
        post("/documents/{id}/archive", acts::archive),
        post("/documents/{id}/unarchive", acts::unarchive),
        post("/documents/{id}/trash", acts::trash),
        post("/documents/{id}/restore", acts::restore),
        post("/documents/{id}/delete", acts::delete),
        post("/documents/{id}/versions", versions::submit),
        get("/documents/{id}/versions/{version}/download", files::download_version),
        post("/documents/{id}/versions/{version}/current", acts::make_current),
    ]
}
