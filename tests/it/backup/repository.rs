//! Repositories: snapshots share what is the same, and nothing that happens to a run damages them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use appliance::{
    app::{
        BackupSource, BackupWanted, Made, Reporter, Restore, Target, list_backups, prune_backups,
        verify_backups,
    },
    backup::{Key, Kind, Lock, Passphrase, Place, Repository, Retention, sealing},
    clock::Clock,
    config::{Config, S3Config},
    domain::{
        backups,
        documents::{self, DocumentEdit},
    },
    error::Error,
};
use jiff::{SignedDuration, Timestamp};

use super::{archive, back_up, dump, from, library, restored, sound, store_files, upload, wanted};
use crate::support::Still;

fn place(folder: &Path) -> String {
    folder.join("repository").display().to_string()
}

fn config() -> Config {
    Config::default()
}

fn to(folder: &Path) -> BackupWanted {
    wanted(Target::Repository(place(folder)))
}

fn source(folder: &Path) -> BackupSource {
    BackupSource::Repository(Place::Folder(folder.join("repository")))
}

async fn snapshot(still: &Still, folder: &Path) -> Made {
    still.clock.advance(SignedDuration::from_secs(1));
    let made = back_up(&still.app, to(folder)).await;
    assert!(made.is_verified, "{made:?}");
    made
}

async fn verified(folder: &Path) -> Vec<String> {
    let found =
        verify_backups(&config(), &place(folder), &Key::None, true, false, &Reporter::unheard())
            .await;
    found.expect("a look").damages
}

fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            match entry.path().is_dir() {
                true => folders.push(entry.path()),
                false => files.push(entry.path()),
            }
        }
    }
    files.sort();
    files
}

fn last(count: u32) -> Retention {
    Retention { last: count, ..Retention::default() }
}

#[tokio::test]
async fn a_second_snapshot_moves_only_what_changed() {
    let still = library().await;
    let folder = tempfile::tempdir().expect("a folder");
    let first = snapshot(&still, folder.path()).await;
    assert!(first.written_objects > 32 && first.written_bytes > 3_000_000, "{first:?}");
    let second = snapshot(&still, folder.path()).await;
    assert_eq!(second.written_objects, 1, "only its manifest: {second:?}");
    let id = upload(&still, "Another", b"another file".to_vec()).await;
    let third = snapshot(&still, folder.path()).await;
    assert!(third.written_objects < 12 && third.written_bytes < 30_000, "{third:?}");
    still.write(move |tx, ada| {
        let edit = DocumentEdit { title: Some("Renamed".into()), ..DocumentEdit::default() };
        documents::edit(tx, ada, id, edit, None)
    });
    let fourth = snapshot(&still, folder.path()).await;
    // The documents, the events, the manifest.
    assert_eq!(fourth.written_objects, 3, "{fourth:?}");
    assert_eq!(verified(folder.path()).await, Vec::<String>::new());
    let data = folder.path().join("data");
    restored(&data, from(source(folder.path()))).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
}

