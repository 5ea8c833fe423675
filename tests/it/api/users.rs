//! People and groups over the API.

use appliance::domain::access::Role;
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp};

fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

fn usernames(list: &Value) -> Vec<&str> {
    let users = list["users"].as_array().expect("users");
    users.iter().map(|user| user["username"].as_str().expect("a name")).collect()
}

#[actix_web::test]
async fn an_administrator_adds_changes_and_locks_out_people() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let new = json!({
        "username": "bob", "email": "bob@example.com", "password": PASSWORD,
        "full_name": "Bob Vance", "role": "editor",
    });
    let response = ada.send("POST", "/api/admin/users", Some(new.clone())).await;
    assert_eq!(response.status(), 201);
    let location = response.headers()["location"].to_str().expect("text").to_owned();
    let bob: Value = response.json().await.expect("JSON");
    assert_eq!(location, format!("/api/admin/users/{}", id(&bob)));
    assert_eq!(bob["role"], "editor");
    assert_eq!(bob.get("password"), None);
    assert_eq!(ada.status("POST", "/api/admin/users", Some(new)).await, 409);
    let as_bob = app.signed_in("bob").await;
    // The password is known to whoever made the account.
    assert_eq!(as_bob.status("GET", "/api/users/me", None).await, 403);
    let own = json!({ "current_password": PASSWORD, "new_password": "a short blue kettle" });
    assert_eq!(as_bob.status("POST", "/api/users/me/password", Some(own)).await, 204);
    assert_eq!(as_bob.get("/api/users/me").await["permissions"]["can_upload"], true);
    let change = json!({ "role": "viewer", "full_name": "Robert Vance" });
    assert_eq!(ada.status("PATCH", &location, Some(change)).await, 200);
    assert_eq!(as_bob.get("/api/users/me").await["permissions"]["can_upload"], false);
    assert_eq!(ada.status("POST", &format!("{location}/disable"), None).await, 200);
    assert_eq!(as_bob.status("GET", "/api/users/me", None).await, 401);
    assert_eq!(ada.status("POST", &format!("{location}/enable"), None).await, 200);
    let right = json!({ "username": "bob", "password": "a short blue kettle" });
    let token = app.stranger().post("/api/login", right).await;
    let as_bob = app.with_token(token["access_token"].as_str().expect("a token"));
    assert_eq!(ada.status("POST", &format!("{location}/sign-out"), None).await, 204);
    assert_eq!(as_bob.status("GET", "/api/users/me", None).await, 401);
    app.stop().await;
}

#[actix_web::test]
async fn people_are_found_by_a_part_of_their_name_and_page_by_page() {
    let app = TestApp::spawn().await;
    for name in ["bertha", "bertram", "carla", "dora"] {
        app.add_user(name, Role::Viewer).await;
    }
    let ada = app.signed_in("ada").await;
    let found = ada.get("/api/admin/users?q=BERT").await;
    assert_eq!(usernames(&found), ["bertha", "bertram"]);
    assert_eq!(usernames(&ada.get("/api/admin/users?role=admin").await), ["ada"]);
    let first = ada.get("/api/admin/users?limit=3").await;
    let next = first["next"].as_str().expect("more");
    let second = ada.get(&format!("/api/admin/users?limit=3&after={next}")).await;
    assert_eq!(
        [usernames(&first), usernames(&second)].concat(),
        ["ada", "bertha", "bertram", "carla", "dora"]
    );
    assert_eq!(second["next"], Value::Null);
    for wrong in ["limit=0", "limit=201", "after=xyz", "role=king"] {
        let status = ada.status("GET", &format!("/api/admin/users?{wrong}"), None).await;
        assert!(status == 400 || status == 422, "{wrong}: {status}");
    }
    app.stop().await;
}

#[actix_web::test]
async fn a_deleted_person_leaves_their_documents_to_an_heir() {
    let app = TestApp::spawn().await;
    let eddy = app.add_user("eddy", Role::Editor).await;
    let erna = app.add_user("erna", Role::Editor).await;
    let made = app.signed_in("eddy").await.upload("plan.txt", b"Plan", &[]).await;
    let ada = app.signed_in("ada").await;
    let path = format!("/api/admin/users/{}", eddy.id);
    assert_eq!(ada.status("DELETE", &path, None).await, 422);
    assert_eq!(ada.status("DELETE", &format!("{path}?heir={}", eddy.id), None).await, 422);
    assert_eq!(ada.status("DELETE", &format!("{path}?heir={}", erna.id), None).await, 202);
    app.settle().await;
    assert_eq!(ada.status("GET", &path, None).await, 404);
    let document = ada.get(&format!("/api/documents/{}", id(&made))).await;
    assert_eq!(document["created_by"]["id"], erna.id.to_string());
    app.stop().await;
}

