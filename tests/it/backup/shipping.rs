//! Shipping changes every few seconds costs the same whatever the size of the repository, and notices what
//! became of it.

use std::fs;

use appliance::{
    app::{Shipped, Target, prune_backups},
    backup::{Key, frames::FrameWriter},
    domain::{
        documents::{self, DocumentEdit},
        jobs::{Job, Task},
    },
};
use jiff::SignedDuration;

use super::{
    back_up, dump, folder, from, repository, restored, restored_with, ship, ship_to, sound, upload,
    wanted,
};
use crate::support::{
    Still,
    s3::{FaultProxy, S3Server},
};

const PLACE: &str = "s3://documents/backups/portal";

#[tokio::test(flavor = "multi_thread")]
async fn a_shipment_takes_as_many_requests_with_many_files_as_with_few() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let storage = s3.for_backups(Some(&proxy));
    let still = Still::open_with(|config| config.storage = storage.clone());
    ship_to(&still, PLACE);
    let id = upload(&still, "First", b"first".to_vec()).await;
    back_up(&still.app, wanted(Target::Repository(PLACE.into()))).await;
    let edit = |number: usize| {
        let title = Some(format!("Renamed {number}"));
        let edit = DocumentEdit { title, ..DocumentEdit::default() };
        still.write(move |tx, ada| documents::edit(tx, ada, id, edit, None));
    };
    edit(0);
    assert!(matches!(ship(&still).await, Shipped::Changes(_)));
    let mut counts = Vec::new();
    for size in [0, 40] {
        for number in 0..size {
            upload(&still, &format!("T{number}"), format!("file {number}").into()).await;
        }
        if size > 0 {
            assert!(matches!(ship(&still).await, Shipped::Changes(_)));
        }
        proxy.take_log();
        edit(size + 1);
        assert!(matches!(ship(&still).await, Shipped::Changes(1..)));
        let without_files = proxy.take_log();
        upload(&still, &format!("New {size}"), format!("new {size}").into()).await;
        upload(&still, &format!("Newer {size}"), format!("newer {size}").into()).await;
        assert!(matches!(ship(&still).await, Shipped::Changes(1..)));
        let with_two = proxy.take_log();
        assert!(without_files.len() <= 6, "{without_files:#?}");
        assert_eq!(with_two.len(), without_files.len() + 4, "{with_two:#?}");
        let lists = with_two.iter().filter(|line| line.contains("list-type=2"));
        assert!(lists.clone().all(|line| line.contains("locks")), "{with_two:#?}");
        counts.push(without_files.len());
        assert_eq!(ship(&still).await, Shipped::Nothing);
        assert_eq!(proxy.take_log(), Vec::<String>::new(), "nothing has changed");
    }
    assert_eq!(counts[0], counts[1]);
    let folder = folder();
    let data = folder.path().join("data");
    let source = appliance::app::BackupSource::named(PLACE).expect("a source");
    restored_with(storage, &data, from(source)).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
}

/// Pruned down to nothing, lost and exchanged: each time it is noticed before anything is shipped that
/// leads nowhere.
#[tokio::test]
async fn a_repository_that_is_not_as_it_was_left_is_looked_at_anew() {
    for what in ["pruned", "lost", "exchanged", "a segment is gone"] {
        let folder = folder();
        let place = repository::place(folder.path());
        let still = Still::open();
        ship_to(&still, &place);
        repository::snapshot(&still, folder.path()).await;
        upload(&still, "One", b"one".to_vec()).await;
        assert!(matches!(ship(&still).await, Shipped::Changes(_)), "{what}");
        let at = folder.path().join("repository");
        match what {
            "pruned" => {
                for part in ["snapshots", "segments"] {
                    fs::remove_dir_all(at.join(part)).expect("a removal");
                }
            }
            "lost" => fs::remove_dir_all(&at).expect("a removal"),
            "exchanged" => {
                let other = Still::open();
                fs::remove_dir_all(&at).expect("a removal");
                repository::snapshot(&other, folder.path()).await;
            }
            _ => fs::remove_dir_all(at.join("segments")).expect("a removal"),
        }
        upload(&still, "Two", b"two".to_vec()).await;
        still.clock.advance(SignedDuration::from_secs(10));
        let first = still.app.ship_changes().await;
        match what {
            "pruned" => assert_eq!(first.expect("a round"), Shipped::NeedsSnapshot),
            "lost" | "exchanged" => {
                let message = first.expect_err("a refusal").to_string();
                assert!(message.contains("appliance backup trust"), "{message}");
            }
            _ => {
                // What was in it goes once more.
                assert_eq!(first.expect("a round"), Shipped::Nothing);
                assert!(matches!(ship(&still).await, Shipped::Changes(_)));
                let data = folder.path().join("data");
                restored(&data, from(repository::source(folder.path()))).await.expect("a restore");
                assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
            }
        }
    }
}

