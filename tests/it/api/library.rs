//! Categories, settings, jobs and the audit log over the API.

use appliance::domain::access::Role;
use serde_json::{Value, json};

use crate::support::TestApp;

fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

fn shelves(list: &Value) -> Vec<(String, u64)> {
    let shelves = list["categories"].as_array().expect("categories").iter();
    let shelf = |it: &Value| {
        let count = it["document_count"].as_u64().expect("a count");
        (it["name"].as_str().expect("a name").to_owned(), count)
    };
    shelves.map(shelf).collect()
}

#[actix_web::test]
async fn a_category_in_use_is_merged_and_not_lost() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let made = ada.upload("plan.txt", b"Plan", &[("category", "Plans")]).await;
    let reports = ada.post("/api/admin/categories", json!({ "name": "Reports" })).await;
    let list = ada.get("/api/admin/categories").await;
    assert_eq!(shelves(&list), [("Plans".into(), 1), ("Reports".into(), 0)]);
    let plans = format!("/api/admin/categories/{}", id(&list["categories"][0]));
    assert_eq!(ada.status("DELETE", &plans, None).await, 409);
    let merge = format!("{plans}/merge");
    assert_eq!(ada.status("POST", &merge, Some(json!({}))).await, 400);
    let into = json!({ "into": reports["id"] });
    assert_eq!(ada.status("POST", &merge, Some(into)).await, 202);
    app.settle().await;
    assert_eq!(shelves(&ada.get("/api/admin/categories").await), [("Reports".into(), 1)]);
    let document = ada.get(&format!("/api/documents/{}", id(&made))).await;
    assert_eq!(document["category"], "Reports");
    app.stop().await;
}

#[actix_web::test]
async fn a_renamed_category_is_found_by_its_new_name() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let made = ada.upload("plan.txt", b"Plan", &[("category", "Plans")]).await;
    let path = format!("/api/admin/categories/{}", made["category_id"].as_str().expect("an id"));
    assert_eq!(ada.status("PATCH", &path, Some(json!({ "name": "Papers" }))).await, 200);
    app.settle().await;
    assert_eq!(ada.get("/api/documents?category=Papers").await["total"], 1);
    assert_eq!(ada.get("/api/documents?category=papers").await["total"], 1);
    assert_eq!(ada.get("/api/documents?category=Plans").await["total"], 0);
    app.stop().await;
}

#[actix_web::test]
async fn settings_change_at_once_and_only_for_those_who_operate_the_portal() {
    let app = TestApp::spawn().await;
    app.add_user("alma", Role::Admin).await;
    let (ada, alma) = (app.signed_in("ada").await, app.signed_in("alma").await);
    let settings = ada.get("/api/admin/settings").await;
    assert_eq!(settings["organization"], "Northlight");
    assert_eq!(settings["portal"]["session_days"], 14);
    assert_eq!(alma.get("/api/admin/settings").await["portal"], Value::Null);
    let small = json!({ "portal": { "upload_bytes_max": 1 << 20 } });
    assert_eq!(alma.status("PATCH", "/api/admin/settings", Some(small.clone())).await, 403);
    assert_eq!(ada.status("PATCH", "/api/admin/settings", Some(small)).await, 200);
    let response = ada.try_upload("big.txt", &vec![b'x'; (1 << 20) + 1], &[]).await;
    assert_eq!(response.status(), 413);
    let name = json!({ "organization": "Southlight", "accent": "#336699" });
    assert_eq!(alma.status("PATCH", "/api/admin/settings", Some(name)).await, 200);
    let settings = ada.get("/api/admin/settings").await;
    assert_eq!(settings["organization"], "Southlight");
    assert_eq!(settings["accent"], "#336699");
    let plain = json!({ "accent": null });
    assert_eq!(alma.status("PATCH", "/api/admin/settings", Some(plain)).await, 200);
    assert_eq!(ada.get("/api/admin/settings").await["accent"], Value::Null);
    let wrong = json!({ "portal": { "session_days": 0 } });
    assert_eq!(ada.status("PATCH", "/api/admin/settings", Some(wrong)).await, 422);
    app.stop().await;
}

