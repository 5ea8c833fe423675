//! Repositories in a bucket, on good days and on bad ones; and files that are on S3.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use appliance::{
    app::{
        App, BackupSource, BackupWanted, Made, Reporter, Restore, Shipped, Target, list_backups,
        prune_backups, verify_backups,
    },
    backup::{Key, Lock, Passphrase, Retention},
    config::{Config, StorageConfig},
    error::Error,
    hash::Digest,
};
use futures_util::future;
use jiff::SignedDuration;

use super::{
    back_up, dump, filled, folder, from, restored, restored_with, ship_to, sound, sound_with,
    store_files, upload, wanted,
};
use crate::support::{
    Still,
    s3::{Disturbance, FaultProxy, S3Server},
};

const PLACE: &str = "s3://documents/backups/portal";

fn portal(storage: StorageConfig) -> Still {
    Still::open_with(|config| config.storage = storage)
}

fn config(storage: &StorageConfig) -> Config {
    Config { storage: storage.clone(), ..Config::default() }
}

fn to_bucket() -> BackupWanted {
    wanted(Target::Repository(PLACE.into()))
}

fn source() -> BackupSource {
    BackupSource::named(PLACE).expect("a source")
}

async fn snapshot(still: &Still) -> Made {
    still.clock.advance(SignedDuration::from_secs(1));
    let made = back_up(&still.app, to_bucket()).await;
    assert!(made.is_verified, "{made:?}");
    made
}

async fn verified(storage: &StorageConfig) -> Vec<String> {
    let unheard = Reporter::unheard();
    let found = verify_backups(&config(storage), PLACE, &Key::None, true, false, &unheard).await;
    found.expect("a look").damages
}

fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path().is_dir() {
                true => folders.push(entry.path()),
                false => files.push(entry.path()),
            }
        }
    }
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_holds_a_repository() {
    let s3 = S3Server::start();
    let storage = s3.for_backups(None);
    let still = filled(portal(storage.clone())).await;
    let first = snapshot(&still).await;
    let second = snapshot(&still).await;
    assert_eq!(second.written_objects, 1, "only its manifest: {second:?}");
    assert_eq!(verified(&storage).await, Vec::<String>::new());

    let config = config(&storage);
    let listed = list_backups(&config, PLACE, &Key::None).await.expect("a list");
    let ids: Vec<_> = listed.iter().map(|one| Some(one.id.clone())).collect();
    assert_eq!(ids, [first.snapshot, second.snapshot]);
    assert_eq!((listed[0].files, listed[0].records), (Some(32), Some(first.records)));

    let drilled =
        still.app.drill(source(), Key::None, &Reporter::unheard()).await.expect("a drill");
    assert_eq!((drilled.damages, drilled.files), (Vec::new(), 32));

    let last = Retention { last: 1, ..Retention::default() };
    let pruned = prune_backups(&config, PLACE, &Key::None, last, &still.clock).await;
    assert_eq!(pruned.expect("pruned").snapshots_removed, 1);
    let folder = folder();
    let data = folder.path().join("data");
    restored_with(storage, &data, from(source())).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
    assert_eq!(objects(&s3.in_bucket("backups/portal/locks")), Vec::<PathBuf>::new());
    assert_eq!(s3.parts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_the_bucket_reads_nothing() {
    let s3 = S3Server::start();
    let storage = s3.for_backups(None);
    let still = portal(storage.clone());
    upload(&still, "Secret plan", b"nobody reads this".to_vec()).await;
    let passphrase = Passphrase("correct horse battery".into());
    let lock = Lock::Passphrase(passphrase.clone());
    back_up(&still.app, BackupWanted { lock, ..to_bucket() }).await;
    for path in objects(&s3.in_bucket("backups/portal")) {
        let bytes = fs::read(&path).expect("an object");
        for secret in ["Secret plan", "nobody reads this", "ada@example.com"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {}", path.display());
        }
    }
    let folder = folder();
    let data = folder.path().join("data");
    let locked = restored_with(storage.clone(), &data, from(source())).await;
    assert!(locked.expect_err("a refusal").to_string().contains("encrypted"));
    let restoring = Restore { key: Key::Passphrase(passphrase), ..from(source()) };
    restored_with(storage, &data, restoring).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_shipped_to_a_bucket() {
    let s3 = S3Server::start();
    let storage = s3.for_backups(None);
    let still = portal(storage.clone());
    ship_to(&still, PLACE);
    snapshot(&still).await;
    let mut moments = Vec::new();
    for number in 0..3 {
        still.clock.advance(SignedDuration::from_secs(10));
        upload(&still, &format!("T{number}"), format!("file {number}").into()).await;
        let shipped = still.app.ship_changes().await.expect("shipping");
        assert!(matches!(shipped, Shipped::Changes(_)), "{shipped:?}");
        moments.push((still.clock.now(), dump(&still.app.store)));
    }
    let folder = folder();
    for (number, (at, state)) in moments.into_iter().enumerate() {
        let data = folder.path().join(number.to_string());
        let restoring = Restore { at: Some(at), ..from(source()) };
        restored_with(storage.clone(), &data, restoring).await.expect("a restore");
        assert_eq!(dump(&sound(&data).await.store), state, "moment {number}");
    }
}

/// Wherever the connection is lost, the bucket holds what it held before, and the next run ends well.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cut_off_does_no_harm_to_a_bucket() {
    let cuts = [(1, false), (2, true), (4, false), (7, true), (12, false), (14, true), (19, false)];
    future::join_all(cuts.map(|(requests, loses)| cut_off(requests, loses))).await;
}

async fn cut_off(requests: u64, loses: bool) {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let still = portal(s3.for_backups(Some(&proxy)));
    upload(&still, "Before", b"before".to_vec()).await;
    snapshot(&still).await;
    let before = dump(&still.app.store);
    for number in 0..6 {
        upload(&still, &format!("T{number}"), format!("file {number}").into()).await;
    }
    proxy.disturb(Disturbance::BreakAfter(requests, loses));
    let unheard = Reporter::unheard();
    let begun = still.app.back_up(to_bucket(), &unheard);
    // It tries again for a while; that its process ends instead, leaves the same.
    let cut = tokio::time::timeout(Duration::from_secs(2), begun).await;
    assert!(!matches!(cut, Ok(Ok(_))), "{requests} requests were enough");
    proxy.settle().await;
    proxy.disturb(Disturbance::None);

    let direct = s3.for_backups(None);
    assert_eq!(verified(&direct).await, Vec::<String>::new(), "after {requests} requests");
    let folder = folder();
    let data = folder.path().join("data");
    restored_with(direct.clone(), &data, from(source())).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), before);
    snapshot(&still).await;
    assert_eq!(verified(&direct).await, Vec::<String>::new());
    let data = folder.path().join("again");
    restored_with(direct, &data, from(source())).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_share_a_bucket() {
    let s3 = S3Server::start();
    let storage = s3.for_backups(None);
    let (one, other) = (portal(storage.clone()), portal(storage.clone()));
    for number in 0..10 {
        upload(&one, &format!("T{number}"), format!("both have {number}").into()).await;
        upload(&other, &format!("U{number}"), format!("both have {number}").into()).await;
    }
    // Nobody has begun the repository yet.
    let (first, second) =
        tokio::join!(back_up(&one.app, to_bucket()), back_up(&other.app, to_bucket()));
    assert_eq!(verified(&storage).await, Vec::<String>::new());
    let folder = folder();
    for (made, still) in [(first, &one), (second, &other)] {
        let data = folder.path().join(made.snapshot.clone().expect("an id"));
        let restoring = Restore { snapshot: made.snapshot, ..from(source()) };
        restored_with(storage.clone(), &data, restoring).await.expect("a restore");
        assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
    }
}

/// What cannot be reached is not damaged, and `--mend` must not remove it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_connection_is_no_damage() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let storage = s3.for_backups(Some(&proxy));
    let still = portal(storage.clone());
    let noise: Vec<u8> =
        (0..20_000u32).flat_map(|n| Digest::of(&n.to_be_bytes()).0[..10].to_vec()).collect();
    upload(&still, "Noise", noise).await;
    snapshot(&still).await;
    let before = objects(&s3.in_bucket("backups/portal"));
    for (weather, heals) in [
        (Disturbance::Cut(50_000), true),
        (Disturbance::Answer(403, "AccessDenied"), false),
        (Disturbance::Answer(500, "InternalError"), false),
    ] {
        proxy.disturb(Disturbance::Only("GET", Box::new(weather.clone())));
        let (config, unheard) = (config(&storage), Reporter::unheard());
        let looked = verify_backups(&config, PLACE, &Key::None, true, true, &unheard).await;
        // What was cut off is asked for again from there.
        assert!(looked.is_ok_and(|found| found.damages.is_empty()) == heals, "{weather:?}");
        let folder = folder();
        let data = folder.path().join("data");
        let refused = restored_with(storage.clone(), &data, from(source())).await;
        assert_eq!(refused.is_ok(), heals, "{weather:?}");
        if !heals {
            super::assert_empty(&data);
        }
    }
    proxy.disturb(Disturbance::None);
    assert_eq!(objects(&s3.in_bucket("backups/portal")), before);
    assert_eq!(verified(&storage).await, Vec::<String>::new());
}

