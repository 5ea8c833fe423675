//! The search index follows the store: in bounded memory, past what cannot be read, and without
//! one large change holding up the others.

use std::{path::Path, sync::Arc};

use appliance::{
    app::{App, Find},
    clock::Clock,
    config::Config,
    domain::{
        access::Actor,
        blobs::{self, Extraction, Facts, NewBlob},
        categories,
        documents::{self, Document, Kind, NewDocument, Status, Visibility},
        jobs::{self, State},
        organizations::Organization,
        passwords,
        setup::{self, Setup},
        users::User,
        versions::NewFile,
    },
    hash::ContentHash,
    id::Id,
    store::{ReadTx, WriteTx},
};

use crate::support::PASSWORD;

/// A portal in which nothing goes on by itself.
struct Still {
    app: Arc<App>,
    organization: Id<Organization>,
    ada: User,
    _data: tempfile::TempDir,
}

impl Still {
    fn open() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let app = open(data.path());
        let setup = Setup {
            organization: "Northlight".into(),
            username: "ada".into(),
            email: "ada@example.com".into(),
            full_name: String::new(),
            password: passwords::hash(PASSWORD).expect("a hash"),
        };
        let set_up = app.store.write_blocking(move |tx| setup::run(tx, setup));
        let (organization, ada) = set_up.expect("setting up");
        Still { app, organization: organization.id, ada, _data: data }
    }

    fn actor(&self) -> Actor {
        let look = |tx: &ReadTx| Actor::load(tx, &self.ada, Some(self.organization));
        self.app.store.read_blocking(look).expect("an actor")
    }

    fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut WriteTx, &Actor) -> appliance::error::Result<T> + Send + 'static,
    ) -> T {
        let actor = self.actor();
        self.app.store.write_blocking(move |tx| verb(tx, &actor)).expect("a change")
    }

    fn add_link(&self, title: &str, category: &str) -> Id<Document> {
        let (organization, new) = (self.organization, new(title, category));
        self.write(move |tx, ada| {
            documents::add_link(tx, ada, organization, new, "https://www.example.com/")
        })
        .id
    }

    fn add_file(&self, title: &str, hash: ContentHash) -> Id<Document> {
        let (organization, new) = (self.organization, new(title, ""));
        let blob = NewBlob { hash, size_bytes: 1, media_type: "text/plain".into() };
        let file = NewFile { filename: "a.txt".into(), blob };
        self.write(move |tx, ada| documents::add_file(tx, ada, organization, new, file)).id
    }

    /// The file was read, and this is its text.
    async fn add_text(&self, hash: ContentHash, text: String) {
        self.app.blobs.put_derived(hash, "text", text.into()).await.expect("a text");
        let facts = Facts { has_text: true, language: Some("en".into()), ..Facts::default() };
        self.write(move |tx, _| blobs::mark_extracted(tx, hash, Extraction::Done(facts)));
    }

    async fn titles(&self, words: &str) -> Vec<String> {
        self.titles_for(self.actor(), words).await
    }

    async fn titles_for(&self, actor: Actor, words: &str) -> Vec<String> {
        let find = Find { text: words.into(), limit: 5, ..Find::default() };
        let page = self.app.find(actor, find).await.expect("a page");
        page.documents.into_iter().map(|found| found.document.title).collect()
    }

    async fn catch_up(&self) {
        self.app.catch_up().await.expect("catching up");
    }
}

fn open(folder: &Path) -> Arc<App> {
    let mut config = Config { data: folder.join("data"), ..Config::default() };
    config.uploads.reserve_mb = 0;
    App::open(config, Clock::system()).expect("a portal")
}

fn new(title: &str, category: &str) -> NewDocument {
    NewDocument {
        title: title.into(),
        description: String::new(),
        category: category.into(),
        tags: Vec::new(),
        kind: Kind::File,
        status: Status::Published,
        visibility: Visibility::Organization,
    }
}

/// The most memory that this process has had, in MiB; each test is a process.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

#[tokio::test]
async fn many_long_texts_are_indexed_in_bounded_memory() {
    let still = Still::open();
    let hash = ContentHash([1; 32]);
    still.catch_up().await;
    for number in 0..30 {
        still.add_file(&format!("Report {number}"), hash);
    }
    still.add_text(hash, " ".repeat(12 << 20) + "heron").await;
    let before = peak_mb();
    still.catch_up().await;
    assert_eq!(still.titles("heron").await.len(), 5);
    still.app.reindex(&|_, _| {}).await.expect("a new index");
    assert_eq!(still.titles("heron").await.len(), 5);
    let taken = peak_mb() - before;
    assert!(taken < 240, "{taken} MiB for texts of 360 MiB");
}

#[tokio::test]
async fn a_renamed_category_does_not_hold_up_what_changes_after_it() {
    let still = Still::open();
    let secret = still.add_link("Secret plan", "");
    for number in 0..600 {
        still.add_link(&format!("Link {number}"), "Birds");
    }
    still.catch_up().await;
    let organization = still.organization;
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
