//! What changes between two snapshots is shipped, and any of these moments comes back.

use std::{fs, path::Path};

use appliance::{
    app::{BackupSource, Reporter, Restore, Shipped, verify_backups},
    backup::{Key, Place, Retention},
    config::Config,
    domain::{
        backups::{self, Plan},
        categories,
        documents::{self, DocumentEdit},
    },
};
use jiff::SignedDuration;

use super::{back_up, dump, from, restored, ship_to, sound, upload, wanted};
use crate::support::Still;

fn place(folder: &Path) -> String {
    folder.join("repository").display().to_string()
}

fn source(folder: &Path) -> BackupSource {
    BackupSource::Repository(Place::Folder(folder.join("repository")))
}

/// A portal whose plan ships changes to a repository in `folder`.
fn shipping(folder: &Path) -> Still {
    let still = Still::open();
    ship_to(&still, &place(folder));
    still
}

fn rename(
    tx: &mut appliance::store::WriteTx,
    actor: &appliance::domain::access::Actor,
    id: appliance::id::Id<categories::Category>,
    name: &str,
) -> appliance::error::Result<categories::Category> {
    let category = tx.get::<categories::Category>(&id)?.expect("a category");
    categories::edit(tx, actor, category.organization, id, name, "")
}

async fn snapshot(still: &Still, folder: &Path) {
    back_up(&still.app, wanted(appliance::app::Target::Repository(place(folder)))).await;
}

async fn ship(still: &Still) -> Shipped {
    still.app.ship_changes().await.expect("shipping")
}

#[tokio::test]
async fn every_moment_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let still = shipping(folder.path());
    assert_eq!(ship(&still).await, Shipped::NeedsSnapshot);
    upload(&still, "First", b"before the snapshot".to_vec()).await;
    snapshot(&still, folder.path()).await;
    let mut moments = Vec::new();
    let mut ids = Vec::new();
    for number in 0..8 {
        still.clock.advance(SignedDuration::from_secs(10));
        match number % 4 {
            // New files, a change, something removed, and a name that goes to another.
            0 => ids
                .push(upload(&still, &format!("T{number}"), format!("file {number}").into()).await),
            1 => {
                let id = ids[0];
                let title = Some(format!("Renamed {number}"));
                let edit = DocumentEdit { title, ..DocumentEdit::default() };
                still.write(move |tx, ada| documents::edit(tx, ada, id, edit, None));
            }
            2 => {
                let id = ids.pop().expect("a document");
                still.write(move |tx, ada| {
                    documents::trash(tx, ada, id)?;
                    documents::delete(tx, ada, id)
                });
                ids.push(still.add_link(&format!("L{number}"), "House"));
            }
            _ => {
                let organization = still.organization;
                still.write(move |tx, ada| {
                    let one = categories::by_name(tx, organization, "House")?.expect("a category");
                    rename(tx, ada, one.id, "Somewhere else")?;
                    categories::create(tx, ada, organization, "House", "")
                });
                still.write(move |tx, ada| {
                    let other =
                        categories::by_name(tx, organization, "Somewhere else")?.expect("one");
                    rename(tx, ada, other.id, &format!("Old house {number}"))
                });
            }
        }
        let shipped = ship(&still).await;
        assert!(matches!(shipped, Shipped::Changes(_)), "{shipped:?}");
        assert_eq!(ship(&still).await, Shipped::Nothing);
        moments.push((still.app.clock.now(), dump(&still.app.store)));
        if number == 4 {
            snapshot(&still, folder.path()).await;
        }
    }
    for (number, (at, state)) in moments.iter().enumerate() {
        // Also a little later: nothing happened until the next.
        for more in [0, 5] {
            let at = Some(*at + SignedDuration::from_secs(more));
            let data = folder.path().join(format!("{number}-{more}"));
            let restoring = Restore { at, ..from(source(folder.path())) };
            let restored = restored(&data, restoring).await.expect("a restore");
            assert_eq!(restored.damages, Vec::<String>::new());
            assert_eq!(dump(&sound(&data).await.store), *state, "moment {number}");
        }
    }
    let data = folder.path().join("latest");
    restored(&data, from(source(folder.path()))).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), moments.last().expect("a moment").1);

    // What was shipped after a snapshot that stays can still be reached after pruning.
    let retention = Retention { last: 1, ..Retention::default() };
    let pruned = appliance::app::prune_backups(
        &still.app.config,
        &place(folder.path()),
        &Key::None,
        retention,
        &still.clock,
    )
    .await;
    assert_eq!(pruned.expect("pruned").snapshots_removed, 1);
    let data = folder.path().join("pruned");
    restored(&data, from(source(folder.path()))).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), moments.last().expect("a moment").1);
}

