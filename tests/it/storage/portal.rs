//! The whole portal with its files on S3.

use std::time::{Duration, Instant};

use appliance::{
    config::Delivery,
    domain::{access::Actor, jobs::State},
    web::content::content_disposition,
};

use crate::{
    blobs::content,
    support::{
        TestApp,
        s3::{Disturbance, FaultProxy, S3Server, SLOW_DOWN},
        until,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_serves_through_an_outage_and_catches_up_by_itself() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let storage = s3.storage(Some(&proxy));
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    let ada = app.signed_in("ada").await;
    let resting = ada.upload("before.txt", b"before the outage", &[("title", "Before")]).await;
    app.settle().await;
    assert_eq!(app.app.blobs.status().await.unwrap().spooled.files, 0);

    proxy.disturb(Disturbance::Refuse);
    let waiting = ada.upload("during.txt", b"during the outage", &[("title", "During")]).await;
    let path = |document: &serde_json::Value| {
        format!("/api/documents/{}/download", document["id"].as_str().unwrap())
    };
    let read = ada.send("GET", &path(&waiting), None).await;
    assert_eq!(read.status(), 200);
    assert_eq!(read.text().await.unwrap(), "during the outage");
    let began = Instant::now();
    let refused = ada.send("GET", &path(&resting), None).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(began.elapsed() < Duration::from_secs(5));

    // The move was put off, and is none the worse for it.
    let job = loop {
        let actor = Actor::system("test", None);
        let (work, _) = app.app.work(actor, Some(State::Queued), None, 10).await.unwrap();
        if let Some(work) = work.into_iter().find(|work| work.job.error.is_some()) {
            break work.job;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(job.attempts, 0, "{job:?}");
    proxy.disturb(Disturbance::None);
    for _ in 0..500 {
        app.clock.advance(jiff::SignedDuration::from_secs(2));
        if app.app.blobs.status().await.unwrap().spooled.files == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.settle().await;
    assert_eq!(app.app.blobs.status().await.unwrap().spooled.files, 0);
    let read = ada.send("GET", &path(&resting), None).await;
    assert_eq!(read.text().await.unwrap(), "before the outage");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_only_s3_had_travels_again_when_somebody_brings_it() {
    let s3 = S3Server::start();
    let storage = s3.storage(None);
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    let ada = app.signed_in("ada").await;
    ada.upload("one.txt", b"the same words", &[("title", "One")]).await;
    app.settle().await;
    ada.upload("two.txt", b"the same words", &[("title", "Two")]).await;
    app.settle().await;
    assert_eq!(app.app.blobs.status().await.unwrap().spooled.files, 1);
    app.clock.advance(jiff::SignedDuration::from_mins(11));
    app.app.move_strays().await.unwrap();
    app.settle().await;
    assert_eq!(app.app.blobs.status().await.unwrap().spooled.files, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_leads_to_s3_unless_it_is_to_pass_through_us_and_a_preview_never_does() {
    let s3 = S3Server::start();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.build().unwrap();
    for delivery in [Delivery::Redirect, Delivery::Proxy] {
        let mut storage = s3.storage(None);
        storage.delivery = delivery;
        let app = TestApp::spawn_with(|config| config.storage = storage).await;
        let ada = app.signed_in("ada").await;
        let made = ada.upload("වාර්තාව 2026.txt", b"a report", &[]).await;
        let address = format!("/api/documents/{}", made["id"].as_str().unwrap());
        let download = format!("{address}/download");
        app.settle().await;
        let get = async |path: &str| {
            client.execute(ada.request("GET", path).build().unwrap()).await.unwrap()
        };
        let answer = get(&download).await;
        if delivery == Delivery::Redirect {
            assert_eq!(answer.status(), 307);
            assert_eq!(answer.headers()["cache-control"], "private, no-store");
            let link = answer.headers()["location"].to_str().unwrap().to_owned();
            let fetched = reqwest::get(link).await.unwrap();
            assert_eq!(fetched.headers()["content-type"], "text/plain; charset=utf-8");
            assert_eq!(
                fetched.headers()["content-disposition"],
                content_disposition("attachment", "වාර්තාව 2026.txt").as_str()
            );
            assert_eq!(fetched.text().await.unwrap(), "a report");
        } else {
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.text().await.unwrap(), "a report");
        }
        assert_eq!(get(&format!("{address}/content")).await.status(), 200);
        app.stop().await;
    }
}

/// Ten minutes of it, as the portal's clock has it; S3 is out of reach, then overloaded, then broken.
#[tokio::test(flavor = "multi_thread")]
async fn through_ten_minutes_without_s3_a_thousand_operations_fail_no_upload_and_give_no_wrong_byte()
 {
    const OPERATIONS: usize = 1_000;
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let mut storage = s3.storage(Some(&proxy));
    // What goes wrong on S3 is then ours to tell.
    storage.delivery = Delivery::Proxy;
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    let ada = app.signed_in("ada").await;
    let mut known = Vec::new();
    let add = async |number: usize| {
        let bytes = content(30_000 + number as u64, 3_000);
        let made = ada.upload(&format!("{number}.bin"), &bytes, &[]).await;
        (format!("/api/documents/{}/download", made["id"].as_str().unwrap()), bytes)
    };
    for number in 0..20 {
        known.push(add(number).await);
    }
    app.settle().await;

    let outage = [Disturbance::Refuse, SLOW_DOWN, Disturbance::Answer(500, "InternalError")];
    let (mut told, mut read) = (0, 0);
    for operation in 0..OPERATIONS {
        if operation % (OPERATIONS / outage.len() + 1) == 0 {
            proxy.disturb(outage[operation * outage.len() / OPERATIONS].clone());
        }
        app.clock.advance(jiff::SignedDuration::from_millis(600_000 / OPERATIONS as i64));
        if operation % 4 == 0 {
            known.push(add(20 + operation).await);
            continue;
        }
        let (path, bytes) = &known[operation * 7 % known.len()];
        let answer = ada.send("GET", path, None).await;
        match answer.status().as_u16() {
            200 => {
                assert!(answer.bytes().await.unwrap() == *bytes, "other bytes");
                read += 1;
            }
            503 => {
                assert!(answer.headers().contains_key("retry-after"));
                told += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(told > 0 && read > OPERATIONS / 2, "{told} were told to come back, {read} read");

    proxy.disturb(Disturbance::None);
    let returned = Instant::now();
    while app.app.blobs.status().await.unwrap().spooled.files > 0 {
        assert!(returned.elapsed() < Duration::from_secs(120), "it does not converge");
        app.clock.advance(jiff::SignedDuration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.settle().await;
    for (path, bytes) in &known {
        let answer = ada.send("GET", path, None).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.unwrap() == *bytes, "other bytes");
    }
    assert_eq!((s3.objects(), s3.parts()), (known.len(), 0));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_when_s3_works_again_and_does_not_look_for_itself_before() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let storage = s3.storage(Some(&proxy));
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    let ada = app.signed_in("ada").await;
    ada.upload("before.txt", b"goes", &[]).await;
    app.settle().await;
    proxy.disturb(Disturbance::Refuse);
    ada.upload("during.txt", b"waits", &[]).await;
    let put_off = async || {
        let actor = Actor::system("test", None);
        let queued = app.app.work(actor, Some(State::Queued), None, 10).await.unwrap();
        queued.0.into_iter().find(|work| work.job.error.is_some()).map(|work| work.job.run_at)
    };
    until(async || put_off().await.is_some()).await;
    let wait = put_off().await.unwrap().duration_since(app.clock.now());
    assert!(wait > jiff::SignedDuration::from_mins(5), "{wait:?}");
    // The portal's clock stands still: only the return of S3 wakes it.
    proxy.disturb(Disturbance::None);
    until(async || app.app.blobs.status().await.unwrap().spooled.files == 0).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_s3_is_away_uploads_are_taken_up_to_the_limit_and_then_refused() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let mut storage = s3.storage(Some(&proxy));
    storage.spool_mb = 1;
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    let ada = app.signed_in("ada").await;
    proxy.disturb(Disturbance::Refuse);
    ada.upload("a.txt", b"waits", &[]).await;
    until(async || app.app.blobs.is_degraded()).await;
    ada.upload("b.bin", &content(31_000, 900_000), &[]).await;
    let refused = ada.try_upload("c.bin", &content(31_001, 300_000), &[]).await;
    assert_eq!(refused.status(), 507);
    assert!(refused.text().await.unwrap().contains("try again later"));
    ada.upload("d.bin", &content(31_002, 100_000), &[]).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_from_elsewhere_learns_that_files_wait_and_no_more() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let storage = s3.storage(Some(&proxy));
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    let ada = app.signed_in("ada").await;
    let told = async || app.stranger().get("/readyz").await["storage"].as_str().unwrap().to_owned();
    assert_eq!(told().await, "ok");
    proxy.disturb(Disturbance::Refuse);
    ada.upload("a.txt", b"waits", &[]).await;
    until(async || app.app.blobs.is_degraded()).await;
    assert!(told().await.contains("s3://documents/portal/files does not work since"));
    let request = app.stranger().request("GET", "/readyz").header("x-forwarded-for", "192.0.2.1");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "the portal works");
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(answer["storage"], "degraded");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_download_is_noted_once_and_an_impossible_range_is_answered_by_us() {
    let s3 = S3Server::start();
    let storage = s3.storage(None);
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    let ada = app.signed_in("ada").await;
    let made = ada.upload("a.txt", b"0123456789", &[]).await;
    app.settle().await;
    let path = format!("/api/documents/{}/download", made["id"].as_str().unwrap());
    for (range, status) in
        [("bytes=0-3", 206), ("bytes=4-", 206), ("bytes=8-", 206), ("bytes=10-", 416)]
    {
        let answer = ada.request("GET", &path).header("range", range).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{range}");
        if status == 416 {
            assert_eq!(answer.headers()["content-range"], "bytes */10");
            assert_eq!(answer.url().path(), path, "not S3");
        }
    }
    let noted = async || {
        let events = ada.get("/api/admin/audit?verb=document_downloaded").await;
        events["events"].as_array().unwrap().len()
    };
    until(async || noted().await > 0).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(noted().await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_there_when_the_file_it_shows_is_not() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let storage = s3.storage(Some(&proxy));
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    let ada = app.person("ada").await;
    let program = app.signed_in("ada").await;
    let made = program.upload("notes.md", b"# A heading\n\nSome *words*.", &[]).await;
    app.settle().await;
    let path = format!("/documents/{}", made["id"].as_str().unwrap());
    assert!(ada.open(&path).await.html.contains("<em>words</em>"));
    proxy.disturb(Disturbance::Refuse);
    // What was read of it is on this machine.
    let shown = ada.open(&path).await;
    assert_eq!(shown.status, 200);
    assert!(shown.html.contains("Some words."), "{}", shown.html);
    app.stop().await;
}
