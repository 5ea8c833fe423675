//! Repositories: snapshots share what is the same, and nothing that happens to a run damages them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use appliance::{
    app::{
        BackupSource, BackupWanted, Made, Reporter, Restore, Shipped, Target, prune_backups,
        verify_backups,
    },
    backup::{Key, Place, Retention, Signers},
    clock::Clock,
    config::Config,
    domain::documents::{self, DocumentEdit},
    error::Error,
};
use jiff::{SignedDuration, Timestamp};

use super::{back_up, dump, from, library, restored, ship, ship_to, sound, upload, wanted};
use crate::support::Still;

pub(super) fn place(folder: &Path) -> String {
    folder.join("repository").display().to_string()
}

pub(super) fn config() -> Config {
    Config::default()
}

pub(super) fn to(folder: &Path) -> BackupWanted {
    wanted(Target::Repository(place(folder)))
}

pub(super) fn source(folder: &Path) -> BackupSource {
    BackupSource::Repository(Place::Folder(folder.join("repository")))
}

pub(super) async fn snapshot(still: &Still, folder: &Path) -> Made {
    still.clock.advance(SignedDuration::from_secs(1));
    let made = back_up(&still.app, to(folder)).await;
    assert!(made.is_verified, "{made:?}");
    made
}

pub(super) async fn verified(folder: &Path) -> Vec<String> {
    let found =
        verify_backups(&config(), &place(folder), &Key::None, true, false, &Reporter::unheard())
            .await;
    found.expect("a look").damages
}

