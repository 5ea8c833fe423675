//! The first run, signing in and out.

use jiff::SignedDuration;

use crate::support::{NewPortal, PASSWORD, TestApp, filled_in};

const ADMINISTRATOR: [(&str, &str); 5] = [
    ("organization", "Halden & Partners"),
    ("full_name", "Grace Hopper"),
    ("username", "grace"),
    ("email", "grace@example.com"),
    ("password", PASSWORD),
];

#[tokio::test]
async fn the_first_visitor_is_told_where_the_setup_link_is() {
    let portal = NewPortal::spawn().await;
    let stranger = portal.passer_by();
    let landing = stranger.get("/").await;
    assert_eq!(landing.status, 200);
    landing.says("Almost ready").says("one-time setup link").does_not_say("Sign in");
}

#[tokio::test]
async fn setting_up_signs_the_administrator_in() {
    let portal = NewPortal::spawn().await;
    let grace = portal.passer_by();
    let secret = portal.app.setup_link.issue().expect("a setup link");
    let path = format!("/setup/{}", secret.reveal());
    grace.get(&path).await.says("Set up your portal");
    let library = grace.submit(&path, &ADMINISTRATOR).await;
    assert_eq!(library.address, "/documents");
    library.says("Halden & Partners").says("Grace Hopper").says("No documents yet");
    let again = grace.get(&path).await;
    assert_eq!(again.status, 404);
    again.says("This setup link is no longer valid");
}

#[tokio::test]
async fn a_setup_form_is_shown_again_with_what_was_typed_but_not_the_password() {
    let portal = NewPortal::spawn().await;
    let grace = portal.passer_by();
    let secret = portal.app.setup_link.issue().expect("a setup link");
    let path = format!("/setup/{}", secret.reveal());
    let mut fields = ADMINISTRATOR;
    fields[4] = ("password", "12345678");
    let shown = grace.send(&path, &fields).await;
    assert_eq!(shown.status, 422);
    assert!(shown.html.contains("value=\"Halden &#38; Partners\""), "{}", shown.html);
    assert!(!shown.html.contains("12345678"));
    shown.says("among the first that anybody would try");
    assert_eq!(grace.submit(&path, &ADMINISTRATOR).await.address, "/documents");
}

#[tokio::test]
async fn a_setup_link_ends_after_half_an_hour() {
    let portal = NewPortal::spawn().await;
    let secret = portal.app.setup_link.issue().expect("a setup link");
    let path = format!("/setup/{}", secret.reveal());
    portal.clock.advance(SignedDuration::from_mins(31));
    let grace = portal.passer_by();
    assert_eq!(grace.get(&path).await.status, 404);
    assert_eq!(grace.send(&path, &ADMINISTRATOR).await.status, 404);
    assert_eq!(grace.get("/setup/guessed").await.status, 404);
}

#[tokio::test]
async fn signing_in_leads_back_to_where_one_wanted_to_go() {
    let app = TestApp::spawn().await;
    let ada = app.passer_by();
    let turned_away = ada.get("/documents?q=plan&sort=title").await;
    assert_eq!(turned_away.status, 303);
    let sign_in = ada.open("/documents?q=plan&sort=title").await;
    let next = sign_in.piece("name=\"next\" value=\"", "\"").replace("&#38;", "&");
    assert_eq!(next, "/documents?q=plan&sort=title");
    let fields = [("name", "ada@example.com"), ("password", PASSWORD), ("next", &next)];
    assert_eq!(ada.submit("/sign-in", &fields).await.address, next);
}

#[tokio::test]
async fn signing_in_never_leads_to_another_site() {
    let app = TestApp::spawn().await;
    for next in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "",
    ] {
        let ada = app.passer_by();
        let fields = [("name", "ada"), ("password", PASSWORD), ("next", next)];
        let shown = ada.send("/sign-in", &fields).await;
        assert_eq!(shown.location().as_deref(), Some("/"), "{next:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_without_saying_what_was_wrong() {
    let app = TestApp::spawn().await;
    let somebody = app.passer_by();
    for name in ["ada", "nobody"] {
        let shown = somebody.send("/sign-in", &[("name", name), ("password", "wrong")]).await;
        assert_eq!(shown.status, 401);
        shown.says("The username or the password is wrong.");
        assert!(shown.html.contains(&format!("value=\"{name}\"")));
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_and_says_for_how_long() {
    let app = TestApp::spawn().await;
    let guesser = app.passer_by();
    for _ in 0..5 {
        guesser.send("/sign-in", &[("name", "ada"), ("password", "wrong")]).await;
    }
    let shown = guesser.send("/sign-in", &[("name", "ada"), ("password", PASSWORD)]).await;
    assert_eq!(shown.status, 429);
    assert!(shown.header("retry-after").parse::<u32>().is_ok());
    shown.says("Try again in");
    app.clock.advance(SignedDuration::from_mins(16));
    let shown = guesser.send("/sign-in", &[("name", "ada"), ("password", PASSWORD)]).await;
    assert_eq!(shown.status, 303);
}

#[tokio::test]
async fn signing_out_ends_the_session_at_once() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let landing = ada.submit("/sign-out", &[]).await;
    assert_eq!(landing.address, "/");
    landing.says("You are signed out.");
    assert_eq!(ada.get("/documents").await.status, 303);
}

#[tokio::test]
async fn a_form_without_its_token_is_refused() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let id = ada.add("plan.txt", b"The plan", &[]).await;
    for path in [
        format!("/documents/{id}/trash"),
        format!("/documents/{id}/edit"),
        format!("/documents/{id}/visibility"),
        "/documents/link".into(),
        "/sign-out".into(),
    ] {
        let shown = ada.send_without_token(&path, &[("title", "Mine now")]).await;
        assert_eq!(shown.status, 403, "{path}");
        let shown = ada.send_without_token(&path, &[("csrf", "AAAA")]).await;
        assert_eq!(shown.status, 403, "{path}");
    }
    ada.get(&format!("/documents/{id}")).await.says("plan");
}

#[tokio::test]
async fn what_another_site_sends_is_refused_even_with_a_token() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let crossing = ada.request("POST", "/sign-out").header("sec-fetch-site", "cross-site");
    let crossing = filled_in(crossing, &[("csrf", &ada.csrf_token())]);
    let answer = crossing.send().await.expect("an answer");
    assert_eq!(answer.status(), 403);
    assert_eq!(ada.get("/documents").await.status, 200);
}

#[tokio::test]
async fn a_form_sent_after_the_session_ended_leads_to_signing_in_and_back_to_it() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.submit("/sign-out", &[]).await;
    let late = ada
        .request("POST", "/documents/link")
        .header("referer", format!("{}/documents/link", app.url));
    let late = filled_in(late, &[("title", "Plan")]).send().await.expect("an answer");
    assert_eq!(late.status(), 401);
    let page = late.text().await.expect("a page");
    assert!(page.contains("href=\"/sign-in?next=%2Fdocuments%2Flink\""), "{page}");
}
