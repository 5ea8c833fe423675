//! Admin → Backups, and the API beside it.

use appliance::domain::{access::Role, backups};
use jiff::SignedDuration;

use crate::support::{PASSWORD, TestApp, filled_in, until};

const PLAN: [(&str, &str); 15] = [
    ("is_on", "1"),
    ("target", "archives"),
    ("repository", ""),
    ("every_hours", "24"),
    ("at", "04:30"),
    ("cron", ""),
    ("keep_last", "3"),
    ("keep_daily", "7"),
    ("keep_weekly", "5"),
    ("keep_monthly", "12"),
    ("encryption", "none"),
    ("recipients", ""),
    ("passphrase", ""),
    ("ship_every_seconds", "0"),
    ("drill_every_days", "7"),
];

fn plan_with(changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let changed = |name| changes.iter().find(|(changed, _)| *changed == name).map(|one| one.1);
    PLAN.iter().map(|(name, value)| (*name, changed(*name).unwrap_or(value))).collect()
}

#[tokio::test]
async fn an_administrator_makes_checks_downloads_and_deletes_a_backup() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.add("one.txt", b"One", &[]).await;
    app.settle().await;
    ada.get("/admin/backups").await.says("No backups yet").says("These backups are not encrypted");
    ada.submit("/admin/backups/make", &[]).await.says("A backup is being made.");
    app.settle().await;
    let shown = ada.get("/admin/backups").await;
    shown.says("Archives in the data folder").says("Backup Good").says("1 files");
    let name = shown.piece("name=\"archive\" value=\"", "\"").to_owned();
    assert!(name.starts_with("appliance-northlight-"), "{name}");

    ada.submit("/admin/backups/verify", &[("archive", &name)]).await;
    ada.submit("/admin/backups/drill", &[]).await;
    app.settle().await;
    ada.get("/admin/backups").await.says("Check Good").says("Rehearsal of a restore Good");

    let download = format!("/admin/backups/{name}/download");
    ada.get(&download).await.says("It is not encrypted. Whoever has it can read every file");
    ada.send(&download, &[]).await.says("It is not encrypted.");
    let fields = [("csrf", ada.csrf_token()), ("confirmed", "1".to_owned())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let got = filled_in(ada.request("POST", &download), &fields).send().await.expect("an answer");
    assert_eq!(got.status(), 200);
    assert_eq!(
        got.headers()["content-disposition"].to_str().expect("text").split(';').next(),
        Some("attachment")
    );
    let bytes = got.bytes().await.expect("the archive");
    let on_disk = app.app.config.data.join("backups").join(&name);
    assert_eq!(bytes, std::fs::read(&on_disk).expect("the archive"));
    ada.get("/admin/audit").await.says("downloaded the backup");

    let delete = format!("/admin/backups/{name}/delete");
    ada.send(&delete, &[]).await.says("It cannot be restored any more.");
    assert!(on_disk.exists(), "it was only asked");
    ada.submit(&delete, &[("confirmed", "1")]).await.says("The backup is deleted.");
    assert!(!on_disk.exists());
    app.stop().await;
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_no_backups() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    ada.get("/admin/backups").await;
    for name in ["..%2Fappliance.redb", "appliance.redb", "%2e%2e%2fappliance.redb", "none"] {
        let path = format!("/admin/backups/{name}");
        assert_eq!(ada.get(&format!("{path}/download")).await.status, 404, "{name}");
        let confirmed = [("confirmed", "1")];
        assert_eq!(ada.send(&format!("{path}/download"), &confirmed).await.status, 404, "{name}");
        assert_eq!(ada.send(&format!("{path}/delete"), &confirmed).await.status, 404, "{name}");
    }
    assert!(app.app.config.data.join("appliance.redb").exists());
    app.stop().await;
}

