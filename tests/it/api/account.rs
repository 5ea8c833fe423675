//! Signing in and one's own account over the API.

use appliance::domain::access::Role;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{PASSWORD, TestApp};

#[actix_web::test]
async fn a_program_signs_in_with_a_username_or_an_address() {
    let app = TestApp::spawn().await;
    let stranger = app.stranger();
    for name in ["ada", "ADA", "ada@example.com"] {
        let answer =
            stranger.post("/api/login", json!({ "username": name, "password": PASSWORD })).await;
        assert_eq!(answer["token_type"], "bearer");
        assert_eq!(answer["expires_in"], 24 * 60 * 60);
    }
    let by_email = json!({ "email": "ada@example.com", "password": PASSWORD });
    assert!(stranger.post("/api/login", by_email).await["access_token"].is_string());
    app.stop().await;
}

#[actix_web::test]
async fn an_old_token_is_not_in_the_way_of_signing_in_again() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    assert_eq!(ada.status("POST", "/api/logout", None).await, 204);
    assert_eq!(ada.status("GET", "/api/users/me", None).await, 401);
    let again = json!({ "username": "ada", "password": PASSWORD });
    assert_eq!(ada.status("POST", "/api/login", Some(again)).await, 200);
    app.stop().await;
}

#[actix_web::test]
async fn a_wrong_password_is_a_problem_and_many_of_them_have_to_wait() {
    let app = TestApp::spawn().await;
    let wrong = json!({ "username": "ada", "password": "a guess" });
    let response = app.stranger().send("POST", "/api/login", Some(wrong.clone())).await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value = response.json().await.expect("JSON");
    assert_eq!(problem["status"], 401);
    assert_eq!(problem["detail"], "The username or the password is wrong.");
    let mut last = None;
    for _ in 0..8 {
        last = Some(app.stranger().send("POST", "/api/login", Some(wrong.clone())).await);
    }
    let last = last.expect("an answer");
    assert_eq!(last.status(), 429);
    let seconds: u64 =
        last.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    let right = json!({ "username": "ada", "password": PASSWORD });
    assert_eq!(app.stranger().status("POST", "/api/login", Some(right.clone())).await, 429);
    app.clock.advance(SignedDuration::from_secs(seconds as i64 + 1));
    assert_eq!(app.stranger().status("POST", "/api/login", Some(right)).await, 200);
    app.stop().await;
}

#[actix_web::test]
async fn an_account_says_what_it_may_do_and_can_be_changed() {
    let app = TestApp::spawn().await;
    app.add_user("eddy", Role::Editor).await;
    let eddy = app.signed_in("eddy").await;
    let account = eddy.get("/api/users/me").await;
    assert_eq!(account["username"], "eddy");
    assert_eq!(account["role"], "editor");
    assert_eq!(account["organization"]["name"], "Northlight");
    assert_eq!(
        account["permissions"],
        json!({
            "can_upload": true, "can_curate": false, "can_govern": false, "can_operate": false,
        })
    );
    let change = json!({ "full_name": "Eddy Merckx", "email": "eddy@example.org" });
    let response = eddy.send("PATCH", "/api/users/me", Some(change)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(eddy.get("/api/users/me").await["email"], "eddy@example.org");
    let wishful = json!({ "role": "admin" });
    assert_eq!(eddy.status("PATCH", "/api/users/me", Some(wishful)).await, 400);
    let taken = json!({ "username": "ada" });
    assert_eq!(eddy.status("PATCH", "/api/users/me", Some(taken)).await, 409);
    app.stop().await;
}

#[actix_web::test]
async fn a_new_password_ends_every_other_session() {
    let app = TestApp::spawn().await;
    app.add_user("vera", Role::Viewer).await;
    let (here, there) = (app.signed_in("vera").await, app.signed_in("vera").await);
    let wrong = json!({ "current_password": "no", "new_password": "a short blue kettle" });
    assert_eq!(here.status("POST", "/api/users/me/password", Some(wrong)).await, 422);
    let weak = json!({ "current_password": PASSWORD, "new_password": "password" });
    assert_eq!(here.status("POST", "/api/users/me/password", Some(weak)).await, 422);
    let right = json!({ "current_password": PASSWORD, "new_password": "a short blue kettle" });
    assert_eq!(here.status("POST", "/api/users/me/password", Some(right)).await, 204);
    assert_eq!(here.status("GET", "/api/users/me", None).await, 200);
    assert_eq!(there.status("GET", "/api/users/me", None).await, 401);
    let old = json!({ "username": "vera", "password": PASSWORD });
    assert_eq!(app.stranger().status("POST", "/api/login", Some(old)).await, 401);
    app.stop().await;
}

#[actix_web::test]
async fn sessions_can_be_seen_and_ended() {
    let app = TestApp::spawn().await;
    app.add_user("vera", Role::Viewer).await;
    let (here, there) = (app.signed_in("vera").await, app.signed_in("vera").await);
    let list = here.get("/api/users/me/sessions").await;
    let sessions = list["sessions"].as_array().expect("sessions");
    assert_eq!(sessions.len(), 2);
    let other = sessions.iter().find(|it| it["is_current"] == false).expect("the other one");
    let path = format!("/api/users/me/sessions/{}", other["id"].as_str().expect("an id"));
    // Nobody else's: it stays.
    assert_eq!(app.signed_in("ada").await.status("DELETE", &path, None).await, 204);
    assert_eq!(there.status("GET", "/api/users/me", None).await, 200);
    assert_eq!(here.status("DELETE", &path, None).await, 204);
    assert_eq!(there.status("GET", "/api/users/me", None).await, 401);
    let third = app.signed_in("vera").await;
    assert_eq!(here.status("DELETE", "/api/users/me/sessions", None).await, 204);
    assert_eq!(third.status("GET", "/api/users/me", None).await, 401);
    assert_eq!(here.status("GET", "/api/users/me", None).await, 200);
    app.stop().await;
}

#[actix_web::test]
async fn an_api_token_acts_as_its_owner_until_it_is_revoked() {
    let app = TestApp::spawn().await;
    app.add_user("vera", Role::Viewer).await;
    let vera = app.signed_in("vera").await;
    let made = vera.post("/api/users/me/tokens", json!({ "name": "Nightly copy" })).await;
    let program = app.with_token(made["token"].as_str().expect("a token"));
    assert_eq!(program.get("/api/users/me").await["username"], "vera");
    let listed = vera.get("/api/users/me/tokens").await;
    assert_eq!(listed["tokens"][0]["name"], "Nightly copy");
    assert_eq!(listed["tokens"][0].get("token"), None, "a token is shown once");
    assert_eq!(program.status("POST", "/api/logout", None).await, 409);
    let path = format!("/api/users/me/tokens/{}", made["id"].as_str().expect("an id"));
    assert_eq!(app.signed_in("ada").await.status("DELETE", &path, None).await, 404);
    assert_eq!(vera.status("DELETE", &path, None).await, 204);
    assert_eq!(program.status("GET", "/api/users/me", None).await, 401);
    app.stop().await;
}

#[actix_web::test]
async fn an_api_token_ends_on_its_day() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let tomorrow = app.clock.now() + SignedDuration::from_hours(24);
    let new = json!({ "name": "One day", "expires_at": tomorrow });
    let made = ada.post("/api/users/me/tokens", new).await;
    let program = app.with_token(made["token"].as_str().expect("a token"));
    assert_eq!(program.status("GET", "/api/users/me", None).await, 200);
    app.clock.advance(SignedDuration::from_hours(25));
    assert_eq!(program.status("GET", "/api/users/me", None).await, 401);
    app.stop().await;
}
