//! Documents over the API.

use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp};
use appliance::domain::access::Role;

#[actix_web::test]
async fn an_uploaded_file_comes_back_as_it_was() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let made = ada
        .upload("Plan 2027.txt", b"Quarterly plan", &[
            ("description", "What we want"),
            ("category", "Plans"),
            ("tags", "2027, budget"),
        ])
        .await;
    let id = made["id"].as_str().expect("an id").to_owned();
    assert_eq!(made["title"], "Plan 2027");
    assert_eq!(made["category"], "Plans");
    assert_eq!(made["visibility"], "organization");
    assert_eq!(made["filename"], "Plan 2027.txt");
    assert_eq!(made["size_bytes"], 14);
    assert_eq!(made["media_type"], "text/plain");
    assert_eq!(made["is_new"], true);
    assert_eq!(made["tags"], json!(["2027", "budget"]));
    assert_eq!(made["created_by"]["name"], "Ada Lovelace");
    let response = ada.send("GET", &format!("/api/documents/{id}/download"), None).await;
    assert_eq!(
        response.headers()["content-disposition"],
        "attachment; filename=\"Plan 2027.txt\"; filename*=UTF-8''Plan%202027.txt"
    );
    assert_eq!(response.bytes().await.expect("a body"), "Quarterly plan");
    let list = ada.get("/api/documents").await;
    assert_eq!(list["total"], 1);
    assert_eq!(list["next"], Value::Null);
    assert_eq!(list["documents"][0]["id"], made["id"]);
    assert_eq!(list["documents"][0].get("description"), None);
    app.settle().await;
    assert_eq!(ada.get("/api/documents?q=quarterly").await["total"], 1);
    assert_eq!(ada.get(&format!("/api/documents/{id}/text")).await["text"], "Quarterly plan");
    let _ = (PASSWORD, Role::Viewer);
    app.stop().await;
}
