//! What happens by itself: backups, their removal and rehearsals; and what is said when it does not.

use std::{fs, process::Command};

use appliance::{
    app::{App, BackupSource, Reporter, list_backups, prune_backups},
    backup::{Key, Kind as Work, Place, Repository, sealing},
    clock::Clock,
    config::{Config, S3Config},
    domain::{
        backups::{self, Kind, Plan, Run},
        blobs::Blob,
        jobs::{self, State, Task},
    },
    hash::Digest,
    space::space,
};
use jiff::SignedDuration;

use super::{
    archive, from, library,
    repository::{config, place, source, to},
    restored, ship_to, shipping, upload,
};
use crate::support::{SmallDisk, Still};

async fn faults(still: &Still) -> Vec<String> {
    still.app.backup_standing().await.expect("how it stands").faults
}

#[tokio::test]
async fn a_drill_finds_a_good_backup_good_and_a_bad_one_bad() {
    let still = library().await;
    let path = archive(&still.app).await;
    let source = BackupSource::Archive(path.clone());
    let drilled = still.app.drill(source.clone(), Key::None, &Reporter::unheard()).await;
    let drilled = drilled.expect("a drill");
    assert_eq!(drilled.damages, Vec::<String>::new());
    assert_eq!((drilled.files, drilled.searches > 10), (32, true), "{drilled:?}");
    let mut bytes = fs::read(&path).expect("the archive");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("a change");
    let drilled = still.app.drill(source, Key::None, &Reporter::unheard()).await.expect("a drill");
    assert!(!drilled.damages.is_empty());
    let left = fs::read_dir(&still.app.config.data).expect("the data").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("drill-")), "{left:?}");
}

/// The texts are read anew from the files that came back, and searched for what this portal knows of them.
#[tokio::test]
async fn a_drill_searches_for_phrases_in_texts() {
    let still = Still::open();
    let text = "The green kettle stands on the second shelf beside the window of the kitchen";
    upload(&still, "Kitchen", text.into()).await;
    still.add_text(Digest::of(text.as_bytes()), text.into()).await;
    let drill = |path: std::path::PathBuf| {
        let source = BackupSource::Archive(path);
        let app = still.app.clone();
        async move { app.drill(source, Key::None, &Reporter::unheard()).await.expect("a drill") }
    };
    let path = archive(&still.app).await;
    let drilled = drill(path.clone()).await;
    assert_eq!((drilled.damages, drilled.warnings), (Vec::new(), Vec::new()));
    assert_eq!((drilled.searches, drilled.phrases, drilled.files_read), (2, 1, 1));
    // What came back is not what people have read here.
    let other = "Nobody has ever written these words into any file that was uploaded";
    still.add_text(Digest::of(text.as_bytes()), other.into()).await;
    let drilled = drill(path).await;
    assert!(drilled.damages.len() == 1, "{drilled:?}");
    assert!(drilled.damages[0].contains("is not found by what is in it"), "{drilled:?}");
}

/// Where there is no room for the files, they are read and not kept; without room for the records, it is
/// not begun.
#[tokio::test]
async fn a_drill_leaves_the_room_that_uploads_need() {
    let still = library().await;
    let path = archive(&still.app).await;
    let source = BackupSource::Archive(path);
    let space = space(&still.app.config.data).expect("a disk");
    // From now on the library is larger than the disk.
    still.write(move |tx, _| {
        let mut blob = tx.get::<Blob>(&Digest::of(b"still on the spool"))?.expect("a file");
        blob.hash = Digest::of(b"huge");
        blob.size_bytes = 2 * space.total_bytes;
        tx.put(&blob)
    });
    let drilled = still.app.drill(source.clone(), Key::None, &Reporter::unheard()).await;
    let drilled = drilled.expect("a drill");
    assert_eq!((drilled.files, drilled.damages), (32, Vec::new()));
    let Some(disk) = SmallDisk::mount("size=128m") else { return };
    let (old, _keep) = still.close();
    let data = disk.folder.join("data");
    let copied = Command::new("cp").arg("-a").args([&old, &data]).status();
    assert!(copied.expect("cp").success());
    // Room for what runs, and none for a second portal beside it.
    disk.leave_free(128 * (1 << 20) / 10 + (1 << 20));
    let config = Config { data, ..Config::default() };
    let open = move || App::open(config, Clock::system());
    let app = tokio::task::spawn_blocking(open).await.expect("no panic").expect("a portal");
    let refused = app.drill(source, Key::None, &Reporter::unheard()).await.expect_err("a refusal");
    assert!(refused.to_string().contains("not enough room"), "{refused}");
}

