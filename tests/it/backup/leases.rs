//! Who is at work in a repository, and what becomes of those who die at it.

use std::{fs, path::Path, time::Duration};

use appliance::{
    app::{Reporter, prune_backups},
    backup::{Key, Kind, Place, Repository},
    config::S3Config,
    error::Error,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    dump, from, library,
    repository::{config, last, objects, place, snapshot, source, to, verified},
    restored, sound, store_files, upload,
};
use crate::support::Still;

async fn opened(folder: &Path) -> Repository {
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
fn strange_lease(folder: &Path, renewed_at: Timestamp) {
    put_lease(folder, &strange_note("backup", renewed_at));
}

fn strange_note(kind: &str, renewed_at: Timestamp) -> Value {
    let owner = json!({ "machine": "another", "pid": 4711 });
    json!({ "kind": kind, "renewed_at": renewed_at, "owner": owner })
}

fn put_lease(folder: &Path, note: &Value) {
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

/// A prune whose machine slept wakes when a backup has begun: it must not remove what that one found.
#[tokio::test]
async fn a_backup_takes_the_lease_of_a_prune_that_slept() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(&still, folder.path()).await;
    let repository = opened(folder.path()).await;
    let lease = repository.lease(Kind::Prune, &still.clock).await.expect("a lease");
    // As another machine sees it.
    let path = objects(&folder.path().join("repository/locks")).remove(0);
    let long_ago = still.clock.now() - SignedDuration::from_mins(31);
    fs::write(&path, strange_note("prune", long_ago).to_string()).expect("a lease");
    snapshot(&still, folder.path()).await;
    assert!(!lease.is_held().await.expect("a look"), "it would go on removing");
}

/// The number of a process that was killed is given to another one, in a container always the same.
#[tokio::test]
async fn a_lease_is_not_that_of_another_process_with_its_number() {
    let still = Still::open();
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(&still, folder.path()).await;
    let repository = opened(folder.path()).await;
    let lease = repository.lease(Kind::Backup, &still.clock).await.expect("a lease");
    let path = objects(&folder.path().join("repository/locks")).remove(0);
    let note = fs::read(&path).expect("a lease");
    let mut note: Value = serde_json::from_slice(&note).expect("JSON");
    lease.release().await.expect("a release");
    let began = note["owner"]["began_ticks"].as_u64().expect("when this process began");
    for (began, counts) in [(json!(began), true), (json!(began + 1), false), (Value::Null, true)] {
        note["owner"]["began_ticks"] = began;
        put_lease(folder.path(), &note);
        let pruned =
            prune_backups(&config(), &place(folder.path()), &Key::None, last(1), &still.clock)
                .await;
        assert_eq!(matches!(pruned, Err(Error::Busy { .. })), counts, "{note}");
    }
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
