//! Copies of a whole portal that come to the bucket of the original.

use std::{path::Path, process::Command, sync::Arc};

use appliance::{
    app::App,
    clock::Clock,
    config::{Config, StorageConfig},
    domain::{access::Actor, documents},
};
use jiff::SignedDuration;

use crate::support::{TestApp, s3::S3Server, until};

const PROBATION: SignedDuration = SignedDuration::from_mins(6);
const MONTH: SignedDuration = SignedDuration::from_hours(24 * 31);

async fn open(data: &Path, storage: &StorageConfig, clock: Clock) -> Arc<App> {
    let mut config = Config { data: data.to_owned(), ..Config::default() };
    config.storage = storage.clone();
    tokio::task::spawn_blocking(move || App::open(config, clock).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_data_folder_on_the_same_machine_takes_nothing_from_the_original() {
    let s3 = S3Server::start();
    let storage = s3.storage(None);
    let original = TestApp::spawn_with(|config| config.storage = storage.clone()).await;
    let ada = original.signed_in("ada").await;
    let document = ada.upload("plan.txt", b"the only copy", &[]).await;
    original.settle().await;
    assert_eq!(s3.objects(), 1);

    let folder = tempfile::tempdir().unwrap();
    let copied = folder.path().join("other");
    let cp = Command::new("cp").arg("-a").arg(&original.app.config.data).arg(&copied).status();
    assert!(cp.unwrap().success());
    let copy = open(&copied, &storage, original.clock.clone()).await;
    copy.look_at_bucket().await;
    let findings = copy.doctor(false).await.unwrap();
    let finding = findings.iter().find(|finding| finding.about == "file storage").unwrap();
    assert_eq!(finding.level, appliance::app::Level::Problem, "{finding:?}");
    assert!(finding.message.contains("another portal"), "{finding:?}");

    // In the copy the document goes, for good, and the sweep comes by.
    let id = document["id"].as_str().unwrap().parse().unwrap();
    let organization = original.organization;
    copy.store
        .write(move |tx| {
            let actor = Actor::system("test", Some(organization));
            documents::trash(tx, &actor, id)
        })
        .await
        .unwrap();
    original.clock.advance(MONTH);
    copy.keep_tidy().await.unwrap();
    let background = copy.start();
    copy.settle().await.unwrap();
    original.clock.advance(SignedDuration::from_hours(2));
    copy.settle().await.unwrap();
    background.stop().await;
    copy.sweep_orphans().await.unwrap();
    assert_eq!(s3.objects(), 1);

    let ada = original.signed_in("ada").await;
    let path = format!("/api/documents/{}/download", document["id"].as_str().unwrap());
    assert_eq!(ada.send("GET", &path, None).await.text().await.unwrap(), "the only copy");
    original.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_portal_is_brought_survives_the_sweep_of_the_owner_and_drains_after_a_claim() {
    let s3 = S3Server::start();
    let storage = s3.storage(None);
    let old = TestApp::spawn_with(|config| config.storage = storage.clone()).await;
    let ada = old.signed_in("ada").await;
    ada.upload("plan.txt", b"the only copy", &[]).await;
    old.settle().await;

    let new = TestApp::spawn_with(|config| config.storage = storage).await;
    let eve = new.signed_in("ada").await;
    let made = eve.upload("own.txt", b"a file of the new one", &[]).await;
    let path = format!("/api/documents/{}/download", made["id"].as_str().unwrap());
    until(async || new.app.blobs.is_disowned()).await;
    new.settle().await;
    for app in [&old, &new] {
        app.clock.advance(MONTH);
        app.app.look_at_bucket().await;
        app.clock.advance(PROBATION);
        app.app.sweep_orphans().await.unwrap();
    }
    assert_eq!(s3.objects(), 1, "each has left the files of the other alone");
    // Signing in runs out in a month.
    let eve = new.signed_in("ada").await;
    let read = async || eve.send("GET", &path, None).await.text().await.unwrap();
    assert_eq!(read().await, "a file of the new one");

    let shown = eve.get("/api/admin/storage").await;
    assert_eq!((&shown["is_ours"], &shown["waiting"]["files"]), (&false.into(), &1.into()));
    let ready = new.stranger().get("/readyz").await["storage"].as_str().unwrap().to_owned();
    assert!(ready.starts_with("degraded: ") && ready.contains("another portal"), "{ready}");
    let page = new.person("ada").await.open("/admin/storage").await.html;
    assert!(page.contains("belong to another portal") && page.contains("/admin/storage/claim"));

    old.stop().await;
    assert_eq!(eve.status("POST", "/api/admin/storage/claim", None).await, 204);
    until(async || new.app.blobs.status().await.unwrap().spooled.files == 0).await;
    new.settle().await;
    assert_eq!(s3.objects(), 2);
    assert_eq!(read().await, "a file of the new one");
    assert_eq!(new.app.sweep_orphans().await.unwrap(), 0, "not before the probation is over");
    new.clock.advance(PROBATION);
    assert_eq!(new.app.sweep_orphans().await.unwrap(), 1);
    assert_eq!(s3.objects(), 1);
    assert_eq!(new.stranger().get("/readyz").await["storage"], "ok");
    new.stop().await;
}
