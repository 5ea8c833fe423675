//! What operators do with the storage: the nightly reading, moving house, the check; by jobs, on
//! pages, through the API and at a shell.

use std::{fs, path::PathBuf};

use appliance::{
    app::App,
    config::Backend,
    domain::{
        access::Actor,
        jobs::{self, State, Task},
        storage::{self, Copied},
    },
    hash::Digest,
    store::WriteTx,
};
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{
    Api, PASSWORD, Shell, Still, TestApp,
    s3::{Disturbance, FaultProxy, S3Server},
    until,
};

fn file_of(app: &App, bytes: &[u8]) -> PathBuf {
    let name = Digest::of(bytes).to_string();
    app.config.data.join("objects").join(&name[..2]).join(name)
}

async fn upload(app: &TestApp, count: usize) -> Vec<Vec<u8>> {
    let ada = app.signed_in("ada").await;
    let mut contents = Vec::new();
    for number in 0..count {
        let bytes = format!("file number {number}").into_bytes();
        ada.upload(&format!("{number}.txt"), &bytes, &[]).await;
        contents.push(bytes);
    }
    app.settle().await;
    contents
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_is_read_within_its_days_and_what_is_lost_is_said_loudly() {
    let app = TestApp::spawn_with(|config| config.storage.scrub_days = 3).await;
    let contents = upload(&app, 7).await;
    app.app.queue_scrub().await.unwrap();
    app.settle().await;
    assert!(app.app.scrub_report().await.unwrap().run.is_none(), "not before the night");

    fs::write(file_of(&app.app, &contents[2]), b"other bytes").unwrap();
    fs::remove_file(file_of(&app.app, &contents[5])).unwrap();
    let mut read = Vec::new();
    for _ in 0..3 {
        app.clock.advance(SignedDuration::from_hours(24));
        app.app.queue_scrub().await.unwrap();
        app.app.queue_scrub().await.unwrap();
        app.settle().await;
        let run = app.app.scrub_report().await.unwrap().run.unwrap();
        assert!(run.finished_at.is_some());
        read.push(run.files);
    }
    assert_eq!(read, [3, 3, 3], "a third of seven each night, rounded up");

    let ada = app.signed_in("ada").await;
    let view = ada.get("/api/admin/storage").await;
    let mut faulty: Vec<(&str, &str)> = view["faulty"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["filename"].as_str().unwrap(), file["kind"].as_str().unwrap()))
        .collect();
    faulty.sort_unstable();
    assert_eq!(faulty, [("2.txt", "damaged"), ("5.txt", "missing")]);
    let findings = app.app.doctor(true).await.unwrap();
    let finding = findings.iter().find(|finding| finding.about == "files").unwrap();
    assert!(finding.message.ends_with("And one other."), "{finding:?}");

    // Somebody brings one of them again; the next look finds it.
    ada.upload("again.txt", &contents[5], &[]).await;
    app.settle().await;
    ada.post("/api/admin/storage/scrub", json!({})).await;
    app.settle().await;
    let view = ada.get("/api/admin/storage").await;
    assert_eq!(view["faulty"].as_array().unwrap().len(), 1);
    assert_eq!(view["scrub"]["files"], 7);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_moves_house_while_it_is_used_and_goes_on_after_an_outage_and_a_cancellation() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let mut storage = s3.storage(Some(&proxy));
    storage.backend = Backend::Disk;
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    let contents = upload(&app, 12).await;
    let ada = app.signed_in("ada").await;

    // New files still come to the disk, so nothing may go there.
    let early = json!({ "to": "s3", "remove_old": true });
    assert_eq!(ada.status("POST", "/api/admin/storage/migrate", Some(early)).await, 400);

    proxy.disturb(Disturbance::Refuse);
    let job = ada.post("/api/admin/storage/migrate", json!({ "to": "s3" })).await;
    let again = ada.status("POST", "/api/admin/storage/migrate", Some(json!({ "to": "s3" }))).await;
    assert_eq!(again, 409, "one at a time");
    let path = format!("/api/admin/jobs/{}", job["id"].as_str().unwrap());
    until(async || ada.get(&path).await["error"].is_string()).await;
    assert_eq!(ada.get(&path).await["attempts"], 0, "put off is no attempt");
    assert_eq!(ada.status("POST", &format!("{path}/cancel"), None).await, 200);
    assert_eq!(ada.get(&path).await["state"], "cancelled");

    proxy.disturb(Disturbance::None);
    until(async || !app.app.blobs.is_degraded()).await;
    ada.post("/api/admin/storage/migrate", json!({ "to": "s3" })).await;
    app.settle().await;
    let view = ada.get("/api/admin/storage").await;
    assert_eq!(view["migration"]["copied"]["files"], 12, "{view:#}");
    assert!(view["migration"]["finished_at"].is_string());
    assert_eq!(s3.objects(), 12);
    assert!(contents.iter().all(|bytes| file_of(&app.app, bytes).exists()), "old copies stay");
    app.stop().await;
}

#[tokio::test]
async fn a_long_job_that_is_cancelled_while_it_runs_stays_cancelled() {
    let app = TestApp::spawn().await;
    let actor = Actor::system("test", None);
    let state = app
        .app
        .store
        .write(move |tx| {
            let job = storage::begin_scrub(tx, &actor, 100)?;
            jobs::claim_one(tx, job.id)?;
            jobs::cancel(tx, &actor, job.id)?;
            assert!(!storage::note_scrubbed(tx, job.id, Vec::new())?, "it is told to stop");
            jobs::complete(tx, job.id)?;
            Ok(jobs::get(tx, &actor, job.id)?.state)
        })
        .await
        .unwrap();
    assert_eq!(state, State::Cancelled);
    let is_under_way = app.app.store.read(|tx| jobs::is_under_way(tx, &Task::Scrub)).await.unwrap();
    assert!(!is_under_way);
}

