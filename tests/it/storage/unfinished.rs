//! Uploads in parts that nobody completes.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use appliance::hash::Digest;
use jiff::SignedDuration;

use super::{Site, key};
use crate::{
    blobs::{MIB, content, upload},
    support::s3::Disturbance,
};

#[tokio::test(flavor = "multi_thread")]
async fn old_uploads_that_nobody_completes_are_aborted_and_others_are_not() {
    let site = Site::new();
    let ours = format!("portal/files/{}", key(Digest::of(b"ours")));
    let upload = |key: &str, id: &str, at: &str| {
        format!(
            "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{at}</Initiated></Upload>"
        )
    };
    let (old, new) = ("2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z");
    let page = [
        upload(&ours, "old-one", old),
        upload(&ours, "new-one", new),
        upload("portal/files/film.mp4", "foreign-one", old),
        upload(&key(Digest::of(b"ours")), "outside-one", old),
    ];
    site.proxy
        .can("?uploads=&", format!("<R><IsTruncated>false</IsTruncated>{}</R>", page.concat()));
    assert_eq!(site.blobs.sweep_uploads(site.clock.now()).await.unwrap(), 1);
    let log = site.proxy.take_log();
    let aborted: Vec<_> = log.iter().filter(|line| line.starts_with("DELETE")).collect();
    assert!(aborted.len() == 1 && aborted[0].ends_with("uploadId=old-one"), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_ours_that_goes_on_is_not_aborted_however_old_it_is() {
    let site = Site::new();
    let hash = upload(&site.blobs, b"a file of a terabyte").await.unwrap().hash;
    let noted = site.folder.path().join("spool/multipart").join(hash.to_string());
    fs::write(&noted, "long-one\n").unwrap();
    let upload = format!(
        "<R><IsTruncated>false</IsTruncated><Upload><Key>portal/files/{}</Key>\
         <UploadId>long-one</UploadId><Initiated>2020-01-01T00:00:00.000Z</Initiated></Upload></R>",
        key(hash)
    );
    site.proxy.can("?uploads=&", upload);
    let cutoff = site.clock.now() - SignedDuration::from_hours(24);
    assert_eq!(site.blobs.sweep_uploads(cutoff).await.unwrap(), 0);
    // It has not gone on for days.
    let file = fs::File::options().append(true).open(&noted).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(site.blobs.sweep_uploads(cutoff).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_list_uploads_is_fine_and_noted_ones_are_aborted() {
    let site = Site::new();
    assert_eq!(site.blobs.sweep_uploads(site.clock.now()).await.unwrap(), 0);
    // A large file begins to travel, and is removed after the process has died.
    let hash = upload(&site.blobs, &content(820, 17 * MIB)).await.unwrap().hash;
    site.proxy.disturb(Disturbance::StopAfter(4, false));
    let moving = site.blobs.clone();
    let moving = tokio::spawn(async move { moving.store(hash).await });
    while site.proxy.requests() < 5 || site.s3.parts() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    moving.abort();
    drop(moving.await);
    site.proxy.settle().await;
    fs::remove_file(site.spooled(hash)).unwrap();
    let site = site.reopen();
    site.proxy.disturb(Disturbance::None);
    site.blobs.sweep_uploads(site.clock.now()).await.unwrap();
    site.assert_tidy(&[]).await;
}
