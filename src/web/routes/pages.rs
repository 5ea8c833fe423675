//! What people open in a browser, and what their forms send.

use crate::web::{
    endpoint::{Endpoint, get, post},
    pages,
};

pub fn endpoints() -> Vec<Endpoint> {
    use pages::{api_reference, landing, setup, sign_in};
    let mut all = vec![
        get("/", landing::show),
        get("/api/docs", api_reference::show),
        get("/setup/{token}", setup::show),
        post("/setup/{token}", setup::submit),
        get("/setup/{token}/restore", setup::restore::show),
        get("/setup/{token}/restore/state", setup::restore::state),
        post("/setup/{token}/restore", setup::restore::submit),
        get("/sign-in", sign_in::show),
        post("/sign-in", sign_in::submit),
        post("/sign-out", sign_in::sign_out),
    ];
    all.extend(document_pages());
    all.extend(account_pages());
    all.extend(admin_pages());
    all.extend(users_pages());
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

fn account_pages() -> Vec<Endpoint> {
    use pages::{
        account::{password, profile, sessions, tokens},
        trash,
    };
    vec![
        get("/account", profile::show),
        post("/account", profile::submit),
        post("/account/appearance", profile::set_theme),
        get("/account/password", password::show),
        post("/account/password", password::submit),
        get("/account/sessions", sessions::show),
        post("/account/sessions/end-others", sessions::end_others),
        post("/account/sessions/{id}/end", sessions::end),
        get("/account/tokens", tokens::show),
        post("/account/tokens", tokens::create),
        post("/account/tokens/{id}/revoke", tokens::revoke),
        get("/trash", trash::show),
        post("/trash/empty", trash::empty),
    ]
}

fn admin_pages() -> Vec<Endpoint> {
    use pages::admin::{
        backups, categories, dashboard,
        documents::{bulk, list},
        events, https, jobs, settings, storage, system,
    };
    vec![
        get("/admin", dashboard::show),
        get("/admin/", dashboard::show),
        get("/admin/categories", categories::show),
        post("/admin/categories", categories::create),
        post("/admin/categories/{id}/rename", categories::rename),
        post("/admin/categories/{id}/merge", categories::merge),
        post("/admin/categories/{id}/delete", categories::delete),
        get("/admin/documents", list::show),
        post("/admin/documents/bulk", bulk::submit),
        post("/admin/documents/restore", bulk::restore),
        post("/admin/documents/visibility", bulk::set_visibility),
        get("/admin/jobs", jobs::show),
        get("/admin/jobs/rows", jobs::rows),
        post("/admin/jobs/retry-failed", jobs::retry_failed),
        post("/admin/jobs/{id}/retry", jobs::retry),
        post("/admin/jobs/{id}/cancel", jobs::cancel),
        get("/admin/system", system::show),
        get("/admin/storage", storage::show),
        get("/admin/storage/work", storage::work),
        post("/admin/storage/check", storage::acts::check),
        post("/admin/storage/claim", storage::acts::claim),
        post("/admin/storage/scrub", storage::acts::scrub),
        post("/admin/storage/migrate", storage::acts::migrate),
        get("/admin/backups", backups::show),
        get("/admin/backups/state", backups::state),
        post("/admin/backups/plan", backups::submit_plan),
        post("/admin/backups/make", backups::make),
        post("/admin/backups/drill", backups::drill),
        post("/admin/backups/verify", backups::verify),
        get("/admin/backups/{id}/download", backups::ask_for_download),
        post("/admin/backups/{id}/download", backups::download),
        post("/admin/backups/{id}/delete", backups::delete),
        get("/admin/audit", events::show),
        get("/admin/settings", settings::show),
        post("/admin/settings", settings::submit),
        post("/admin/settings/logo", settings::set_logo),
        post("/admin/settings/logo/remove", settings::remove_logo),
        get("/admin/https", https::show),
        post("/admin/https", https::submit),
        post("/admin/https/fetch", https::fetch),
    ]
}

fn users_pages() -> Vec<Endpoint> {
    use pages::admin::{
        groups,
        users::{account, list},
    };
    vec![
        get("/admin/people", list::show),
        get("/admin/people/new", account::show_new),
        post("/admin/people/new", account::create),
        get("/admin/people/{id}", account::show),
        post("/admin/people/{id}", account::edit),
        post("/admin/people/{id}/password", account::reset_password),
        post("/admin/people/{id}/sign-out", account::sign_out),
        post("/admin/people/{id}/disable", account::disable),
        post("/admin/people/{id}/enable", account::enable),
        post("/admin/people/{id}/delete", account::delete),
        get("/admin/groups", groups::list),
        post("/admin/groups", groups::create),
        get("/admin/groups/{id}", groups::show),
        post("/admin/groups/{id}", groups::edit),
        post("/admin/groups/{id}/members", groups::set_members),
        post("/admin/groups/{id}/delete", groups::delete),
    ]
}
