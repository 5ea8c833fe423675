//! An organization with its administrator, on a store in memory with a clock that tests move.

use std::{
    fmt::Debug,
    sync::{Arc, OnceLock},
};

use appliance::{
    clock::Clock,
    domain::{
        access::{Actor, Role},
        blobs::NewBlob,
        categories::{self, Category},
        documents::{self, Document, Kind, NewDocument, Status, Visibility},
        groups::{self, Group},
        jobs::{self, Failure, Job, Lane},
        memberships,
        organizations::{self, Organization},
        passwords::{self, PasswordHash},
        setup::{self, Setup},
        users::{self, NewUser, User},
        versions::NewFile,
    },
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    store::{MemoryEngine, ReadTx, Store, WriteTx},
};
use jiff::SignedDuration;

/// Up to `limit` jobs of each lane that are due.
pub fn claim_jobs(tx: &mut WriteTx, limit: usize) -> Result<Vec<Job>> {
    let mut claimed = Vec::new();
    for lane in Lane::ALL {
        claimed.extend(jobs::claim(tx, lane, limit)?);
    }
    Ok(claimed)
}

pub fn failure(is_final: bool) -> Failure {
    Failure { error: "the disk is gone".into(), reason: "The disk is gone.".into(), is_final }
}

pub struct World {
    pub store: Store,
    pub clock: Clock,
    pub organization: Id<Organization>,
    /// Administrator of the instance and of the organization.
    pub ada: User,
}

impl World {
    pub fn new() -> Self {
        let clock = Clock::held("2026-11-21T12:00:00Z".parse().unwrap());
        let store = Store::over(Arc::new(MemoryEngine::default()), clock.clone()).unwrap();
        let setup = Setup {
            organization: "Northlight".into(),
            username: "ada".into(),
            email: "ada@example.com".into(),
            full_name: "Ada Lovelace".into(),
            password: password(),
        };
        let (organization, ada) = store.write_blocking(move |tx| setup::run(tx, setup)).unwrap();
        World { store, clock, organization: organization.id, ada }
    }

    pub fn write<T: Send + 'static>(
        &self,
        closure: impl FnOnce(&mut WriteTx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store.write_blocking(closure)
    }

    pub fn read<T>(&self, closure: impl FnOnce(&ReadTx) -> Result<T>) -> Result<T> {
        self.store.read_blocking(closure)
    }

    /// Runs a verb as somebody, with the rights of this moment.
    pub fn act<T: Send + 'static>(
        &self,
        who: &User,
        verb: impl FnOnce(&mut WriteTx, &Actor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.act_in(self.organization, who, verb)
    }

    /// [`act`](Self::act), at work in another organization.
    pub fn act_in<T: Send + 'static>(
        &self,
        organization: Id<Organization>,
        who: &User,
        verb: impl FnOnce(&mut WriteTx, &Actor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let id = who.id;
        self.write(move |tx| {
            let user = users::get(tx, id)?;
            let actor = Actor::load(tx, &user, Some(organization))?;
            verb(tx, &actor)
        })
    }

    /// Looks at something as somebody.
    pub fn see<T>(&self, who: &User, look: impl FnOnce(&ReadTx, &Actor) -> Result<T>) -> Result<T> {
        let actor = self.actor(who);
        self.read(|tx| look(tx, &actor))
    }

    pub fn actor(&self, who: &User) -> Actor {
        self.read(|tx| Actor::load(tx, &users::get(tx, who.id)?, Some(self.organization))).unwrap()
    }

