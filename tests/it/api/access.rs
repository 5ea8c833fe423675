//! What is changed about who sees what counts on the very next request.

use appliance::domain::access::Role;
use serde_json::{Value, json};

use crate::support::{Api, TestApp};

/// A document of an editor that a reader looks at.
struct Scene {
    app: TestApp,
    ada: Api,
    gus: Api,
    gus_id: String,
    document: String,
}

async fn scene(fields: &[(&str, &str)]) -> Scene {
    let app = TestApp::spawn().await;
    let gus = app.add_user("gus", Role::Viewer).await;
    let ada = app.signed_in("ada").await;
    let made = ada.upload("quince.txt", b"Meadow", fields).await;
    app.settle().await;
    let document = format!("/api/documents/{}", made["id"].as_str().expect("an id"));
    Scene { gus: app.signed_in("gus").await, gus_id: gus.id.to_string(), app, ada, document }
}

impl Scene {
    /// Whether gus sees it; everywhere the same.
    async fn is_seen(&self) -> bool {
        let shown = self.gus.status("GET", &self.document, None).await == 200;
        for part in ["download", "content", "text", "versions", "activity"] {
            let path = format!("{}/{part}", self.document);
            assert_eq!(self.gus.status("GET", &path, None).await == 200, shown, "{part}");
        }
        for list in ["?facets=true", "?q=quince&facets=true", "?q=meadow&facets=true"] {
            let list = self.gus.get(&format!("/api/documents{list}")).await;
            assert_eq!(list["total"], u32::from(shown), "{list}");
            assert_eq!(list["documents"].as_array().map(Vec::len), Some(usize::from(shown)));
            let people = list["facets"]["people"].as_array().expect("a facet");
            assert_eq!(people.len(), usize::from(shown));
        }
        let suggestions = self.gus.get("/api/suggestions?q=qui").await;
        assert_eq!(suggestions["suggestions"].as_array().map(Vec::len), Some(usize::from(shown)));
        assert_eq!(self.gus.get("/api/statistics").await["documents"], u32::from(shown));
        shown
    }

    async fn show_to(&self, visibility: Value) {
        let path = format!("{}/visibility", self.document);
        assert_eq!(self.ada.status("PUT", &path, Some(visibility)).await, 200);
    }
}

#[actix_web::test]
async fn a_new_visibility_counts_at_once() {
    let scene = scene(&[]).await;
    assert!(scene.is_seen().await);
    scene.show_to(json!({ "visibility": "restricted" })).await;
    assert!(!scene.is_seen().await);
    scene.show_to(json!({ "visibility": "restricted", "people": [scene.gus_id] })).await;
    assert!(scene.is_seen().await);
    scene.show_to(json!({ "visibility": "restricted", "people": [] })).await;
    assert!(!scene.is_seen().await);
    scene.show_to(json!({ "visibility": "public" })).await;
    assert!(scene.is_seen().await);
    scene.app.stop().await;
}

#[actix_web::test]
async fn joining_and_leaving_a_group_counts_at_once() {
    let scene = scene(&[]).await;
    let group = scene.ada.post("/api/admin/groups", json!({ "name": "Board" })).await;
    let group = format!("/api/admin/groups/{}", group["id"].as_str().expect("an id"));
    let id = group.rsplit('/').next().expect("an id");
    scene.show_to(json!({ "visibility": "restricted", "groups": [id] })).await;
    assert!(!scene.is_seen().await);
    let members = format!("{group}/members");
    scene.ada.post(&members, json!({ "user": scene.gus_id })).await;
    assert!(scene.is_seen().await);
    let gus = format!("{members}/{}", scene.gus_id);
    assert_eq!(scene.ada.status("DELETE", &gus, None).await, 204);
    assert!(!scene.is_seen().await);
    scene.ada.post(&members, json!({ "user": scene.gus_id })).await;
    assert!(scene.is_seen().await);
    assert_eq!(scene.ada.status("DELETE", &group, None).await, 204);
    assert!(!scene.is_seen().await);
    scene.app.stop().await;
}

#[actix_web::test]
async fn another_role_counts_at_once() {
    let scene = scene(&[("visibility", "restricted")]).await;
    assert!(!scene.is_seen().await);
    let account = format!("/api/admin/users/{}", scene.gus_id);
    let promote = json!({ "role": "manager" });
    assert_eq!(scene.ada.status("PATCH", &account, Some(promote)).await, 200);
    assert!(scene.is_seen().await);
    let edit = json!({ "title": "Quince jelly" });
    assert_eq!(scene.gus.status("PATCH", &scene.document, Some(edit.clone())).await, 200);
    scene.app.settle().await;
    let demote = json!({ "role": "viewer" });
    assert_eq!(scene.ada.status("PATCH", &account, Some(demote)).await, 200);
    assert!(!scene.is_seen().await);
    assert_eq!(scene.gus.status("PATCH", &scene.document, Some(edit)).await, 404);
    scene.app.stop().await;
}

#[actix_web::test]
async fn a_locked_account_is_out_at_once() {
    let scene = scene(&[]).await;
    let made = scene.gus.post("/api/users/me/tokens", json!({ "name": "A script" })).await;
    let script = scene.app.with_token(made["token"].as_str().expect("a token"));
    assert_eq!(script.status("GET", &scene.document, None).await, 200);
    let account = format!("/api/admin/users/{}", scene.gus_id);
    assert_eq!(scene.ada.status("POST", &format!("{account}/disable"), None).await, 200);
    for api in [&scene.gus, &script] {
        assert_eq!(api.status("GET", &scene.document, None).await, 401);
        assert_eq!(api.status("GET", "/api/documents", None).await, 401);
    }
    let sign_in = json!({ "username": "gus", "password": crate::support::PASSWORD });
    assert_eq!(scene.app.stranger().status("POST", "/api/login", Some(sign_in)).await, 403);
    assert_eq!(scene.ada.status("POST", &format!("{account}/enable"), None).await, 200);
    assert_eq!(script.status("GET", &scene.document, None).await, 401);
    scene.app.stop().await;
}

#[actix_web::test]
async fn drafts_the_archive_and_the_trash_count_at_once() {
    let scene = scene(&[]).await;
    for (act, is_seen) in [("withdraw", false), ("publish", true), ("trash", false)] {
        let path = format!("{}/{act}", scene.document);
        assert_eq!(scene.ada.status("POST", &path, None).await, 200);
        assert_eq!(scene.is_seen().await, is_seen, "{act}");
    }
    let restore = format!("{}/restore", scene.document);
    assert_eq!(scene.ada.status("POST", &restore, None).await, 200);
    assert!(scene.is_seen().await);
    scene.app.stop().await;
}
