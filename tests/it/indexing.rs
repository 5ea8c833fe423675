//! The search index follows the store: in bounded memory, past what cannot be read, and without
//! one large change holding up the others.

use std::time::Duration;

use appliance::{
    app::Find,
    domain::{
        blobs::Blob,
        categories,
        documents::{self, Document, Visibility},
        jobs::{self, Job, State, Task},
    },
    error::Result,
    extract,
    hash::ContentHash,
    store::{Changes, ReadTx, WriteTx},
};

use crate::support::{Still, new_document};

#[tokio::test]
async fn many_long_texts_are_written_in_several_commits() {
    let still = Still::open();
    let hash = ContentHash([1; 32]);
    for title in ["One", "Two", "Three", "Four"] {
        still.add_file(title, hash);
    }
    still.catch_up().await;
    still.add_text(hash, " ".repeat(11 << 20) + "heron").await;
    let generation = still.app.index.generation();
    still.catch_up().await;
    let commits = still.app.index.generation() - generation;
    assert!(commits > 1, "44 MiB of text were in the memory at once");
    assert_eq!(still.titles("heron").await.len(), 4);
}

#[tokio::test]
async fn a_renamed_category_does_not_hold_up_what_changes_after_it() {
    let still = Still::open();
    let secret = still.add_link("Secret plan", "");
    let organization = still.organization;
    still.write(move |tx, ada| {
        for number in 0..600 {
            let new = new_document(&format!("Link {number}"), "Birds");
            documents::add_link(tx, ada, organization, new, "https://www.example.com/")?;
        }
        Ok(())
    });
    still.catch_up().await;
    still.write(move |tx, ada| {
        let birds = categories::by_name(tx, organization, "Birds")?.expect("the category");
        categories::edit(tx, ada, organization, birds.id, "Herons", "")
    });
    let restricted = Visibility::Restricted { groups: Vec::new(), people: Vec::new() };
    still.write(move |tx, ada| documents::set_visibility(tx, ada, secret, restricted));
    let generation = still.app.index.generation();
    still.catch_up().await;
    assert_eq!(still.app.index.generation(), generation + 1, "one step for both changes");
    assert_eq!(still.titles("herons").await.len(), 0, "the job has not run yet");

    let background = still.app.start();
    still.app.settle().await.expect("settling");
    background.stop().await;
    assert_eq!(still.titles("herons").await.len(), 5);
    assert_eq!(still.titles("birds").await.len(), 0);
    let failed = |tx: &ReadTx| jobs::count(tx, State::Failed);
    assert_eq!(still.app.store.read_blocking(failed).expect("a count"), 0);
}

#[tokio::test]
async fn a_search_shows_what_was_written_before_it() {
    let still = Still::open();
    let background = still.app.start();
    for number in 0..20 {
        let title = format!("Heron n{number}n");
        still.add_link(&title, "");
        let found = still.titles(&title).await;
        assert!(found.contains(&title), "{title} is missing from {found:?}");
        let find = Find { limit: 1, ..Find::default() };
        let page = still.app.find(still.actor(), find).await.expect("a page");
        assert_eq!(page.total, number + 1);
    }
    background.stop().await;
}

#[tokio::test]
async fn what_concerns_no_document_is_not_written_to_the_index() {
    let still = Still::open();
    still.add_link("Heron", "");
    let background = still.app.start();
    still.app.settle().await.expect("settling");
    let (generation, cursor) = (still.app.index.generation(), still.app.index.cursor());
    for round in 0..4 {
        still.write(move |tx, _| enqueue_some(tx, round, 30));
        still.app.settle().await.expect("settling");
    }
    let latest = *still.app.store.latest_change().borrow();
    assert_eq!(still.app.index_lag(latest), 0);
    assert_eq!(still.app.index.generation(), generation, "the index was written");
    // The log cannot be trimmed beyond the cursor, so it may not stay behind for ever.
    still.write(|tx, _| enqueue_some(tx, 9, 2_000));
    still.app.settle().await.expect("settling");
    assert!(still.app.index.cursor() > cursor);
    background.stop().await;
}

/// Changes of which the index knows nothing.
fn enqueue_some(tx: &mut WriteTx, name: u8, count: usize) -> Result<()> {
    for _ in 0..count {
        jobs::enqueue(tx, jobs::Task::RemoveBlob { blob: ContentHash([name; 32]) })?;
    }
    Ok(())
}

