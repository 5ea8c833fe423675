//! What a restore leaves, keeps and puts aside.

use std::{
    fs,
    path::{Path, PathBuf},
};

use appliance::{
    app::{BackupSource, BackupWanted, Restore, Target},
    backup::{Key, Passphrase, Place, Signers},
    clock::Clock,
    domain::{
        documents::Document,
        jobs::{self, Task},
        sessions::{self, SignIn},
    },
    error::{Error, Result},
    hash::Digest,
};
use jiff::SignedDuration;

use super::{
    archive, back_up, dump, folder, from, library, open, open_at, restored, sound, store_files,
    upload, wanted,
};
use crate::support::Still;

#[tokio::test]
async fn a_portal_is_replaced_only_when_asked_for_and_kept_aside() {
    let still = Still::open();
    upload(&still, "New", b"new".to_vec()).await;
    let path = archive(&still.app).await;
    let other = Still::open();
    upload(&other, "Old", b"old".to_vec()).await;
    let archive_of_old = archive(&other.app).await;
    let old = dump(&other.app.store);
    let (data, keep) = other.close();
    let source = || from(BackupSource::Archive(path.clone()));
    let refused = restored(&data, source()).await.expect_err("a refusal");
    assert!(matches!(refused, Error::Conflict(_)), "{refused}");
    {
        let app = open(&data).await;
        assert_eq!(dump(&app.store), old);
        let running = restored(&data, Restore { replaces: true, ..source() }).await;
        assert!(running.expect_err("a refusal").to_string().contains("running"));
    }
    let done = restored(&data, Restore { replaces: true, ..source() }).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
    let aside = done.replaced.expect("the old one");
    assert_eq!(dump(&open(&aside).await.store), old);
    assert!(archive_of_old.exists(), "older backups stay");
    drop(keep);
}

#[tokio::test]
async fn people_must_sign_in_again_unless_it_is_asked_otherwise() {
    let still = Still::open();
    let ada = still.app.store.read(|tx| Ok(appliance::domain::users::list(tx)?.remove(0)));
    let ada = ada.await.expect("ada");
    let sign_in = SignIn {
        address: None,
        user_agent: String::new(),
        lifetime: SignedDuration::from_hours(1),
    };
    let begin = move |tx: &mut appliance::store::WriteTx| sessions::begin(tx, &ada, sign_in, None);
    still.app.store.write(begin).await.expect("a session");
    let path = archive(&still.app).await;
    let folder = folder();
    for (keeps_sessions, count) in [(false, 0), (true, 1)] {
        let data = folder.path().join(count.to_string());
        let restoring = Restore { keeps_sessions, ..from(BackupSource::Archive(path.clone())) };
        restored(&data, restoring).await.expect("a restore");
        let app = open(&data).await;
        let sessions = app.store.read(|tx| tx.records::<sessions::Session>().count());
        assert_eq!(sessions.await.expect("a count"), count);
    }
}

#[tokio::test]
async fn a_file_that_is_missing_is_named_and_the_rest_backed_up() {
    let still = library().await;
    let hash = Digest::of(b"still on the spool");
    still.app.blobs.remove(hash, jiff::Timestamp::MAX).await.expect("a removal");
    let made = back_up(&still.app, wanted(Target::Folder)).await;
    assert_eq!(made.damages.len(), 1, "{made:?}");
    assert!(made.damages[0].contains(&hash.to_string()));
    let folder = folder();
    let restored = restored(folder.path(), from(BackupSource::Archive(made.place.into()))).await;
    let restored = restored.expect("a restore");
    assert_eq!((restored.damages, restored.files), (made.damages, 31));
}

#[tokio::test]
async fn records_alone_find_their_files_where_they_were() {
    let still = library().await;
    let wanted = BackupWanted { is_records_only: true, ..wanted(Target::Folder) };
    let made = back_up(&still.app, wanted).await;
    assert!(made.written_bytes < 100_000 && made.damages.is_empty(), "{made:?}");
    upload(&still, "Too much", b"added later".to_vec()).await;
    store_files(&still).await;
    let there = still.app.config.data.clone();
    let (data, _keep) = still.close();
    assert_eq!(there, data);
    let source = BackupSource::Archive(made.place.into());
    let restored = restored(&data, Restore { replaces: true, ..from(source.clone()) }).await;
    assert_eq!(restored.expect("a restore").damages, Vec::<String>::new());
    let app = sound(&data).await;
    assert_eq!(app.store.read(|tx| tx.records::<Document>().count()).await.expect("a count"), 33);
    let elsewhere = folder();
    let lost = self::restored(elsewhere.path(), from(source)).await.expect("a restore");
    assert_eq!(lost.damages.len(), 32);
}

