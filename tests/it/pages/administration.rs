//! The administration: many documents at once, accounts, settings, the log.

use appliance::domain::access::Role;

use crate::support::TestApp;

#[tokio::test]
async fn many_that_went_to_the_trash_come_back_by_undo() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let one = ada.add("one.txt", b"One", &[]).await;
    let two = ada.add("two.txt", b"Two", &[]).await;
    app.settle().await;
    let fields = [("id", one.as_str()), ("id", two.as_str()), ("act", "trash")];
    let shown = ada.submit("/admin/documents/bulk", &fields).await;
    shown.says("2 documents are moved to the trash. Undo").says("No documents here");
    let form = shown.piece("<form action=\"/admin/documents/restore\"", "</form>");
    assert!(form.contains(&one) && form.contains(&two), "{form}");
    let undo = [("id", one.as_str()), ("id", two.as_str())];
    let shown = ada.submit("/admin/documents/restore", &undo).await;
    shown.says("2 documents are restored.").says("one").says("two").does_not_say("Undo");
}

#[tokio::test]
async fn a_password_is_reset_once_and_shown_once() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let vic = app.add_user("vic", Role::Viewer).await.id;
    let page = format!("/admin/people/{vic}");
    let shown = ada.submit(&format!("{page}/password"), &[("confirmed", "1")]).await;
    assert_eq!(shown.address, page);
    let password = shown.piece("<code id=\"secret\">", "</code>").to_owned();
    ada.get(&page).await.does_not_say("It is not shown again");
    let vic = app.passer_by();
    assert_eq!(vic.sign_in("vic", &password).await.address, "/account/password");
    assert_eq!(vic.open("/api/docs").await.address, "/account/password");
}

/// Saving a form that was opened before somebody else's change does not take that change back.
#[tokio::test]
async fn a_form_that_shows_what_is_no_longer_so_changes_nothing() {
    let app = TestApp::spawn().await;
    let (ada, api) = (app.person("ada").await, app.signed_in("ada").await);
    let vic = app.add_user("vic", Role::Editor).await.id.to_string();
    let group = api.post("/api/admin/groups", serde_json::json!({ "name": "Board" })).await;
    let group = group["id"].as_str().expect("an id").to_owned();
    let (person, members) = (format!("/admin/people/{vic}"), format!("/admin/groups/{group}"));
    let seen =
        async |page: &str| ada.get(page).await.piece("name=\"seen\" value=\"", "\"").to_owned();

    let (seen_of_vic, seen_of_group) = (seen(&person).await, seen(&members).await);
    let fields = |role, seen| {
        [
            ("username", "vic"),
            ("email", "vic@example.org"),
            ("full_name", "Vic"),
            ("role", role),
            ("seen", seen),
        ]
    };
    ada.submit(&person, &fields("viewer", &seen_of_vic)).await.says("The account is saved.");
    let late = ada.send(&person, &fields("editor", &seen_of_vic)).await;
    assert_eq!(late.status, 409);
    late.says("Somebody changed this in the meantime.").says("Role Viewer Editor");
    late.says("Save mine anyway");
    let seen_both = late.piece("name=\"seen\" value=\"", "\"");
    ada.submit(&person, &fields("editor", seen_both)).await.says("The account is saved.");
    let late = ada.send(&person, &fields("manager", seen_both)).await;
    assert_eq!(late.status, 409, "the state that was seen is over, too");
    ada.submit(&person, &fields("manager", &seen(&person).await))
        .await
        .says("The account is saved.");

    let path = format!("{members}/members");
    let fields = [("people", vic.as_str()), ("seen", &seen_of_group)];
    ada.submit(&path, &fields).await.says("The members are saved.");
    let late = ada.send(&path, &fields[1..]).await;
    assert_eq!(late.status, 409);
    ada.submit(&path, &[("seen", &seen(&members).await)]).await.says("The members are saved.");
}

#[tokio::test]
async fn an_accent_of_ones_own_counts_when_it_is_chosen() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.get("/admin/settings").await.says("Built-in").says("Own color");
    let fields = [
        ("name", "Northlight"),
        ("accent", "#aa2200"),
        ("use_default_accent", "0"),
        ("upload_limit_mb", "1"),
        ("session_days", "14"),
        ("cors_origins", ""),
    ];
    let shown = ada.submit("/admin/settings", &fields).await;
    shown.says("The settings are saved.");
    assert!(shown.html.contains("accent-aa2200"), "{}", shown.html);
    let fields = fields.map(|(name, value)| match name {
        "use_default_accent" => (name, "1"),
        "upload_limit_mb" => (name, "0"),
        _ => (name, value),
    });
    let shown = ada.send("/admin/settings", &fields).await;
    assert_eq!(shown.status, 422);
    shown.says("The upload limit lies between 1 MB and 1 TB.");
}

#[tokio::test]
async fn the_log_says_who_signed_in_without_saying_it_twice() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.get("/admin/audit").await.says("Ada Lovelace signed in").does_not_say("signed in as Ada");
}
