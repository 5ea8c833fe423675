//! Archives that are damaged, cut off, foreign, locked or hostile.

use std::fs;

use appliance::{
    app::{BackupSource, BackupWanted, Restore, Target},
    backup::{
        ArchiveReader, Fault, Key, Lock, Manifest, Passphrase, check, frames::MarkedWriter, sealing,
    },
    domain::blobs::Blob,
    error::Result,
    hash::{ContentHash, Digest},
};
use jiff::SignedDuration;

use super::{
    archive, assert_empty, back_up, dump, folder, from, library, noise, open, restored, sound,
    upload, wanted,
};
use crate::support::Still;

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
    // Between what comes twice lie zeros: some of them will do.
    let zeros = bytes.windows(1_000).position(|window| window.iter().all(|byte| *byte == 0));
    let zeros = zeros.expect("a filler");
    for at in
        (0..zeros).chain((zeros..zeros + 65_000).step_by(999)).chain(zeros + 65_000..bytes.len())
    {
        let mut flipped = bytes.clone();
        flipped[at] ^= [0x01, 0x10, 0x80][at % 3];
        let found = wrong(flipped, &Key::None);
        assert!(found.is_err() || found.is_ok_and(|found| !found.is_empty()), "byte {at}");
    }
}

/// What was missing from the beginning does not explain what has changed since.
#[tokio::test]
async fn a_flipped_byte_is_found_where_a_file_was_missing() {
    let still = Still::open();
    upload(&still, "Lost", b"lost".to_vec()).await;
    upload(&still, "Kept", b"kept".to_vec()).await;
    let spooled = still.app.config.data.join("spool").join(Digest::of(b"lost").to_string());
    fs::remove_file(spooled).expect("a loss");
    let bytes = fs::read(archive(&still.app).await).expect("the archive");
    let missing = wrong(bytes.clone(), &Key::None).expect("readable");
    assert_eq!(missing.len(), 1);
    for at in (0..bytes.len()).step_by(97) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let found = wrong(flipped, &Key::None);
        assert!(found.is_err() || found.is_ok_and(|found| found.len() > 1), "byte {at}");
    }
}

/// So many documents of which each fills most of a frame or of a chunk.
const NOISES: u32 = 20;

async fn noisy_library() -> Still {
    let still = library().await;
    for number in 0..NOISES {
        upload(&still, &format!("Noise {number}"), noise(40_000, number)).await;
    }
    still
}

/// Restores an archive whose byte `at` is another, and looks that every record is what it was and that
/// every file is there or named; how large the lost ones are.
async fn lost_by_flip(still: &Still, bytes: &[u8], key: &Key, at: usize) -> Vec<u64> {
    let folder = folder();
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 0x20;
    let path = folder.path().join("damaged");
    fs::write(&path, flipped).expect("a file");
    let data = folder.path().join("data");
    let restoring = Restore { key: key.clone(), ..from(BackupSource::Archive(path)) };
    let restored = restored(&data, restoring).await;
    let restored = restored.unwrap_or_else(|fault| panic!("byte {at}: {fault}"));
    assert!(!restored.damages.is_empty(), "byte {at}");
    let named = |damage: &String| damage.strip_prefix("The file ")?.get(..64)?.parse().ok();
    let named: Vec<ContentHash> = restored.damages.iter().filter_map(named).collect();
    assert_eq!(restored.files as usize + named.len(), 32 + NOISES as usize, "byte {at}");
    assert!(named.is_empty() || named.len() == restored.damages.len(), "byte {at}: {restored:?}");
    assert!(dump(&open(&data).await.store) == dump(&still.app.store), "byte {at}");
    let sizes = still.app.store.read(move |tx| {
        let size = |hash: &ContentHash| Ok(tx.get::<Blob>(hash)?.expect("a file").size_bytes);
        named.iter().map(size).collect::<Result<Vec<_>>>()
    });
    sizes.await.expect("sizes")
}

/// What a chunk of the encryption or a frame holds.
const BUNDLE_BYTES: u64 = 64 << 10;

#[tokio::test]
async fn one_flipped_byte_costs_one_frame_of_files_and_no_record() {
    let still = noisy_library().await;
    let bytes = fs::read(archive(&still.app).await).expect("the archive");
    let mut lost = 0;
    for step in 0..=24 {
        let at = (bytes.len() - 1) * step / 24;
        let now = lost_by_flip(&still, &bytes, &Key::None, at).await;
        let is_bundle = now.iter().sum::<u64>() <= BUNDLE_BYTES;
        assert!(now.len() <= 1 || is_bundle, "byte {at}: {now:?}");
        lost += now.len();
    }
    assert!(lost > 5, "the flips hit something: {lost}");
    for at in (0..700).step_by(50).chain((1..160).step_by(20).map(|end| bytes.len() - end)) {
        lost_by_flip(&still, &bytes, &Key::None, at).await;
    }
}