    pub fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }

    pub fn person(&self, name: &str, role: Role) -> User {
        self.person_in(self.organization, name, role)
    }

    pub fn person_in(&self, organization: Id<Organization>, name: &str, role: Role) -> User {
        let new = new_user(name, role);
        self.act(&self.ada, move |tx, ada| users::create(tx, ada, organization, new)).unwrap()
    }

    /// The account as it is now.
    pub fn again(&self, who: &User) -> User {
        self.read(|tx| users::get(tx, who.id)).unwrap()
    }

    pub fn make_instance_administrator(&self, who: &User) {
        let (id, organization) = (who.id, self.organization);
        let edit = users::UserEdit { is_admin: Some(true), ..users::UserEdit::default() };
        self.act(&self.ada, move |tx, ada| users::edit(tx, ada, organization, id, edit)).unwrap();
    }

    pub fn other_organization(&self, name: &str) -> Id<Organization> {
        let name = name.to_owned();
        self.act(&self.ada, move |tx, ada| organizations::create(tx, ada, &name)).unwrap().id
    }

    pub fn join(&self, organization: Id<Organization>, who: &User, role: Role) {
        let id = who.id;
        self.act(&self.ada, move |tx, ada| memberships::assign(tx, ada, organization, id, role))
            .unwrap();
    }

    pub fn group(&self, name: &str, members: &[&User]) -> Group {
        let (organization, name) = (self.organization, name.to_owned());
        let members: Vec<Id<User>> = members.iter().map(|member| member.id).collect();
        self.act(&self.ada, move |tx, ada| {
            let group = groups::create(tx, ada, organization, &name, "")?;
            for member in members {
                groups::add_member(tx, ada, organization, group.id, member)?;
            }
            Ok(group)
        })
        .unwrap()
    }

    pub fn category(&self, name: &str) -> Category {
        let (organization, name) = (self.organization, name.to_owned());
        self.act(&self.ada, move |tx, ada| categories::create(tx, ada, organization, &name, ""))
            .unwrap()
    }

    /// A published document for everybody in the organization.
    pub fn document(&self, owner: &User, title: &str) -> Document {
        self.add(owner, new_document(title)).unwrap()
    }

    pub fn document_in(&self, owner: &User, title: &str, category: &Category) -> Document {
        let category = category.name.clone();
        self.add(owner, NewDocument { category, ..new_document(title) }).unwrap()
    }

    pub fn add(&self, owner: &User, new: NewDocument) -> Result<Document> {
        let organization = self.organization;
        let file = file("plan.pdf", new.title.as_bytes().first().copied().unwrap_or_default());
        self.act(owner, move |tx, actor| documents::add_file(tx, actor, organization, new, file))
    }

    pub fn link(&self, owner: &User, url: &str) -> Document {
        let (organization, url) = (self.organization, url.to_owned());
        self.act(owner, move |tx, actor| {
            documents::add_link(tx, actor, organization, new_document(""), &url)
        })
        .unwrap()
    }

    /// The document as it is now.
    pub fn stored(&self, document: &Document) -> Option<Document> {
        self.read(|tx| tx.get(&document.id)).unwrap()
    }
}

/// The hash of [`PASSWORD`]; made once, since it takes its time.
pub fn password() -> PasswordHash {
    static HASH: OnceLock<PasswordHash> = OnceLock::new();
    HASH.get_or_init(|| passwords::hash("a tall green kettle").unwrap()).clone()
}

pub fn other_password() -> PasswordHash {
    static HASH: OnceLock<PasswordHash> = OnceLock::new();
    HASH.get_or_init(|| passwords::hash("a short blue teapot").unwrap()).clone()
}

pub fn new_user(name: &str, role: Role) -> NewUser {
    NewUser {
        username: name.into(),
        email: format!("{name}@example.com"),
        full_name: String::new(),
        password: password(),
        is_admin: false,
        role,
    }
}

pub fn new_document(title: &str) -> NewDocument {
    NewDocument {
        title: title.into(),
        description: String::new(),
        category: String::new(),
        tags: Vec::new(),
        kind: Kind::File,
        status: Status::Published,
        visibility: Visibility::Organization,
    }
}

/// A file whose content is named by one byte.
pub fn file(filename: &str, content: u8) -> NewFile {
    NewFile {
        filename: filename.into(),
        blob: NewBlob {
            hash: blob(content),
            size_bytes: 1_000,
            media_type: "application/pdf".into(),
        },
    }
}

pub fn blob(content: u8) -> ContentHash {
    ContentHash([content; 32])
}

pub fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

#[track_caller]
pub fn assert_conflict<T: Debug>(result: Result<T>) -> String {
    match result {
        Err(Error::Conflict(message) | Error::Taken { message, .. }) => message,
        other => panic!("no conflict: {other:?}"),
    }
}

#[track_caller]
pub fn assert_not_found<T: Debug>(result: Result<T>) {
    assert!(matches!(result, Err(Error::NotFound(_))), "not hidden: {result:?}");
}

#[track_caller]
pub fn assert_forbidden<T: Debug>(result: Result<T>) {
    assert!(matches!(result, Err(Error::Forbidden(_))), "not forbidden: {result:?}");
}

#[track_caller]
pub fn assert_sign_in<T: Debug>(result: Result<T>) {
    assert!(matches!(result, Err(Error::SignInRequired)), "no sign-in required: {result:?}");
}

/// The input was refused, and `field` was named.
#[track_caller]
pub fn assert_invalid<T: Debug>(result: Result<T>, field: &str) {
    match result {
        Err(Error::Invalid { field: Some(named), .. }) if named == field => {}
        other => panic!("{field} was not refused: {other:?}"),
    }
}
