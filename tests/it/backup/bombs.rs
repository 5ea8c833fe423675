//! Archives that were made to keep whoever reads them busy: each ends soon, with a sentence, and nothing
//! has changed.

use std::{
    fs,
    io::Write,
    time::{Duration, Instant},
};

use age::{scrypt, secrecy::SecretString};
use appliance::{
    app::{BackupSource, Reporter, Restore, Target, verify_backups},
    backup::{Head, Key, Manifest, Passphrase, frames::FrameWriter},
    hash::Digest,
};

use super::{assert_empty, back_up, folder, from, restored, wanted};
use crate::support::Still;

/// Long for what takes a second, since the machine may be busy with other tests.
const SOON: Duration = Duration::from_secs(20);

/// The beginning of an archive of format 1, whose frames anybody can make.
fn head() -> Head {
    Head {
        format: 1,
        application: "1.0.0".into(),
        records: 1,
        instance: "bomb".into(),
        created_at: "2026-11-21T10:00:00Z".parse().expect("a time"),
        lineage: "00000000-0000-4000-8000-000000000001".parse().expect("an id"),
        sequence: 1,
        is_records_only: false,
        signer: None,
    }
}

struct Bomb(FrameWriter<Vec<u8>>);

impl Bomb {
    fn new() -> Self {
        let mut bomb = Bomb(FrameWriter::new(Vec::new()));
        bomb.entry("backup.json", &serde_json::to_vec(&head()).expect("JSON"));
        bomb
    }

    fn entry(&mut self, path: &str, bytes: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_path(path).expect("a path");
        header.set_cksum();
        self.0.write_all(header.as_bytes()).expect("a header");
        self.0.write_all(bytes).expect("content");
        let padding = bytes.len().next_multiple_of(512) - bytes.len();
        self.0.write_all(&vec![0; padding]).expect("padding");
        self.0.end_frame().expect("a frame");
    }

    /// With a manifest that names what it was given.
    fn finish(mut self, parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut manifest = Manifest::new(head());
        for (table, bytes) in parts {
            manifest.parts.push(appliance::backup::Part {
                table: (*table).into(),
                lines: u64::MAX,
                size_bytes: bytes.len() as u64,
                sha256: Digest::of(bytes),
            });
        }
        self.entry("manifest.json", &serde_json::to_vec(&manifest).expect("JSON"));
        self.0.write_all(&[0; 1_024]).expect("an end");
        self.0.finish().expect("an archive")
    }
}

/// Restores it, which is refused with this sentence; and looks at it as `verify` does.
async fn refused(bytes: &[u8], key: Key) -> String {
    ended(bytes, key).await.expect("a refusal")
}

async fn ended(bytes: &[u8], key: Key) -> Option<String> {
    let folder = folder();
    let path = folder.path().join("appliance-bomb-20261121T100000Z.tar.zst");
    fs::write(&path, bytes).expect("a file");
    let begin = Instant::now();
    let data = folder.path().join("data");
    let restoring = Restore { key: key.clone(), ..from(BackupSource::Archive(path.clone())) };
    let fault = restored(&data, restoring).await.err().map(|fault| fault.to_string());
    if fault.is_some() {
        assert_empty(&data);
    }
    let place = path.display().to_string();
    let unheard = Reporter::unheard();
    // Whatever it says: it ends.
    drop(verify_backups(&super::repository::config(), &place, &key, true, false, &unheard).await);
    assert!(begin.elapsed() < SOON, "{:?}: {fault:?}", begin.elapsed());
    fault
}

#[tokio::test]
async fn lines_without_number_are_refused() {
    // Each frame is a mebibyte of lines, and takes a few hundred bytes.
    let lines = b"{\n".repeat(8 << 20);
    let mut bomb = Bomb::new();
    bomb.entry("records/users-0001.jsonl", &lines);
    let bytes = bomb.finish(&[("users", &lines)]);
    assert!(bytes.len() < 20_000, "{}", bytes.len());
    let message = refused(&bytes, Key::None).await;
    assert!(message.contains("more records than any part"), "{message}");
}

#[tokio::test]
async fn records_that_nobody_can_read_are_not_all_tried() {
    let mut bomb = Bomb::new();
    let parts: Vec<Vec<u8>> =
        (0..3).map(|number| format!("{{\"n\":{number}}}\n").repeat(50_000).into()).collect();
    for (number, part) in parts.iter().enumerate() {
        bomb.entry(&format!("records/users-{number:04}.jsonl"), part);
    }
    let named: Vec<_> = parts.iter().map(|part| ("users", part.as_slice())).collect();
    let message = refused(&bomb.finish(&named), Key::None).await;
    assert!(message.contains("hardly any of its records"), "{message}");
}