#[test]
fn a_move_that_was_cancelled_looks_again_at_what_could_not_be_copied() {
    let still = Still::open();
    let actor = Actor::system("test", None);
    let begin = |faults: Vec<String>| {
        let actor = actor.clone();
        let write = move |tx: &mut WriteTx| {
            let begun = storage::begin_migration(tx, &actor, Backend::S3, true)?;
            jobs::claim_one(tx, begun.job)?;
            let next = Some(Digest::of(b"the last one"));
            let step = Copied { next, faults, ..Copied::default() };
            assert!(storage::note_copied(tx, begun.job, step)?);
            jobs::cancel(tx, &actor, begun.job)?;
            jobs::complete(tx, begun.job)?;
            Ok(begun)
        };
        still.app.store.write_blocking(write).unwrap()
    };
    begin(Vec::new());
    let resumed = begin(vec!["“a.pdf” was not copied.".into()]);
    assert!(resumed.after.is_some());
    let anew = begin(Vec::new());
    assert_eq!((anew.after, anew.faults_total), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_counted_by_organization_and_kind() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    ada.upload("a.txt", b"0123456789", &[]).await;
    ada.upload("b.txt", b"0123456789", &[]).await;
    ada.upload("c.txt", b"01234", &[("kind", "poster")]).await;
    app.settle().await;
    let view = ada.get("/api/admin/storage").await;
    assert_eq!(view["kept"], json!({ "files": 2, "bytes": 15 }), "the same content once");
    let usage = &view["usage"][0];
    assert_eq!(usage["total"], json!({ "files": 3, "bytes": 25 }));
    assert_eq!(usage["kinds"][0], json!({ "kind": "file", "files": 2, "bytes": 20 }));
    assert_eq!(usage["kinds"][1], json!({ "kind": "poster", "files": 1, "bytes": 5 }));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_and_does_everything_without_a_script() {
    let s3 = S3Server::start();
    let storage = s3.storage(None);
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    upload(&app, 2).await;
    let ada = app.person("ada").await;
    let page = ada.open("/admin/storage").await.html;
    assert!(page.contains("s3://documents/portal/files"), "{page}");
    let checked = ada.submit("/admin/storage/check", &[]).await.html;
    assert!(checked.contains("Everything that is needed of S3 works."), "{checked}");
    assert!(checked.contains("Upload in parts"), "the steps are shown");
    ada.submit("/admin/storage/scrub", &[]).await;
    app.settle().await;
    assert!(ada.open("/admin/storage").await.html.contains("2 files read"));
    let fields = [("to", "s3"), ("remove_old", "1")];
    let asked = ada.submit("/admin/storage/migrate", &fields).await.html;
    assert!(asked.contains("Remove the old copies from the disk?"), "{asked}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verbs_work_on_the_data_itself_and_through_the_server() {
    let s3 = S3Server::start();
    let shell = Shell::new();
    shell.add_user("ada", &["--admin"]);
    let alone = shell.run(&["storage", "check"]).expect(0);
    assert!(alone.out.contains("no S3 is configured"), "{alone:?}");
    let nowhere = shell.run(&["storage", "migrate", "--to", "s3"]).expect(1);
    assert!(nowhere.err.contains("storage.s3.bucket"), "{nowhere:?}");

    let on_disk = s3.configuration(None).replace("\"s3\"", "\"disk\"");
    shell.configure(&on_disk);
    let server = shell.serve(&[]);
    let answer = Api::at(&server.url, "")
        .post("/api/login", json!({ "username": "ada", "password": PASSWORD }))
        .await;
    let ada = Api::at(&server.url, answer["access_token"].as_str().unwrap());
    for number in 0..5 {
        ada.upload(&format!("{number}.txt"), format!("file {number}").as_bytes(), &[]).await;
    }
    until(async || ada.get("/api/admin/storage").await["waiting"]["files"] == 0).await;
    let checked = shell.run(&["storage", "check", "--json"]).expect(0).json();
    assert_eq!(checked["steps"].as_array().unwrap().len(), 9);
    let moved = shell.run(&["storage", "migrate", "--to", "s3"]).expect(0);
    assert!(moved.out.contains("copied     5 files"), "{moved:?}");
    assert!(moved.out.contains("Set storage.backend to \"s3\""), "{moved:?}");
    server.stop();

    shell.configure(&s3.configuration(None));
    let moved = shell.run(&["storage", "migrate", "--to", "s3", "--remove-old"]).expect(0);
    assert!(moved.out.contains("removed    5 files"), "{moved:?}");
    let read = shell.run(&["storage", "scrub", "--share", "40"]).expect(0);
    assert!(read.out.contains("Read 2 files"), "{read:?}");
    let damaged = Digest::of(b"file 3").to_string();
    fs::write(s3.object(&format!("{}/{damaged}", &damaged[..2])), b"damaged").unwrap();
    let read = shell.run(&["storage", "scrub"]).expect(3);
    assert!(read.out.contains("“3.txt” is damaged."), "{read:?}");
    assert!(read.out.contains("it belongs to"), "{read:?}");
    shell.run(&["storage", "scrub", "--share", "0"]).expect(2);
}