#[tokio::test]
async fn the_plan_runs_by_itself_and_failure_is_loud() {
    let still = library().await;
    let folder = tempfile::tempdir().expect("a folder");
    let plan = backups::Plan {
        is_on: true,
        repository: Some(place(folder.path())),
        keep_last: 2,
        keep_daily: 0,
        keep_weekly: 0,
        keep_monthly: 0,
        drill_every_days: 1,
        ..backups::Plan::default()
    };
    let set = still.write(move |tx, ada| backups::set_plan(tx, ada, plan));
    // 10:00 now, and 03:00 is the time.
    assert_eq!(set.next_run, "2026-11-22T03:00:00Z".parse().ok());
    let background = still.app.start();
    for _ in 0..3 {
        still.clock.advance(SignedDuration::from_hours(24));
        still.app.queue_backups().await.expect("queueing");
        still.app.settle().await.expect("settling");
    }
    let listed = list_backups(&config(), &place(folder.path()), &Key::None).await.expect("a list");
    assert_eq!(listed.len(), 2, "old ones are removed");
    let standing = still.app.store.read(backups::standing).await.expect("how it stands");
    assert_eq!(standing.faults, Vec::<String>::new());
    assert!(standing.last_success.is_some() && standing.last_drill.is_some(), "{standing:?}");

    // A file where the folder should be.
    fs::remove_dir_all(folder.path().join("repository")).expect("a removal");
    fs::write(folder.path().join("repository"), "in the way").expect("a file");
    still.clock.advance(SignedDuration::from_hours(24));
    still.app.queue_backups().await.expect("queueing");
    still.app.settle().await.expect("settling");
    let standing = still.app.store.read(backups::standing).await.expect("how it stands");
    assert!(standing.faults.iter().any(|fault| fault.contains("backup failed")), "{standing:?}");
    background.stop().await;
}