#[tokio::test]
async fn what_unpacks_to_far_more_than_records_do_is_refused() {
    let mut bomb = Bomb::new();
    let nothing = vec![b' '; 15 << 20];
    for number in 0..40 {
        bomb.entry(&format!("notes/{number}.txt"), &nothing);
    }
    let bytes = bomb.finish(&[]);
    assert!(bytes.len() < 100_000, "{}", bytes.len());
    let message = refused(&bytes, Key::None).await;
    assert!(message.contains("unpacks to far more"), "{message}");
}

#[tokio::test]
async fn a_part_without_end_and_a_frame_that_lies_are_refused() {
    for size_bytes in [17_u64 << 20, u64::MAX >> 1] {
        let mut bomb = Bomb::new();
        let mut header = tar::Header::new_gnu();
        header.set_size(size_bytes);
        header.set_path("records/users-0001.jsonl").expect("a path");
        header.set_cksum();
        bomb.0.write_all(header.as_bytes()).expect("a header");
        bomb.0.write_all(&vec![b' '; 2 << 20]).expect("content");
        refused(&bomb.finish(&[]), Key::None).await;
    }
    // A frame of 64 MiB with a window as large, of nothing.
    let mut frame = zstd::stream::Encoder::new(Vec::new(), 1).expect("zstd");
    frame.window_log(27).expect("a window");
    frame.write_all(&vec![0; 64 << 20]).expect("zeros");
    let frame = frame.finish().expect("a frame");
    assert!(frame.len() < 20_000);
    refused(&frame, Key::None).await;
    // In the middle of one that is whole otherwise, where it is damage as any other.
    let mut bytes = Bomb::new().finish(&[]);
    let end = bytes.len() - 40;
    bytes.splice(end..end, frame);
    ended(&bytes, Key::None).await;
}

#[tokio::test]
async fn a_passphrase_that_costs_all_memory_is_not_tried() {
    let mut recipient = scrypt::Recipient::new(SecretString::from("correct horse battery"));
    // Made with little work; its header says that it was much.
    recipient.set_work_factor(10);
    let encryptor =
        age::Encryptor::with_recipients([&recipient as &dyn age::Recipient].into_iter());
    let mut out = Vec::new();
    let mut sealed = encryptor.expect("a recipient").wrap_output(&mut out).expect("a header");
    sealed.write_all(b"nothing").expect("content");
    sealed.finish().expect("an end");
    let at = out.windows(4).position(|four| four == b" 10\n").expect("the work");
    for work in ["19", "22", "40"] {
        let mut bytes = out.clone();
        bytes[at + 1..at + 3].copy_from_slice(work.as_bytes());
        let key = Key::Passphrase(Passphrase("correct horse battery".into()));
        let message = refused(&bytes, key).await;
        assert!(message.contains(&format!("2^{work}")) && message.contains("2^18"), "{message}");
    }
}

/// Objects of a repository, each exchanged for one that unpacks to a hundred times what any holds.
#[tokio::test]
async fn objects_of_a_repository_are_bounded_too() {
    let still = Still::open();
    super::upload(&still, "One", b"one".to_vec()).await;
    let folder = folder();
    let place = folder.path().join("repository").display().to_string();
    back_up(&still.app, wanted(Target::Repository(place.clone()))).await;
    let mut frames = FrameWriter::new(Vec::new());
    for _ in 0..2_000 {
        frames.write_all(&vec![b'['; 1 << 20]).expect("content");
    }
    let bomb = frames.finish().expect("an object");
    assert!(bomb.len() < 400_000, "{}", bomb.len());
    for kind in ["files", "parts", "snapshots"] {
        let begin = Instant::now();
        for path in super::repository::objects(&folder.path().join("repository").join(kind)) {
            fs::write(path, &bomb).expect("an object");
        }
        let data = folder.path().join("data").join(kind);
        drop(restored(&data, from(BackupSource::named(&place).expect("a repository"))).await);
        let unheard = Reporter::unheard();
        let config = super::repository::config();
        let found = verify_backups(&config, &place, &Key::None, true, false, &unheard).await;
        assert!(!found.expect("a look").damages.is_empty(), "{kind}");
        assert!(begin.elapsed() < SOON, "{kind}: {:?}", begin.elapsed());
    }
    for name in ["config.json", "config-copy.json"] {
        let config = folder.path().join("repository").join(name);
        fs::write(config, vec![b' '; 2 << 20]).expect("a file");
    }
    let data = folder.path().join("data");
    let refused = restored(&data, from(BackupSource::named(&place).expect("a repository"))).await;
    let message = refused.expect_err("a refusal").to_string();
    assert!(message.contains("far larger than anything we write"), "{message}");
}
