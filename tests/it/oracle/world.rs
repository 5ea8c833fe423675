//! Two organizations, everybody who could ask, and every sort of document.

use std::collections::BTreeMap;

use appliance::{
    domain::{
        access::{Actor, Role},
        blobs::NewBlob,
        categories, documents,
        documents::{Document, Kind, NewDocument, Status, Visibility},
        groups::{self, Group},
        jobs::{self, Job},
        memberships,
        organizations::{self, Organization},
        users::{self, NewUser, User},
        versions::{self, NewFile, Version},
    },
    error::Result,
    id::Id,
    store::WriteTx,
};
use serde_json::json;

use super::table::Row;
use crate::support::{PASSWORD, TestApp};

pub struct World {
    pub app: TestApp,
    /// Follows no redirects.
    pub client: reqwest::Client,
    pub people: Vec<Person>,
    pub shown: Vec<Shown>,
    /// The ids that stand for parameters of addresses, by the beginning of the address.
    pub named: BTreeMap<&'static str, String>,
    file: NewFile,
    group: Id<Group>,
    pia: Id<User>,
    victims: usize,
}

/// Somebody who asks.
pub struct Person {
    pub name: &'static str,
    pub actor: Actor,
    /// For the API.
    pub token: Option<String>,
    /// For pages.
    pub cookie: Option<String>,
    pub csrf: String,
}

/// A document, and how to make its like again.
pub struct Shown {
    pub document: Document,
    /// The version before the current one.
    pub earlier: Id<Version>,
    pub status: Status,
    pub visibility: &'static str,
    pub is_trashed: bool,
    pub organization: Id<Organization>,
    pub creator: Actor,
}

impl Shown {
    pub fn name(&self) -> String {
        let trashed = if self.is_trashed { ", in the trash" } else { "" };
        let place = self.creator.name.as_str();
        format!("(a document of {place}, {}, {}{trashed})", self.status.name(), self.visibility)
    }

    pub fn is_for_the_world(&self) -> bool {
        self.visibility == "public" && self.status == Status::Published && !self.is_trashed
    }
}

/// The roles of the organization in which `ada` administers the instance.
const MEMBERS: [(&str, Role); 7] = [
    ("alma", Role::Admin),
    ("mona", Role::Manager),
    ("eddy", Role::Editor),
    ("erna", Role::Editor),
    ("vera", Role::Viewer),
    ("gus", Role::Viewer),
    ("pia", Role::Viewer),
];

impl World {
    pub async fn build() -> World {
        let app = TestApp::spawn().await;
        let mut users = BTreeMap::from([("ada", app.ada.clone())]);
        for (name, role) in MEMBERS {
            users.insert(name, app.add_user(name, role).await);
        }
        // Locked out, renamed and deleted by whoever may.
        let victim = app.add_user("victor", Role::Viewer).await;
        let elsewhere = other_organization(&app).await;
        users.insert("zoe", elsewhere.1.clone());
        users.insert("noa", without_a_place(&app).await);
        let ours = app.organization;
        let (gus, ada) = (users["gus"].id, users["ada"].clone());
        let (group, category, job) = app
            .app
            .store
            .write(move |tx| {
                let actor = Actor::load(tx, &ada, Some(ours))?;
                let group = groups::create(tx, &actor, ours, "Readers", "")?;
                groups::add_member(tx, &actor, ours, group.id, gus)?;
                let category = categories::create(tx, &actor, ours, "Plans", "")?;
                Ok((group.id, category.id, jobs::enqueue(tx, some_task())?.id))
            })
            .await
            .expect("a group and a category");
        let file = upload_once(&app).await;
        let mut world = World {
            pia: users["pia"].id,
            client: plain_client(),
            people: Vec::new(),
            shown: Vec::new(),
            named: BTreeMap::new(),
            file,
            group,
            victims: 1,
            app,
        };
        world.name_things(group, &category.to_string(), job);
        world.name_victim(&victim);
        world.show_documents(&users, elsewhere.0).await;
        world.app.settle().await;
        world.sign_everybody_in(users).await;
        world
    }

