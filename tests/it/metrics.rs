//! `/metrics`: who may read it, what it counts, and that the board for Grafana asks for nothing else.

use std::collections::BTreeSet;

use appliance::{
    config::Config,
    domain::backups::{self, Kind, Run},
};
use reqwest::{Client, StatusCode, header};
use serde_json::Value;

use crate::support::{NewPortal, Shell, TestApp};

const TOKEN: &str = "a-token-for-prometheus";

async fn figures(app: &TestApp) -> String {
    let answer = Client::new().get(format!("{}/metrics", app.url)).send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.expect("figures")
}

/// The value of one line.
fn value(figures: &str, name: &str) -> Option<f64> {
    let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().expect("a number"))
}

#[actix_web::test]
async fn requests_are_counted_by_route_and_never_by_what_was_asked_for() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let document = ada.upload("plan.txt", b"a plan", &[("title", "Plan")]).await;
    let path = format!("/api/documents/{}", document["id"].as_str().expect("an id"));
    for _ in 0..3 {
        ada.get(&path).await;
    }
    for number in 0..5 {
        assert_eq!(ada.status("GET", &format!("/made-up/{number}"), None).await, 404);
        let nobody = format!("/api/documents/{}", uuid::Uuid::from_u128(number));
        assert_eq!(ada.status("GET", &nobody, None).await, 404);
    }
    assert_eq!(ada.status("BREW", "/coffee", None).await, 404);
    app.settle().await;
    let text = figures(&app).await;
    let requests = |method: &str, route: &str, status: &str| {
        let labels = format!("{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}");
        value(&text, &format!("appliance_http_requests_total{labels}"))
    };
    assert_eq!(requests("GET", "/api/documents/{id}", "2xx"), Some(3.0), "{text}");
    assert_eq!(requests("GET", "/api/documents/{id}", "4xx"), Some(5.0));
    assert_eq!(requests("GET", "none", "4xx"), Some(5.0));
    assert_eq!(requests("other", "none", "4xx"), Some(1.0));
    assert!(!text.contains("made-up") && !text.contains("BREW"), "{text}");
    let took = "appliance_http_request_duration_seconds_count{route=\"/api/documents/{id}\"}";
    assert_eq!(value(&text, took), Some(8.0));
    assert_eq!(value(&text, "appliance_http_requests_in_flight"), Some(1.0), "the one that asks");
    assert!(value(&text, "appliance_http_connections").is_some_and(|open| open >= 1.0));

    let commits = value(&text, "appliance_store_commits_total").expect("commits");
    let writes = value(&text, "appliance_store_writes_total").expect("writes");
    assert!(commits >= 3.0 && writes >= commits, "{commits} {writes}");
    let timed = value(&text, "appliance_store_commit_duration_seconds_count");
    assert_eq!(timed, Some(commits));
    assert_eq!(value(&text, "appliance_jobs{state=\"failed\"}"), Some(0.0));
    assert_eq!(value(&text, "appliance_index_lag_changes"), Some(0.0));
    assert!(value(&text, "appliance_disk_size_bytes").is_some_and(|bytes| bytes > 1e6));
    assert!(value(&text, "process_resident_memory_bytes").is_some_and(|bytes| bytes > 1e6));
    assert!(value(&text, "process_open_fds").is_some_and(|open| open > 3.0));
    assert!(value(&text, "process_cpu_seconds_total").is_some_and(|seconds| seconds > 0.0));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(value(&text, &format!("appliance_build_info{{version=\"{version}\"}}")), Some(1.0));
    let backup = |line: &str| line.starts_with("appliance_backup_last_success");
    assert!(!text.lines().any(backup), "there was none: {text}");
    app.stop().await;
}