/// Neither records nor changes nor files count as lost because nobody could ask for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_loses_its_connection_changes_nothing() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let storage = s3.for_backups(Some(&proxy));
    let still = portal(storage.clone());
    ship_to(&still, PLACE);
    upload(&still, "One", b"one".to_vec()).await;
    snapshot(&still).await;
    still.clock.advance(SignedDuration::from_secs(10));
    upload(&still, "Two", b"two".to_vec()).await;
    still.app.ship_changes().await.expect("shipping");
    let folder = folder();
    let data = folder.path().join("data");
    for target in ["portal/parts/", "portal/segments/", "portal/files/"] {
        let denied = Disturbance::Answer(403, "AccessDenied");
        proxy.disturb(Disturbance::About(target.into(), Box::new(denied)));
        let fault = restored_with(storage.clone(), &data, from(source())).await;
        let Err(Error::Internal(chain)) = fault else { panic!("{target}: {fault:?}") };
        assert!(chain.to_string().contains("does not answer"), "{target}: {chain:#}");
        super::assert_empty(&data);
    }
    proxy.disturb(Disturbance::None);
    let done = restored_with(storage, &data, from(source())).await.expect("a restore");
    assert_eq!((done.files, done.damages), (2, Vec::new()));
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_goes_away_while_it_is_restored_is_not_called_damaged() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let still = portal(s3.for_backups(None));
    ship_to(&still, PLACE);
    upload(&still, "One", b"one".to_vec()).await;
    let id = snapshot(&still).await.snapshot.expect("a snapshot");
    let slow = Disturbance::Delay(Duration::from_secs(2));
    proxy.disturb(Disturbance::About("portal/files/".into(), Box::new(slow)));
    let folder = folder();
    let data = folder.path().join("data");
    let restoring = restored_with(s3.for_backups(Some(&proxy)), &data, from(source()));
    let pruning = async {
        while !proxy.take_log().iter().any(|one| one.contains("portal/files/")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for kind in ["snapshots", "files"] {
            let folder = s3.in_bucket(&format!("backups/portal/{kind}"));
            fs::remove_dir_all(folder).expect("a removal");
        }
    };
    let (outcome, ()) = future::join(restoring, pruning).await;
    let Err(Error::Conflict(said)) = outcome else { panic!("{outcome:?}") };
    assert!(said.contains(&format!("{id} was removed while it was restored")));
    super::assert_empty(&data);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_bucket_is_said() {
    let s3 = S3Server::start();
    let still = Still::open();
    let refused = |storage: StorageConfig, place: &'static str| async move {
        let config = config(&storage);
        let fault = list_backups(&config, place, &Key::None).await.expect_err("a refusal");
        match &fault {
            Error::Internal(chain) => chain.root_cause().to_string(),
            known => known.to_string(),
        }
    };
    let mut wrong_key = s3.for_backups(None);
    wrong_key.s3.secret_access_key = "another".into();
    for (storage, place, says) in [
        (StorageConfig::default(), PLACE, "storage.s3.region"),
        (s3.for_backups(None), PLACE, "There is no backup repository in s3://documents/backups"),
        (s3.for_backups(None), "s3://elsewhere/x", "no such bucket"),
        (wrong_key, PLACE, "storage.s3.secret_access_key"),
    ] {
        let message = refused(storage, place).await;
        assert!(message.contains(says), "{says}: {message}");
    }
    drop(still);
}