pub(super) fn objects(folder: &Path) -> Vec<PathBuf> {
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

pub(super) fn last(count: u32) -> Retention {
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
            let damages = looked.expect("a look").damages;
            assert!(!damages.is_empty(), "{} {at}", path.display());
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

/// What was shipped since the one before leads to the same moment.
#[tokio::test]
async fn a_damaged_manifest_is_passed_over_and_named() {
    let still = Still::open();
    let folder = tempfile::tempdir().expect("a folder");
    ship_to(&still, &place(folder.path()));
    snapshot(&still, folder.path()).await;
    upload(&still, "One", b"one".to_vec()).await;
    ship(&still).await;
    let there = dump(&still.app.store);
    let newest = snapshot(&still, folder.path()).await.snapshot.expect("an id");
    let mut manifests = objects(&folder.path().join("repository/snapshots"));
    let path = manifests.pop().expect("a manifest");
    let mut bytes = fs::read(&path).expect("a manifest");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("a change");
    let is_named = |damages: &[String]| damages.len() == 1 && damages[0].contains(&newest);
    let key = still.app.backup_signer_key().await.expect("a key");
    for (name, signers) in [("any", Signers::Any), ("only", Signers::Only(key))] {
        let data = folder.path().join(name);
        let restoring = Restore { signers, ..from(source(folder.path())) };
        let done = restored(&data, restoring).await.expect("a restore");
        assert!(is_named(&done.damages), "{done:?}");
        assert_eq!(dump(&sound(&data).await.store), there, "{name}");
    }
    let drilled = still.app.drill(source(folder.path()), Key::None, &Reporter::unheard()).await;
    let drilled = drilled.expect("a drill");
    assert!(is_named(&drilled.damages), "{drilled:?}");
    // Without another one there is nothing to restore.
    for other in manifests {
        fs::remove_file(other).expect("a removal");
    }
    let refused = restored(&folder.path().join("x"), from(source(folder.path()))).await;
    let message = refused.expect_err("a refusal").to_string();
    assert!(message.contains(&newest), "{message}");
}

/// It was ten years ahead for one backup.
#[tokio::test]
async fn a_clock_that_was_ahead_does_not_make_an_old_snapshot_the_newest() {
    let still = Still::open();
    let folder = tempfile::tempdir().expect("a folder");
    ship_to(&still, &place(folder.path()));
    let ahead = SignedDuration::from_hours(10 * 365 * 24);
    still.clock.advance(ahead);
    snapshot(&still, folder.path()).await;
    still.clock.advance(-ahead);
    upload(&still, "One", b"one".to_vec()).await;
    let newest = snapshot(&still, folder.path()).await;
    upload(&still, "Two", b"two".to_vec()).await;
    let shipped = ship(&still).await;
    assert!(matches!(shipped, Shipped::Changes(_)), "{shipped:?}");
    let there = dump(&still.app.store);
    for name in ["both", "pruned"] {
        let data = folder.path().join(name);
        restored(&data, from(source(folder.path()))).await.expect("a restore");
        assert_eq!(dump(&sound(&data).await.store), there, "{name}");
        let place = place(folder.path());
        let pruned = prune_backups(&config(), &place, &Key::None, last(1), &still.clock).await;
        assert_eq!(pruned.expect("pruned").snapshots_kept, 1);
    }
    let left = objects(&folder.path().join("repository/snapshots"));
    let id = newest.snapshot.expect("an id");
    assert!(left[0].to_string_lossy().ends_with(&id), "{left:?}");
}

/// Each of the two copies of what the repository is does without the other.
#[tokio::test]
async fn a_damaged_configuration_costs_nothing() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("repository");
    snapshot(&still, folder.path()).await;
    // An earlier version wrote one copy.
    fs::remove_file(at.join("config-copy.json")).expect("a removal");
    assert_eq!(verified(folder.path()).await, Vec::<String>::new());
    snapshot(&still, folder.path()).await;
    let whole = fs::read(at.join("config.json")).expect("a configuration");
    for name in ["config.json", "config-copy.json"] {
        let mut flipped = whole.clone();
        flipped[20] ^= 0x04;
        fs::write(at.join(name), flipped).expect("a change");
        assert_eq!(verified(folder.path()).await, [format!("{name} is damaged.")]);
        let data = folder.path().join(format!("beside {name}"));
        restored(&data, from(source(folder.path()))).await.expect("a restore");
        snapshot(&still, folder.path()).await;
        assert_eq!(fs::read(at.join(name)).expect("a configuration"), whole, "{name} is mended");
    }
    fs::remove_file(at.join("config.json")).expect("a removal");
    assert_eq!(verified(folder.path()).await, ["config.json is missing."]);
    snapshot(&still, folder.path()).await;
    assert_eq!(verified(folder.path()).await, Vec::<String>::new());
}

/// What is damaged is named with what to do, and keeps nobody from making room.
#[tokio::test]
async fn a_prune_gets_past_damage() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("repository");
    for _ in 0..3 {
        snapshot(&still, folder.path()).await;
    }
    let damage = |path: &Path| {
        let mut bytes = fs::read(path).expect("an object");
        bytes[30] ^= 0x04;
        fs::write(path, bytes).expect("a change");
    };
    for snapshot in &objects(&at.join("snapshots"))[..2] {
        damage(snapshot);
    }
    let prune = async || {
        prune_backups(&config(), &place(folder.path()), &Key::None, last(1), &still.clock).await
    };
    let mend = async || {
        let unheard = Reporter::unheard();
        verify_backups(&config(), &place(folder.path()), &Key::None, true, true, &unheard).await
    };
    let message = prune().await.expect_err("a refusal").to_string();
    assert!(message.contains("snapshots/") && message.contains("--mend"), "{message}");
    assert_eq!(mend().await.expect("a look").damages.len(), 2);
    assert_eq!(prune().await.expect("pruned").snapshots_kept, 1);
    // A list of files says what must stay.
    snapshot(&still, folder.path()).await;
    let manifest = objects(&at.join("snapshots")).remove(0);
    let list = super::signed::manifest_of(&manifest).lists.remove(0).sha256;
    damage(&at.join(format!("parts/{:02x}/{list}", list.0[0])));
    let message = prune().await.expect_err("a refusal").to_string();
    assert!(message.contains(&list.to_string()) && message.contains("no files"), "{message}");
    assert_eq!(objects(&at.join("snapshots")).len(), 1);
    assert_eq!(mend().await.expect("a look").damages.len(), 1);
    snapshot(&still, folder.path()).await;
    prune().await.expect("pruned");
    assert_eq!(verified(folder.path()).await, Vec::<String>::new());
}