#[tokio::test]
async fn a_new_process_goes_on_where_the_last_one_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut still = shipping(folder.path());
    snapshot(&still, folder.path()).await;
    for number in 0..3 {
        still.clock.advance(SignedDuration::from_secs(10));
        upload(&still, &format!("T{number}"), format!("file {number}").into()).await;
        ship(&still).await;
        still = still.reopen();
    }
    let data = folder.path().join("data");
    restored(&data, from(source(folder.path()))).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&still.app.store));
}

#[tokio::test]
async fn a_portal_that_was_restored_does_not_go_on_with_the_segments_of_the_old_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let still = shipping(folder.path());
    snapshot(&still, folder.path()).await;
    let data = folder.path().join("data");
    restored(&data, from(source(folder.path()))).await.expect("a restore");
    let other = crate::backup::open(&data).await;
    assert_eq!(other.ship_changes().await.expect("shipping"), Shipped::Off);
    let plan = other.store.read(backups::plan).await.expect("the plan");
    let actor = appliance::domain::access::Actor::system("A test", None);
    let plan = Plan { is_on: true, ..plan };
    other.store.write(move |tx| backups::set_plan(tx, &actor, plan)).await.expect("a plan");
    assert_eq!(other.ship_changes().await.expect("shipping"), Shipped::NeedsSnapshot);
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy")),
        }
    }
}

/// The disk was put back to what it was an hour ago: what was shipped since then is another story.
#[tokio::test]
async fn a_data_folder_that_went_back_does_not_mix_two_timelines() {
    let folder = tempfile::tempdir().expect("a folder");
    let still = shipping(folder.path());
    snapshot(&still, folder.path()).await;
    let earlier = folder.path().join("earlier");
    let clock = still.clock.clone();
    let still = still.reopen();
    copy_folder(&still.app.config.data, &earlier);
    clock.advance(SignedDuration::from_secs(10));
    upload(&still, "Abandoned", b"abandoned".to_vec()).await;
    assert!(matches!(ship(&still).await, Shipped::Changes(_)));
    drop(still);
    let app = crate::backup::open_at(clock.clone(), &earlier).await;
    clock.advance(SignedDuration::from_secs(10));
    let shipped = app.ship_changes().await.expect("shipping");
    assert_eq!(shipped, Shipped::NeedsSnapshot);
    back_up(&app, wanted(appliance::app::Target::Repository(place(folder.path())))).await;
    clock.advance(SignedDuration::from_secs(10));
    let plan = app.store.read(backups::plan).await.expect("the plan");
    let actor = appliance::domain::access::Actor::system("A test", None);
    let plan = Plan { keep_last: 9, ..plan };
    app.store.write(move |tx| backups::set_plan(tx, &actor, plan)).await.expect("a change");
    // It goes on from that snapshot, and orders no other.
    assert!(matches!(app.ship_changes().await.expect("shipping"), Shipped::Changes(_)));
    let data = folder.path().join("data");
    restored(&data, from(source(folder.path()))).await.expect("a restore");
    assert_eq!(dump(&sound(&data).await.store), dump(&app.store));
}

