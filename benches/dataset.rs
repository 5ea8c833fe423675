//! A portal with any number of documents, for measuring. It comes about through the same verbs as
//! everything else, only many in a transaction.
//!
//! `cargo bench --bench dataset -- FOLDER DOCUMENTS` fills FOLDER/data, and writes what a peer needs
//! to hold the same into FOLDER/documents.jsonl, a line for each document.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use appliance::{
    app::App,
    clock::Clock,
    config::Config,
    domain::{
        access::{Actor, Role},
        documents::{self, Document, Kind, NewDocument, Status, Visibility},
        groups::{self, Group},
        organizations::{self, Organization},
        passwords::PasswordHash,
        users::{self, NewUser},
        versions::NewFile,
    },
    error::{Error, Result},
    id::Id,
    store::WriteTx,
};
use bytes::Bytes;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Of everybody.
const PASSWORD: &str = "a tall green kettle";
/// Different files; documents share them, as the same content is stored once.
const FILES: usize = 400;
const WORDS_PER_FILE: usize = 300;
const WORDS: u64 = 20_000;
const CATEGORIES: u64 = 30;
const GROUPS: usize = 20;
/// Groups that the plain member is in.
const GROUPS_OF_MEMBER: usize = 3;
const TAGS: u64 = 200;
/// The time in which the documents came.
const YEARS: i64 = 3;
const DOCUMENTS_PER_TRANSACTION: usize = 1_000;
/// What one round of tidying trims from the change log.
const CHANGES_PER_ROUND: usize = 100_000;
const CHANGES_PER_DOCUMENT: usize = 3;

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // `cargo bench` adds a flag of its own.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|one| !one.starts_with("--")).collect();
    let [folder, documents] = &arguments[..] else {
        return Err("usage: dataset FOLDER DOCUMENTS".into());
    };
    let (folder, documents) = (Path::new(folder), documents.parse()?);
    fill(folder, documents).await.map_err(|fault| fault.chain())?;
    Ok(())
}

async fn fill(folder: &Path, documents: usize) -> Result<()> {
    let begin: Timestamp = "2023-11-21T10:00:00Z".parse().expect("a time");
    let config = Config { data: folder.join("data"), ..Config::default() };
    let clock = Clock::held(begin);
    let worker = PathBuf::from(env!("CARGO_BIN_EXE_appliance"));
    let opening = clock.clone();
    let app = tokio::task::spawn_blocking(move || App::open_with(config, opening, Some(worker)))
        .await
        .expect("opening does not panic")?;
    let mut random = Random(1);
    let world = World::begin(&app).await?;
    let mut lines = BufWriter::new(create(&folder.join("documents.jsonl"))?);
    let (files, first) = world.receive(&app, &mut random).await?;
    for document in &first {
        write_line(&mut lines, document)?;
    }
    let step = SignedDuration::from_hours(YEARS * 365 * 24) / documents.max(1) as i32;
    let mut done = first.len();
    while done < documents {
        let count = DOCUMENTS_PER_TRANSACTION.min(documents - done);
        let drafts: Vec<Draft> = (0..count).map(|_| world.draft(&files, &mut random)).collect();
        let (actor, organization) = (world.ada.clone(), world.organization);
        let added = app.store.write(move |tx| add(tx, &actor, organization, drafts)).await?;
        for document in &added {
            write_line(&mut lines, document)?;
        }
        clock.advance(step * count as i32);
        done += count;
    }
    lines.flush().map_err(internal)?;
    app.reindex(&|_, _| {}).await?;
    for _ in 0..=documents * CHANGES_PER_DOCUMENT / CHANGES_PER_ROUND {
        app.keep_tidy().await?;
    }
    Ok(())
}

/// Who is there before the first document.
struct World {
    organization: Id<Organization>,
    ada: Actor,
    groups: Vec<Id<Group>>,
}

impl World {
    async fn begin(app: &App) -> Result<Self> {
        let password = app.new_password(PASSWORD.into(), &[]).await?;
        app.store
            .write(move |tx| {
                let system = Actor::system("Benchmark", None);
                let organization = organizations::create(tx, &system, "Northlight")?.id;
                let system = Actor::system("Benchmark", Some(organization));
                let add = |tx: &mut WriteTx, name: &str, role| {
                    users::create(tx, &system, organization, user(name, &password, role))
                };
                let ada = add(tx, "ada", Role::Admin)?;
                add(tx, "eve", Role::Editor)?;
                let max = add(tx, "max", Role::Viewer)?;
                let ada = Actor::load(tx, &ada, Some(organization))?;
                let mut all = Vec::new();
                for number in 0..GROUPS {
                    let name = format!("Group {number}");
                    let group = groups::create(tx, &ada, organization, &name, "")?.id;
                    if number < GROUPS_OF_MEMBER {
                        groups::add_member(tx, &ada, organization, group, max.id)?;
                    }
                    all.push(group);
                }
                Ok(World { organization, ada, groups: all })
            })
            .await
    }

