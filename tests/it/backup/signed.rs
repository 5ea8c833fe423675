//! Signatures: what somebody else puts into the place of the backups is not taken for the portal's.

use std::{fs, path::Path};

use appliance::{
    app::{
        BackupSource, BackupWanted, Reporter, Restore, Shipped, Target, list_backups,
        prune_backups, verify_backups,
    },
    backup::{Key, Lock, Manifest, Part, SignerKey, Signers, Trust, frames::FrameWriter, sealing},
    domain::backups::{self, Plan},
    hash::Digest,
};
use jiff::SignedDuration;

use super::{
    archive, back_up, dump, folder, from, open,
    repository::{config, last, objects, place, snapshot, source, to},
    restored, ship_to, sound, upload, wanted,
};
use crate::support::Still;

async fn own(still: &Still) -> SignerKey {
    still.app.backup_signer_key().await.expect("a key")
}

fn trust(key: SignerKey) -> Trust {
    Trust { key: Key::None, signers: Signers::Own(key) }
}

fn signers(key: SignerKey) -> Signers {
    Signers::Only(key)
}

pub(super) fn manifest_of(path: &Path) -> Manifest {
    let mut json = Vec::new();
    let mut frames =
        appliance::backup::frames::FrameReader::new(fs::File::open(path).expect("one"));
    std::io::Read::read_to_end(&mut frames, &mut json).expect("a manifest");
    Manifest::read(&json).expect("JSON").expect("a signature")
}

/// Puts a manifest into a repository, as anybody can who may write there.
fn put_manifest(folder: &Path, name: &str, manifest: &Manifest) {
    let mut frames = FrameWriter::new(Vec::new());
    let json = serde_json::to_vec(manifest).expect("JSON");
    std::io::Write::write_all(&mut frames, &json).expect("a manifest");
    let bytes = frames.finish().expect("a manifest");
    fs::write(folder.join("repository/snapshots").join(name), bytes).expect("a snapshot");
}

fn snapshots(folder: &Path) -> Vec<std::path::PathBuf> {
    objects(&folder.join("repository/snapshots"))
}

#[tokio::test]
async fn a_portal_signs_its_backups_and_goes_on_with_its_key_after_a_restore() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let path = archive(&still.app).await;
    let key = own(&still).await;
    let target = folder();
    for (number, signers) in [Signers::Any, signers(key)].into_iter().enumerate() {
        let data = target.path().join(number.to_string());
        let restoring = Restore { signers, ..from(BackupSource::Archive(path.clone())) };
        let done = restored(&data, restoring).await.expect("a restore");
        assert_eq!((done.signer, done.warnings), (Some(key), Vec::new()));
        let app = open(&data).await;
        assert_eq!(app.backup_signer_key().await.expect("a key"), key);
    }
    let other = own(&Still::open()).await;
    let data = target.path().join("other");
    let restoring = Restore { signers: signers(other), ..from(BackupSource::Archive(path)) };
    let message = restored(&data, restoring).await.expect_err("a refusal").to_string();
    assert!(message.contains(&format!("not signed by {other}, but by {key}")), "{message}");
    super::assert_empty(&data);
    // A plan that is set anew keeps it, and shows it to nobody.
    still.write(|tx, ada| backups::set_plan(tx, ada, Plan::default()));
    assert_eq!(own(&still).await, key);
    let view = still.app.backup_plan().await.expect("the plan").without_secrets();
    assert!(view.plan.signer.is_empty() && view.signer == Some(key));
}

/// Who may write to the place adds a newer snapshot, changes one, or gives an old one a new time.
#[tokio::test]
async fn what_somebody_else_puts_into_a_repository_is_found_and_passed_over() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let folder = folder();
    snapshot(&still, folder.path()).await;
    let key = own(&still).await;
    let there = dump(&still.app.store);
    let good = snapshots(folder.path());
    let mut manifest = manifest_of(&good[0]);
    assert_eq!(manifest.head.signer, Some(key));

    // Unsigned, with fewer records, as of tomorrow.
    let at = manifest.head.created_at + SignedDuration::from_hours(24);
    let name = format!("{}-0badc0de", at.strftime("%Y%m%dT%H%M%S%.3fZ"));
    let signature = manifest.signature.take();
    manifest.head.created_at = at;
    let gone = manifest.parts.pop().expect("a part");
    put_manifest(folder.path(), &name, &manifest);
    let unheard = Reporter::unheard();
    let place = place(folder.path());
    let found =
        still.app.verify_backups(Some(place.clone()), Trust::default(), (false, false), &unheard);
    let found = found.await.expect("a look");
    assert!(found.damages.len() == 1 && found.damages[0].contains("not signed"), "{found:?}");
    let listed = list_backups(&config(), &place, trust(key)).await.expect("a list");
    assert_eq!(listed.iter().map(|one| one.is_own).collect::<Vec<_>>(), [Some(true), Some(false)]);
    let data = folder.path().join("pinned");
    let restoring = Restore { signers: signers(key), ..from(source(folder.path())) };
    let done = restored(&data, restoring).await.expect("a restore");
    assert!(done.warnings.iter().any(|one| one.contains("passed over")), "{done:?}");
    assert_eq!(dump(&sound(&data).await.store), there);
    let data = folder.path().join("anybody");
    let done = restored(&data, from(source(folder.path()))).await.expect("a restore");
    assert!(done.warnings.iter().any(|one| one.contains("--signer")), "{done:?}");
    let drilled = still.app.drill(source(folder.path()), Key::None, &unheard).await;
    assert_eq!(drilled.expect("a drill").at, still.clock.now());
    // It takes no good one with it when old ones are removed.
    let pruned = prune_backups(&config(), &place, trust(key), last(1), &still.clock).await;
    assert_eq!(pruned.expect("pruned").snapshots_removed, 0);

    // With the signature of another, and the true one under another name.
    manifest.signature = signature;
    put_manifest(folder.path(), &name, &manifest);
    let found = verify_backups(&config(), &place, trust(key), false, false, &unheard).await;
    let damages = found.expect("a look").damages;
    assert!(damages.len() == 1 && damages[0].contains("signature"), "{damages:?}");
    manifest.parts.push(gone);
    fs::copy(&good[0], folder.path().join("repository/snapshots").join(&name)).expect("a copy");
    let found = verify_backups(&config(), &place, trust(key), false, false, &unheard).await;
    let damages = found.expect("a look").damages;
    assert!(damages.len() == 1 && damages[0].contains("signature"), "{damages:?}");
}

