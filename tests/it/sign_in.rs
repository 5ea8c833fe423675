//! Signing in while others guess: what counts, whom it keeps out, and what an answer gives away.

use std::{net::IpAddr, sync::mpsc, time::Duration};

use appliance::{
    app::{Credentials, Level},
    config::Config,
    domain::{
        access::{Actor, Role},
        sessions,
        settings::{self, SettingsEdit},
    },
    error::{Error, Result},
};
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp};

const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "192.0.2.77";

async fn sign_in(app: &TestApp, login: &str, password: &str, from: Option<&str>) -> Result<()> {
    let credentials = Credentials {
        login: login.into(),
        password: password.into(),
        address: from.map(|from| from.parse::<IpAddr>().expect("an address")),
        is_address_shared: false,
        user_agent: "test".into(),
    };
    app.app.sign_in(credentials).await.map(|_| ())
}

fn is_wrong(outcome: &Result<()>) -> bool {
    matches!(outcome, Err(Error::WrongCredentials))
}

fn must_wait(outcome: &Result<()>) -> bool {
    matches!(outcome, Err(Error::TooMany { .. }))
}

#[actix_web::test]
async fn many_guesses_at_once_are_many_guesses() {
    let app = TestApp::spawn().await;
    let guesses = (0..20).map(|_| sign_in(&app, "ada", "a guess", None));
    let outcomes = join_all(guesses).await;
    assert_eq!(outcomes.iter().filter(|it| is_wrong(it)).count(), 5);
    assert_eq!(outcomes.iter().filter(|it| must_wait(it)).count(), 15);
    // Right ones at once are no guesses: they are told to come back in a second.
    app.add_user("vera", Role::Viewer).await;
    let outcomes = join_all((0..8).map(|_| sign_in(&app, "vera", PASSWORD, None))).await;
    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 5);
    assert!(sign_in(&app, "vera", PASSWORD, None).await.is_ok());
    app.stop().await;
}

#[actix_web::test]
async fn one_address_tries_few_names_at_once() {
    let app = TestApp::spawn().await;
    let names: Vec<String> = (0..20).map(|number| format!("name{number}")).collect();
    let outcomes =
        join_all(names.iter().map(|name| sign_in(&app, name, "a guess", Some(HOME)))).await;
    assert_eq!(outcomes.iter().filter(|it| is_wrong(it)).count(), 10);
    app.stop().await;
}

#[actix_web::test]
async fn who_finds_too_many_waiting_is_sent_away() {
    let app = TestApp::spawn().await;
    let names: Vec<String> = (0..100).map(|number| format!("name{number}")).collect();
    let outcomes = join_all(names.iter().map(|name| sign_in(&app, name, "a guess", None))).await;
    let busy = outcomes.iter().filter(|it| matches!(it, Err(Error::Busy { .. }))).count();
    let wrong = outcomes.iter().filter(|it| is_wrong(it)).count();
    assert!(busy > 0 && wrong >= 52, "{busy} sent away, {wrong} wrong");
    assert_eq!(busy + wrong, 100);
    assert!(sign_in(&app, "ada", PASSWORD, None).await.is_ok());
    app.stop().await;
}

#[actix_web::test]
async fn a_name_and_an_address_are_one_account() {
    let app = TestApp::spawn().await;
    for login in ["ada", "ada@example.com", "ADA", "ada@example.com", "ada"] {
        assert!(is_wrong(&sign_in(&app, login, "a guess", None).await), "{login}");
    }
    assert!(must_wait(&sign_in(&app, "ada", "a guess", None).await));
    assert!(must_wait(&sign_in(&app, "ada@example.com", "a guess", None).await));
    app.stop().await;
}

#[actix_web::test]
async fn others_cannot_keep_somebody_out_of_where_they_have_been() {
    let app = TestApp::spawn().await;
    sign_in(&app, "ada", PASSWORD, Some(HOME)).await.expect("at home");
    for _ in 0..5 {
        assert!(is_wrong(&sign_in(&app, "ada", "a guess", Some(ELSEWHERE)).await));
    }
    assert!(must_wait(&sign_in(&app, "ada", "a guess", Some(ELSEWHERE)).await));
    sign_in(&app, "ada", PASSWORD, Some(HOME)).await.expect("still at home");
    // That is no licence to guess on.
    assert!(must_wait(&sign_in(&app, "ada", "a guess", Some(ELSEWHERE)).await));
    app.stop().await;
}