    pub fn person(&self, name: &str) -> usize {
        self.people.iter().position(|person| person.name == name).expect("a person of the world")
    }

    /// One more document that `ada` may change in every way: its place.
    pub async fn fresh_place(&mut self) -> usize {
        self.mend_document(0).await;
        0
    }

    /// Puts back what a request has changed.
    pub async fn mend(&mut self, place: usize, row: &Row, who: usize) {
        if row.rule.is_about_a_document() {
            self.mend_document(place).await;
        }
        if row.ends_sessions {
            let name = self.people[who].name;
            let user = self.people[who].actor.user.expect("only somebody has a session");
            let user = self.app.app.store.read(move |tx| users::get(tx, user)).await.expect("them");
            self.people[who] = sign_in(&self.app, name, &user).await;
        }
        match row.name().as_str() {
            "DELETE /api/admin/groups/{id}" | "POST /admin/groups/{id}/delete" => {
                self.mend_group().await;
            }
            "POST /admin/groups/{id}/members" => self.let_gus_in().await,
            "DELETE /api/admin/users/{id}" | "POST /admin/people/{id}/delete" => {
                self.victims += 1;
                let name = format!("victor{}", self.victims);
                let victim = self.app.add_user(&name, Role::Viewer).await;
                self.name_victim(&victim);
            }
            _ => {}
        }
    }

    async fn mend_group(&mut self) {
        let (ours, actor) = (self.app.organization, self.ada());
        let made = self.app.app.store.write(move |tx| {
            let group = groups::create(tx, &actor, ours, "Readers", "")?;
            Ok(group.id)
        });
        self.group = made.await.expect("the group again");
        for named in ["/api/admin/groups", "/admin/groups"] {
            self.named.insert(named, self.group.to_string());
        }
        self.let_gus_in().await;
        for place in 0..self.shown.len() {
            self.mend_document(place).await;
        }
    }

    async fn let_gus_in(&mut self) {
        let (ours, actor, group) = (self.app.organization, self.ada(), self.group);
        let gus = self.people[self.person("gus")].actor.user.expect("gus has an account");
        let added =
            self.app.app.store.write(move |tx| groups::add_member(tx, &actor, ours, group, gus));
        added.await.expect("gus in the group");
        self.load_actors().await;
    }

    fn ada(&self) -> Actor {
        self.people[self.person("ada")].actor.clone()
    }

    async fn load_actors(&mut self) {
        for person in &mut self.people {
            let Some(id) = person.actor.user else { continue };
            let organization = person.actor.organization;
            let loaded = self.app.app.store.read(move |tx| {
                let user = users::get(tx, id)?;
                Actor::load(tx, &user, organization)
            });
            person.actor = loaded.await.expect("the rights of this moment");
        }
    }

    async fn mend_document(&mut self, place: usize) {
        let shown = &self.shown[place];
        let (status, is_trashed) = (shown.status, shown.is_trashed);
        let visibility = self.visibility(shown.visibility);
        let (organization, creator) = (shown.organization, shown.creator.clone());
        let file = self.file.clone();
        let made = self.app.app.store.write(move |tx| {
            make(tx, &creator, organization, status, visibility, is_trashed, file)
        });
        let (document, earlier) = made.await.expect("a document like the one before");
        self.shown[place].document = document;
        self.shown[place].earlier = earlier;
    }

    fn visibility(&self, name: &str) -> Visibility {
        match name {
            "organization" => Visibility::Organization,
            "public" => Visibility::Public,
            _ => Visibility::Restricted { groups: vec![self.group], people: vec![self.pia] },
        }
    }