/// Who may write to the place, and not remove, has the portal remove nothing either: by a snapshot of his
/// own that calls the lists of files parts, or says another size of them.
#[tokio::test]
async fn a_snapshot_of_somebody_else_costs_no_file_of_ours() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let folder = folder();
    snapshot(&still, folder.path()).await;
    let files = objects(&folder.path().join("repository/files"));
    let mut manifest = manifest_of(&snapshots(folder.path())[0]);
    (manifest.signature, manifest.head.lineage) = (None, uuid::Uuid::from_u128(1));
    let list = fs::read(&files[0]).map(|_| files[0].file_name().expect("a name").to_owned());
    let list = format!("{} 0\n", list.expect("a file").to_string_lossy());
    let sha256 = Digest::of(list.as_bytes());
    let name = sha256.to_string();
    let part = folder.path().join("repository/parts").join(&name[..2]).join(&name);
    fs::create_dir_all(part.parent().expect("a folder")).expect("a folder");
    let mut frames = FrameWriter::new(Vec::new());
    std::io::Write::write_all(&mut frames, list.as_bytes()).expect("a list");
    fs::write(part, frames.finish().expect("a list")).expect("a part");
    let planted = Part { table: "files".into(), lines: 1, size_bytes: list.len() as u64, sha256 };
    let mut own_lists = std::mem::replace(&mut manifest.lists, vec![planted]);
    manifest.parts.append(&mut own_lists);
    for at in ["20000101T000000.000Z", "20990101T000000.000Z"] {
        manifest.head.created_at = at.parse().unwrap_or(manifest.head.created_at);
        put_manifest(folder.path(), &format!("{at}-0badc0de"), &manifest);
        let trust = trust(own(&still).await);
        let (place, unheard) = (place(folder.path()), Reporter::unheard());
        let found = verify_backups(&config(), &place, trust.clone(), true, true, &unheard).await;
        assert_eq!(found.expect("a look").damages, Vec::<String>::new());
        let pruned = prune_backups(&config(), &place, trust, last(1), &still.clock).await;
        pruned.expect("pruned");
        assert_eq!(objects(&folder.path().join("repository/files")), files, "{at}");
    }
}

/// Of an encrypted repository everybody knows the public key, who may read its `config.json`.
#[tokio::test]
async fn who_knows_only_the_public_key_adds_nothing_to_an_encrypted_repository() {
    let (still, other) = (Still::open(), Still::open());
    upload(&still, "Mine", b"mine".to_vec()).await;
    let (public, secret) = sealing::new_pair();
    let folder = folder();
    let lock = Lock::Recipients(vec![public]);
    let wanted = BackupWanted { lock: lock.clone(), ..to(folder.path()) };
    back_up(&still.app, wanted.clone()).await;
    let key = own(&still).await;
    other.clock.advance(SignedDuration::from_hours(1));
    upload(&other, "Evil", b"evil".to_vec()).await;
    back_up(&other.app, wanted).await;
    let data = folder.path().join("data");
    let restoring = Restore {
        key: Key::Identities(vec![secret]),
        signers: signers(key),
        ..from(source(folder.path()))
    };
    restored(&data, restoring).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
}