#[tokio::test]
async fn a_damaged_segment_ends_what_can_be_reached_and_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let still = shipping(folder.path());
    snapshot(&still, folder.path()).await;
    let mut states = Vec::new();
    for number in 0..3 {
        still.clock.advance(SignedDuration::from_secs(10));
        upload(&still, &format!("T{number}"), format!("file {number}").into()).await;
        ship(&still).await;
        states.push(dump(&still.app.store));
    }
    let segments = folder.path().join("repository/segments");
    let lineage = fs::read_dir(&segments).expect("segments").flatten().next().expect("one").path();
    let mut paths: Vec<_> =
        fs::read_dir(lineage).expect("segments").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    assert_eq!(paths.len(), 3);
    let mut bytes = fs::read(&paths[1]).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    for is_gone in [false, true] {
        match is_gone {
            false => fs::write(&paths[1], &bytes).expect("a change"),
            true => fs::remove_file(&paths[1]).expect("a removal"),
        }
        let data = folder.path().join(format!("data-{is_gone}"));
        let restored = restored(&data, from(source(folder.path()))).await.expect("a restore");
        assert_eq!(restored.damages.len(), 1, "{restored:?}");
        assert_eq!(dump(&sound(&data).await.store), states[0]);
        let (config, unheard, place) =
            (Config::default(), Reporter::unheard(), place(folder.path()));
        let found = verify_backups(&config, &place, &Key::None, false, false, &unheard);
        assert!(!found.await.expect("a look").damages.is_empty(), "{is_gone}");
    }
    // Before it, all was there.
    let data = folder.path().join("before");
    let before = Restore {
        at: Some(still.clock.now() - SignedDuration::from_secs(20)),
        ..from(source(folder.path()))
    };
    let restored = restored(&data, before).await.expect("a restore");
    assert_eq!(restored.damages, Vec::<String>::new());
    assert_eq!(dump(&sound(&data).await.store), states[0]);
}

#[test]
fn the_plan_knows_its_next_time() {
    let at = |text: &str| text.parse::<jiff::Timestamp>().expect("a time");
    let plan = Plan { every_hours: 6, minute_of_day: 90, ..Plan::default() };
    assert_eq!(plan.next_after(at("2026-11-21T00:00:00Z")), at("2026-11-21T01:30:00Z"));
    assert_eq!(plan.next_after(at("2026-11-21T01:30:00Z")), at("2026-11-21T07:30:00Z"));
    assert_eq!(plan.next_after(at("2026-11-21T23:00:00Z")), at("2026-11-22T01:30:00Z"));
    // On working days; the 21st is a Saturday.
    let plan = Plan { cron: "30 2 * * 1-5".into(), ..plan };
    assert_eq!(plan.next_after(at("2026-11-20T02:00:00Z")), at("2026-11-20T02:30:00Z"));
    assert_eq!(plan.next_after(at("2026-11-20T02:30:00Z")), at("2026-11-23T02:30:00Z"));
    let plan = Plan { cron: "0 3 * * * Europe/Berlin".into(), ..plan };
    assert_eq!(plan.next_after(at("2026-11-20T02:30:00Z")), at("2026-11-21T02:00:00Z"));
    // When the clocks are put forward there is no half past two, and when they are put back there are two.
    let plan = Plan { cron: "30 2 * * * Europe/Berlin".into(), ..plan };
    assert_eq!(plan.next_after(at("2027-03-27T12:00:00Z")), at("2027-03-28T01:30:00Z"));
    assert_eq!(plan.next_after(at("2027-03-28T01:30:00Z")), at("2027-03-29T00:30:00Z"));
    assert_eq!(plan.next_after(at("2026-10-24T12:00:00Z")), at("2026-10-25T00:30:00Z"));
    assert_eq!(plan.next_after(at("2026-10-25T00:30:00Z")), at("2026-10-26T01:30:00Z"));
    assert_eq!(plan.next_after(at("2026-10-25T01:10:00Z")), at("2026-10-26T01:30:00Z"));
}
