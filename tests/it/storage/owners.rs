//! Several portals and one bucket: nobody removes what is somebody else's, and nobody brings there what
//! the owner would remove.

use std::fs;

use appliance::{
    blobs::{Outcome, Ownership, Removal},
    config::Backend,
    domain::storage::{Home, owner},
    error::Error,
};
use futures_util::{TryStreamExt, future};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Site, is_busy};
use crate::{
    blobs::{content, upload},
    support::{Still, s3::Disturbance},
};

const PROBATION: SignedDuration = SignedDuration::from_mins(5);

impl Site {
    async fn look(&self) -> Ownership {
        self.blobs.look_at_owner().await.unwrap().unwrap()
    }

    /// What is there that this one may remove: where a sweep of orphans looks.
    async fn own(&self) -> usize {
        let own = self.blobs.list_own().await.unwrap();
        own.try_filter(|blob| future::ready(blob.remote_bytes.is_some())).count().await
    }
}

trait CountOk {
    async fn count(self) -> usize;
}

impl<S: futures_util::TryStream<Error = Error>> CountOk for S {
    async fn count(self) -> usize {
        self.try_fold(0, |count, _| future::ok(count + 1)).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_brings_and_removes_files_and_everybody_reads() {
    let ours = Site::new();
    let bytes = content(900, 40_000);
    let hash = ours.stored(&bytes).await;
    assert_eq!(ours.look().await, Ownership::Ours, "the first that comes");

    let theirs = ours.beside();
    assert_eq!(theirs.look().await, Ownership::Others);
    assert_eq!(theirs.read(hash).await, bytes);
    // It has the same file by chance, and one of its own.
    let own_bytes = content(901, 40_000);
    let own = upload(&theirs.blobs, &own_bytes).await.unwrap().hash;
    upload(&theirs.blobs, &bytes).await.unwrap();
    for hash in [hash, own] {
        let refused = theirs.blobs.store(hash).await;
        assert!(is_busy(&refused), "{refused:?}");
        assert!(refused.unwrap_err().to_string().contains("appliance storage claim"));
        assert!(theirs.spooled(hash).exists(), "the owner may remove its copy at any time");
    }
    assert!(!ours.on_s3(own).exists());
    assert_eq!(theirs.read(own).await, own_bytes);
    let sentence = theirs.blobs.status().await.unwrap().degraded().unwrap();
    assert!(sentence.contains("belong to another portal"), "{sentence}");
    assert!(sentence.contains("2 files wait"), "{sentence}");
    assert!(theirs.blobs.is_degraded() && !ours.blobs.is_degraded());

    assert_eq!(theirs.blobs.remove(hash, Timestamp::MAX).await.unwrap(), Removal::Removed);
    assert!(ours.on_s3(hash).exists());
    assert_eq!((theirs.own().await, ours.own().await), (0, 1));
    ours.blobs.remove(hash, Timestamp::MAX).await.unwrap();
    assert!(!ours.on_s3(hash).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_moves_the_ownership_at_once_and_what_waited_drains() {
    let ours = Site::new();
    let hash = ours.stored(&content(905, 40_000)).await;
    let theirs = ours.beside();
    let waiting = upload(&theirs.blobs, &content(906, 40_000)).await.unwrap().hash;
    assert!(is_busy(&theirs.blobs.store(waiting).await));

    theirs.blobs.claim(Uuid::new_v4()).await.unwrap();
    theirs.blobs.store(waiting).await.unwrap();
    assert!(ours.on_s3(waiting).exists() && !theirs.spooled(waiting).exists());
    assert_eq!(theirs.own().await, 2);

    // The earlier owner has not looked yet: what it brings now does not leave it.
    let late = upload(&ours.blobs, &content(907, 40_000)).await.unwrap().hash;
    assert!(is_busy(&ours.blobs.store(late).await));
    assert!(ours.spooled(late).exists());
    assert_eq!(ours.look().await, Ownership::Others);
    ours.blobs.remove(hash, Timestamp::MAX).await.unwrap();
    assert!(theirs.on_s3(hash).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_in_the_first_minutes_of_a_process() {
    let site = Site::new();
    let hash = site.stored(&content(908, 40_000)).await;
    let site = site.reopen_on_probation();
    assert_eq!(site.look().await, Ownership::Ours);
    assert_eq!(site.blobs.remove(hash, Timestamp::MAX).await.unwrap(), Removal::Removed);
    assert!(site.on_s3(hash).exists());
    assert_eq!(site.own().await, 0, "the sweep of orphans waits");
    site.clock.advance(PROBATION - SignedDuration::from_secs(1));
    assert_eq!(site.own().await, 0);
    site.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(site.own().await, 1);
    site.blobs.remove(hash, Timestamp::MAX).await.unwrap();
    assert!(!site.on_s3(hash).exists());

    // After a claim as well.
    let hash = site.stored(&content(909, 40_000)).await;
    site.blobs.claim(Uuid::new_v4()).await.unwrap();
    site.blobs.remove(hash, Timestamp::MAX).await.unwrap();
    assert!(site.on_s3(hash).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_whole_machine_is_found_out_and_neither_removes_anything() {
    let one = Site::new().reopen_on_probation();
    let hash = one.stored(&content(911, 40_000)).await;
    one.clock.advance(PROBATION);
    assert_eq!(one.own().await, 1);

    let twin = one.twin();
    assert_eq!(twin.look().await, Ownership::Ours, "as after a restart");
    one.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(one.look().await, Ownership::Disputed);
    assert_eq!(twin.look().await, Ownership::Disputed);
    one.clock.advance(PROBATION);
    let one = one.reopen_on_probation();
    for site in [&one, &twin] {
        assert_eq!(site.look().await, Ownership::Disputed, "also after a restart");
        assert_eq!(site.own().await, 0);
        site.blobs.remove(hash, Timestamp::MAX).await.unwrap();
        assert!(site.on_s3(hash).exists());
        let new = upload(&site.blobs, &content(912, 40_000)).await.unwrap().hash;
        assert!(is_busy(&site.blobs.store(new).await));
        assert_eq!(site.read(hash).await.len(), 40_000);
        let sentence = site.blobs.status().await.unwrap().degraded().unwrap();
        assert!(sentence.contains("Two portals") && sentence.contains("claim"), "{sentence}");
    }
    one.blobs.claim(Uuid::new_v4()).await.unwrap();
    one.clock.advance(PROBATION);
    assert_eq!((one.look().await, one.own().await), (Ownership::Ours, 1));
    assert_eq!((twin.look().await, twin.own().await), (Ownership::Others, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_is_absent_or_unreadable_is_never_guessed() {
    let site = Site::new();
    let bytes = content(913, 40_000);
    let hash = site.stored(&bytes).await;
    let object = site.s3.object("appliance-owner");
    let untouched = async |wanted: &str| {
        assert_eq!(site.own().await, 0);
        site.blobs.remove(hash, Timestamp::MAX).await.unwrap();
        assert!(site.on_s3(hash).exists());
        assert_eq!(site.read(hash).await, bytes);
        let new = upload(&site.blobs, &content(914, 10_000)).await.unwrap().hash;
        assert!(is_busy(&site.blobs.store(new).await));
        let sentence = site.blobs.status().await.unwrap().degraded().unwrap();
        assert!(sentence.contains(wanted), "{sentence}");
    };

    for wrong in ["", "somebody", "\u{0}\u{1}", &"x".repeat(5_000)] {
        fs::write(&object, wrong).unwrap();
        assert!(matches!(site.look().await, Ownership::Unreadable(_)), "{wrong:?}");
    }
    untouched("does not hold two names").await;
    site.blobs.claim(Uuid::new_v4()).await.unwrap();
    assert_eq!(site.look().await, Ownership::Ours);

    fs::remove_file(&object).unwrap();
    assert_eq!(site.look().await, Ownership::Unclaimed, "there are files");
    untouched("nothing says whose they are").await;
    site.blobs.claim(Uuid::new_v4()).await.unwrap();

    let forbidden = Disturbance::Answer(403, "AccessDenied");
    site.proxy.disturb(Disturbance::About("appliance-owner".into(), Box::new(forbidden)));
    assert!(matches!(site.look().await, Ownership::Unreadable(_)));
    untouched("Grant s3:GetObject").await;
    site.proxy.disturb(Disturbance::None);
    assert_eq!(site.look().await, Ownership::Ours);

    // While S3 is away nothing new is known, and nothing is removed.
    site.clock.advance(SignedDuration::from_mins(2));
    site.proxy.disturb(Disturbance::Refuse);
    assert!(is_busy(&site.blobs.look_at_owner().await));
    assert!(site.blobs.list_own().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_no_conditions_has_an_owner_too() {
    let site = Site::new();
    let unknown = Disturbance::Answer(501, "NotImplemented");
    let conditional = Disturbance::About("\r\nif-".into(), Box::new(unknown));
    site.proxy.disturb(Disturbance::Only("PUT", Box::new(conditional)));
    let hash = site.stored(&content(915, 10_000)).await;
    assert!(site.on_s3(hash).exists());
    site.blobs.claim(Uuid::new_v4()).await.unwrap();
    assert_eq!(site.look().await, Ownership::Ours);
    assert!(!site.blobs.is_degraded());
    let steps = site.blobs.check_remote().await;
    assert!(steps.iter().all(|step| !matches!(step.outcome, Outcome::Fails { .. })), "{steps:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_come_at_once_one_becomes_the_owner() {
    let first = Site::new();
    let mut sites: Vec<Site> = (0..8).map(|_| first.beside()).collect();
    sites.push(first);
    let looks = future::join_all(sites.iter().map(Site::look)).await;
    let owners = looks.iter().filter(|known| **known == Ownership::Ours).count();
    assert_eq!(owners, 1, "{looks:?}");
    assert!(looks.iter().all(|known| matches!(known, Ownership::Ours | Ownership::Others)));

    let claims = future::join_all(sites.iter().map(|site| site.blobs.claim(Uuid::new_v4()))).await;
    let mut owners = 0;
    for (site, claimed) in sites.iter().zip(&claims) {
        let is_ours = site.look().await == Ownership::Ours;
        owners += usize::from(is_ours);
        assert!(!is_ours || claimed.is_ok());
        assert!(matches!(claimed, Ok(()) | Err(Error::Conflict(_))), "{claimed:?}");
    }
    assert_eq!(owners, 1, "{claims:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_own_a_bucket_moves_nothing_there_and_removes_no_old_copy() {
    let ours = Site::new();
    let hash = ours.stored(&content(910, 40_000)).await;
    let theirs = ours.beside_with(|storage| storage.backend = Backend::Disk);
    theirs.blobs.migrate(Backend::Disk, None, 100).await.unwrap();
    assert!(theirs.on_disk(hash).exists());
    let moved = theirs.blobs.migrate(Backend::S3, None, 100).await;
    assert!(matches!(moved, Err(Error::Conflict(_))), "{moved:?}");
    let cleared = theirs.blobs.clear_old(None, 100).await;
    assert!(matches!(cleared, Err(Error::Conflict(_))), "{cleared:?}");
    assert!(ours.on_s3(hash).exists());
    assert!(!theirs.blobs.is_degraded(), "its files are on the disk");
    let theirs = theirs.reopen_with(|storage| storage.backend = Backend::S3);
    let cleared = theirs.blobs.clear_old(None, 100).await;
    assert!(matches!(cleared, Err(Error::Conflict(_))), "{cleared:?}");
    assert!(theirs.on_disk(hash).exists(), "the other copy is not its own");
}

#[test]
fn a_portal_keeps_its_name_in_its_home_and_nowhere_else() {
    let still = Still::open();
    let name = |place: &'static str, home: &Home| {
        let home = home.clone();
        still.app.store.write_blocking(move |tx| owner(tx, place, &home)).unwrap()
    };
    let home = Home {
        machine: "a machine".into(),
        instance: Some("i-1".into()),
        folder: "/var/lib/appliance".into(),
    };
    let first = name("s3://one", &home);
    assert_eq!(name("s3://one", &home), first, "a restart");
    let silent = Home { instance: None, ..home.clone() };
    assert_eq!(name("s3://one", &silent), first, "the service for metadata is away");
    let mut names = vec![first];
    for elsewhere in [
        Home { instance: Some("i-2".into()), ..home.clone() },
        Home { instance: Some(String::new()), ..home.clone() },
        Home { machine: "another".into(), ..home.clone() },
        Home { folder: "/srv/copy".into(), ..home.clone() },
        home,
    ] {
        let name = name("s3://one", &elsewhere);
        assert!(!names.contains(&name), "{elsewhere:?}");
        names.push(name);
    }
    let early = Home { machine: "a machine".into(), ..Home::default() };
    let name_then = name("s3://one", &early);
    let now = Home { instance: Some("i-1".into()), folder: "/srv".into(), ..early };
    assert_eq!(name("s3://one", &now), name_then, "an update learns more of the same home");
    assert_ne!(name("s3://two", &now), name_then, "another bucket");
}