#[tokio::test]
async fn a_truncated_archive_changes_nothing() {
    let still = Still::open();
    upload(&still, "One", b"some text".to_vec()).await;
    let bytes = fs::read(archive(&still.app).await).expect("the archive");
    let folder = folder();
    let path = folder.path().join("cut.tar.zst");
    // Before the first manifest, which the zeros follow.
    let zeros = bytes.windows(1_000).position(|window| window.iter().all(|byte| *byte == 0));
    let zeros = zeros.expect("a filler");
    for length in [0, 1, 100, zeros / 2, zeros - 300] {
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
    // Behind the first manifest all comes once more: all comes back, and the fault is told.
    fs::write(&path, &bytes[..bytes.len() - 60_000]).expect("a file");
    let done = restored(&folder.path().join("data"), from(BackupSource::Archive(path))).await;
    let done = done.expect("everything that matters is there");
    assert_eq!((done.files, done.damages.len()), (1, 1), "{:?}", done.damages);
}

#[tokio::test]
async fn a_later_format_is_refused() {
    let folder = folder();
    let path = folder.path().join("future.tar.zst");
    let mut frames = appliance::backup::frames::FrameWriter::new(Vec::new());
    {
        let mut tar = tar::Builder::new(&mut frames);
        let head = br#"{"format": 3, "application": "9.0.0", "instance": "x",
            "created_at": "2030-01-01T00:00:00Z", "sequence": 1,
            "lineage": "00000000-0000-0000-0000-000000000000"}"#;
        let mut header = tar::Header::new_gnu();
        header.set_size(head.len() as u64);
        tar.append_data(&mut header, "backup.json", head.as_slice()).expect("an entry");
        tar.finish().expect("an end");
    }
    fs::write(&path, frames.finish().expect("bytes")).expect("a file");
    let data = folder.path().join("data");
    let source = || from(BackupSource::Archive(path.clone()));
    let refused = restored(&data, source()).await.expect_err("a refusal");
    assert!(refused.to_string().contains("a later version wrote"), "{refused}");
    assert_empty(&data);
    // Whatever else that version says of it.
    let mut tar = tar::Builder::new(Vec::new());
    let head = br#"{"format": 99, "origin": {"name": "x"}}"#;
    let mut header = tar::Header::new_gnu();
    header.set_size(head.len() as u64);
    tar.append_data(&mut header, "backup.json", head.as_slice()).expect("an entry");
    let scratch = tempfile::tempfile().expect("a file");
    let frames = MarkedWriter::begin(Vec::new(), tar.get_ref(), scratch).expect("frames");
    fs::write(&path, frames.finish().expect("bytes")).expect("a file");
    let refused = restored(&data, source()).await.expect_err("a refusal");
    assert!(refused.to_string().contains("format 99"), "{refused}");
    assert_empty(&data);
    let manifest = Manifest::read(br#"{"format": 99, "tables": []}"#).expect("JSON");
    assert!(matches!(manifest, Err(Fault::Future { found: 99, .. })), "{manifest:?}");
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

/// One chunk of the encryption is 64 KiB; the rest comes back, and what is lost is named.
#[tokio::test]
async fn a_damaged_chunk_of_an_encrypted_archive_does_not_block_the_rest() {
    let still = noisy_library().await;
    let passphrase = Passphrase("correct horse battery".into());
    let lock = Lock::Passphrase(passphrase.clone());
    let made = back_up(&still.app, BackupWanted { lock, ..wanted(Target::Folder) }).await;
    let bytes = fs::read(&made.place).expect("the archive");
    let key = Key::Passphrase(passphrase);
    for step in 0..=8 {
        // Behind the header of age, in which the key is.
        let at = (300 + (bytes.len() - 301) * step / 8).min(bytes.len() - 1);
        let mut lost = lost_by_flip(&still, &bytes, &key, at).await;
        // One that fills frames of its own, and what lies in the frames that the chunk touches.
        lost.sort_unstable();
        lost.pop();
        assert!(lost.iter().sum::<u64>() <= 4 * BUNDLE_BYTES, "byte {at}: {lost:?}");
    }
    // Two chunks that change their places are both lost, and not taken for one another.
    let chunk = (64 << 10) + 16;
    let begin = bytes.len() / 2;
    let mut swapped = bytes.clone();
    let (one, other) = swapped[begin..begin + 2 * chunk].split_at_mut(chunk);
    one.swap_with_slice(other);
    assert!(!wrong(swapped, &key).expect("a look").is_empty());
}

#[tokio::test]
async fn a_damaged_beginning_does_not_block_the_rest() {
    let still = library().await;
    let mut bytes = fs::read(archive(&still.app).await).expect("the archive");
    bytes[20] ^= 0xff;
    let folder = folder();
    let path = folder.path().join("damaged.tar.zst");
    fs::write(&path, &bytes).expect("a file");
    let data = folder.path().join("data");
    let restored = restored(&data, from(BackupSource::Archive(path))).await.expect("a restore");
    assert_eq!(restored.files, 32);
    assert!(!restored.damages.is_empty());
    assert_eq!(dump(&open(&data).await.store), dump(&still.app.store));
}

/// An archive with these entries, as a stranger could make it.
fn forged(entries: &[(&str, u64, &[u8])]) -> Vec<u8> {
    let mut frames = appliance::backup::frames::FrameWriter::new(Vec::new());
    let head = br#"{"format": 1, "application": "0.1.0", "instance": "x",
        "created_at": "2026-11-21T10:00:00Z", "sequence": 1,
        "lineage": "00000000-0000-0000-0000-000000000000"}"#;
    let mut tar = tar::Builder::new(&mut frames);
    let first: (&str, u64, &[u8]) = ("backup.json", head.len() as u64, head);
    for (path, size_bytes, content) in [first].iter().chain(entries) {
        let mut header = tar::Header::new_gnu();
        header.set_size(*size_bytes);
        // As they are: the library would refuse such names.
        let name = &mut header.as_old_mut().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        tar.append(&header, *content).expect("an entry");
    }
    tar.finish().expect("an end");
    drop(tar);
    frames.finish().expect("bytes")
}

#[tokio::test]
async fn a_hostile_archive_writes_nowhere_else() {
    let outer = folder();
    let hash = Digest::of(b"evil").to_string();
    let climbing = format!("files/ab/../../../../{hash}");
    let absolute = outer.path().join("absolute").display().to_string();
    let names = [
        "../outside",
        "files/../../outside",
        "records/../../outside-0001.jsonl",
        "lists/../../../outside",
        &climbing,
        &absolute,
        "/etc/appliance-outside",
        "records/users",
        "records/no_such_table-0001.jsonl",
    ];
    for name in names {
        let archive = forged(&[(name, 4, b"evil")]);
        let inner = outer.path().join("inner");
        fs::create_dir_all(&inner).expect("a folder");
        let path = inner.join("hostile.tar.zst");
        fs::write(&path, archive).expect("a file");
        let data = inner.join("data");
        let refused = restored(&data, from(BackupSource::Archive(path.clone()))).await;
        assert!(refused.is_err(), "it has no manifest: {name}");
        assert_empty(&data);
        fs::remove_file(&path).expect("a removal");
        let left: Vec<_> = fs::read_dir(outer.path()).expect("a folder").flatten().collect();
        assert_eq!(left.len(), 1, "{name}: {left:?}");
        assert!(!std::path::Path::new("/etc/appliance-outside").exists());
    }
}

#[tokio::test]
async fn huge_sizes_and_bombs_are_refused() {
    let folder = folder();
    let path = folder.path().join("hostile.tar.zst");
    let hash = Digest::of(b"evil").to_string();
    let file = format!("files/{}/{hash}", &hash[..2]);
    // More than any disk has, and more than a part may have.
    for (name, size_bytes) in [(file.as_str(), 1 << 60), ("records/users-0001.jsonl", 1 << 40)] {
        fs::write(&path, forged(&[(name, size_bytes, b"evil")])).expect("a file");
        let data = folder.path().join("data");
        let refused = restored(&data, from(BackupSource::Archive(path.clone()))).await;
        assert!(refused.is_err(), "{name}");
        assert_empty(&data);
    }
    // A frame that says it holds 16 GiB: a program that believes it dies.
    let mut bomb = zstd::stream::Encoder::new(Vec::new(), 1).expect("an encoder");
    let zeros = vec![0; 1 << 20];
    for _ in 0..256 {
        std::io::Write::write_all(&mut bomb, &zeros).expect("zeros");
    }
    let bomb = bomb.finish().expect("a bomb");
    assert!(bomb.len() < 1 << 20);
    assert!(wrong(bomb.clone(), &Key::None).is_err());
    let mut appended = forged(&[]);
    appended.extend(bomb);
    assert!(wrong(appended, &Key::None).is_err());
}
