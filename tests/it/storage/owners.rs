//! Several portals and one bucket: nobody removes what is somebody else's.

use appliance::{
    blobs::{Ownership, Removal},
    config::Backend,
    domain::access::Actor,
    error::Error,
};
use futures_util::TryStreamExt;
use jiff::{SignedDuration, Timestamp};

use super::Site;
use crate::{
    blobs::content,
    support::{TestApp, s3::S3Server},
};

async fn ownership(site: &Site) -> Ownership {
    site.blobs.status().await.unwrap().remote.unwrap().ownership
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_removes_files() {
    let ours = Site::new();
    let bytes = content(900, 40_000);
    let hash = ours.stored(&bytes).await;
    assert_eq!(ownership(&ours).await, Ownership::Ours, "the first that comes");

    // It has the same file by chance, and needs it no longer.
    let theirs = ours.beside();
    theirs.stored(&bytes).await;
    let another = theirs.stored(&content(901, 40_000)).await;
    assert_eq!(ownership(&theirs).await, Ownership::Others);
    for hash in [hash, another] {
        assert_eq!(theirs.blobs.remove(hash, Timestamp::MAX).await.unwrap(), Removal::Removed);
        assert!(ours.on_s3(hash).exists());
    }
    let own: Vec<_> = theirs.blobs.list_own().await.unwrap().try_collect().await.unwrap();
    assert!(own.is_empty(), "a sweep of orphans sees none of them: {own:?}");
    assert_eq!(theirs.read(hash).await, bytes);

    theirs.blobs.claim().await.unwrap();
    let own: Vec<_> = theirs.blobs.list_own().await.unwrap().try_collect().await.unwrap();
    assert_eq!(own.len(), 2);
    theirs.blobs.remove(another, Timestamp::MAX).await.unwrap();
    assert!(!ours.on_s3(another).exists());
    drop(ours.blobs.list_own().await.unwrap());
    assert_eq!(ownership(&ours).await, Ownership::Others, "it has been told");
    ours.blobs.remove(hash, Timestamp::MAX).await.unwrap();
    assert!(ours.on_s3(hash).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_bucket_of_others_leaves_their_files_there() {
    let ours = Site::new();
    let hash = ours.stored(&content(910, 40_000)).await;
    let theirs = ours.beside().reopen_with(|storage| storage.backend = Backend::Disk);
    // Reopened under the name of the owner; a name of its own again.
    let theirs = theirs.beside();
    theirs.blobs.migrate(Backend::Disk, None, 100).await.unwrap();
    assert!(theirs.on_disk(hash).exists());
    let cleared = theirs.blobs.clear_old(None, 100).await;
    assert!(matches!(cleared, Err(Error::Conflict(_))), "{cleared:?}");
    assert!(ours.on_s3(hash).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_portal_in_an_old_bucket_removes_nothing_until_it_is_told_to() {
    let s3 = S3Server::start();
    let storage = s3.storage(None);
    let old = TestApp::spawn_with(|config| config.storage = storage.clone()).await;
    let ada = old.signed_in("ada").await;
    ada.upload("plan.txt", b"the only copy", &[]).await;
    old.settle().await;
    assert_eq!(s3.objects(), 1);

    let new = TestApp::spawn_with(|config| config.storage = storage).await;
    new.clock.advance(SignedDuration::from_hours(24 * 30));
    assert_eq!(new.app.sweep_orphans().await.unwrap(), 0);
    assert_eq!(s3.objects(), 1);
    let eve = new.signed_in("ada").await;
    let shown: serde_json::Value =
        eve.send("GET", "/api/admin/storage", None).await.json().await.unwrap();
    assert_eq!(shown["is_ours"], false);
    let findings = new.app.doctor(true).await.unwrap();
    assert!(findings.iter().any(|finding| finding.message.contains("belong to another portal")));

    old.stop().await;
    new.app.claim_storage(Actor::system("test", None)).await.unwrap();
    assert_eq!(new.app.sweep_orphans().await.unwrap(), 1);
    assert_eq!(s3.objects(), 0);
    new.stop().await;
}