/// One who removes old backups meets another at work: what was made is made.
#[tokio::test]
async fn a_backup_is_not_made_again_because_old_ones_cannot_be_removed() {
    let still = Still::open();
    upload(&still, "One", b"one".to_vec()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let plan = Plan {
        is_on: true,
        repository: Some(place(folder.path())),
        drill_every_days: 0,
        ..Plan::default()
    };
    still.write(move |tx, ada| backups::set_plan(tx, ada, plan));
    super::back_up(&still.app, to(folder.path())).await;
    let place_of = Place::Folder(folder.path().join("repository"));
    let repository = Repository::open(&place_of, &S3Config::default(), &Key::None).await;
    let repository = repository.expect("a repository");
    let lease = repository.lease(Work::Backup, &still.clock).await.expect("a lease");
    let background = still.app.start();
    still.clock.advance(SignedDuration::from_hours(24));
    still.app.queue_backups().await.expect("queueing");
    still.app.settle().await.expect("settling");
    background.stop().await;
    lease.release().await.expect("a release");
    let look = |tx: &appliance::store::ReadTx| {
        let jobs: Vec<_> = tx
            .records::<jobs::Job>()
            .iter()?
            .collect::<appliance::error::Result<Vec<_>>>()?
            .into_iter()
            .filter(|job| matches!(job.task, Task::BackUp))
            .map(|job| job.state)
            .collect();
        Ok((jobs, backups::runs(tx, 10)?))
    };
    let (jobs, runs) = still.app.store.read(look).await.expect("a look");
    assert_eq!(jobs, [State::Done]);
    let kinds: Vec<_> = runs.iter().map(|run| (run.kind, run.fault.is_none())).collect();
    assert_eq!(kinds, [(Kind::Backup, true)], "what was put off is no run");
}

/// A clock that was ahead for a while, as after a reset of the machine.
#[tokio::test]
async fn a_clock_that_jumped_does_not_stop_the_plan() {
    let still = Still::open();
    let plan = Plan { is_on: true, ..Plan::default() };
    still.write(move |tx, ada| backups::set_plan(tx, ada, plan));
    still.write(|tx, _| {
        let mut plan = backups::plan(tx)?;
        plan.next_run = "2030-01-01T03:00:00Z".parse().ok();
        plan.next_drill = "2030-01-01T06:00:00Z".parse().ok();
        tx.put(&plan)
    });
    still.app.queue_backups().await.expect("queueing");
    let plan = still.app.store.read(backups::plan).await.expect("the plan");
    assert_eq!(plan.next_run, "2026-11-22T03:00:00Z".parse().ok());
    let queued = still.app.store.read(|tx| {
        Ok((jobs::is_under_way(tx, &Task::BackUp)?, jobs::is_under_way(tx, &Task::Drill)?))
    });
    assert_eq!(queued.await.expect("jobs"), (true, true));
}

#[tokio::test]
async fn a_plan_by_which_nothing_ever_succeeds_is_loud() {
    let still = Still::open();
    let plan = Plan { is_on: true, ..Plan::default() };
    still.write(move |tx, ada| backups::set_plan(tx, ada, plan));
    assert_eq!(faults(&still).await, Vec::<String>::new());
    still.clock.advance(SignedDuration::from_hours(30));
    let said = faults(&still).await;
    assert!(said.iter().any(|fault| fault.starts_with("No backup has succeeded")), "{said:?}");
}

#[tokio::test]
async fn the_last_good_run_is_remembered_however_many_fail() {
    let still = Still::open();
    still.write(|tx, _| {
        for number in 0..300 {
            let (id, at) = (tx.new_id(), tx.now());
            let fault = (number > 0).then(|| "It failed.".to_owned());
            let (kind, place, summary) = (Kind::Backup, String::new(), String::new());
            let (started_at, finished_at, size_bytes) = (at, at, 0);
            let run = Run { id, kind, place, started_at, finished_at, size_bytes, summary, fault };
            backups::note_run(tx, run)?;
        }
        Ok(())
    });
    let standing = still.app.store.read(backups::standing).await.expect("how it stands");
    assert!(standing.last_success.is_some());
    let runs = still.app.store.read(|tx| backups::runs(tx, 1_000)).await.expect("runs");
    assert_eq!(runs.len(), 201);
}

/// They would be the last ones until then.
#[tokio::test]
async fn runs_that_a_clock_noted_which_was_ahead_hide_no_others() {
    let still = Still::open();
    let note = |fault: Option<&str>| {
        let fault = fault.map(str::to_owned);
        still.write(|tx, _| {
            let (id, at) = (tx.new_id(), tx.now());
            let (kind, place, summary) = (Kind::Backup, String::new(), String::new());
            let (started_at, finished_at, size_bytes) = (at, at, 0);
            let run = Run { id, kind, place, started_at, finished_at, size_bytes, summary, fault };
            backups::note_run(tx, run)
        });
    };
    let ahead = SignedDuration::from_hours(10 * 365 * 24);
    still.clock.advance(ahead);
    note(None);
    still.clock.advance(-ahead);
    note(Some("It failed."));
    let said = faults(&still).await;
    assert!(said.iter().any(|fault| fault.contains("It failed.")), "{said:?}");
    still.clock.advance(ahead);
    note(Some("It failed."));
    still.clock.advance(SignedDuration::from_secs(60) - ahead);
    note(None);
    assert_eq!(faults(&still).await, Vec::<String>::new());
    let standing = still.app.backup_standing().await.expect("how it stands");
    assert_eq!(standing.last_success, Some(still.app.clock.now()));
}

/// Several portals put their archives into one folder, and one had a clock that was ahead.
#[tokio::test]
async fn archives_are_removed_for_each_portal_by_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = |portal: &str, time: &str| format!("appliance-{portal}-{time}T030000Z.tar.zst");
    let all = [
        name("east-side", "20250101"),
        name("east-side", "20250102"),
        name("east-side", "20400101"),
        name("west-side", "20240101"),
        name("west-side", "20240102"),
    ];
    for name in &all {
        fs::write(folder.path().join(name), "an archive").expect("a file");
    }
    let still = Still::open();
    let place = folder.path().display().to_string();
    let last = super::repository::last(1);
    let pruned = prune_backups(&config(), &place, &Key::None, last, &still.clock).await;
    let pruned = pruned.expect("pruned");
    assert_eq!((pruned.snapshots_kept, pruned.snapshots_removed), (3, 2));
    let left: Vec<_> = all.iter().map(|name| folder.path().join(name).exists()).collect();
    assert_eq!(left, [false, true, true, false, true]);
    // Which one is the newest, nobody can tell.
    let refused = BackupSource::named(&place).expect_err("a question").to_string();
    assert!(refused.contains("20400101") && refused.contains("dated later"), "{refused}");
}