/// Many small segments are bounded: another snapshot takes their place.
#[tokio::test]
async fn many_segments_order_a_snapshot() {
    let folder = folder();
    let place = repository::place(folder.path());
    let still = Still::open();
    ship_to(&still, &place);
    repository::snapshot(&still, folder.path()).await;
    let ordered = || {
        let jobs = |tx: &appliance::store::ReadTx| {
            let jobs = tx.records::<Job>().iter()?.collect::<appliance::error::Result<Vec<_>>>()?;
            Ok(jobs.into_iter().filter(|job| job.task == Task::BackUp).count())
        };
        still.app.store.read_blocking(jobs).expect("jobs")
    };
    for number in 0..499 {
        still.add_link(&format!("L{number}"), "");
        assert!(matches!(ship(&still).await, Shipped::Changes(_)));
    }
    assert_eq!(ordered(), 0);
    still.add_link("The last", "");
    assert!(matches!(ship(&still).await, Shipped::Changes(_)));
    assert_eq!(ordered(), 1);
    // It goes on meanwhile, and orders no other.
    still.add_link("One more", "");
    assert!(matches!(ship(&still).await, Shipped::Changes(_)));
    assert_eq!(ordered(), 1);
}

/// Each segment that stays is read by every prune. Those that go on from the newest snapshot stay.
#[tokio::test]
async fn changes_between_two_snapshots_are_kept_for_a_week() {
    let folder = folder();
    let place = repository::place(folder.path());
    let still = Still::open();
    ship_to(&still, &place);
    repository::snapshot(&still, folder.path()).await;
    upload(&still, "One", b"one".to_vec()).await;
    assert!(matches!(ship(&still).await, Shipped::Changes(_)));
    repository::snapshot(&still, folder.path()).await;
    let left_after = async |days: i64| {
        still.clock.advance(SignedDuration::from_hours(24 * days));
        let last = repository::last(9);
        let pruned = prune_backups(&still.app.config, &place, &Key::None, last, &still.clock).await;
        assert_eq!(pruned.expect("pruned").snapshots_removed, 0);
        repository::objects(&folder.path().join("repository/segments")).len()
    };
    assert_eq!(left_after(6).await, 1);
    assert_eq!(left_after(2).await, 0);
    upload(&still, "Two", b"two".to_vec()).await;
    assert!(matches!(ship(&still).await, Shipped::Changes(_)));
    assert_eq!(left_after(30).await, 1);
    let data = folder.path().join("data");
    restored(&data, from(repository::source(folder.path()))).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
}

/// Whoever may write to the place adds segments of his own, or damages one: no restore takes them, so a
/// prune need not know what they name.
#[tokio::test]
async fn segments_that_nobody_restores_keep_nobody_from_pruning() {
    let folder = folder();
    let place = repository::place(folder.path());
    let still = Still::open();
    ship_to(&still, &place);
    repository::snapshot(&still, folder.path()).await;
    upload(&still, "One", b"one".to_vec()).await;
    assert!(matches!(ship(&still).await, Shipped::Changes(_)));
    let segments = folder.path().join("repository/segments");
    let segment = repository::objects(&segments).remove(0);
    let name = segment.file_name().expect("a name").to_string_lossy().into_owned();
    let at = name.rsplit('-').next().expect("a moment");
    let put = |from: u64, bytes: &[u8]| {
        let name = format!("{from:020}-{:020}-{at}", from + 9);
        fs::write(segment.with_file_name(name), bytes).expect("a segment");
    };
    put(5_000, b"no segment");
    // It names a file that nothing else does.
    let stray = appliance::hash::Digest::of(b"stray");
    let mut frames = FrameWriter::new(Vec::new());
    let line = format!("{{\"files\":[[\"{stray}\",5]]}}\n");
    std::io::Write::write_all(&mut frames, line.as_bytes()).expect("a segment");
    put(6_000, &frames.finish().expect("a segment"));
    let file = folder.path().join(format!("repository/files/{:02x}/{stray}", stray.0[0]));
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    fs::write(&file, "stray").expect("a file");
    let pruned =
        prune_backups(&still.app.config, &place, &Key::None, repository::last(1), &still.clock)
            .await;
    assert_eq!(pruned.expect("pruned").objects_removed, 1);
    assert!(!file.exists());
    let data = folder.path().join("data");
    restored(&data, from(repository::source(folder.path()))).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
}