#[actix_web::test]
async fn the_last_administrator_stays() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let heir = app.add_user("mona", Role::Manager).await;
    let path = format!("/api/admin/users/{}", app.ada.id);
    let demote = json!({ "role": "viewer" });
    assert_eq!(ada.status("PATCH", &path, Some(demote)).await, 409);
    assert_eq!(ada.status("PATCH", &path, Some(json!({ "is_admin": false }))).await, 409);
    assert_eq!(ada.status("POST", &format!("{path}/disable"), None).await, 409);
    assert_eq!(ada.status("DELETE", &format!("{path}?heir={}", heir.id), None).await, 409);
    assert_eq!(ada.get("/api/users/me").await["role"], "admin");
    app.stop().await;
}

#[actix_web::test]
async fn a_change_that_is_refused_in_part_changes_nothing() {
    let app = TestApp::spawn().await;
    let bob = app.add_user("bob", Role::Viewer).await;
    let ada = app.signed_in("ada").await;
    let path = format!("/api/admin/users/{}", bob.id);
    let change = json!({ "full_name": "Changed", "username": "ada" });
    assert_eq!(ada.status("PATCH", &path, Some(change)).await, 409);
    let change = json!({ "full_name": "Changed", "nickname": "Bobby" });
    assert_eq!(ada.status("PATCH", &path, Some(change)).await, 400);
    let change = json!({ "full_name": null });
    assert_eq!(ada.status("PATCH", &path, Some(change)).await, 400);
    assert_eq!(ada.get(&path).await["full_name"], "");
    app.stop().await;
}

#[actix_web::test]
async fn groups_have_members() {
    let app = TestApp::spawn().await;
    let bob = app.add_user("bob", Role::Viewer).await;
    app.add_user("mona", Role::Manager).await;
    let mona = app.signed_in("mona").await;
    let new = json!({ "name": "Board", "description": "Decides" });
    let board = mona.post("/api/admin/groups", new.clone()).await;
    assert_eq!(mona.status("POST", "/api/admin/groups", Some(new)).await, 409);
    let path = format!("/api/admin/groups/{}", id(&board));
    let members = format!("{path}/members");
    assert_eq!(mona.status("POST", &members, Some(json!({ "user": bob.id }))).await, 204);
    assert_eq!(mona.get(&members).await["members"][0]["username"], "bob");
    assert_eq!(mona.get(&path).await["member_count"], 1);
    let listed = mona.get("/api/admin/groups").await;
    assert_eq!(listed["groups"][0]["name"], "Board");
    let renamed = json!({ "name": "Trustees" });
    assert_eq!(mona.status("PATCH", &path, Some(renamed)).await, 200);
    let group = mona.get(&path).await;
    assert_eq!((&group["name"], &group["description"]), (&json!("Trustees"), &json!("Decides")));
    assert_eq!(mona.status("DELETE", &format!("{members}/{}", bob.id), None).await, 204);
    assert_eq!(mona.get(&members).await["members"], json!([]));
    assert_eq!(mona.status("DELETE", &path, None).await, 204);
    assert_eq!(mona.status("GET", &path, None).await, 404);
    app.stop().await;
}

#[actix_web::test]
async fn who_may_upload_can_choose_people_but_learns_no_addresses() {
    let app = TestApp::spawn().await;
    app.add_user("eddy", Role::Editor).await;
    let locked = app.add_user("lara", Role::Viewer).await;
    let ada = app.signed_in("ada").await;
    ada.post(&format!("/api/admin/users/{}/disable", locked.id), json!(null)).await;
    let list = app.signed_in("eddy").await.get("/api/people").await;
    let people = list["people"].as_array().expect("people");
    let names: Vec<_> = people.iter().map(|it| it["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["Ada Lovelace", "eddy"]);
    assert!(people.iter().all(|it| it.get("email").is_none()));
    app.stop().await;
}
