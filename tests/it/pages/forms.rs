//! Forms that are filled in wrongly: all of it is said at once, each thing at its field and with a way
//! there, and what was typed is kept.

use serde_json::json;

use crate::support::{NewPortal, PASSWORD, Shown, TestApp};

/// The page names exactly these fields as wrong, above the form and at each of them.
#[track_caller]
fn complains_about(shown: &Shown, fields: &[&str]) {
    assert_eq!(shown.status, 422, "{}: {}", shown.address, shown.text());
    let things = if fields.len() == 1 { "thing needs" } else { "things need" };
    shown.says(&format!("{} {things} to be corrected", fields.len()));
    let summary = shown.piece("<div class=\"flash flash--bad faults\"", "</ul>");
    assert!(summary.contains("autofocus"), "{summary}");
    for field in fields {
        let html = &shown.html;
        assert!(summary.contains(&format!("<a href=\"#{field}\">")), "{field}: {summary}");
        assert!(html.contains(&format!("id=\"{field}-error\"")), "{field} has no message: {html}");
        let described = format!("aria-describedby=\"{field}-error");
        assert!(html.contains(&described), "{field} is not described: {html}");
    }
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_form_is_said_at_once() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let (long_tag, long_title, long_name) = ("t".repeat(51), "t".repeat(201), "n".repeat(101));
    let forms: [(&str, &[(&str, &str)], &[&str]); 8] = [
        (
            "/admin/people/new",
            &[("username", "v"), ("email", "nowhere"), ("password", "short"), ("role", "viewer")],
            &["username", "email", "password"],
        ),
        (
            "/admin/people/new",
            &[("username", "ada"), ("email", "Ada@example.com"), ("password", PASSWORD)],
            &["username", "email", "role"],
        ),
        (
            "/documents/link",
            &[("url", "ftp://host"), ("title", &long_title), ("tags", &long_tag)],
            &["url", "title", "tags"],
        ),
        (
            "/admin/settings",
            &[
                ("accent", "blue"),
                ("upload_limit_mb", "much"),
                ("session_days", "0"),
                ("cors_origins", "here"),
            ],
            &["name", "accent", "upload_limit_mb", "session_days", "cors_origins"],
        ),
        ("/admin/https", &[("domains", "a_b"), ("email", "nobody")], &["domains", "email"]),
        (
            "/admin/backups/plan",
            &[
                ("target", "repository"),
                ("every_hours", "often"),
                ("at", "25:00"),
                ("encryption", "passphrase"),
                ("keep_last", "1"),
                ("keep_daily", "1"),
                ("keep_weekly", "1"),
                ("keep_monthly", "all"),
                ("ship_every_seconds", "0"),
                ("drill_every_days", "0"),
            ],
            &["repository", "every_hours", "at", "keep_monthly", "passphrase"],
        ),
        ("/account/tokens", &[("expires", "soon")], &["name", "expires"]),
        ("/account", &[("full_name", &long_name), ("email", "nowhere")], &["full_name", "email"]),
    ];
    for (path, fields, wrong) in forms {
        let shown = ada.send(path, fields).await;
        complains_about(&shown, wrong);
    }
    let fields = [("current", "not it"), ("password", "short")];
    complains_about(&ada.send("/account/password", &fields).await, &["current", "password"]);
}

#[tokio::test]
async fn what_was_typed_is_kept_where_a_form_is_wrong() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let fields = [
        ("url", "ftp://host/a"),
        ("title", "The tide tables"),
        ("description", "For the whole coast"),
        ("category", "Sea"),
        ("visibility", "restricted"),
        ("people", "nobody"),
    ];
    let shown = ada.send("/documents/link", &fields).await;
    for kept in ["ftp://host/a", "The tide tables", "For the whole coast", "Sea"] {
        assert!(shown.html.contains(kept), "{kept}");
    }
    assert!(shown.html.contains("value=\"restricted\" checked"));
    // What cannot be read is said first; whatever it was, it has a place on the page.
    complains_about(&shown, &["people"]);
}

#[tokio::test]
async fn the_first_form_of_all_says_everything_at_once() {
    let portal = NewPortal::spawn().await;
    let secret = portal.app.setup_link.issue().expect("a setup link");
    let path = format!("/setup/{}", secret.reveal());
    let shown = portal.passer_by().send(&path, &[("full_name", "Grace Hopper")]).await;
    complains_about(&shown, &["organization", "username", "email", "password"]);
    assert!(shown.html.contains("value=\"Grace Hopper\""));
}

#[tokio::test]
async fn programs_hear_of_every_field_too() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let new = json!({ "username": "ada", "email": "nowhere", "password": "short" });
    let response = ada.send("POST", "/api/admin/users", Some(new)).await;
    assert_eq!(response.status(), 422);
    let problem: serde_json::Value = response.json().await.expect("a problem");
    assert_eq!(problem["field"], "username");
    let errors = problem["errors"].as_array().expect("every error");
    let fields: Vec<_> = errors.iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["username", "email", "password"]);
    let detail = problem["detail"].as_str().expect("a sentence");
    for error in errors {
        assert!(detail.contains(error["detail"].as_str().expect("a sentence")), "{problem}");
    }
    let alone = json!({ "username": "ada", "email": "a@example.com", "password": PASSWORD });
    let response = ada.send("POST", "/api/admin/users", Some(alone)).await;
    assert_eq!(response.status(), 409);
    let problem: serde_json::Value = response.json().await.expect("a problem");
    assert_eq!(problem["field"], "username");
    assert_eq!(problem.get("errors"), None);
}
