//! Requests that begin in time and end late: what counts is who somebody is when they write.

use std::time::Duration;

use appliance::{
    domain::{access::Role, users::User},
    id::Id,
};
use futures_util::stream;
use reqwest::{Body, Response};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::support::{Api, PASSWORD, TestApp};

/// A request whose body has not been sent.
struct Held {
    body: oneshot::Sender<String>,
    answer: JoinHandle<Response>,
}

impl Held {
    async fn begin(api: &Api, method: &str, path: &str, content_type: &str) -> Held {
        let (body, sent) = oneshot::channel::<String>();
        let sent = Body::wrap_stream(stream::once(sent));
        let request = api.request(method, path).header("content-type", content_type).body(sent);
        let answer = tokio::spawn(async { request.send().await.expect("an answer") });
        // Long enough for the portal to see who asks.
        tokio::time::sleep(Duration::from_millis(300)).await;
        Held { body, answer }
    }

    async fn json(api: &Api, method: &str, path: &str) -> Held {
        Held::begin(api, method, path, "application/json").await
    }

    async fn end(self, body: &str) -> u16 {
        self.body.send(body.into()).expect("somebody listens");
        self.answer.await.expect("an answer").status().as_u16()
    }

    async fn end_with(self, json: Value) -> u16 {
        self.end(&json.to_string()).await
    }
}

fn account(user: &User) -> String {
    format!("/api/admin/users/{}", user.id)
}

fn new_person() -> Value {
    json!({ "username": "bob", "email": "bob@example.com", "password": "a short blue kettle" })
}

#[actix_web::test]
async fn somebody_locked_out_or_demoted_meanwhile_changes_nothing() {
    let app = TestApp::spawn().await;
    let alma = app.add_user("alma", Role::Admin).await;
    let ada = app.signed_in("ada").await;
    let asking = app.signed_in("alma").await;

    let held = Held::json(&asking, "POST", "/api/admin/users").await;
    let demote = json!({ "role": "viewer" });
    assert_eq!(ada.status("PATCH", &account(&alma), Some(demote)).await, 200);
    assert_eq!(held.end_with(new_person()).await, 403);
    let promote = json!({ "role": "admin" });
    assert_eq!(ada.status("PATCH", &account(&alma), Some(promote)).await, 200);

    let held = Held::json(&asking, "POST", "/api/admin/users").await;
    assert_eq!(ada.status("POST", &format!("{}/disable", account(&alma)), None).await, 200);
    assert_eq!(held.end_with(new_person()).await, 401);
    app.stop().await;
}

#[actix_web::test]
async fn an_ended_session_or_a_revoked_token_changes_nothing() {
    let app = TestApp::spawn().await;
    let vera = app.add_user("vera", Role::Viewer).await;
    let ada = app.signed_in("ada").await;
    let session = app.signed_in("vera").await;
    let made = session.post("/api/users/me/tokens", json!({ "name": "A script" })).await;
    let script = app.with_token(made["token"].as_str().expect("a token"));
    let new = json!({ "name": "A way back in" });

    let by_session = Held::json(&session, "POST", "/api/users/me/tokens").await;
    let by_token = Held::json(&script, "POST", "/api/users/me/tokens").await;
    assert_eq!(ada.status("POST", &format!("{}/sign-out", account(&vera)), None).await, 204);
    assert_eq!(by_session.end_with(new.clone()).await, 401);
    assert_eq!(by_token.end_with(new).await, 401);
    let left = app.signed_in("vera").await.get("/api/users/me/tokens").await;
    assert_eq!(left["tokens"], json!([]));
    app.stop().await;
}

#[actix_web::test]
async fn an_upload_ends_with_the_rights_of_its_end() {
    let app = TestApp::spawn().await;
    let eddy = app.add_user("eddy", Role::Editor).await;
    let (ada, asking) = (app.signed_in("ada").await, app.signed_in("eddy").await);
    let own = asking.upload("plan.txt", b"Once", &[]).await;
    let versions = format!("/api/documents/{}/versions", own["id"].as_str().expect("an id"));
    let multipart = "multipart/form-data; boundary=edge";
    let mut held = Vec::new();
    for path in ["/api/admin/documents/upload", &versions] {
        held.push(Held::begin(&asking, "POST", path, multipart).await);
    }
    let demote = json!({ "role": "viewer" });
    assert_eq!(ada.status("PATCH", &account(&eddy), Some(demote)).await, 200);
    let file = "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"late.txt\"\r\n\
        \r\nLate\r\n--edge--\r\n";
    for held in held {
        assert_eq!(held.end(file).await, 403);
    }
    app.stop().await;
}

#[actix_web::test]
async fn who_knew_the_old_password_does_not_change_a_new_one() {
    let app = TestApp::spawn().await;
    let vera = app.add_user("vera", Role::Viewer).await;
    let here = app.signed_in("vera").await;
    let held = Held::json(&here, "POST", "/api/users/me/password").await;
    reset(&app, vera.id).await;
    let change = json!({ "current_password": PASSWORD, "new_password": "the way back in" });
    // The new password is asked for, whenever the request began.
    assert_ne!(held.end_with(change).await, 204);
    app.stop().await;
}

/// Another password by the program itself; the sessions stay.
async fn reset(app: &TestApp, id: Id<User>) {
    let password = app.app.new_password("a short blue kettle".into(), &[]).await.expect("a hash");
    let set = app.app.store.write(move |tx| {
        let user = appliance::domain::users::get(tx, id)?;
        tx.put(&User { password, ..user })
    });
    set.await.expect("another password");
}

#[actix_web::test]
async fn a_small_body_that_does_not_come_is_not_waited_for() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let held = Held::json(&ada, "POST", "/api/users/me/tokens").await;
    let answer = tokio::time::timeout(Duration::from_secs(25), held.answer).await;
    let answer = answer.expect("an answer in time").expect("an answer");
    assert_eq!(answer.status(), 400);
    drop(held.body);
    app.stop().await;
}