#[tokio::test]
async fn changes_that_are_not_signed_are_left_out() {
    let folder = folder();
    let still = Still::open();
    ship_to(&still, &place(folder.path()));
    snapshot(&still, folder.path()).await;
    still.clock.advance(SignedDuration::from_secs(10));
    upload(&still, "One", b"one".to_vec()).await;
    still.app.ship_changes().await.expect("shipping");
    let there = dump(&still.app.store);
    // Somebody adds one of his own behind it, and one under a name that says more than was signed.
    let segment = objects(&folder.path().join("repository/segments")).remove(0);
    let name = segment.file_name().expect("a name").to_string_lossy().into_owned();
    let numbers: Vec<u64> = name.split('-').map(|one| one.parse().expect("a number")).collect();
    let at = numbers[2] + 1_000;
    let next = format!("{:020}-{:020}-{at}", numbers[1] + 1, numbers[1] + 9);
    let forged = segment.with_file_name(next);
    fs::copy(&segment, &forged).expect("a copy");
    for (number, is_copy) in [true, false].into_iter().enumerate() {
        if !is_copy {
            let mut frames = FrameWriter::new(Vec::new());
            std::io::Write::write_all(&mut frames, b"{\"files\":[]}\n").expect("a segment");
            fs::write(&forged, frames.finish().expect("a segment")).expect("a segment");
        }
        let data = folder.path().join(number.to_string());
        let done = restored(&data, from(source(folder.path()))).await.expect("a restore");
        assert!(done.damages.len() == 1 && done.damages[0].contains("not signed"), "{done:?}");
        assert_eq!(dump(&sound(&data).await.store), there);
        let found = still
            .app
            .verify_backups(None, Trust::default(), (false, false), &Reporter::unheard())
            .await
            .expect("a look");
        assert_eq!(found.damages.len(), 1, "{found:?}");
    }
}

/// Whoever may write to the place names a segment so that it seems to hold what comes next, or more than
/// there ever was. The portal goes on behind its own last one, and a restore too.
#[tokio::test]
async fn the_name_of_a_segment_that_somebody_else_has_put_there_hides_nothing() {
    let folder = folder();
    let still = Still::open();
    ship_to(&still, &place(folder.path()));
    snapshot(&still, folder.path()).await;
    still.clock.advance(SignedDuration::from_secs(10));
    upload(&still, "One", b"one".to_vec()).await;
    still.app.ship_changes().await.expect("shipping");
    let segment = objects(&folder.path().join("repository/segments")).remove(0);
    let shipped = still.app.store.read(|tx| tx.latest_change()).await.expect("a number");
    let lineage = still.app.store.read(|tx| tx.lineage()).await.expect("a name");
    let plant = |to: u64, at: i64| {
        let name = format!("{:020}-{to:020}-{at}", shipped + 1);
        fs::copy(&segment, segment.with_file_name(name)).expect("a copy");
    };
    plant(shipped + 1, 0);
    // A new process reads anew how far it is.
    let still = still.reopen();
    still.clock.advance(SignedDuration::from_secs(10));
    upload(&still, "Two", b"two".to_vec()).await;
    let went = still.app.ship_changes().await.expect("shipping");
    assert!(matches!(went, Shipped::Changes(2..)), "{went:?}");
    let restored_as = async |name: &str, at| {
        let data = folder.path().join(name);
        let restoring = Restore { at, ..from(source(folder.path())) };
        let done = restored(&data, restoring).await.expect("a restore");
        assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store), "{name}");
        done.damages
    };
    assert_eq!(restored_as("passed over", None).await, Vec::<String>::new());
    // Nobody can know that nothing was in this one.
    plant(u64::MAX, 9_000_000_000_000);
    assert_eq!(restored_as("far ahead", None).await.len(), 1);
    assert_eq!(restored_as("at a moment", Some(still.app.clock.now())).await.len(), 1);
    let still = still.reopen();
    assert_eq!(still.app.ship_changes().await.expect("shipping"), Shipped::Nothing);
    snapshot(&still, folder.path()).await;
    let now = still.app.store.read(|tx| tx.lineage()).await.expect("a name");
    assert_eq!(now, lineage, "it did not go back");
}

#[tokio::test]
async fn a_manifest_that_was_changed_in_an_archive_restores_nothing() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let made = back_up(&still.app, wanted(Target::Folder)).await;
    let bytes = fs::read(&made.place).expect("the archive");
    let mut plain = zstd::decode_all(bytes.as_slice()).expect("zstd");
    let needle = b"\"instance\": \"northlight\"";
    let mut changed = 0;
    for at in 0..plain.len() - needle.len() {
        if plain[at..].starts_with(needle) {
            plain[at + 13] = b'N';
            changed += 1;
        }
    }
    assert!(changed >= 3, "in the head and in two manifests");
    // As format 1, which anybody can write, it may not pass for signed either.
    let mut frames = FrameWriter::new(Vec::new());
    std::io::Write::write_all(&mut frames, &plain).expect("frames");
    let folder = folder();
    let path = folder.path().join("archive");
    fs::write(&path, frames.finish().expect("an archive")).expect("a file");
    let data = folder.path().join("data");
    let key = own(&still).await;
    let restoring = Restore { signers: signers(key), ..from(BackupSource::Archive(path)) };
    restored(&data, restoring).await.expect_err("a refusal");
    super::assert_empty(&data);
}