/// A backup of the records alone leaves the files where they are, also those that it does not name: the
/// portal that was put aside does.
#[tokio::test]
async fn files_that_only_the_portal_aside_knows_stay_as_long_as_it_does() {
    let still = Still::open();
    upload(&still, "Old", b"in the backup".to_vec()).await;
    let wanted = BackupWanted { is_records_only: true, ..wanted(Target::Folder) };
    let made = back_up(&still.app, wanted).await;
    upload(&still, "New", b"not in the backup".to_vec()).await;
    store_files(&still).await;
    let (data, _keep) = still.close();
    let restoring = from(BackupSource::Archive(made.place.into()));
    let done = restored(&data, Restore { replaces: true, ..restoring }).await.expect("a restore");
    let aside = done.replaced.expect("the old one");
    assert!(aside.to_string_lossy().ends_with("-shares-files"), "{}", aside.display());
    // Long after the files came.
    let later = Clock::system().now() + SignedDuration::from_hours(24 * 60);
    let app = open_at(Clock::held(later), &data).await;
    let (known, unknown) = (Digest::of(b"in the backup"), Digest::of(b"not in the backup"));
    assert_eq!(app.sweep_orphans().await.expect("a sweep"), 0);
    app.blobs.open(unknown, None).await.expect("the file");
    fs::remove_dir_all(aside).expect("a removal");
    assert_eq!(app.sweep_orphans().await.expect("a sweep"), 1);
    assert!(app.blobs.open(unknown, None).await.is_err(), "it is gone");
    app.blobs.open(known, None).await.expect("the other one");
}

#[tokio::test]
async fn the_jobs_of_a_running_backup_do_not_come_back() {
    let still = Still::open();
    still.write(|tx, _| {
        jobs::enqueue(tx, Task::BackUp)?;
        jobs::enqueue(tx, Task::Drill)
    });
    let path = archive(&still.app).await;
    let folder = folder();
    restored(folder.path(), from(BackupSource::Archive(path))).await.expect("a restore");
    let app = open(folder.path()).await;
    let left = app.store.read(|tx| tx.records::<jobs::Job>().count()).await.expect("a count");
    assert_eq!(left, 0);
}

async fn titles(data: &Path) -> Vec<String> {
    let app = sound(data).await;
    let titles = app.store.read(|tx| {
        let documents = tx.records::<Document>().iter()?;
        documents.map(|document| Ok(document?.title)).collect::<Result<Vec<_>>>()
    });
    titles.await.expect("titles")
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/backup")
}

/// Each was written by the first version that had the format. They stay readable for ever.
#[tokio::test]
async fn archives_of_every_format_are_restored() {
    for (name, records, library) in [
        ("format-1.tar.zst", 25, &["Budget", "Report", "Calendar"][..]),
        ("format-1.tar.zst.age", 25, &["Budget", "Report", "Calendar"]),
        ("format-2.tar.zst", 24, &["Budget", "Report"]),
        ("format-2.tar.zst.age", 24, &["Budget", "Report"]),
    ] {
        let folder = folder();
        let key = Key::Passphrase(Passphrase("a tall green kettle".into()));
        let restoring = Restore { key, ..from(BackupSource::Archive(fixtures().join(name))) };
        let restored = restored(folder.path(), restoring).await.expect("a restore");
        assert_eq!(restored.damages, Vec::<String>::new(), "{name}");
        assert_eq!((restored.records, restored.files), (records, 2), "{name}");
        let is_warned = restored.warnings.iter().any(|one| one.contains("is not signed"));
        assert!(is_warned, "{name}: they are from before signatures");
        assert_eq!(titles(folder.path()).await, library, "{name}");
    }
}

/// Signed by a portal whose key was noted then: that stays checkable for ever, too.
#[tokio::test]
async fn what_was_signed_once_is_known_by_its_signature() {
    let key = "GFTTpaz40v5/pSMnYpdyujRyUBiOzGevIWRQ55yeBIs=".parse().expect("a key");
    let folder = folder();
    let repository = folder.path().join("repository");
    let file = fs::File::open(fixtures().join("repository-1-signed.tar")).expect("the repository");
    tar::Archive::new(file).unpack(&repository).expect("its objects");
    for (name, source) in [
        ("archive", BackupSource::Archive(fixtures().join("format-2-signed.tar.zst"))),
        ("repository", BackupSource::Repository(Place::Folder(repository))),
    ] {
        let data = folder.path().join(name);
        let restoring = Restore { signers: Signers::Only(key), ..from(source) };
        let restored = restored(&data, restoring).await.expect("a restore");
        assert_eq!((restored.damages, restored.warnings), (Vec::new(), Vec::new()), "{name}");
        assert_eq!((restored.signer, restored.files), (Some(key), 2), "{name}");
        assert_eq!(titles(&data).await, ["Budget", "Report"], "{name}");
    }
}

/// An encrypted one, with a snapshot and the changes after it.
#[tokio::test]
async fn a_repository_of_format_1_is_restored() {
    let folder = folder();
    let repository = folder.path().join("repository");
    let file = fs::File::open(fixtures().join("repository-1.tar")).expect("the repository");
    tar::Archive::new(file).unpack(&repository).expect("its objects");
    let data = folder.path().join("data");
    let key = Key::Passphrase(Passphrase("a tall green kettle".into()));
    let source = BackupSource::Repository(Place::Folder(repository));
    let restored = restored(&data, Restore { key, ..from(source) }).await.expect("a restore");
    assert_eq!((restored.files, restored.damages), (3, Vec::new()));
    assert_eq!(titles(&data).await, ["Budget", "Report", "Calendar"]);
}
