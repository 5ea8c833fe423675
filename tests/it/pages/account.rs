//! One's own account.

use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn a_token_is_shown_once_and_made_once() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let fields = [("name", "Nightly copy"), ("expires", "30")];
    let made = ada.send("/account/tokens", &fields).await;
    assert_eq!(made.location().as_deref(), Some("/account/tokens"));
    let head = ada.request("HEAD", "/account/tokens").send().await.expect("headers");
    assert_eq!(head.status(), 200);
    let shown = ada.get("/account/tokens").await;
    shown.says("The token “Nightly copy”").says("It is not shown again.");
    let secret = shown.piece("<code id=\"secret\">", "</code>").to_owned();
    let again = ada.get("/account/tokens").await;
    again.does_not_say("It is not shown again.").says("Nightly copy made");
    assert!(!again.html.contains(&secret));
    assert_eq!(again.html.matches("<li class=\"entry\">").count(), 1);
}

#[tokio::test]
async fn a_new_password_is_another_one() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let fields = [("current", PASSWORD), ("password", PASSWORD)];
    let shown = ada.send("/account/password", &fields).await;
    assert_eq!(shown.status, 422);
    shown.says("Choose another one than before.");
    let field = shown.piece("id=\"password\"", ">");
    assert!(field.contains("aria-invalid=\"true\" aria-describedby=\"password-error"), "{field}");
    let fields = [("current", PASSWORD), ("password", "a short blue kettle")];
    ada.submit("/account/password", &fields).await.says("Your password is changed.");
}
