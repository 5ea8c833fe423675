//! Archives: what is backed up comes back, also under load.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use appliance::{
    app::{BackupSource, Target},
    backup::{ArchiveReader, Key, check},
    domain::{
        blobs::{self, Place},
        documents::{self, Document, DocumentEdit},
        jobs::{self, Lane},
    },
    error::Result,
    hash::{ContentHash, Digest},
};
use jiff::SignedDuration;
use serde_json::Value;

use super::{archive, back_up, dump, folder, from, library, restored, sound, upload, wanted};

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