#[tokio::test]
async fn the_plan_is_set_and_its_secrets_stay_hidden() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let (_, secret) = ("", "a passphrase that nobody guesses");
    let set = plan_with(&[("encryption", "passphrase"), ("passphrase", secret)]);
    let shown = ada.submit("/admin/backups/plan", &set).await;
    shown.says("The plan is saved.").does_not_say("not encrypted").does_not_say(secret);
    assert!(!shown.html.contains(secret));
    shown.says("There is one; it stays when this is empty.");
    let plan = || app.app.store.read(backups::plan);
    let stored = plan().await.expect("the plan");
    assert!(stored.is_on && stored.minute_of_day == 4 * 60 + 30 && stored.passphrase == secret);

    // Saved again without typing it, it stays.
    let again = plan_with(&[("encryption", "passphrase"), ("keep_last", "9")]);
    ada.submit("/admin/backups/plan", &again).await.says("The plan is saved.");
    let stored = plan().await.expect("the plan");
    assert_eq!((stored.passphrase.as_str(), stored.keep_last), (secret, 9));

    for (changes, says) in [
        (&[("at", "25:00")][..], "A time of day looks like 03:00."),
        (&[("every_hours", "soon")], "This must be a whole number."),
        (&[("every_hours", "0")], "Between two backups lie 1 to 744 hours."),
        (&[("cron", "daily")], "This is no cron line."),
        (&[("cron", "0 0 31 2 *")], "names a day that does not come"),
        (&[("target", "repository")], "Name a folder of the server"),
        (&[("encryption", "recipients"), ("recipients", "age1nonsense")], "no public key of age"),
        (&[("encryption", "passphrase"), ("passphrase", "short")], "at least 12 characters"),
        (&[("ship_every_seconds", "5")], "Changes can only be shipped to a repository."),
    ] {
        let shown = ada.send("/admin/backups/plan", &plan_with(changes)).await;
        assert_eq!(shown.status, 422, "{changes:?}");
        shown.says(says);
        assert!(!shown.html.contains("value=\"short\""));
    }
    assert_eq!(plan().await.expect("the plan").keep_last, 9, "nothing was changed by it");
    app.stop().await;
}

#[tokio::test]
async fn a_backup_that_fails_is_loud() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let blocked = app.app.config.data.join("in-the-way");
    std::fs::write(&blocked, "a file, and no folder").expect("a file");
    let place = blocked.display().to_string();
    let mut set = plan_with(&[("target", "repository")]);
    set.retain(|(name, _)| *name != "repository");
    set.push(("repository", &place));
    ada.submit("/admin/backups/plan", &set).await.says("The plan is saved.");
    ada.submit("/admin/backups/make", &[]).await;
    until(async || {
        let standing = app.app.store.read(backups::standing).await.expect("a look");
        !standing.faults.is_empty()
    })
    .await;
    ada.get("/admin/backups").await.says("The last backup failed");
    ada.get("/admin/").await.says("The last backup failed");
    let ready = app.stranger().get("/readyz").await;
    assert_eq!(ready["backups"], "failing");
    assert!(!ready.to_string().contains("in-the-way"), "strangers learn no more");
    std::fs::remove_file(&blocked).expect("a removal");
    // It is tried again by itself.
    app.clock.advance(SignedDuration::from_hours(1));
    app.settle().await;
    let standing = app.app.store.read(backups::standing).await.expect("a look");
    assert_eq!((standing.faults, standing.last_success.is_some()), (Vec::new(), true));
    app.stop().await;
}

#[tokio::test]
async fn snapshots_of_a_repository_are_listed_and_deleted() {
    let app = TestApp::spawn().await;
    let ada = app.person("ada").await;
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("repository").display().to_string();
    let mut set = plan_with(&[("target", "repository"), ("keep_last", "9")]);
    set.retain(|(name, _)| *name != "repository");
    set.push(("repository", &place));
    ada.submit("/admin/backups/plan", &set).await;
    let api = app.signed_in("ada").await;
    for number in 0..2 {
        assert_eq!(api.status("POST", "/api/admin/backups", None).await, 202, "{number}");
        app.settle().await;
        app.clock.advance(SignedDuration::from_secs(2));
    }
    let listed = api.get("/api/admin/backups").await;
    assert_eq!(listed["backups"].as_array().map(Vec::len), Some(2), "{listed}");
    assert_eq!((&listed["is_on"], &listed["archives"]), (&true.into(), &serde_json::json!([])));
    let id = listed["backups"][0]["id"].as_str().expect("an id").to_owned();
    ada.get("/admin/backups").await.says("Snapshots in the repository").says(&id);
    let path = format!("/api/admin/backups/{id}");
    assert_eq!(api.status("GET", &format!("{path}/download"), None).await, 404);
    assert_eq!(api.status("DELETE", &path, None).await, 204);
    assert_eq!(api.status("DELETE", &path, None).await, 404);
    let listed = api.get("/api/admin/backups").await;
    assert_eq!(listed["backups"].as_array().map(Vec::len), Some(1), "{listed}");
    ada.submit("/admin/backups/verify", &[]).await;
    ada.submit("/admin/backups/drill", &[]).await;
    app.settle().await;
    let standing = app.app.store.read(backups::standing).await.expect("a look");
    assert_eq!(standing.faults, Vec::<String>::new());
    app.stop().await;
}

#[tokio::test]
async fn only_administrators_of_the_portal_see_backups() {
    let app = TestApp::spawn().await;
    app.add_user("max", Role::Manager).await;
    let max = app.person("max").await;
    assert_eq!(max.get("/admin/backups").await.status, 403);
    max.get("/admin/documents").await.does_not_say("Backups");
    let stranger = app.passer_by().sign_in("nobody", PASSWORD).await;
    assert_eq!(stranger.status, 401);
    app.stop().await;
}