#[actix_web::test]
async fn others_cannot_keep_somebody_from_changing_their_password() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    for _ in 0..6 {
        let _ = sign_in(&app, "ada", "a guess", Some(ELSEWHERE)).await;
    }
    let path = "/api/users/me/password";
    let change = json!({ "current_password": PASSWORD, "new_password": "a short blue kettle" });
    assert_eq!(ada.status("POST", path, Some(change)).await, 204);
    // It is limited by itself.
    let guess = json!({ "current_password": "a guess", "new_password": "a short blue kettle" });
    let outcomes = join_all((0..8).map(|_| ada.status("POST", path, Some(guess.clone())))).await;
    assert!(outcomes.contains(&429), "{outcomes:?}");
    app.stop().await;
}

#[actix_web::test]
async fn the_answer_to_a_guess_does_not_wait_for_the_log() {
    let app = TestApp::spawn().await;
    let (release, held) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel::<()>();
    let store = app.app.store.clone();
    // Nothing can be written meanwhile.
    let writer = tokio::spawn(async move {
        store
            .write(move |_| {
                let _ = begin.send(());
                let _ = held.recv();
                Ok(())
            })
            .await
    });
    tokio::task::spawn_blocking(move || begun.recv()).await.expect("it ran").expect("a writer");
    let guess = sign_in(&app, "ada", "a guess", None);
    let outcome = tokio::time::timeout(Duration::from_secs(10), guess).await;
    release.send(()).expect("the writer waits");
    writer.await.expect("it ran").expect("a write");
    assert!(is_wrong(&outcome.expect("an answer in time")));
    app.stop().await;
}

#[actix_web::test]
async fn an_unknown_proxy_is_not_taken_for_one_visitor_and_the_doctor_says_so() {
    let app = TestApp::spawn().await;
    let about_proxies = async || {
        let findings = app.app.doctor(true).await.expect("a look");
        findings.into_iter().find(|finding| finding.about == "proxy")
    };
    assert!(about_proxies().await.is_none());
    for number in 0..32 {
        let wrong = json!({ "username": format!("name{number}"), "password": "a guess" });
        let request = app.stranger().request("POST", "/api/login");
        let request = request.header("x-forwarded-for", "198.51.100.7").json(&wrong);
        assert_eq!(request.send().await.expect("an answer").status(), 401);
    }
    let request = app.stranger().request("GET", "/").header("x-forwarded-for", "198.51.100.7");
    request.send().await.expect("an answer");
    let finding = about_proxies().await.expect("a finding");
    assert_eq!(finding.level, Level::Warning);
    assert!(finding.remedy.is_some_and(|it| it.contains("trusted_proxies = [\"127.0.0.1\"]")));
    app.stop().await;
}

#[actix_web::test]
async fn a_visitor_behind_a_proxy_is_not_the_proxy() {
    let trusted = |config: &mut Config| {
        config.trusted_proxies = vec!["127.0.0.1".parse().expect("an address")];
    };
    let app = TestApp::spawn_with(trusted).await;
    let ada = app.signed_in("ada").await;
    let signing_in = json!({ "username": "ada", "password": PASSWORD });
    let forwarded: [(&[u8], Option<&str>); 9] = [
        (b"203.0.113.9", Some("203.0.113.9")),
        (b"198.51.100.1, 203.0.113.9:4711", Some("203.0.113.9")),
        (b"[2001:db8::7]:4711", Some("2001:db8::7")),
        (b"[2001:db8::7]", Some("2001:db8::7")),
        (b"::ffff:203.0.113.9", Some("203.0.113.9")),
        (b"\xff, 203.0.113.9", Some("203.0.113.9")),
        (b"unknown", None),
        (b"203.0.113.9, _hidden", None),
        (b"203.0.113.9, \xff", None),
    ];
    for (header, address) in forwarded {
        let told = header.escape_ascii();
        let request = app.stranger().request("POST", "/api/login").json(&signing_in);
        let answer = request.header("x-forwarded-for", header).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{told}");
        let sessions = ada.get("/api/users/me/sessions").await;
        let newest = sessions["sessions"].as_array().expect("a list").iter();
        let newest = newest.max_by_key(|one| one["created_at"].as_str().map(str::to_owned));
        assert_eq!(newest.expect("one")["address"].as_str(), address, "{told}");
        app.clock.advance(SignedDuration::from_secs(1));
    }
    app.stop().await;
}

#[actix_web::test]
async fn a_portal_that_is_published_with_https_has_secure_cookies() {
    let url = "https://docs.example.com";
    let app = TestApp::spawn_with(|config| config.public_url = Some(url.into())).await;
    let visitor = app.passer_by();
    let shown = visitor.send("/sign-in", &[("name", "ada"), ("password", PASSWORD)]).await;
    assert_eq!(shown.status, 303);
    let cookies: Vec<_> = shown.headers.get_all("set-cookie").iter().collect();
    let session = cookies.iter().filter_map(|it| it.to_str().ok());
    let session = session.into_iter().find(|it| it.starts_with("session=")).expect("a session");
    assert!(session.contains("; Secure"), "{session}");
    app.stop().await;
}