    /// Uploads the files and has them read, each as part of a document.
    async fn receive(
        &self,
        app: &Arc<App>,
        random: &mut Random,
    ) -> Result<(Vec<NewFile>, Vec<Document>)> {
        let background = app.start();
        let mut files = Vec::new();
        for number in 0..FILES {
            let text = Bytes::from(random.words(WORDS_PER_FILE));
            let bytes = stream::iter([Ok(text)]);
            files.push(app.receive(&format!("file-{number}.txt"), None, bytes).await?);
        }
        let drafts = files.iter().map(|file| self.draft(std::slice::from_ref(file), random));
        let (actor, organization, drafts) = (self.ada.clone(), self.organization, drafts.collect());
        let added = app.store.write(move |tx| add(tx, &actor, organization, drafts)).await?;
        app.settle().await?;
        background.stop().await;
        Ok((files, added))
    }

    fn draft(&self, files: &[NewFile], random: &mut Random) -> Draft {
        let visibility = match random.below(10) {
            0 => Visibility::Public,
            1..4 => {
                let group = self.groups[random.below(self.groups.len() as u64) as usize];
                Visibility::Restricted { groups: vec![group], people: Vec::new() }
            }
            _ => Visibility::Organization,
        };
        let status = match random.below(20) {
            0 => Status::Draft,
            1 => Status::Archived,
            _ => Status::Published,
        };
        let tags = (0..random.below(4)).map(|_| format!("tag{}", random.below(TAGS))).collect();
        let new = NewDocument {
            title: random.words(5),
            description: random.words(20),
            category: format!("Category {}", random.below(CATEGORIES)),
            tags,
            kind: Kind::File,
            status: Status::Published,
            visibility,
        };
        Draft { new, status, file: files[random.below(files.len() as u64) as usize].clone() }
    }
}

struct Draft {
    new: NewDocument,
    status: Status,
    file: NewFile,
}

fn user(name: &str, password: &PasswordHash, role: Role) -> NewUser {
    NewUser {
        username: name.into(),
        email: format!("{name}@example.com"),
        full_name: String::new(),
        password: password.clone(),
        is_admin: role == Role::Admin,
        role,
    }
}

fn add(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    drafts: Vec<Draft>,
) -> Result<Vec<Document>> {
    let mut added = Vec::with_capacity(drafts.len());
    for Draft { mut new, status, file } in drafts {
        new.status = status;
        added.push(documents::add_file(tx, actor, organization, new, file)?);
    }
    Ok(added)
}

fn write_line(lines: &mut impl Write, document: &Document) -> Result<()> {
    let group = match &document.visibility {
        Visibility::Restricted { groups, .. } => groups.first(),
        _ => None,
    };
    let line = json!({
        "title": document.title,
        "description": document.description,
        "category": document.category,
        "tags": document.tags,
        "status": document.status,
        "visibility": document.visibility.name(),
        "group": group,
        "created": document.created_at,
    });
    writeln!(lines, "{line}").map_err(internal)
}

fn create(path: &Path) -> Result<File> {
    File::create(path).map_err(internal)
}

fn internal(fault: std::io::Error) -> Error {
    Error::Internal(fault.into())
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same data set each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// Few words often and many seldom, as in a language.
    fn words(&mut self, count: usize) -> String {
        let words: Vec<String> = (0..count)
            .map(|_| {
                let limit = 1 + self.below(WORDS);
                word(self.below(limit))
            })
            .collect();
        words.join(" ")
    }
}

/// A word that can be spoken: `ba`, `be` … `zuzu`.
fn word(mut number: u64) -> String {
    let mut word = String::new();
    loop {
        word.push(char::from(b"bcdfghjklmnprstvwxz"[(number % 19) as usize]));
        number /= 19;
        word.push(char::from(b"aeiou"[(number % 5) as usize]));
        number /= 5;
        if number == 0 {
            return word;
        }
    }
}