/// What a client gets that asks in its own way.
async fn asked(app: &TestApp, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = Client::new().get(format!("{}/metrics", app.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

#[actix_web::test]
async fn without_a_token_this_machine_alone_may_read_it() {
    let app = TestApp::spawn().await;
    for name in ["localhost", "127.0.0.1:8080", "[::1]"] {
        assert_eq!(asked(&app, &[("host", name)]).await.0, 200, "{name}");
    }
    // A page in a browser here whose own name was made to point to this machine.
    assert_eq!(asked(&app, &[("host", "rebound.example.net")]).await.0, 403);
    // Somebody else, behind a proxy that the configuration does not know.
    let (status, sentence) = asked(&app, &[("x-forwarded-for", "203.0.113.9")]).await;
    assert!(status == 403 && sentence.contains("metrics.token"), "{sentence}");
    app.stop().await;

    let behind = |config: &mut Config| {
        config.trusted_proxies = vec!["127.0.0.1".parse().expect("an address")];
    };
    let app = TestApp::spawn_with(behind).await;
    // For the portal everybody comes from this machine then, and says what they like.
    for forwarded in [None, Some("203.0.113.9"), Some("127.0.0.1")] {
        let header = forwarded.map(|address| ("x-forwarded-for", address));
        assert_eq!(asked(&app, header.as_slice()).await.0, 403, "{forwarded:?}");
    }
    app.stop().await;
}

#[actix_web::test]
async fn with_a_token_everybody_sends_it_and_may_ask_by_any_name() {
    let app = TestApp::spawn_with(|config| {
        config.metrics.token = TOKEN.into();
        config.allowed_hosts = vec!["docs.example.com".into()];
    })
    .await;
    let (status, sentence) = asked(&app, &[]).await;
    assert!(status == 401 && sentence.contains("Bearer"), "{sentence}");
    for wrong in ["Bearer a-token-for-grafana", "Bearer ", TOKEN, "Basic a-token-for-prometheus"] {
        assert_eq!(asked(&app, &[("authorization", wrong)]).await.0, 401, "{wrong}");
    }
    let right = format!("Bearer {TOKEN}");
    let far = [("authorization", right.as_str()), ("host", "10.0.0.5:8080")];
    let (status, text) = asked(&app, &far).await;
    assert!(status == 200 && text.ends_with("# EOF\n"), "{text}");
    assert!(!text.contains(TOKEN));
    let request = Client::new().get(format!("{}/metrics", app.url)).bearer_auth(TOKEN);
    let modern = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let answer = request.header(header::ACCEPT, modern).send().await.expect("an answer");
    let kind = answer.headers()[header::CONTENT_TYPE].to_str().expect("a type");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    app.stop().await;
}

#[actix_web::test]
async fn every_figure_has_a_help_text_and_the_board_asks_for_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    crate::https::write_own(&chain, &key);
    let app = TestApp::spawn_with(|config| {
        config.listen_https = Some(([127, 0, 0, 1], 0).into());
        config.https.certificate_file = chain;
        config.https.key_file = key;
    })
    .await;
    let made = |tx: &mut appliance::store::WriteTx| {
        let run = Run {
            id: tx.new_id(),
            kind: Kind::Backup,
            place: "elsewhere".into(),
            started_at: tx.now(),
            finished_at: tx.now(),
            size_bytes: 1,
            summary: "made".into(),
            fault: None,
        };
        backups::note_run(tx, run)
    };
    app.app.store.write(made).await.expect("a backup");
    figures(&app).await;
    let text = figures(&app).await;
    let lines = || text.lines().filter(|line| !line.starts_with('#'));
    let names: BTreeSet<&str> = lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    let has_help = |name: &str| {
        let ends = ["_total", "_info", "_bucket", "_count", "_sum", ""];
        let mut bare = ends.iter().filter_map(|end| name.strip_suffix(end));
        bare.any(|bare| text.contains(&format!("# HELP {bare} ")))
    };
    for name in &names {
        assert!(name.starts_with("appliance_") || name.starts_with("process_"), "{name}");
        assert!(has_help(name), "{name} has no help");
    }
    assert!(names.contains("appliance_certificate_expiry_timestamp_seconds"), "{names:?}");

    let board = Shell::new().run(&["grafana"]).expect(0).json();
    let mut asked = BTreeSet::new();
    expressions(&board, &mut asked);
    assert!(asked.len() > 25, "{asked:?}");
    let unknown: Vec<_> = asked.iter().filter(|name| !names.contains(name.as_str())).collect();
    assert!(unknown.is_empty(), "the board asks for {unknown:?}, of {names:?}");
    app.stop().await;
}

/// The names of figures in all expressions of a board.
fn expressions(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(expression)) = fields.get("expr") {
                let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let is_figure =
                    |word: &&str| word.starts_with("appliance_") || word.starts_with("process_");
                names.extend(words.filter(is_figure).map(str::to_owned));
            }
            fields.values().for_each(|value| expressions(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, names)),
        _ => {}
    }
}

#[actix_web::test]
async fn a_portal_that_nobody_has_set_up_has_figures_too() {
    let portal = NewPortal::spawn().await;
    let answer = reqwest::get(format!("{}/metrics", portal.url)).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
}