#[tokio::test]
async fn nobody_waits_for_an_index_that_nobody_follows() {
    let still = Still::open();
    still.catch_up().await;
    still.add_link("Heron", "");
    let began = std::time::Instant::now();
    for _ in 0..5 {
        assert!(still.titles("heron").await.is_empty());
    }
    assert!(began.elapsed() < Duration::from_secs(3), "each search waited");
}

#[tokio::test]
async fn a_text_that_cannot_be_read_does_not_stop_the_index() {
    let still = Still::open();
    let (damaged, long, lost) = (ContentHash([1; 32]), ContentHash([2; 32]), ContentHash([3; 32]));
    still.catch_up().await;
    still.add_file("Damaged", damaged);
    still.add_text(damaged, "never seen".into()).await;
    // A link to itself can be found and not be opened.
    let folder = still.app.config.data.join("objects/01");
    let file = std::fs::read_dir(folder).expect("a folder").next().expect("a file").expect("it");
    std::fs::remove_file(file.path()).expect("removing it");
    std::os::unix::fs::symlink(file.path(), file.path()).expect("a link in its place");
    still.add_file("Long", long);
    still.add_text(long, "heron ".to_owned() + &" ".repeat(extract::TEXT_BYTES_MAX)).await;
    still.add_file("Lost", lost);
    still.write(move |tx, _| tx.remove::<Blob>(&lost));
    still.add_link("Last", "");

    still.catch_up().await;
    for title in ["Damaged", "Long", "Lost", "Last"] {
        assert_eq!(still.titles(title).await, [title]);
    }
    assert_eq!(still.titles("heron").await, ["Long"]);
    still.app.reindex(&|_, _| {}).await.expect("a new index");
    assert_eq!(still.titles("damaged").await, ["Damaged"]);
}

#[tokio::test]
async fn the_log_keeps_what_a_running_rebuild_needs() {
    let still = Still::open();
    still.add_link("First", "");
    still.catch_up().await;
    let latest = *still.app.store.latest_change().borrow();
    let rebuild = still.app.index.rebuild(latest).expect("a rebuild");
    let id = still.add_link("Second", "");
    // More than the keeper keeps for a look at what happened.
    for round in 0..12 {
        still.write(move |tx, _| enqueue_some(tx, round, 1_000));
    }
    still.catch_up().await;
    still.app.keep_tidy().await.expect("tidying up");
    let look = move |tx: &ReadTx| tx.changes(latest, 100);
    let changes = still.app.store.read_blocking(look).expect("a look");
    let Changes::Next(changes) = changes else { panic!("the rebuild would have to start over") };
    assert!(changes.iter().any(|change| change.key_of::<Document>() == Some(id)));
    drop(rebuild);
    still.app.keep_tidy().await.expect("tidying up");
    let changes = still.app.store.read_blocking(look).expect("a look");
    assert!(matches!(changes, Changes::StartOver { .. }), "nobody needs it any more");
}

#[tokio::test]
async fn content_that_comes_back_after_it_was_passed_over_is_read() {
    let still = Still::open();
    let hash = ContentHash([7; 32]);
    let reading = |still: &Still| {
        let look = move |tx: &ReadTx| {
            let jobs: Vec<Job> = tx.records::<Job>().iter()?.collect::<Result<_, _>>()?;
            let wanted = |job: &&Job| {
                job.task == Task::ExtractBlob { blob: hash } && job.state == State::Queued
            };
            Ok(jobs.iter().filter(wanted).map(|job| job.id).collect::<Vec<_>>())
        };
        still.app.store.read_blocking(look).expect("a look")
    };
    let first = still.add_file("First", hash);
    still.write(move |tx, ada| {
        documents::trash(tx, ada, first)?;
        documents::delete(tx, ada, first)
    });
    for job in reading(&still) {
        still.app.work_off(job).await.expect("a job");
    }
    assert_eq!(reading(&still), [], "nothing refers to it, so it was passed over");

    let second = still.add_file("Second", hash);
    assert_eq!(reading(&still).len(), 1);
    still.add_text(hash, "about herons".into()).await;
    for job in reading(&still) {
        still.write(move |tx, _| {
            jobs::claim_one(tx, job)?;
            jobs::complete(tx, job)
        });
    }
    // What was read stays read.
    still.write(move |tx, ada| {
        documents::trash(tx, ada, second)?;
        documents::delete(tx, ada, second)
    });
    let before = reading(&still).len();
    still.add_file("Third", hash);
    assert_eq!(reading(&still).len(), before);
    still.catch_up().await;
    assert_eq!(still.titles("herons").await, ["Third"]);
}
