//! Administration → System: the page, its counterpart for programs, and the log behind both.

use appliance::{domain::access::Role, log_tail::LogTail};
use tracing_subscriber::layer::SubscriberExt;

use crate::support::TestApp;

/// A portal whose log has said two things.
async fn portal() -> TestApp {
    let app = TestApp::spawn().await;
    let tail = LogTail::default();
    let subscriber = tracing_subscriber::registry().with(tail.clone());
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!("the portal is running");
        tracing::error!(file = "<plan>.pdf", "a file is damaged");
    });
    app.app.keep_log(tail);
    app
}

#[actix_web::test]
async fn the_page_shows_the_parts_and_the_log_which_can_be_narrowed() {
    let app = portal().await;
    let ada = app.person("ada").await;
    let page = ada.get("/admin/system").await;
    for words in ["Search index", "Up to date", "None are planned", "Kept in reserve", "Load"] {
        page.says(words);
    }
    page.says("the portal is running").says("a file is damaged file=<plan>.pdf");
    let errors = ada.get("/admin/system?level=error").await;
    errors.says("a file is damaged").does_not_say("the portal is running");
    let found = ada.get("/admin/system?text=RUNNING").await;
    found.says("the portal is running").does_not_say("a file is damaged");
    ada.get("/admin/system?text=kettle").await.says("Nothing of that kind was said");
    ada.get("/admin/").await.says("System");
    app.stop().await;
}

#[actix_web::test]
async fn programs_read_the_same_and_only_operators_do() {
    let app = portal().await;
    app.add_user("mia", Role::Admin).await;
    let ada = app.signed_in("ada").await;
    let system = ada.get("/api/admin/system").await;
    assert_eq!(system["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&system["disk"]["state"], &system["logged_errors"]), (&"ok".into(), &1.into()));
    assert!(system["process"]["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20));
    assert!(system["machine"]["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20));
    let log = ada.get("/api/admin/system/log?level=warn&limit=10").await;
    assert_eq!(log["lines"][0]["text"], "a file is damaged file=<plan>.pdf");
    assert_eq!(log["lines"].as_array().map(Vec::len), Some(1));
    assert_eq!(ada.status("GET", "/api/admin/system/log?level=loud", None).await, 422);
    // Administers the organization, and not the machine.
    let mia = app.signed_in("mia").await;
    assert_eq!(mia.status("GET", "/api/admin/system", None).await, 403);
    assert_eq!(mia.status("GET", "/api/admin/system/log", None).await, 403);
    app.stop().await;
}