/// To a repository that it cannot read it never finds out how far it is.
#[tokio::test]
async fn changes_are_not_shipped_to_what_only_others_can_open() {
    let still = Still::open();
    let folder = tempfile::tempdir().expect("a folder");
    let recipients = vec![sealing::new_pair().0];
    let plan = Plan { recipients, ..shipping(&place(folder.path())) };
    let set = still.write(move |tx, ada| backups::set_plan(tx, ada, plan));
    assert_eq!(set.next_drill, None);
    let refused = still.app.ship_changes().await.expect_err("a refusal").to_string();
    assert!(refused.contains("--ship-every-seconds 0"), "{refused}");
    let queued = still.app.store.read(|tx| jobs::is_under_way(tx, &Task::BackUp)).await;
    assert!(!queued.expect("jobs"), "no backup would help");
    // Of a repository whose key it keeps, it rehearses those to public keys too.
    let repository = place(folder.path());
    still.write(move |tx, _| {
        let seal = backups::plan(tx)?.seals.get(&repository).cloned().expect("a seal");
        backups::remember(tx, repository, seal, Some("a key".into()))
    });
    let plan = still.app.store.read(backups::plan).await.expect("the plan");
    let set = still.write(move |tx, ada| backups::set_plan(tx, ada, plan));
    assert!(set.next_drill.is_some());
}

#[tokio::test]
async fn changes_that_do_not_arrive_are_told_after_a_while() {
    let still = Still::open();
    let folder = tempfile::tempdir().expect("a folder");
    ship_to(&still, &place(folder.path()));
    super::back_up(&still.app, to(folder.path())).await;
    upload(&still, "One", b"one".to_vec()).await;
    let hidden = folder.path().join("hidden");
    fs::rename(folder.path().join("repository"), &hidden).expect("a change");
    still.app.ship_changes().await.expect_err("nobody is there");
    still.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(faults(&still).await, Vec::<String>::new(), "a short trouble is none");
    still.clock.advance(SignedDuration::from_mins(5));
    still.app.ship_changes().await.expect_err("nobody is there");
    let said = faults(&still).await;
    assert!(said.iter().any(|fault| fault.starts_with("Changes have not reached")), "{said:?}");
    fs::rename(hidden, folder.path().join("repository")).expect("a change");
    still.app.ship_changes().await.expect("shipping");
    assert_eq!(faults(&still).await, Vec::<String>::new());
}

/// The copy of a portal must not write to where its original does, unless somebody wants that.
#[tokio::test]
async fn the_plan_of_a_restored_portal_waits_for_a_decision() {
    let still = Still::open();
    let folder = tempfile::tempdir().expect("a folder");
    let plan = Plan { is_on: true, repository: Some(place(folder.path())), ..Plan::default() };
    still.write(move |tx, ada| backups::set_plan(tx, ada, plan));
    super::back_up(&still.app, to(folder.path())).await;
    let data = folder.path().join("data");
    let done = restored(&data, from(source(folder.path()))).await.expect("a restore");
    assert!(done.holds_plan);
    let app = super::open(&data).await;
    app.queue_backups().await.expect("queueing");
    let standing = app.backup_standing().await.expect("how it stands");
    assert!(!standing.is_on && standing.next_run.is_none());
    assert!(standing.faults.iter().any(|fault| fault.contains("came out of a backup")));
    let plan = app.store.read(backups::plan).await.expect("the plan");
    // Everything else of it came back.
    let old = still.app.store.read(backups::plan).await.expect("the plan");
    assert_eq!((&plan.seals, &plan.repository), (&old.seals, &old.repository));
    assert_eq!(plan.seals.len(), 1);
    let actor = appliance::domain::access::Actor::system("A test", None);
    let plan = Plan { is_on: true, ..plan };
    let set = app.store.write(move |tx| backups::set_plan(tx, &actor, plan)).await.expect("a plan");
    assert!(set.next_run.is_some());
    assert_eq!(app.backup_standing().await.expect("how it stands").faults, Vec::<String>::new());
}