    fn name_things(&mut self, group: Id<Group>, category: &str, job: Id<Job>) {
        self.named.extend([
            ("/api/admin/groups", group.to_string()),
            ("/admin/groups", group.to_string()),
            ("/api/admin/categories", category.to_owned()),
            ("/admin/categories", category.to_owned()),
            ("/api/admin/jobs", job.to_string()),
            ("/admin/jobs", job.to_string()),
            ("/api/admin/backups", "appliance-none-20261121T100000Z.tar.zst".into()),
            ("/admin/backups", "appliance-none-20261121T100000Z.tar.zst".into()),
        ]);
    }

    fn name_victim(&mut self, victim: &User) {
        for named in ["/api/admin/users", "/admin/people", "user_id", "user"] {
            self.named.insert(named, victim.id.to_string());
        }
    }

    /// Eddy's: every status with every visibility, in and out of the trash. Zoe's: one each, for
    /// the walls between organizations.
    async fn show_documents(&mut self, users: &BTreeMap<&str, User>, elsewhere: Id<Organization>) {
        let eddy = self.actor(&users["eddy"], self.app.organization).await;
        let zoe = self.actor(&users["zoe"], elsewhere).await;
        for is_trashed in [false, true] {
            for visibility in ["organization", "restricted", "public"] {
                for &status in Status::ALL {
                    self.show(&eddy, self.app.organization, status, visibility, is_trashed).await;
                }
            }
        }
        for visibility in ["organization", "public"] {
            self.show(&zoe, elsewhere, Status::Published, visibility, false).await;
        }
    }

    async fn show(
        &mut self,
        creator: &Actor,
        organization: Id<Organization>,
        status: Status,
        visibility: &'static str,
        is_trashed: bool,
    ) {
        let (by, kind, file) = (creator.clone(), self.visibility(visibility), self.file.clone());
        let made = self
            .app
            .app
            .store
            .write(move |tx| make(tx, &by, organization, status, kind, is_trashed, file));
        let (document, earlier) = made.await.expect("a document");
        let creator = creator.clone();
        self.shown.push(Shown {
            document,
            earlier,
            status,
            visibility,
            is_trashed,
            organization,
            creator,
        });
    }

    async fn actor(&self, user: &User, organization: Id<Organization>) -> Actor {
        let user = user.clone();
        let loaded = self.app.app.store.read(move |tx| Actor::load(tx, &user, Some(organization)));
        loaded.await.expect("an actor")
    }

    async fn sign_everybody_in(&mut self, users: BTreeMap<&'static str, User>) {
        self.people.push(Person {
            name: "a stranger",
            actor: Actor::stranger(),
            token: None,
            cookie: None,
            csrf: String::new(),
        });
        for (name, user) in users {
            self.people.push(sign_in(&self.app, name, &user).await);
        }
    }
}

async fn sign_in(app: &TestApp, name: &'static str, user: &User) -> Person {
    let api = app.stranger();
    let answer = api.post("/api/login", json!({ "username": name, "password": PASSWORD })).await;
    let begun = app.app.begin_session(user.clone(), None, String::new()).await;
    let (session, cookie) = begun.expect("a session");
    let token = answer["access_token"].as_str().expect("a token").to_owned();
    let user = user.clone();
    let loaded = app.app.store.read(move |tx| Actor::load(tx, &user, session.organization));
    let actor = loaded.await.expect("an actor");
    let cookie = format!("session={cookie}");
    let csrf = csrf_token(app, &cookie).await;
    Person { name, actor, token: Some(token), cookie: Some(cookie), csrf }
}

/// Keeps nothing and goes nowhere by itself.
fn plain_client() -> reqwest::Client {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.build().expect("a client")
}

/// The token of the forms on a page: every page has one, for signing out.
async fn csrf_token(app: &TestApp, cookie: &str) -> String {
    let page = plain_client().get(format!("{}/api/docs", app.url)).header("cookie", cookie);
    let html = page.send().await.expect("a page").text().await.expect("its text");
    let (_, rest) = html.split_once("name=\"csrf\" value=\"").expect("a form");
    rest.split('"').next().unwrap_or_default().to_owned()
}