#[actix_web::test]
async fn other_origins_may_use_the_api_when_the_settings_say_so() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let origin = "https://www.example.com";
    let ask = async |path: &str| {
        let request = ada.request("GET", path).header("origin", origin);
        let response = request.send().await.expect("an answer");
        response.headers().get("access-control-allow-origin").cloned()
    };
    assert_eq!(ask("/api/documents").await, None);
    let allowed = json!({ "portal": { "cors_origins": [origin] } });
    assert_eq!(ada.status("PATCH", "/api/admin/settings", Some(allowed)).await, 200);
    assert_eq!(ask("/api/documents").await.expect("allowed"), origin);
    assert_eq!(ask("/documents").await, None);
    app.stop().await;
}

#[actix_web::test]
async fn a_logo_is_an_image() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let send = async |name: &str, bytes: &[u8]| {
        let part = reqwest::multipart::Part::bytes(bytes.to_vec()).file_name(name.to_owned());
        let form = reqwest::multipart::Form::new().part("file", part);
        let request = ada.request("POST", "/api/admin/settings/logo").multipart(form);
        request.send().await.expect("an answer")
    };
    assert_eq!(send("logo.txt", b"A word").await.status(), 422);
    // A drawing could carry a script.
    let svg = br#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>"#;
    assert_eq!(send("logo.svg", svg).await.status(), 422);
    // The smallest GIF that there is.
    let gif = b"GIF89a\x01\0\x01\0\0\0\0;";
    let response = send("logo.gif", gif).await;
    assert_eq!(response.status(), 200);
    let settings: Value = response.json().await.expect("JSON");
    assert!(settings["logo_url"].as_str().expect("an address").starts_with("/logo/"));
    assert_eq!(ada.status("DELETE", "/api/admin/settings/logo", None).await, 200);
    assert_eq!(ada.get("/api/admin/settings").await["logo_url"], Value::Null);
    app.stop().await;
}

#[actix_web::test]
async fn jobs_tell_what_they_did() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    ada.upload("plan.txt", b"Plan", &[]).await;
    app.settle().await;
    let done = ada.get("/api/admin/jobs?state=done").await;
    let jobs = done["jobs"].as_array().expect("jobs");
    let mut tasks: Vec<_> = jobs.iter().map(|job| job["task"].as_str().expect("a task")).collect();
    tasks.sort();
    assert_eq!(tasks, ["extract_blob", "store_blob"]);
    assert_eq!(ada.get("/api/admin/jobs?state=failed").await["jobs"], json!([]));
    let first = ada.get("/api/admin/jobs?limit=1").await;
    let next = first["next"].as_str().expect("more");
    let second = ada.get(&format!("/api/admin/jobs?limit=1&after={next}")).await;
    assert_ne!(first["jobs"][0]["id"], second["jobs"][0]["id"]);
    assert_eq!(second["next"], Value::Null);
    let path = format!("/api/admin/jobs/{}", id(&first["jobs"][0]));
    assert_eq!(ada.get(&path).await["state"], "done");
    assert_eq!(ada.status("POST", &format!("{path}/cancel"), None).await, 409);
    assert_eq!(ada.status("POST", &format!("{path}/retry"), None).await, 409);
    app.stop().await;
}

#[actix_web::test]
async fn the_audit_log_is_filtered_and_read_page_by_page() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    for number in 0..5 {
        let link = json!({ "url": "https://example.com", "title": format!("Link {number}") });
        ada.post("/api/admin/documents/link", link).await;
    }
    let path = "/api/admin/audit?verb=document_added&limit=2";
    let mut titles = Vec::new();
    let mut after = String::new();
    loop {
        let page = ada.get(&format!("{path}{after}")).await;
        for event in page["events"].as_array().expect("events") {
            assert_eq!(event["by"]["name"], "Ada Lovelace");
            titles.push(event["subject"]["name"].as_str().expect("a title").to_owned());
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(titles, ["Link 4", "Link 3", "Link 2", "Link 1", "Link 0"]);
    let day = ada.get("/api/admin/audit?verb=document_added&from=2026-11-21&to=2026-11-21").await;
    assert_eq!(day["events"].as_array().map(Vec::len), Some(5));
    let later = ada.get("/api/admin/audit?from=2026-11-22").await;
    assert_eq!(later["events"], json!([]));
    app.stop().await;
}
