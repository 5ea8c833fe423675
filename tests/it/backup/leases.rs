//! Who is at work in a repository, and what becomes of those who die at it.

use std::{fs, time::Duration};

use appliance::{
    app::{Reporter, prune_backups},
    backup::{Key, Kind, Place, Repository},
    config::S3Config,
    error::Error,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    dump, from, library,
    repository::{config, last, objects, place, snapshot, source, to, verified},
    restored, sound, store_files, upload,
};
use crate::support::Still;

async fn opened(folder: &std::path::Path) -> Repository {
    let place = Place::Folder(folder.join("repository"));
    Repository::open(&place, &S3Config::default(), &Key::None).await.expect("a repository")
}

#[tokio::test]
async fn backups_and_pruning_do_not_meet() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(&still, folder.path()).await;
    let repository = opened(folder.path()).await;
    let clock = still.clock.clone();
    let lease = repository.lease(Kind::Backup, &clock).await.expect("a lease");
    let busy = prune_backups(&config(), &place(folder.path()), &Key::None, last(1), &clock).await;
    assert!(matches!(busy, Err(Error::Busy { .. })), "{busy:?}");
    // Two backups may.
    snapshot(&still, folder.path()).await;
    lease.release().await.expect("a release");
    let lease = repository.lease(Kind::Prune, &clock).await.expect("a lease");
    let busy = still.app.back_up(to(folder.path()), &Reporter::unheard()).await;
    assert!(matches!(busy, Err(Error::Busy { .. })), "{busy:?}");
    lease.release().await.expect("a release");
}

/// As a process of another machine leaves it.
fn strange_lease(folder: &std::path::Path, renewed_at: Timestamp) {
    let note = serde_json::json!({
        "kind": "backup",
        "renewed_at": renewed_at,
        "owner": { "machine": "another", "pid": 4711 },
    });
    let locks = folder.join("repository/locks");
    fs::create_dir_all(&locks).expect("a folder");
    fs::write(locks.join("stranger"), note.to_string()).expect("a lease");
}

#[tokio::test]
async fn a_lease_counts_as_long_as_its_owner_may_live() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(&still, folder.path()).await;
    let (clock, now) = (still.clock.clone(), still.clock.now());
    let place = place(folder.path());
    let config = config();
    let key = Key::None;
    let prune = || prune_backups(&config, &place, &key, last(1), &clock);
    // Of another machine: as long as its sign of life is neither old nor of a time that is far ahead.
    for (minutes, counts) in [(-31, false), (-5, true), (5, true), (31, false), (600_000, false)] {
        strange_lease(folder.path(), now + SignedDuration::from_mins(minutes));
        let busy = matches!(prune().await, Err(Error::Busy { .. }));
        assert_eq!(busy, counts, "{minutes} minutes");
        assert_eq!(objects(&folder.path().join("repository/locks")).len(), usize::from(counts));
    }
    // Of this one: as long as the process lives, whatever its clock says.
    let repository = opened(folder.path()).await;
    let lease = repository.lease(Kind::Backup, &clock).await.expect("a lease");
    clock.advance(SignedDuration::from_hours(3));
    assert!(matches!(prune().await, Err(Error::Busy { .. })), "it lives");
    clock.advance(SignedDuration::from_hours(30));
    prune().await.expect("pruned");
    assert!(!lease.is_held().await.expect("a look"), "it was forgotten");
}

#[tokio::test]
async fn leases_are_taken_away_by_hand() {
    let still = Still::open();
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(&still, folder.path()).await;
    strange_lease(folder.path(), still.clock.now());
    let unlocked = still.app.unlock_backups(Some(place(folder.path()))).await;
    assert_eq!(unlocked.expect("unlocked"), 1);
    prune_backups(&config(), &place(folder.path()), &Key::None, last(1), &still.clock)
        .await
        .expect("pruned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_cut_off_does_no_harm() {
    let still = library().await;
    let folder = tempfile::tempdir().expect("a folder");
    for pause_ms in [0, 2, 5, 10, 20, 40, 80] {
        let unheard = Reporter::unheard();
        let cut = tokio::time::timeout(
            Duration::from_millis(pause_ms),
            still.app.back_up(to(folder.path()), &unheard),
        );
        let _cut_or_done = cut.await;
    }
    upload(&still, "More", b"more".to_vec()).await;
    store_files(&still).await;
    snapshot(&still, folder.path()).await;
    assert_eq!(verified(folder.path()).await, Vec::<String>::new());
    // Leases of those that were cut off are given up shortly after.
    for _ in 0..100 {
        if objects(&folder.path().join("repository/locks")).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    prune_backups(&config(), &place(folder.path()), &Key::None, last(1), &still.clock)
        .await
        .expect("pruned");
    let data = folder.path().join("data");
    restored(&data, from(source(folder.path()))).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
}
