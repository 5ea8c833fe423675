//! The whole portal with its files on S3.

use std::time::{Duration, Instant};

use appliance::{
    config::Delivery,
    domain::{access::Actor, jobs::State},
    web::content::content_disposition,
};

use crate::{
    support::TestApp,
    support::s3::{Disturbance, FaultProxy, S3Server},
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
