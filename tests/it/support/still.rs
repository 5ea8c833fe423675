//! A portal without a server in which nothing goes on by itself: what the indexer, the worker and the
//! keeper would do, a test does.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use appliance::{
    app::{App, Find},
    clock::Clock,
    config::Config,
    domain::{
        access::Actor,
        blobs::{self, Extraction, Facts, NewBlob},
        documents::{self, Document, Kind, NewDocument, Status, Visibility},
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

use super::PASSWORD;

/// A portal in which nothing goes on by itself.
pub struct Still {
    pub app: Arc<App>,
    pub clock: Clock,
    pub organization: Id<Organization>,
    ada: User,
    data: tempfile::TempDir,
}

impl Still {
    pub fn open() -> Self {
        Still::open_with(|_| {})
    }

    pub fn open_with(configure: impl FnOnce(&mut Config)) -> Self {
        Still::made(configure, env!("CARGO_BIN_EXE_appliance").into())
    }

    /// In which files are read by a shell script, kept in `folder`.
    pub fn with_worker(folder: &Path, script: &str) -> Self {
        let path = folder.join("worker.sh");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("an executable");
        Still::made(|_| {}, path)
    }

    fn made(configure: impl FnOnce(&mut Config), worker: PathBuf) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let clock = Clock::held("2026-11-21T10:00:00Z".parse().expect("a time"));
        let mut config = Config { data: data.path().join("data"), ..Config::default() };
        config.storage.reserve_mb = 0;
        configure(&mut config);
        let app = open(config, clock.clone(), worker);
        let setup = Setup {
            organization: "Northlight".into(),
            username: "ada".into(),
            email: "ada@example.com".into(),
            full_name: String::new(),
            password: passwords::hash(PASSWORD).expect("a hash"),
        };
        let set_up = blocking(|| app.store.write_blocking(move |tx| setup::run(tx, setup)));
        let (organization, ada) = set_up.expect("setting up");
        Still { app, clock, organization: organization.id, ada, data }
    }

    /// What a new process finds.
    pub fn reopen(self) -> Self {
        let Still { app, clock, organization, ada, data } = self;
        let config = app.config.clone();
        let worker = env!("CARGO_BIN_EXE_appliance").into();
        drop(app);
        Still { app: open(config, clock.clone(), worker), clock, organization, ada, data }
    }

    /// Closes it; its data stays as long as the second result.
    pub fn close(self) -> (PathBuf, tempfile::TempDir) {
        let Still { app, data, .. } = self;
        let folder = app.config.data.clone();
        blocking(move || drop(app));
        (folder, data)
    }

    pub fn actor(&self) -> Actor {
        let look = |tx: &ReadTx| Actor::load(tx, &self.ada, Some(self.organization));
        self.app.store.read_blocking(look).expect("an actor")
    }

    pub fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut WriteTx, &Actor) -> appliance::error::Result<T> + Send + 'static,
    ) -> T {
        let actor = self.actor();
        let written = blocking(|| self.app.store.write_blocking(move |tx| verb(tx, &actor)));
        written.expect("a change")
    }

    pub fn add_link(&self, title: &str, category: &str) -> Id<Document> {
        let (organization, new) = (self.organization, new_document(title, category));
        self.write(move |tx, ada| {
            documents::add_link(tx, ada, organization, new, "https://www.example.com/")
        })
        .id
    }

    pub fn add_file(&self, title: &str, hash: ContentHash) -> Id<Document> {
        let (organization, new) = (self.organization, new_document(title, ""));
        let blob = NewBlob { hash, size_bytes: 1, media_type: "text/plain".into() };
        let file = NewFile { filename: "a.txt".into(), blob };
        self.write(move |tx, ada| documents::add_file(tx, ada, organization, new, file)).id
    }

    /// The file was read, and this is its text.
    pub async fn add_text(&self, hash: ContentHash, text: String) {
        self.app.blobs.put_derived(hash, "text", text.into()).await.expect("a text");
        let facts = Facts { has_text: true, language: Some("en".into()), ..Facts::default() };
        self.write(move |tx, _| blobs::mark_extracted(tx, hash, Extraction::Done(facts)));
    }

    pub async fn titles(&self, words: &str) -> Vec<String> {
        self.titles_for(self.actor(), words).await
    }

    pub async fn titles_for(&self, actor: Actor, words: &str) -> Vec<String> {
        let find = Find { text: words.into(), limit: 5, ..Find::default() };
        let page = self.app.find(actor, find).await.expect("a page");
        page.documents.into_iter().map(|found| found.document.title).collect()
    }

    pub async fn catch_up(&self) {
        self.app.catch_up().await.expect("catching up");
    }
}

fn open(config: Config, clock: Clock, worker: PathBuf) -> Arc<App> {
    blocking(|| App::open_with(config, clock, Some(worker))).expect("a portal")
}

/// On a thread of its own: that of a runtime may not wait.
fn blocking<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().expect("no panic"))
}

/// What somebody says about a document that all members see.
pub fn new_document(title: &str, category: &str) -> NewDocument {
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
