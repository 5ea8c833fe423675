//! Archives: what is backed up comes back, and whatever is wrong with one is found.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use appliance::{
    app::{App, BackupSource, BackupWanted, Made, Reporter, Restore, Restored, Target, restore},
    backup::{ArchiveReader, Key, Lock, Passphrase, check, sealing},
    clock::Clock,
    config::Config,
    domain::{
        TABLES,
        blobs::{self, Place},
        documents::{self, Document, DocumentEdit},
        jobs::{self, Lane, Task},
        sessions::{self, SignIn},
    },
    error::{Error, Result},
    hash::{ContentHash, Digest},
    id::Id,
    store::{ReadTx, Store},
};
use bytes::Bytes;
use jiff::SignedDuration;
use serde_json::Value;

use crate::support::{Still, new_document};

pub fn wanted(target: Target) -> BackupWanted {
    BackupWanted { target, lock: Lock::Open, key: Key::None, is_records_only: false }
}

pub fn from(source: BackupSource) -> Restore {
    Restore {
        source,
        key: Key::None,
        replaces: false,
        keeps_sessions: false,
        at: None,
        snapshot: None,
    }
}

pub async fn back_up(app: &App, wanted: BackupWanted) -> Made {
    app.back_up(wanted, &Reporter::unheard()).await.expect("a backup")
}

/// An archive of a portal, verified.
pub async fn archive(app: &App) -> PathBuf {
    let made = back_up(app, wanted(Target::Folder)).await;
    assert!(made.is_verified, "{made:?}");
    made.place.into()
}

pub async fn restored(into: &Path, restoring: Restore) -> Result<Restored> {
    let config = Config { data: into.to_owned(), ..Config::default() };
    restore(&config, Clock::system(), restoring, &Reporter::unheard()).await
}

/// Uploads bytes as a new document.
pub async fn upload(still: &Still, title: &str, bytes: Vec<u8>) -> Id<Document> {
    let pieces = futures_util::stream::iter([Ok(Bytes::from(bytes))]);
    let file = still.app.receive("file.txt", None, pieces).await.expect("an upload");
    let (organization, new) = (still.organization, new_document(title, "Plans"));
    let actor = still.actor();
    let add = move |tx: &mut appliance::store::WriteTx| {
        documents::add_file(tx, &actor, organization, new, file)
    };
    still.app.store.write(add).await.expect("a document").id
}

/// Moves what waits on the spool to the object store, as the worker would.
pub async fn store_files(still: &Still) {
    let hashes = still.app.store.read(|tx| {
        tx.records::<blobs::Blob>().iter()?.map(|blob| Ok(blob?.hash)).collect::<Result<Vec<_>>>()
    });
    for hash in hashes.await.expect("the files") {
        still.app.blobs.store(hash).await.expect("a move");
        still.app.store.write(move |tx| blobs::mark_stored(tx, hash)).await.expect("a note");
    }
}

/// Every record that must be the same after a restore: what is not computed anew, and neither jobs
/// nor sessions.
pub fn dump(store: &Store) -> BTreeMap<String, Value> {
    let look = |tx: &ReadTx| {
        let mut records = BTreeMap::new();
        for table in TABLES.iter().filter(|table| !["jobs", "sessions"].contains(&table.name)) {
            for pair in tx.stored(*table)? {
                let (key, json) = pair?;
                let mut record: Value = serde_json::from_slice(&json).expect("JSON");
                if table.name == "blobs" {
                    record["place"] = Value::Null;
                    record["extraction"] = Value::Null;
                }
                records.insert(format!("{} {key:02x?}", table.name), record);
            }
        }
        Ok(records)
    };
    store.read_blocking(look).expect("a look")
}