fn make(
    tx: &mut WriteTx,
    creator: &Actor,
    organization: Id<Organization>,
    status: Status,
    visibility: Visibility,
    is_trashed: bool,
    file: NewFile,
) -> Result<(Document, Id<Version>)> {
    let new = NewDocument {
        title: "A document".into(),
        description: String::new(),
        category: "Plans".into(),
        tags: Vec::new(),
        kind: Kind::File,
        status,
        visibility,
    };
    let document = documents::add_file(tx, creator, organization, new, file.clone())?;
    let earlier = document.current.as_ref().expect("it has a file").version;
    let (document, _) = versions::add(tx, creator, document.id, file)?;
    let document = match is_trashed {
        true => documents::trash(tx, creator, document.id)?,
        false => document,
    };
    Ok((document, earlier))
}

/// The bytes that all documents share: a PDF, so that there are a thumbnail, a page and a text.
async fn upload_once(app: &TestApp) -> NewFile {
    let ada = app.signed_in("ada").await;
    let made = ada.upload("paper.pdf", &pdf(), &[]).await;
    app.settle().await;
    let id: Id<Document> = made["id"].as_str().expect("an id").parse().expect("a UUID");
    let actor = Actor::system("test", Some(app.organization));
    app.app
        .store
        .write(move |tx| {
            let document = documents::readable(tx, &actor, id)?;
            documents::trash(tx, &actor, id)?;
            let file = document.current.expect("it has a file");
            let blob = NewBlob {
                hash: file.blob,
                size_bytes: file.size_bytes,
                media_type: file.media_type,
            };
            Ok(NewFile { filename: file.filename, blob })
        })
        .await
        .expect("the file of the document")
}

/// A page with a word on it (ISO 32000-1, the smallest file that has one).
pub fn pdf() -> Vec<u8> {
    let page_text = "BT /F1 24 Tf 20 100 Td (Quince) Tj ET";
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 5 0 R \
         /Resources << /Font << /F1 4 0 R >> >> >>"
            .to_owned(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{page_text}\nendstream", page_text.len()),
    ];
    let mut pdf = String::from("%PDF-1.4\n");
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(pdf.len());
        pdf += &format!("{} 0 obj\n{object}\nendobj\n", index + 1);
    }
    let start = pdf.len();
    pdf += &format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for offset in offsets {
        pdf += &format!("{offset:010} 00000 n \n");
    }
    pdf += &format!(
        "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n",
        objects.len() + 1
    );
    pdf.into_bytes()
}

/// An administrator of another organization on the same portal.
async fn other_organization(app: &TestApp) -> (Id<Organization>, User) {
    let password = app.app.new_password(PASSWORD.into(), &[]).await.expect("a hash");
    app.app
        .store
        .write(move |tx| {
            let system = Actor::system("test", None);
            let organization = organizations::create(tx, &system, "Southbank")?.id;
            let new = NewUser {
                username: "zoe".into(),
                email: "zoe@example.com".into(),
                full_name: String::new(),
                password,
                is_admin: false,
                role: Role::Admin,
            };
            Ok((organization, users::create(tx, &system, organization, new)?))
        })
        .await
        .expect("another organization")
}

/// An account that is a member of nothing.
async fn without_a_place(app: &TestApp) -> User {
    let noa = app.add_user("noa", Role::Viewer).await;
    let (ours, id) = (app.organization, noa.id);
    let actor = Actor::system("test", Some(ours));
    let ended = app.app.store.write(move |tx| memberships::end(tx, &actor, ours, id));
    ended.await.expect("the end of a membership");
    noa
}

/// Something that is done long before anybody asks about it.
fn some_task() -> jobs::Task {
    jobs::Task::RemoveBlob { blob: appliance::hash::ContentHash([0; 32]) }
}