#[actix_web::test]
async fn a_page_of_an_allowed_origin_signs_in_and_one_of_another_is_told_why_not() {
    let app = TestApp::spawn().await;
    let origin = "https://desk.example";
    let edit = SettingsEdit { cors_origins: vec![origin.into()], ..settings_now(&app).await };
    let actor = Actor::system("test", None);
    app.app.store.write(move |tx| settings::edit(tx, &actor, edit)).await.expect("an edit");
    app.app.refresh_settings().await.expect("new settings");
    let right = json!({ "username": "ada", "password": PASSWORD });
    let from = |path: &str| {
        let request = app.stranger().request("POST", path).header("origin", origin);
        request.header("sec-fetch-site", "cross-site")
    };
    let answer = from("/api/login").json(&right).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["access-control-allow-origin"], origin);
    // With the cookie of a browser it is refused, and says so.
    let refused = from("/api/login").header("cookie", "session=1.2").json(&right).send().await;
    let refused = refused.expect("an answer");
    assert_eq!(refused.status(), 403);
    let problem: Value = refused.json().await.expect("a problem");
    assert!(problem["detail"].as_str().is_some_and(|it| it.contains("another site")), "{problem}");
    let refused = from("/sign-in").body("").send().await.expect("an answer");
    assert_eq!(refused.status(), 403);
    assert!(refused.text().await.expect("a page").contains("came from another site"));
    app.stop().await;
}

async fn settings_now(app: &TestApp) -> SettingsEdit {
    let now = app.app.store.read(settings::get).await.expect("settings");
    SettingsEdit {
        upload_bytes_max: now.upload_bytes_max,
        session_days: now.session_days,
        cors_origins: now.cors_origins,
    }
}

#[actix_web::test]
async fn the_settings_in_memory_are_the_latest() {
    let app = TestApp::spawn().await;
    for round in 0..30 {
        let changes = (0..6).map(|number| {
            let app = &app;
            async move {
                let days = 1 + round * 6 + number;
                let edit = SettingsEdit { session_days: days, ..settings_now(app).await };
                let actor = Actor::system("test", None);
                let edited = app.app.store.write(move |tx| settings::edit(tx, &actor, edit));
                edited.await.expect("an edit");
                app.app.refresh_settings().await.expect("new settings");
            }
        });
        join_all(changes).await;
        assert_eq!(app.app.settings().session_days, settings_now(&app).await.session_days);
    }
    app.stop().await;
}

#[actix_web::test]
async fn the_id_of_a_session_alone_does_not_keep_it_alive() {
    let app = TestApp::spawn().await;
    let begun = app.app.begin_session(app.ada.clone(), None, String::new()).await;
    let (session, _) = begun.expect("a session");
    app.clock.advance(SignedDuration::from_mins(10));
    let request = app.stranger().request("GET", "/api/users/me");
    let request = request.header("cookie", format!("session={}.guessed", session.id));
    assert_eq!(request.send().await.expect("an answer").status(), 401);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let user = app.ada.id;
    let open = app.app.store.read(move |tx| sessions::of_user(tx, user)).await.expect("sessions");
    assert_eq!(open[0].seen_at, session.seen_at);
    app.stop().await;
}

#[actix_web::test]
async fn whose_password_was_set_by_somebody_else_chooses_one_before_anything_else() {
    let app = TestApp::spawn().await;
    let vera = app.add_user("vera", Role::Viewer).await;
    let ada = app.signed_in("ada").await;
    let path = format!("/api/admin/users/{}/password", vera.id);
    let given = "a short blue kettle";
    assert_eq!(ada.status("POST", &path, Some(json!({ "password": given }))).await, 204);

    let program = app.stranger();
    let token = program.post("/api/login", json!({ "username": "vera", "password": given })).await;
    let program = app.with_token(token["access_token"].as_str().expect("a token"));
    let refused = program.send("GET", "/api/documents", None).await;
    assert_eq!(refused.status(), 403);
    let problem: Value = refused.json().await.expect("a problem");
    assert!(problem["detail"].as_str().is_some_and(|it| it.contains("Choose your own first")));

    let person = app.passer_by();
    let shown = person.sign_in("vera", given).await;
    assert_eq!(shown.address, "/account/password");
    let shown = person.get("/documents").await;
    assert_eq!((shown.status, shown.location().as_deref()), (303, Some("/account/password")));
    person.get("/account/password").await.says("Choose your own before you go on.");
    let own = [("current", given), ("password", "a quiet copper lamp")];
    person.submit("/account/password", &own).await.says("Your password is changed.");
    assert_eq!(person.get("/documents").await.status, 200);
    app.stop().await;
}