/// Whoever may write to the place must not make a prune remove what lies elsewhere.
#[tokio::test]
async fn a_repository_does_not_go_through_links() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(&still, folder.path()).await;
    let outside = folder.path().join("outside");
    fs::create_dir_all(&outside).expect("a folder");
    let file = outside.join("ab".repeat(32));
    fs::write(&file, "of somebody else").expect("a file");
    for link in ["files/x", "files"] {
        let link = folder.path().join("repository").join(link);
        if link.exists() {
            fs::remove_dir_all(&link).expect("a removal");
        }
        std::os::unix::fs::symlink(&outside, &link).expect("a link");
        let pruned =
            prune_backups(&config(), &place(folder.path()), &Key::None, last(1), &still.clock)
                .await;
        let message = pruned.expect_err("a refusal").to_string();
        assert!(message.contains("is a link to another folder"), "{message}");
        assert!(file.exists());
        fs::remove_file(&link).expect("a removal");
    }
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

/// A backup of the records alone leaves the files to those that are there, in the repository or where
/// the portal has them.
#[tokio::test]
async fn a_snapshot_of_records_alone_hides_nothing() {
    let still = library().await;
    let folder = tempfile::tempdir().expect("a folder");
    snapshot(&still, folder.path()).await;
    still.clock.advance(SignedDuration::from_secs(1));
    back_up(&still.app, BackupWanted { is_records_only: true, ..to(folder.path()) }).await;
    assert_eq!(verified(folder.path()).await, Vec::<String>::new());
    let data = folder.path().join("data");
    let done = restored(&data, from(source(folder.path()))).await.expect("a restore");
    assert_eq!((done.files, done.damages), (32, Vec::new()));
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
    // And what the first one needs is still missed.
    let files = objects(&folder.path().join("repository/files"));
    fs::remove_file(&files[3]).expect("a removal");
    assert_eq!(verified(folder.path()).await.len(), 1);
}

/// Somebody restored the portal for a test, and switched its plan on: now two write to one place.
#[tokio::test]
async fn two_portals_in_one_repository_are_kept_apart() {
    let still = Still::open();
    upload(&still, "Original", b"original".to_vec()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let first = snapshot(&still, folder.path()).await;
    let data = folder.path().join("copy");
    restored(&data, from(source(folder.path()))).await.expect("a restore");
    // One after the other: the new one goes on where the old one was.
    let copy = super::open_at(still.clock.clone(), &data).await;
    still.clock.advance(SignedDuration::from_secs(1));
    let second = back_up(&copy, to(folder.path())).await;
    let newest = folder.path().join("newest");
    let done = restored(&newest, from(source(folder.path()))).await.expect("a restore");
    assert_eq!(done.at, second.created_at);
    // At the same time: nobody knows which one is meant.
    upload(&still, "Later", b"later".to_vec()).await;
    let third = snapshot(&still, folder.path()).await;
    still.clock.advance(SignedDuration::from_secs(1));
    back_up(&copy, to(folder.path())).await;
    let refused = restored(&folder.path().join("x"), from(source(folder.path()))).await;
    let message = refused.expect_err("a question").to_string();
    let id = third.snapshot.clone().expect("an id");
    assert!(message.contains("Two portals") && message.contains(&id), "{message}");
    let named = Restore { snapshot: third.snapshot, ..from(source(folder.path())) };
    let back = folder.path().join("back");
    restored(&back, named).await.expect("a restore");
    assert_eq!(dump(&sound(&back).await.store), dump(&still.app.store));
    // The rules keep so many of each.
    let pruned =
        prune_backups(&config(), &place(folder.path()), &Key::None, last(1), &still.clock).await;
    assert_eq!(pruned.expect("pruned").snapshots_kept, 2);
    assert_ne!(first.snapshot, None);
}
