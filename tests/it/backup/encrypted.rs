//! Encrypted repositories: who owns the place reads nothing, and cannot make us write what they can
//! read.

use std::{fs, path::Path};

use appliance::{
    app::{BackupWanted, Reporter, Restore, list_backups, prune_backups, verify_backups},
    backup::{Key, Lock, Passphrase, sealing},
    domain::backups,
    error::{Error, Result},
    hash::Digest,
};
use jiff::SignedDuration;
use serde_json::Value;

use super::{
    back_up, dump, from,
    repository::{config, last, objects, place, snapshot, source, to},
    restored, sound, upload,
};
use crate::support::Still;

const CONFIGS: [&str; 2] = ["config.json", "config-copy.json"];

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
            let is_config = CONFIGS.iter().any(|name| path.ends_with(name));
            assert!(is_sealed || is_config, "{}", path.display());
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

/// Writes a configuration of a repository with a checksum that fits.
fn put_config(folder: &Path, mut config: Value) {
    let fields = config.as_object_mut().expect("an object");
    fields.remove("sha256");
    let sha256 = Digest::of(&serde_json::to_vec(&fields).expect("JSON")).to_string();
    config["sha256"] = sha256.into();
    fs::write(folder.join("repository/config.json"), config.to_string()).expect("a change");
}

fn get_config(folder: &Path) -> Value {
    let json = fs::read(folder.join("repository/config.json")).expect("a configuration");
    serde_json::from_slice(&json).expect("JSON")
}

async fn again(still: &Still, folder: &Path) -> Result<appliance::app::Made> {
    still.clock.advance(SignedDuration::from_secs(1));
    still.app.back_up(to(folder), &Reporter::unheard()).await
}

#[tokio::test]
async fn whoever_owns_the_place_cannot_exchange_its_key() {
    for lock in [
        Lock::Passphrase(Passphrase("correct horse battery".into())),
        Lock::Recipients(vec![sealing::new_pair().0]),
    ] {
        let still = Still::open();
        upload(&still, "Secret", b"nobody reads this".to_vec()).await;
        let folder = tempfile::tempdir().expect("a folder");
        back_up(&still.app, BackupWanted { lock: lock.clone(), ..to(folder.path()) }).await;
        let honest = get_config(folder.path());
        let written = objects(&folder.path().join("repository")).len();
        upload(&still, "More", b"nobody reads this either".to_vec()).await;
        let mut other_key = honest.clone();
        other_key["key"]["public"] = sealing::new_pair().0.into();
        let mut no_key = honest.clone();
        no_key["key"] = Value::Null;
        let mut other_id = honest.clone();
        other_id["id"] = "00000000-0000-4000-8000-000000000001".into();
        for config in [other_key, no_key, other_id] {
            put_config(folder.path(), config);
            let refused = again(&still, folder.path()).await.expect_err("a refusal").to_string();
            assert!(refused.contains("appliance backup trust"), "{refused}");
            assert_eq!(objects(&folder.path().join("repository")).len(), written);
        }
        for name in CONFIGS {
            fs::remove_file(folder.path().join("repository").join(name)).expect("a removal");
        }
        let refused = again(&still, folder.path()).await.expect_err("a refusal").to_string();
        assert!(refused.contains("is gone"), "{refused}");
        put_config(folder.path(), honest);
        again(&still, folder.path()).await.expect("a backup");
        // Somebody who did it says so.
        fs::remove_dir_all(folder.path().join("repository")).expect("a removal");
        again(&still, folder.path()).await.expect_err("a refusal");
        let actor = still.actor();
        still.app.trust_repository(actor, place(folder.path())).await.expect("trust");
        back_up(&still.app, BackupWanted { lock, ..to(folder.path()) }).await;
    }
}

/// Also in the header of age, where it may look as if another key had been meant.
#[tokio::test]
async fn a_flipped_byte_in_an_encrypted_object_is_named() {
    let still = Still::open();
    upload(&still, "Secret", b"nobody reads this".to_vec()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let passphrase = Passphrase("correct horse battery".into());
    let wanted = BackupWanted { lock: Lock::Passphrase(passphrase), ..to(folder.path()) };
    back_up(&still.app, wanted).await;
    // Opening it with a passphrase each time would take long.
    let plan = still.app.store.read(backups::plan).await.expect("a plan");
    let key = Key::Identities(plan.keys.into_values().map(Passphrase).collect());
    let repository = folder.path().join("repository");
    for kind in ["files", "parts", "snapshots", "config.json"] {
        let at = repository.join(kind);
        let path = if at.is_dir() { objects(&at).remove(0) } else { at };
        let bytes = fs::read(&path).expect("an object");
        for flip in (0..bytes.len().min(250)).step_by(7) {
            let mut flipped = bytes.clone();
            flipped[flip] ^= 0x04;
            fs::write(&path, flipped).expect("a change");
            let unheard = Reporter::unheard();
            let place = place(folder.path());
            let found = verify_backups(&config(), &place, &key, true, false, &unheard).await;
            let damages = found.expect("a look").damages;
            let name = path.strip_prefix(&repository).expect("a name").display().to_string();
            assert!(damages.len() == 1 && damages[0].contains(&name), "{flip}: {damages:?}");
        }
        fs::write(&path, bytes).expect("a change");
    }
}

#[tokio::test]
async fn keys_that_do_not_belong_together_open_nothing() {
    let still = Still::open();
    upload(&still, "Secret", b"nobody reads this".to_vec()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let passphrase = Passphrase("correct horse battery".into());
    let lock = Lock::Passphrase(passphrase.clone());
    back_up(&still.app, BackupWanted { lock, ..to(folder.path()) }).await;
    let mut config = get_config(folder.path());
    config["key"]["public"] = sealing::new_pair().0.into();
    put_config(folder.path(), config);
    let restoring = Restore { key: Key::Passphrase(passphrase), ..from(source(folder.path())) };
    let refused = restored(&folder.path().join("data"), restoring).await;
    let message = refused.expect_err("a refusal").to_string();
    assert!(message.contains("do not belong together"), "{message}");
}

/// A portal may write to more than one, each with a key of its own.
#[tokio::test]
async fn two_encrypted_repositories_do_not_mix_up_their_keys() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let (one, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("one"));
    for (folder, text) in [(&one, "correct horse battery"), (&other, "a tall green kettle")] {
        let lock = Lock::Passphrase(Passphrase(text.into()));
        still.clock.advance(SignedDuration::from_secs(1));
        back_up(&still.app, BackupWanted { lock, ..to(folder.path()) }).await;
    }
    for folder in [&one, &other] {
        assert!(again(&still, folder.path()).await.expect("a backup").is_verified);
    }
    let plan = still.app.store.read(backups::plan).await.expect("a plan");
    assert_eq!((plan.keys.len(), plan.seals.len()), (2, 2));
}
