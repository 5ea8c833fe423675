//! Files of users that look like records, or like a whole backup: they stay files, whatever is damaged
//! around them.

use std::{
    fs,
    io::{Read, Write},
};

use appliance::{
    app::{BackupSource, BackupWanted, Restore, Target},
    backup::{ArchiveReader, Key, Lock, Passphrase, check, frames::FrameWriter},
    domain::users::User,
    error::Result,
    store::Record,
};
use serde_json::{Value, json};

use super::{archive, back_up, dump, folder, from, noise, open, restored, upload, wanted};
use crate::support::Still;

/// A tar file of these entries, without an end.
fn tar_of(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, path, bytes.as_slice()).expect("an entry");
    }
    tar.get_ref().clone()
}

fn entries_of(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let plain = zstd::decode_all(archive).expect("zstd");
    let mut tar = tar::Archive::new(plain.as_slice());
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    for entry in tar.entries().expect("tar") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("its content");
        if !entries.iter().any(|(known, _)| *known == path) {
            entries.push((path, bytes));
        }
    }
    entries
}

/// What the first version made of the same: each entry once, and frames without marks.
fn as_format_1(archive: &[u8]) -> Vec<u8> {
    let mut frames = FrameWriter::new(Vec::new());
    for (path, mut bytes) in entries_of(archive) {
        if path.ends_with(".json") {
            let mut value: Value = serde_json::from_slice(&bytes).expect("JSON");
            value["format"] = 1.into();
            // Nobody signed then.
            value.as_object_mut().expect("an object").remove("signature");
            bytes = serde_json::to_vec(&value).expect("JSON");
        }
        let is_part = !path.starts_with("files/");
        if is_part {
            frames.end_frame().expect("an end");
        }
        frames.write_all(&tar_of(&[(path, bytes)])).expect("an entry");
        if is_part {
            frames.end_frame().expect("an end");
        }
    }
    frames.write_all(&[0; 1_024]).expect("an end");
    frames.finish().expect("an archive")
}

/// A portal with a file that holds an administrator `evil`, as records, as an archive in frames, and as
/// an archive of this very format.
async fn with_evil_file() -> Still {
    let still = Still::open();
    let users = dump(&still.app.store);
    let ada = users.iter().find(|(key, _)| key.starts_with("users ")).expect("ada").1;
    let mut evil = ada.clone();
    evil["id"] = json!("00000000-0000-7000-8000-000000000666");
    evil["username"] = json!("evil");
    evil["email"] = json!("evil@example.com");
    let records = serde_json::to_vec(&evil).expect("JSON");
    let tar = tar_of(&[("records/users-0001.jsonl".into(), records.clone())]);
    let other = fs::read(archive(&still.app).await).expect("an archive");
    let mut entries = entries_of(&other);
    for (path, bytes) in &mut entries {
        if path == "records/users-0001.jsonl" {
            bytes.push(b'\n');
            bytes.extend(&records);
        }
    }
    let mut framed = FrameWriter::new(Vec::new());
    framed.write_all(&tar_of(&entries)).expect("frames");
    let framed = framed.finish().expect("frames");
    let mut file = noise(600 * 512, 1);
    for part in [&tar, &framed, &other, &tar] {
        file.extend(part);
        file.resize(file.len().next_multiple_of(512), 7);
        file.extend(noise(600 * 512, file.len() as u32));
    }
    upload(&still, "Evil", file).await;
    upload(&still, "Good", noise(50_000, 3)).await;
    still.clock.advance(jiff::SignedDuration::from_secs(1));
    still
}

