//! A disk that fills up below the whole portal: what is refused, what goes on, and that it mends by
//! itself when there is room again. Needs root for a small disk, and says so where that is missing.

use std::{fs, path::Path};

use appliance::{domain::access::Role, space::Room};
use serde_json::{Value, json};

use crate::{
    blobs::content,
    support::{Api, PASSWORD, Shell, SmallDisk, TestApp, until},
};

const MIB: u64 = 1 << 20;
/// A tenth of it is kept in reserve.
const DISK: &str = "size=128m";
const RESERVE: u64 = 128 * MIB / 10;

async fn portal_on(disk: &SmallDisk, reserve_mb: u32) -> TestApp {
    let data = disk.folder.join("data");
    TestApp::spawn_with(|config| {
        config.data = data;
        config.storage.reserve_mb = reserve_mb;
    })
    .await
}

fn path_of(document: &Value) -> String {
    format!("/api/documents/{}", document["id"].as_str().expect("an id"))
}

async fn describe(api: &Api, path: &str, text: &str) -> reqwest::Response {
    api.send("PATCH", path, Some(json!({ "description": text }))).await
}

/// Tells how it was refused.
async fn refused(response: reqwest::Response) -> String {
    assert_eq!(response.status(), 507);
    let problem: Value = response.json().await.expect("a problem");
    problem["detail"].as_str().expect("a sentence").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reserve_stops_what_adds_and_leaves_room_for_what_makes_room() {
    let Some(disk) = SmallDisk::mount(DISK) else { return };
    let app = portal_on(&disk, 512).await;
    let ada = app.signed_in("ada").await;
    let report = ada.upload("report.txt", b"a report on kettles", &[("title", "Report")]).await;
    let spare = ada.upload("spare.txt", &content(1, 100_000), &[("title", "Spare")]).await;
    app.settle().await;

    // The reserve is touched: nothing that brings much, but small changes.
    disk.leave_free(RESERVE - MIB);
    assert_eq!(app.app.reserve.room().expect("its room"), Room::Low);
    let sentence = refused(ada.try_upload("late.txt", b"late", &[("title", "Late")]).await).await;
    assert!(sentence.contains("disk is full") && sentence.contains("make room"), "{sentence}");
    let page = app.person("ada").await;
    let refusal = page.upload("/documents/upload", &[], &[("late.txt", b"late")]).await;
    assert_eq!(refusal.status, 507);
    refusal.says("disk is full");
    assert_eq!(describe(&ada, &path_of(&report), "small").await.status(), 200);
    assert_eq!(ada.get("/readyz").await["disk"], "nearly full");

    // Half of it is gone: only what makes room, ends rights or lets people in.
    disk.leave_free(RESERVE / 2 - MIB);
    assert_eq!(app.app.reserve.room().expect("its room"), Room::Critical);
    let sentence = refused(describe(&ada, &path_of(&report), "more").await).await;
    assert!(sentence.contains("empty the trash"), "{sentence}");
    let ready = ada.get("/readyz").await;
    assert_eq!((&ready["status"], &ready["disk"]), (&json!("ready"), &json!("full")));
    assert_eq!(ada.get(&path_of(&report)).await["description"], "small");
    assert_eq!(ada.get("/api/documents?q=kettles").await["total"], 1);
    let again = app.signed_in("ada").await;
    let trash = format!("{}/trash", path_of(&spare));
    assert_eq!(again.status("POST", &trash, None).await, 200);
    let delete = format!("/api/trash/{}", spare["id"].as_str().expect("an id"));
    assert_eq!(again.status("DELETE", &delete, None).await, 204);
    assert_eq!(again.get("/api/documents").await["total"], 1);
    let findings = app.app.doctor(true).await.expect("findings");
    let finding = findings.iter().find(|finding| finding.about == "disk forecast").expect("one");
    assert!(finding.message.contains("full"), "{finding:?}");

    // And nobody has to start anything again.
    disk.leave_free(u64::MAX);
    assert_eq!(describe(&ada, &path_of(&report), "more").await.status(), 200);
    ada.upload("late.txt", b"late but there", &[("title", "Late")]).await;
    app.settle().await;
    assert_eq!(ada.get("/api/documents?q=late").await["total"], 1);
    assert_eq!(ada.get("/readyz").await["disk"], "ok");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_full_to_the_last_byte_loses_nothing_that_was_acknowledged() {
    let Some(disk) = SmallDisk::mount(DISK) else { return };
    // Without a reserve, as when another program fills the disk.
    let app = portal_on(&disk, 0).await;
    app.add_user("carl", Role::Viewer).await;
    let ada = app.signed_in("ada").await;
    let mut documents = Vec::new();
    for number in 0..20 {
        let title = format!("Paper {number}");
        documents.push(ada.upload("paper.txt", title.as_bytes(), &[("title", &title)]).await);
    }
    app.settle().await;
    for _ in 0..2 {
        disk.leave_free(0);
        refused(ada.try_upload("late.bin", &content(2, 200_000), &[("title", "Late")]).await).await;
        // Records have room in the file of the database for a while, then none.
        let mut acknowledged = vec![String::new(); documents.len()];
        let mut has_been_refused = false;
        for round in 0..120 {
            // What the search index gives back is taken at once.
            disk.take_all_but(0);
            let at = round % documents.len();
            let text = format!("{round} {}", "kettle ".repeat(700));
            let answer = describe(&ada, &path_of(&documents[at]), &text).await;
            match answer.status().as_u16() {
                200 => acknowledged[at] = text.trim().to_owned(),
                507 => has_been_refused = true,
                other => panic!("{other}: {}", answer.text().await.unwrap_or_default()),
            }
            let known = ada.get(&path_of(&documents[at])).await;
            let known = known["description"].as_str().expect("a text").to_owned();
            assert!(acknowledged[at].is_empty() || known == acknowledged[at], "reading goes on");
        }
        assert!(has_been_refused, "the disk was full");
        disk.leave_free(u64::MAX);
        for (document, text) in documents.iter().zip(&acknowledged) {
            let known = ada.get(&path_of(document)).await;
            assert!(text.is_empty() || known["description"] == text.as_str());
        }
        let title = "Found after it";
        let new = ada.upload("new.txt", b"there is room", &[("title", title)]).await;
        app.settle().await;
        assert_eq!(ada.get("/api/documents?q=found+after").await["total"], 1);
        let trash = format!("{}/trash", path_of(&new));
        assert_eq!(ada.status("POST", &trash, None).await, 200);
    }
    let report = app.app.check(true, &appliance::app::Reporter::unheard()).await.expect("a check");
    assert_eq!(report.damages_total, 0, "{report:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_starts_on_a_full_disk_and_is_whole_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(DISK) else { return };
    let shell = Shell::new();
    let data = disk.folder.join("data");
    let serve = |arguments: &[&str]| {
        let data = data.to_str().expect("a path");
        let mut all = vec!["serve", "--data", data];
        all.extend(arguments);
        crate::support::program::Server::start(shell.command(&all))
    };
    let password = shell.file("password", PASSWORD);
    let folder = data.to_str().expect("a path");
    let add = ["user", "add", "ada", "--email", "ada@example.com", "--admin", "--password-file"];
    shell.run(&[&add[..], &[&password, "--data", folder]].concat()).expect(0);
    let server = serve(&[]);
    let api = signed_in(&server.url).await;
    let kept = api.upload("kept.txt", b"kept", &[("title", "Kept")]).await;
    server.stop();

    disk.leave_free(0);
    let server = serve(&[]);
    let api = api.moved_to(&server.url);
    assert_eq!(api.get(&path_of(&kept)).await["title"], "Kept");
    assert_eq!(api.get("/readyz").await["status"], "ready");
    assert_eq!(api.try_upload("no.txt", b"no", &[("title", "No")]).await.status(), 507);
    disk.leave_free(u64::MAX);
    api.upload("yes.txt", b"there is room", &[("title", "Yes")]).await;
    until(async || api.get("/api/documents?q=yes").await["total"] == 1).await;
    server.stop();
    assert!(!has_leftovers(&data.join("spool/incoming")), "nothing half done stays");
}

async fn signed_in(url: &str) -> Api {
    let answer = Api::at(url, "")
        .post("/api/login", json!({ "username": "ada", "password": PASSWORD }))
        .await;
    Api::at(url, answer["access_token"].as_str().expect("a token"))
}

fn has_leftovers(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}
