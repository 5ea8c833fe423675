//! Backups: what is backed up comes back, and whatever is wrong with one is found.

mod archives;
mod bombs;
mod bucket;
mod cli;
mod continuous;
mod damage;
mod encrypted;
mod export;
mod first_run;
mod foreign;
mod killed;
mod leases;
mod pages;
mod piping;
mod plan;
mod repository;
mod restoring;
mod shipping;
mod signed;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use appliance::{
    app::{
        App, BackupSource, BackupWanted, Made, Reporter, Restore, Restored, Shipped, Target,
        restore,
    },
    backup::{Key, Lock, Signers},
    clock::Clock,
    config::{Config, StorageConfig},
    domain::{
        TABLES,
        backups::{self, Plan},
        blobs,
        documents::{self, Document},
    },
    error::Result,
    hash::Digest,
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
        lineage: None,
        signers: Signers::Any,
    }
}

/// A plan that ships changes to a repository every few seconds.
pub fn shipping(place: &str) -> Plan {
    let repository = Some(place.to_owned());
    Plan { is_on: true, repository, ship_every_seconds: 5, ..Plan::default() }
}

/// Has changes [shipped](shipping) to a repository.
pub fn ship_to(still: &Still, place: &str) {
    let plan = shipping(place);
    still.write(move |tx, ada| backups::set_plan(tx, ada, plan));
}

/// A round of shipping, some time after the last one.
pub async fn ship(still: &Still) -> Shipped {
    still.clock.advance(SignedDuration::from_secs(10));
    still.app.ship_changes().await.expect("shipping")
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
    restored_with(StorageConfig::default(), into, restoring).await
}

pub async fn restored_with(
    storage: StorageConfig,
    into: &Path,
    restoring: Restore,
) -> Result<Restored> {
    let config = Config { data: into.to_owned(), storage, ..Config::default() };
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

/// Every record that must be the same after a restore: what is not computed anew, neither jobs nor
/// sessions, and not the plan of backups, which is off then.
pub fn dump(store: &Store) -> BTreeMap<String, Value> {
    let look = |tx: &ReadTx| {
        let mut records = BTreeMap::new();
        let others = ["jobs", "sessions", "storage_owner", "backup_plan"];
        for table in TABLES.iter().filter(|table| !others.contains(&table.name)) {
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
    open_with(StorageConfig::default(), data).await
}

/// The same with the clock of another.
pub async fn open_at(clock: Clock, data: &Path) -> Arc<App> {
    opened(clock, StorageConfig::default(), data).await
}

pub async fn open_with(storage: StorageConfig, data: &Path) -> Arc<App> {
    opened(Clock::system(), storage, data).await
}

async fn opened(clock: Clock, storage: StorageConfig, data: &Path) -> Arc<App> {
    let config = Config { data: data.to_owned(), storage, ..Config::default() };
    let worker = env!("CARGO_BIN_EXE_appliance").into();
    tokio::task::spawn_blocking(move || App::open_with(config, clock, Some(worker)))
        .await
        .expect("no panic")
        .expect("a portal")
}

/// Opens a portal and looks through all of it.
pub async fn sound(data: &Path) -> Arc<App> {
    sound_with(StorageConfig::default(), data).await
}

pub async fn sound_with(storage: StorageConfig, data: &Path) -> Arc<App> {
    let app = open_with(storage, data).await;
    let report = app.check(true, &Reporter::unheard()).await.expect("a report");
    assert!(report.damages.is_empty(), "{report:?}");
    app
}

/// A library with some documents, stored and spooled, small and large.
pub async fn library() -> Still {
    filled(Still::open()).await
}

pub async fn filled(still: Still) -> Still {
    for number in 0..30u32 {
        let mut bytes = format!("document {number} ").repeat(1 + 40 * number as usize);
        bytes.push_str("end");
        upload(&still, &format!("Stored {number}"), bytes.into()).await;
    }
    store_files(&still).await;
    upload(&still, "Noise", noise(3_000_000, 0)).await;
    upload(&still, "Spooled", b"still on the spool".to_vec()).await;
    still.add_link("Link", "House");
    still
}

/// Bytes that nothing makes smaller.
pub fn noise(size_bytes: u32, seed: u32) -> Vec<u8> {
    let blocks = (0..size_bytes.div_ceil(32))
        .flat_map(|block| Digest::of(&[block.to_be_bytes(), seed.to_be_bytes()].concat()).0);
    blocks.take(size_bytes as usize).collect()
}

pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// What a restore that failed must leave: nothing.
pub fn assert_empty(data: &Path) {
    let left: Vec<_> =
        fs::read_dir(data).map(|found| found.flatten().collect()).unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
}