/// Opens a portal, without a server.
pub async fn open(data: &Path) -> Arc<App> {
    let config = Config { data: data.to_owned(), ..Config::default() };
    let worker = env!("CARGO_BIN_EXE_appliance").into();
    tokio::task::spawn_blocking(move || App::open_with(config, Clock::system(), Some(worker)))
        .await
        .expect("no panic")
        .expect("a portal")
}

/// Opens a portal and looks through all of it.
pub async fn sound(data: &Path) -> Arc<App> {
    let app = open(data).await;
    let report = app.check(true, &Reporter::unheard()).await.expect("a report");
    assert!(report.damages.is_empty(), "{report:?}");
    app
}

/// A library with some documents, stored and spooled, small and large.
pub async fn library() -> Still {
    let still = Still::open();
    for number in 0..30u32 {
        let mut bytes = format!("document {number} ").repeat(1 + 40 * number as usize);
        bytes.push_str("end");
        upload(&still, &format!("Stored {number}"), bytes.into()).await;
    }
    store_files(&still).await;
    let noise: Vec<u8> =
        (0..3_000_000u32).flat_map(|n| Digest::of(&n.to_be_bytes()).0[..1].to_vec()).collect();
    upload(&still, "Noise", noise).await;
    upload(&still, "Spooled", b"still on the spool".to_vec()).await;
    still.add_link("Link", "House");
    still
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// What a restore that failed must leave: nothing.
fn assert_empty(data: &Path) {
    let left: Vec<_> =
        fs::read_dir(data).map(|found| found.flatten().collect()).unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn everything_comes_back() {
    let still = library().await;
    let path = archive(&still.app).await;
    let (there, target) = (dump(&still.app.store), folder());
    let data = target.path().join("data");
    let restored = restored(&data, from(BackupSource::Archive(path))).await.expect("a restore");
    assert_eq!(restored.damages, Vec::<String>::new());
    assert_eq!((restored.files, restored.replaced), (32, None));
    let app = sound(&data).await;
    assert_eq!(dump(&app.store), there);
    let places = app.store.read(|tx| {
        tx.records::<blobs::Blob>().iter()?.map(|blob| Ok(blob?.place)).collect::<Result<Vec<_>>>()
    });
    assert!(places.await.expect("places").iter().all(|place| *place == Place::Stored));
    // What is computed from files is computed again.
    let reading = app.store.write(|tx| jobs::claim(tx, Lane::Reading, 100)).await.expect("jobs");
    assert_eq!(reading.len(), 32);
}

#[tokio::test]
async fn standard_tools_open_an_archive() {
    use std::os::unix::fs::PermissionsExt;
    let still = library().await;
    let path = archive(&still.app).await;
    let mode = fs::metadata(&path).expect("the archive").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(name, "appliance-northlight-20261121T100000Z.tar.zst");
    let plain = zstd::decode_all(fs::File::open(&path).expect("a file")).expect("zstd");
    let mut tar = tar::Archive::new(plain.as_slice());
    let mut names = Vec::new();
    for entry in tar.entries().expect("tar") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a path").to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("its content");
        if let Some(hash) = name.strip_prefix("files/").and_then(|name| name.get(3..)) {
            assert_eq!(hash.parse::<ContentHash>().expect("a hash"), Digest::of(&bytes));
        }
        if name.starts_with("records/") {
            let text = String::from_utf8(bytes).expect("text");
            assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{name}");
        }
        names.push(name);
    }
    assert_eq!(names.first().map(String::as_str), Some("backup.json"));
    assert_eq!(names.last().map(String::as_str), Some("manifest.json"));
    assert!(names.contains(&"records/documents-0001.jsonl".into()), "{names:?}");
    assert_eq!(names.iter().filter(|name| name.starts_with("files/")).count(), 32);
}

/// Each writer adds and renames one document after the other and tells what was acknowledged. So
/// what a backup holds of it must be a beginning of that, and not shorter than what was acknowledged
/// before the backup began.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_what_was_acknowledged() {
    let still = Arc::new(library().await);
    let stop = Arc::new(AtomicUsize::new(0));
    let acknowledged: Arc<Vec<AtomicUsize>> =
        Arc::new((0..4).map(|_| AtomicUsize::new(0)).collect());
    let mut writers = Vec::new();
    for writer in 0..4 {
        let (still, stop, acknowledged) = (still.clone(), stop.clone(), acknowledged.clone());
        writers.push(tokio::spawn(async move {
            let mut number = 0;
            while stop.load(Ordering::SeqCst) == 0 {
                let text = format!("writer {writer} file {number}").repeat(50);
                let id = upload(&still, &format!("W{writer}-{number}"), text.into()).await;
                let actor = still.actor();
                let description = Some(format!("edited {number}"));
                let edit = DocumentEdit { description, ..DocumentEdit::default() };
                let edited = still
                    .app
                    .store
                    .write(move |tx| documents::edit(tx, &actor, id, edit, None).map(drop));
                edited.await.expect("an edit");
                number += 1;
                acknowledged[writer].store(number, Ordering::SeqCst);
            }
        }));
    }
    let folder = folder();
    for round in 0..3 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let before: Vec<_> = acknowledged.iter().map(|one| one.load(Ordering::SeqCst)).collect();
        // Names of archives have seconds.
        still.clock.advance(SignedDuration::from_secs(1));
        let path = archive(&still.app).await;
        let data = folder.path().join(round.to_string());
        restored(&data, from(BackupSource::Archive(path))).await.expect("a restore");
        let app = sound(&data).await;
        let documents =
            app.store.read(|tx| tx.records::<Document>().iter()?.collect::<Result<Vec<_>>>());
        let mut found = vec![BTreeMap::new(); 4];
        for document in documents.await.expect("documents") {
            let Some(name) = document.title.strip_prefix('W') else { continue };
            let (writer, number) = name.split_once('-').expect("two numbers");
            let number: usize = number.parse().expect("a number");
            found[writer.parse::<usize>().expect("a number")].insert(number, document.description);
        }
        for (writer, found) in found.iter().enumerate() {
            let numbers: Vec<_> = found.keys().copied().collect();
            assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>(), "a gap");
            assert!(numbers.len() >= before[writer], "{} of {}", numbers.len(), before[writer]);
            // Only the last one may not be edited yet.
            let edited = found.iter().filter(|(number, text)| **text == format!("edited {number}"));
            assert!(edited.count() + 1 >= numbers.len());
        }
    }
    stop.store(1, Ordering::SeqCst);
    for writer in writers {
        writer.await.expect("a writer");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_removed_while_the_backup_runs_is_in_it() {
    let still = library().await;
    let folder = folder();
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("a pipe");
    let id = upload(&still, "Doomed", b"soon gone".to_vec()).await;
    let hash = Digest::of(b"soon gone");
    let app = still.app.clone();
    let target = Target::Pipe(pipe.clone());
    // The pipe is full long before the end, so the backup waits for its reader.
    let backing_up = tokio::spawn(async move { back_up(&app, wanted(target)).await });
    let mut reader = tokio::task::spawn_blocking(move || {
        let mut file = fs::File::open(pipe).expect("the pipe");
        let mut begin = vec![0; 100];
        file.read_exact(&mut begin).expect("its beginning");
        (file, begin)
    })
    .await
    .expect("a reader");
    still.write(move |tx, ada| {
        documents::trash(tx, ada, id)?;
        documents::delete(tx, ada, id)
    });
    still.clock.advance(SignedDuration::from_hours(30));
    let background = still.app.start();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(still.app.blobs.open(hash, None).await.is_ok(), "it waits for the backup");
    let bytes = tokio::task::spawn_blocking(move || {
        reader.0.read_to_end(&mut reader.1).expect("the archive");
        reader.1
    })
    .await
    .expect("a reader");
    assert_eq!(backing_up.await.expect("a backup").damages, Vec::<String>::new());
    let reader = ArchiveReader::open(std::io::Cursor::new(bytes), &Key::None).expect("an archive");
    let (manifest, damages) = check(reader, |_| {}).expect("a look");
    assert_eq!((damages, manifest.files.count), (Vec::new(), 33));
    still.clock.advance(SignedDuration::from_mins(2));
    for _ in 0..600 {
        if still.app.blobs.open(hash, None).await.is_err() {
            background.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the file stays for ever");
}

/// What a reader of these bytes finds to be wrong.
fn wrong(bytes: Vec<u8>, key: &Key) -> Result<Vec<String>> {
    let archive = ArchiveReader::open(std::io::Cursor::new(bytes), key)?;
    check(archive, |_| {}).map(|(_, damages)| damages)
}

#[tokio::test]
async fn a_flipped_byte_anywhere_is_found() {
    let still = Still::open();
    for number in 0..5 {
        upload(&still, &format!("Title {number}"), format!("text {number} ").repeat(200).into())
            .await;
    }
    let bytes = fs::read(archive(&still.app).await).expect("the archive");
    assert_eq!(wrong(bytes.clone(), &Key::None).expect("whole"), Vec::<String>::new());
    for at in 0..bytes.len() {
        for bit in [0x01, 0x10, 0x80] {
            let mut flipped = bytes.clone();
            flipped[at] ^= bit;
            let found = wrong(flipped, &Key::None);
            assert!(found.is_err() || found.is_ok_and(|found| !found.is_empty()), "byte {at}");
        }
    }
}

#[tokio::test]
async fn a_damaged_part_does_not_block_the_rest() {
    let still = library().await;
    let bytes = fs::read(archive(&still.app).await).expect("the archive");
    let folder = folder();
    let (mut partly, mut refused) = (0, 0);
    for step in 0..12 {
        let mut flipped = bytes.clone();
        flipped[(bytes.len() - 1) * step / 11] ^= 0x20;
        let path = folder.path().join("damaged.tar.zst");
        fs::write(&path, flipped).expect("a file");
        let data = folder.path().join(format!("data{step}"));
        match restored(&data, from(BackupSource::Archive(path))).await {
            Ok(restored) => {
                assert!(!restored.damages.is_empty());
                assert!(restored.records > 50 || restored.files > 20, "{restored:?}");
                drop(open(&data).await);
                partly += 1;
            }
            Err(_) => {
                assert_empty(&data);
                refused += 1;
            }
        }
    }
    assert!(partly >= 6 && refused >= 1, "{partly} {refused}");
}

#[tokio::test]
async fn a_truncated_archive_changes_nothing() {
    let still = Still::open();
    upload(&still, "One", b"some text".to_vec()).await;
    let bytes = fs::read(archive(&still.app).await).expect("the archive");
    let folder = folder();
    let path = folder.path().join("cut.tar.zst");
    for length in [0, 1, 100, bytes.len() / 2] {
        fs::write(&path, &bytes[..length]).expect("a file");
        let data = folder.path().join("data");
        let refused = restored(&data, from(BackupSource::Archive(path.clone()))).await;
        let message = refused.expect_err("a refusal").to_string();
        assert!(
            message.contains("cut off")
                || message.contains("no backup")
                || message.contains("manifest"),
            "{length}: {message}"
        );
        assert_empty(&data);
    }
    // Behind the manifest nothing stands that matters: all comes back, and the fault is told.
    fs::write(&path, &bytes[..bytes.len() - 60]).expect("a file");
    let done = restored(&folder.path().join("data"), from(BackupSource::Archive(path))).await;
    let done = done.expect("everything that matters is there");
    assert_eq!((done.files, done.damages.len()), (1, 1), "{:?}", done.damages);
}

#[tokio::test]
async fn a_later_format_is_refused() {
    let folder = folder();
    let path = folder.path().join("future.tar.zst");
    let mut frames = appliance::backup::frames::FrameWriter::new(Vec::new(), 0);
    {
        let mut tar = tar::Builder::new(&mut frames);
        let head = br#"{"format": 2, "application": "9.0.0", "instance": "x",
            "created_at": "2030-01-01T00:00:00Z", "sequence": 1,
            "lineage": "00000000-0000-0000-0000-000000000000"}"#;
        let mut header = tar::Header::new_gnu();
        header.set_size(head.len() as u64);
        tar.append_data(&mut header, "backup.json", head.as_slice()).expect("an entry");
        tar.finish().expect("an end");
    }
    fs::write(&path, frames.finish().expect("bytes")).expect("a file");
    let data = folder.path().join("data");
    let refused = restored(&data, from(BackupSource::Archive(path))).await.expect_err("a refusal");
    assert!(refused.to_string().contains("a later version wrote"), "{refused}");
    assert_empty(&data);
}

#[tokio::test]
async fn only_the_right_key_opens_an_encrypted_archive() {
    let still = Still::open();
    upload(&still, "Secret plan", b"nobody reads this".to_vec()).await;
    let (public, secret) = sealing::new_pair();
    let passphrase = Passphrase("correct horse battery".into());
    let locks = [
        (Lock::Passphrase(passphrase.clone()), Key::Passphrase(passphrase)),
        (Lock::Recipients(vec![public]), Key::Identities(vec![secret])),
    ];
    for (lock, key) in locks {
        still.clock.advance(SignedDuration::from_secs(1));
        let made = back_up(&still.app, BackupWanted { lock, ..wanted(Target::Folder) }).await;
        assert!(made.is_encrypted && made.is_verified && made.place.ends_with(".tar.zst.age"));
        let bytes = fs::read(&made.place).expect("the archive");
        assert_eq!(wrong(bytes.clone(), &key).expect("whole"), Vec::<String>::new());
        for at in (0..bytes.len()).step_by(bytes.len() / 40) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let found = wrong(flipped, &key);
            assert!(found.is_err() || found.is_ok_and(|found| !found.is_empty()), "byte {at}");
        }
        let folder = folder();
        let data = folder.path().join("data");
        let source = || from(BackupSource::Archive(made.place.clone().into()));
        let other = Key::Passphrase(Passphrase("wrong horse battery".into()));
        for (wrong, says) in [
            (Key::None, "encrypted"),
            (Key::Identities(vec![sealing::new_pair().1]), "encrypted"),
            (other, "wrong"),
        ] {
            let refused = restored(&data, Restore { key: wrong, ..source() }).await;
            let message = refused.expect_err("a refusal").to_string();
            assert!(message.contains(says) || message.contains("does not open"), "{message}");
            assert_empty(&data);
        }
        let restoring = Restore { key, ..source() };
        restored(&data, restoring).await.expect("a restore");
        assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
    }
}

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

/// The oldest format, written by the first version. It stays readable for ever.
#[tokio::test]
async fn a_backup_of_format_1_is_restored() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/backup");
    for name in ["format-1.tar.zst", "format-1.tar.zst.age"] {
        let folder = folder();
        let key = Key::Passphrase(Passphrase("a tall green kettle".into()));
        let restoring = Restore { key, ..from(BackupSource::Archive(fixtures.join(name))) };
        let restored = restored(folder.path(), restoring).await.expect("a restore");
        assert_eq!(restored.damages, Vec::<String>::new());
        assert_eq!((restored.records, restored.files), (25, 2));
        let app = sound(folder.path()).await;
        let titles = app.store.read(|tx| {
            let documents = tx.records::<Document>().iter()?;
            documents.map(|document| Ok(document?.title)).collect::<Result<Vec<_>>>()
        });
        assert_eq!(titles.await.expect("titles"), ["Budget", "Report", "Calendar"]);
    }
}