#[tokio::test]
async fn every_snapshot_comes_back_as_it_was() {
    let still = Still::open();
    let folder = tempfile::tempdir().expect("a folder");
    let mut states = Vec::new();
    for number in 0..4 {
        upload(&still, &format!("T{number}"), format!("file {number}").into()).await;
        let made = snapshot(&still, folder.path()).await;
        states.push((made.snapshot.expect("an id"), dump(&still.app.store), made.created_at));
    }
    for (number, (id, state, at)) in states.into_iter().enumerate() {
        for (name, restoring) in [
            ("id", Restore { snapshot: Some(id), ..from(source(folder.path())) }),
            ("at", Restore { at: Some(at), ..from(source(folder.path())) }),
        ] {
            let data = folder.path().join(format!("{name}{number}"));
            restored(&data, restoring).await.expect("a restore");
            assert_eq!(dump(&sound(&data).await.store), state);
        }
    }
    let before = "2020-01-01T00:00:00Z".parse().ok();
    let refused =
        restored(&folder.path().join("x"), Restore { at: before, ..from(source(folder.path())) })
            .await;
    assert!(matches!(refused, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn pruning_removes_what_nobody_needs_and_nothing_else() {
    let still = Still::open();
    let folder = tempfile::tempdir().expect("a folder");
    let doomed = upload(&still, "Doomed", b"only in the first snapshot".to_vec()).await;
    upload(&still, "Kept", b"in all snapshots".to_vec()).await;
    snapshot(&still, folder.path()).await;
    still.write(move |tx, ada| {
        documents::trash(tx, ada, doomed)?;
        documents::delete(tx, ada, doomed)?;
        appliance::domain::blobs::forget(
            tx,
            appliance::hash::Digest::of(b"only in the first snapshot"),
        )
    });
    for _ in 0..3 {
        snapshot(&still, folder.path()).await;
    }
    // What a run that was cut off left.
    let stray = folder.path().join(format!("repository/files/aa/{}", "aa".repeat(32)));
    fs::create_dir_all(stray.parent().expect("a folder")).expect("a folder");
    fs::write(&stray, "stray").expect("a file");
    let clock = Clock::system();
    let pruned = prune_backups(&config(), &place(folder.path()), &Key::None, last(2), &clock)
        .await
        .expect("pruned");
    assert_eq!((pruned.snapshots_kept, pruned.snapshots_removed), (2, 2));
    assert!(!stray.exists());
    let files = objects(&folder.path().join("repository/files"));
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(objects(&folder.path().join("repository/locks")), Vec::<PathBuf>::new());
    assert_eq!(verified(folder.path()).await, Vec::<String>::new());
    let data = folder.path().join("data");
    restored(&data, from(source(folder.path()))).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
    let nothing =
        prune_backups(&config(), &place(folder.path()), &Key::None, Retention::default(), &clock)
            .await;
    assert!(nothing.is_err(), "what to keep must be said");
}

#[test]
fn retention_keeps_the_newest_of_each_period() {
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    let moments = [
        at("2026-09-30T03:00:00Z"),
        at("2026-10-31T03:00:00Z"),
        at("2026-11-08T03:00:00Z"),
        at("2026-11-14T03:00:00Z"),
        at("2026-11-15T03:00:00Z"),
        at("2026-11-15T15:00:00Z"),
        at("2026-11-16T03:00:00Z"),
    ];
    let kept = |retention: Retention| -> Vec<usize> {
        let kept = retention.keeps(&moments);
        kept.iter().enumerate().filter(|(_, kept)| **kept).map(|(at, _)| at).collect()
    };
    assert_eq!(kept(Retention::default()), [6], "the newest always stays");
    assert_eq!(kept(Retention { last: 2, ..Retention::default() }), [5, 6]);
    assert_eq!(kept(Retention { daily: 3, ..Retention::default() }), [3, 5, 6]);
    assert_eq!(kept(Retention { weekly: 3, ..Retention::default() }), [2, 5, 6]);
    assert_eq!(kept(Retention { monthly: 9, ..Retention::default() }), [0, 1, 6]);
}

#[tokio::test]
async fn a_flipped_byte_in_any_object_is_found_and_mended() {
    let still = Still::open();
    for number in 0..3 {
        upload(&still, &format!("T{number}"), format!("file {number} ").repeat(30).into()).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(&still, folder.path()).await;
    for path in objects(&folder.path().join("repository")) {
        let bytes = fs::read(&path).expect("an object");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x04;
            fs::write(&path, flipped).expect("a change");
            let looked = verify_backups(
                &config(),
                &place(folder.path()),
                &Key::None,
                true,
                false,
                &Reporter::unheard(),
            )
            .await;
            let found = looked.map(|found| found.damages);
            assert!(!matches!(found, Ok(damages) if damages.is_empty()), "{} {at}", path.display());
        }
        fs::write(&path, bytes).expect("a change");
    }
    let files = objects(&folder.path().join("repository/files"));
    fs::write(&files[1], "no file any more").expect("a change");
    let mended = verify_backups(
        &config(),
        &place(folder.path()),
        &Key::None,
        true,
        true,
        &Reporter::unheard(),
    )
    .await;
    assert_eq!(mended.expect("a look").damages.len(), 1);
    snapshot(&still, folder.path()).await;
    assert_eq!(verified(folder.path()).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_damaged_object_does_not_block_the_rest() {
    let still = library().await;
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(&still, folder.path()).await;
    let files = objects(&folder.path().join("repository/files"));
    fs::write(&files[3], "damaged").expect("a change");
    fs::remove_file(&files[7]).expect("a removal");
    let data = folder.path().join("data");
    let restored = restored(&data, from(source(folder.path()))).await.expect("a restore");
    assert_eq!((restored.damages.len(), restored.files), (2, 30), "{restored:?}");
}

#[tokio::test]
async fn backups_and_pruning_do_not_meet() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(&still, folder.path()).await;
    let place_of = Place::Folder(folder.path().join("repository"));
    let repository =
        Repository::open(&place_of, &S3Config::default(), &Key::None).await.expect("a repository");
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
    // One who shows no sign of life counts for nothing.
    let lease = repository.lease(Kind::Backup, &clock).await.expect("a lease");
    clock.advance(SignedDuration::from_mins(31));
    prune_backups(&config(), &place(folder.path()), &Key::None, last(1), &clock)
        .await
        .expect("pruned");
    assert!(!lease.is_held().await.expect("a look"), "it was taken for dead");
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

#[tokio::test]
async fn the_owner_of_the_place_reads_nothing_in_an_encrypted_repository() {
    let passphrase = Passphrase("correct horse battery".into());
    let (public, secret) = sealing::new_pair();
    for (lock, key) in [
        (Lock::Passphrase(passphrase.clone()), Key::Passphrase(passphrase)),
        (Lock::Recipients(vec![public]), Key::Identities(vec![secret])),
    ] {
        let still = Still::open();
        upload(&still, "Secret plan", "a very secret text ".repeat(20).into()).await;
        let folder = tempfile::tempdir().expect("a folder");
        let wanted = BackupWanted { lock: lock.clone(), ..to(folder.path()) };
        let made = back_up(&still.app, wanted.clone()).await;
        assert!(made.is_encrypted, "{made:?}");
        for path in objects(&folder.path().join("repository")) {
            let bytes = fs::read(&path).expect("an object");
            for word in ["Secret", "secret text", "Northlight", "ada@example.com"] {
                let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
                assert!(!found, "{word} in {}", path.display());
            }
            let is_sealed = bytes.starts_with(b"age-encryption.org/v1");
            assert!(is_sealed || path.ends_with("config.json"), "{}", path.display());
        }
        // The portal goes on by itself, also with what it is not told again.
        upload(&still, "Another", b"another".to_vec()).await;
        still.clock.advance(SignedDuration::from_secs(1));
        let again = back_up(&still.app, BackupWanted { lock: Lock::Open, ..wanted }).await;
        assert!(again.is_encrypted && again.written_objects < 12, "{again:?}");

        let data = folder.path().join("data");
        for wrong in [Key::None, Key::Passphrase(Passphrase("wrong horse battery".into()))] {
            let restoring = Restore { key: wrong, ..from(source(folder.path())) };
            restored(&data, restoring).await.expect_err("a refusal");
            assert!(!data.join("appliance.redb").exists());
        }
        let listed =
            list_backups(&config(), &place(folder.path()), &Key::None).await.expect("a list");
        assert_eq!(listed.iter().map(|one| one.records).collect::<Vec<_>>(), [None, None]);
        let found = verify_backups(
            &config(),
            &place(folder.path()),
            &key,
            true,
            false,
            &Reporter::unheard(),
        )
        .await;
        assert_eq!(found.expect("a look").damages, Vec::<String>::new());
        let pruned =
            prune_backups(&config(), &place(folder.path()), &key, last(1), &still.clock).await;
        assert_eq!(pruned.expect("pruned").snapshots_removed, 1);
        let restoring = Restore { key, ..from(source(folder.path())) };
        restored(&data, restoring).await.expect("a restore");
        assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
    }
}

#[tokio::test]
async fn a_repository_without_encryption_does_not_pretend() {
    let still = Still::open();
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(&still, folder.path()).await;
    let lock = Lock::Passphrase(Passphrase("correct horse battery".into()));
    let refused =
        still.app.back_up(BackupWanted { lock, ..to(folder.path()) }, &Reporter::unheard()).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
    let short = Lock::Passphrase(Passphrase("short".into()));
    let refused = still
        .app
        .back_up(BackupWanted { lock: short, ..to(folder.path()) }, &Reporter::unheard())
        .await;
    assert!(matches!(refused, Err(Error::Invalid { .. })));
}

#[tokio::test]
async fn a_drill_finds_a_good_backup_good_and_a_bad_one_bad() {
    let still = library().await;
    let path = archive(&still.app).await;
    let source = BackupSource::Archive(path.clone());
    let drilled = still.app.drill(source.clone(), Key::None, &Reporter::unheard()).await;
    let drilled = drilled.expect("a drill");
    assert_eq!(drilled.damages, Vec::<String>::new());
    assert_eq!((drilled.files, drilled.searches > 10), (32, true), "{drilled:?}");
    let mut bytes = fs::read(&path).expect("the archive");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("a change");
    let drilled = still.app.drill(source, Key::None, &Reporter::unheard()).await.expect("a drill");
    assert!(!drilled.damages.is_empty());
    let left = fs::read_dir(&still.app.config.data).expect("the data").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("drill-")), "{left:?}");
}

#[tokio::test]
async fn the_plan_runs_by_itself_and_failure_is_loud() {
    let still = library().await;
    let folder = tempfile::tempdir().expect("a folder");
    let plan = backups::Plan {
        is_on: true,
        repository: Some(place(folder.path())),
        keep_last: 2,
        keep_daily: 0,
        keep_weekly: 0,
        keep_monthly: 0,
        drill_every_days: 1,
        ..backups::Plan::default()
    };
    let set = still.write(move |tx, ada| backups::set_plan(tx, ada, plan));
    // 10:00 now, and 03:00 is the time.
    assert_eq!(set.next_run, "2026-11-22T03:00:00Z".parse().ok());
    let background = still.app.start();
    for _ in 0..3 {
        still.clock.advance(SignedDuration::from_hours(24));
        still.app.queue_backups().await.expect("queueing");
        still.app.settle().await.expect("settling");
    }
    let listed = list_backups(&config(), &place(folder.path()), &Key::None).await.expect("a list");
    assert_eq!(listed.len(), 2, "old ones are removed");
    let standing = still.app.store.read(backups::standing).await.expect("how it stands");
    assert_eq!(standing.faults, Vec::<String>::new());
    assert!(standing.last_success.is_some() && standing.last_drill.is_some(), "{standing:?}");

    // A file where the folder should be.
    fs::remove_dir_all(folder.path().join("repository")).expect("a removal");
    fs::write(folder.path().join("repository"), "in the way").expect("a file");
    still.clock.advance(SignedDuration::from_hours(24));
    still.app.queue_backups().await.expect("queueing");
    still.app.settle().await.expect("settling");
    let standing = still.app.store.read(backups::standing).await.expect("how it stands");
    assert!(standing.faults.iter().any(|fault| fault.contains("backup failed")), "{standing:?}");
    background.stop().await;
}

/// Somebody keeps notes there, a file manager leaves its own, a link leads nowhere.
#[tokio::test]
async fn foreign_files_in_a_repository_disturb_nobody() {
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(&still, folder.path()).await;
    let repository = folder.path().join("repository");
    let mut foreign = Vec::new();
    for place in ["", "files", "files/aa", "parts", "snapshots", "segments", "locks"] {
        let place = repository.join(place);
        fs::create_dir_all(&place).expect("a folder");
        let strange = std::ffi::OsStr::from_bytes(b"caf\xe9");
        let names = ["README.txt", ".DS_Store", "Grüße.txt", "a b"].map(std::ffi::OsStr::new);
        for name in names.into_iter().chain([strange]) {
            fs::write(place.join(name), "a stranger").expect("a file");
            foreign.push(place.join(name));
        }
        symlink("/nowhere/at/all", place.join("link")).expect("a link");
        fs::create_dir_all(place.join("folder")).expect("a folder");
    }
    upload(&still, "Two", b"two".to_vec()).await;
    snapshot(&still, folder.path()).await;
    assert_eq!(verified(folder.path()).await, Vec::<String>::new());
    prune_backups(&config(), &place(folder.path()), &Key::None, last(1), &still.clock)
        .await
        .expect("pruned");
    let data = folder.path().join("data");
    restored(&data, from(source(folder.path()))).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
    for path in foreign {
        assert!(path.exists(), "{} was removed", path.display());
    }
}
