//! What the world sees of a public document: what it is now, and nobody's name.

use appliance::domain::access::Role;
use serde_json::{Value, json};

use crate::support::TestApp;

#[actix_web::test]
async fn a_stranger_sees_the_current_version_and_no_names() {
    let app = TestApp::spawn().await;
    let (ada, stranger) = (app.signed_in("ada").await, app.stranger());
    let made = ada.upload("first.txt", b"Secret", &[("visibility", "public")]).await;
    let id = made["id"].as_str().expect("an id").to_owned();
    let versions = format!("/api/documents/{id}/versions");
    let file = reqwest::multipart::Part::bytes(b"Open".to_vec()).file_name("second.txt");
    let form = reqwest::multipart::Form::new().part("file", file);
    let added = ada.request("POST", &versions).multipart(form).send().await.expect("an answer");
    assert_eq!(added.status(), 201);
    app.settle().await;

    let all = ada.get(&versions).await;
    let all = all["versions"].as_array().expect("versions");
    assert_eq!(all.len(), 2);
    let shown = stranger.get(&versions).await;
    let shown = shown["versions"].as_array().expect("versions");
    assert_eq!(shown.len(), 1);
    assert_eq!((&shown[0]["number"], &shown[0]["created_by"]), (&json!(2), &Value::Null));
    for version in all {
        let version_id = version["id"].as_str().expect("an id");
        let is_current = version["is_current"] == true;
        let of_world = if is_current { 200 } else { 401 };
        let path = format!("{versions}/{version_id}/download");
        assert_eq!(stranger.status("GET", &path, None).await, of_world);
        assert_eq!(ada.status("GET", &path, None).await, 200);
        let page = format!("/documents/{id}/versions/{version_id}/download");
        let shown = app.passer_by().get(&page).await;
        assert_eq!(shown.status == 200, is_current, "{}", shown.status);
    }

    let page = app.passer_by().get(&format!("/documents/{id}")).await;
    page.says("second.txt").does_not_say("first.txt").does_not_say("Ada Lovelace");
    app.person("ada").await.get(&format!("/documents/{id}")).await.says("Ada Lovelace");
    app.stop().await;
}

#[actix_web::test]
async fn whoever_makes_a_document_public_is_told_what_that_means() {
    let app = TestApp::spawn().await;
    app.add_user("eddy", Role::Editor).await;
    let eddy = app.person("eddy").await;
    let id = eddy.add("plan.txt", b"Once", &[]).await;
    let shown = eddy.get(&format!("/documents/{id}/visibility")).await;
    shown.says("Anyone on the internet").says("earlier ones and names stay in the organization");
    app.stop().await;
}