/// From the disk to S3 and back: every time all records and files are there.
#[tokio::test(flavor = "multi_thread")]
async fn a_portal_moves_to_s3_and_back() {
    let s3 = S3Server::start();
    let on_s3 = s3.storage(None);
    let still = filled(Still::open()).await;
    let archive = back_up(&still.app, wanted(Target::Folder)).await.place;
    let folder = folder();
    let there = folder.path().join("s3");
    let source = BackupSource::Archive(archive.into());
    restored_with(on_s3.clone(), &there, from(source)).await.expect("a restore onto S3");
    assert_eq!(objects(&there.join("objects")), Vec::<PathBuf>::new(), "all files are on S3");
    assert_eq!(objects(&there.join("spool")), Vec::<PathBuf>::new());
    let app = sound_with(on_s3, &there).await;
    assert_eq!(dump(&app.store), dump(&still.app.store));

    let place = folder.path().join("repository").display().to_string();
    back_up(&app, wanted(Target::Repository(place.clone()))).await;
    let archive = back_up(&app, wanted(Target::Folder)).await.place;
    for (name, source) in [
        ("from a repository", BackupSource::named(&place).expect("a repository")),
        ("from an archive", BackupSource::Archive(archive.into())),
    ] {
        let back = folder.path().join(name);
        restored(&back, from(source)).await.expect("a restore onto the disk");
        assert_eq!(objects(&back.join("objects")).len(), 32);
        assert_eq!(dump(&sound(&back).await.store), dump(&still.app.store));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_alone_find_their_files_on_s3() {
    let s3 = S3Server::start();
    let storage = s3.storage(None);
    let still = filled(portal(storage.clone())).await;
    store_files(&still).await;
    let wanted = BackupWanted { is_records_only: true, ..wanted(Target::Folder) };
    let made = back_up(&still.app, wanted).await;
    assert_eq!(made.damages, Vec::<String>::new());
    let folder = folder();
    let source = BackupSource::Archive(made.place.into());
    let restored = restored_with(storage.clone(), folder.path(), from(source)).await;
    let restored = restored.expect("a restore");
    assert_eq!((restored.damages, restored.files), (Vec::new(), 32));
    let app = sound_with(storage, folder.path()).await;
    assert_eq!(dump(&app.store), dump(&still.app.store));
}

/// A file that is missing in the backup must not be found where the portal keeps its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_drill_looks_at_the_backup_and_not_at_the_portal() {
    let s3 = S3Server::start();
    let still = filled(portal(s3.storage(None))).await;
    store_files(&still).await;
    let folder = folder();
    let place = folder.path().join("repository").display().to_string();
    back_up(&still.app, wanted(Target::Repository(place.clone()))).await;
    let files = objects(&folder.path().join("repository/files"));
    fs::remove_file(&files[5]).expect("a removal");
    let drill = |app: std::sync::Arc<App>| async move {
        let source = BackupSource::named(&place).expect("a repository");
        app.drill(source, Key::None, &Reporter::unheard()).await.expect("a drill")
    };
    let drilled = drill(still.app.clone()).await;
    assert!(!drilled.damages.is_empty(), "{drilled:?}");
    let left = fs::read_dir(&still.app.config.data).expect("the data").flatten();
    let left: Vec<_> =
        left.filter(|entry| entry.file_name().to_string_lossy().starts_with("drill-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Parts of an upload that a killed run began are paid for until somebody ends it: the next backup does, and
/// so does a prune.
#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_a_killed_run_left_behind_are_ended() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let storage = s3.for_backups(Some(&proxy));
    let still = portal(storage.clone());
    snapshot(&still).await;
    let upload = |key: &str, id: &str, age: SignedDuration| {
        let at = still.clock.now() - age;
        format!(
            "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{at}</Initiated></Upload>"
        )
    };
    let hour = SignedDuration::from_hours(1);
    let page = [
        upload("backups/portal/files/ab/abcd", "old", hour),
        upload("backups/portal/files/ab/abce", "new", SignedDuration::from_secs(1)),
        upload("backups/portal-2/files/ab/abcd", "other", hour),
        upload("portal/files/ab/abcd", "foreign", hour),
    ];
    let page = format!("<R><IsTruncated>false</IsTruncated>{}</R>", page.concat());
    proxy.can("?uploads=&", page);
    let ended = || {
        let log = proxy.take_log();
        let ended = log.into_iter().filter(|line| line.contains("uploadId="));
        ended.collect::<Vec<_>>()
    };
    ended();
    snapshot(&still).await;
    let log = ended();
    assert!(log.len() == 1 && log[0].ends_with("uploadId=old"), "{log:?}");
    let last = Retention { last: 1, ..Retention::default() };
    prune_backups(&config(&storage), PLACE, &Key::None, last, &still.clock).await.expect("pruned");
    let log = ended();
    assert!(log.len() == 1 && log[0].ends_with("uploadId=old"), "{log:?}");
}