/// Flips bytes all over an archive; whatever comes back has no user that was not there.
async fn assert_nobody_new(bytes: &[u8], key: &Key, flips: usize) {
    let folder = folder();
    let mut came_back = 0;
    for flip in 0..flips {
        let mut flipped = bytes.to_vec();
        let at = bytes.len() * flip / flips + 100;
        flipped[at] ^= 0x04;
        let path = folder.path().join("archive");
        fs::write(&path, &flipped).expect("a file");
        let data = folder.path().join(format!("data{flip}"));
        let restoring = Restore { key: key.clone(), ..from(BackupSource::Archive(path)) };
        if restored(&data, restoring).await.is_err() {
            continue;
        }
        came_back += 1;
        let app = open(&data).await;
        let users = app.store.read(|tx| tx.records::<User>().iter()?.collect::<Result<Vec<_>>>());
        let names: Vec<_> =
            users.await.expect("users").into_iter().map(|user| user.username).collect();
        assert_eq!(names, ["ada"], "byte {at}");
    }
    assert!(came_back > flips / 2, "{came_back} of {flips}");
}

#[tokio::test]
async fn records_in_a_file_of_a_user_stay_in_it() {
    let still = with_evil_file().await;
    let bytes = fs::read(archive(&still.app).await).expect("the archive");
    assert_nobody_new(&bytes, &Key::None, 20).await;
    let passphrase = Passphrase("correct horse battery".into());
    let lock = Lock::Passphrase(passphrase.clone());
    still.clock.advance(jiff::SignedDuration::from_secs(1));
    let made = back_up(&still.app, BackupWanted { lock, ..wanted(Target::Folder) }).await;
    let bytes = fs::read(made.place).expect("the archive");
    assert_nobody_new(&bytes, &Key::Passphrase(passphrase), 10).await;
}

#[tokio::test]
async fn records_in_a_file_of_a_user_stay_in_it_in_format_1_too() {
    let still = with_evil_file().await;
    let bytes = as_format_1(&fs::read(archive(&still.app).await).expect("the archive"));
    let folder = folder();
    let path = folder.path().join("archive");
    fs::write(&path, &bytes).expect("a file");
    let data = folder.path().join("data");
    let whole = restored(&data, from(BackupSource::Archive(path))).await.expect("a restore");
    assert_eq!(whole.damages, Vec::<String>::new());
    assert_eq!(dump(&open(&data).await.store), dump(&still.app.store));
    assert_nobody_new(&bytes, &Key::None, 20).await;
    // Verifying tells: some of these flips lead a reader astray.
    let mut astray = 0;
    for flip in 0..20 {
        let mut flipped = bytes.clone();
        flipped[bytes.len() * flip / 20 + 100] ^= 0x04;
        let archive = ArchiveReader::open(std::io::Cursor::new(flipped), &Key::None);
        let Ok((_, damages)) = archive.and_then(|archive| check(archive, |_| {})) else { continue };
        astray += u32::from(damages.iter().any(|damage| damage.contains("is a user's")));
    }
    assert!(astray > 0, "the file was made for this");
}

#[tokio::test]
async fn a_backup_without_its_accounts_is_refused() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let bytes = fs::read(archive(&still.app).await).expect("the archive");
    let folder = folder();
    for table in [User::TABLE.name, "organizations", "settings"] {
        // Without a second copy, and the first one is another.
        let mut entries = entries_of(&as_format_1(&bytes));
        let part =
            entries.iter_mut().find(|(path, _)| path.starts_with(&format!("records/{table}")));
        let Some((_, content)) = part else { panic!("no {table}") };
        *content = b"{}".to_vec();
        let mut frames = FrameWriter::new(Vec::new());
        for entry in entries {
            frames.end_frame().expect("an end");
            frames.write_all(&tar_of(&[entry])).expect("an entry");
        }
        frames.end_frame().expect("an end");
        let path = folder.path().join("archive");
        fs::write(&path, frames.finish().expect("an archive")).expect("a file");
        let data = folder.path().join("data");
        let refused = restored(&data, from(BackupSource::Archive(path))).await;
        let message = refused.expect_err("a refusal").to_string();
        assert!(message.contains("nobody could work in the portal"), "{table}: {message}");
        super::assert_empty(&data);
    }
}
