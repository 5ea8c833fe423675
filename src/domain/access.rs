//! Who may do what: the one decision.
//!
//! [`decide`] answers for a single document or place; [`Actor::terms`] and [`Document::terms`]
//! say the same thing in a form that an index can look up, for lists, counts, facets and search.
//! The two agree: an actor may read a document that is not in the trash exactly when they share a
//! term, and both belong to the same organization. `tests/it/access.rs` holds them to that.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    documents::{Document, Status, Visibility},
    groups::{self, Group},
    memberships,
    organizations::Organization,
    sessions::{self, Session},
    tokens::{self, ApiToken},
    users::User,
};
use crate::{
    error::{Error, Result},
    id::Id,
    store::{Key, ReadTx},
};

/// What a member may do in an organization; each role includes the ones before it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Finds, reads and downloads.
    Viewer,
    /// Also uploads, and edits what they created.
    Editor,
    /// Also edits every document, and keeps categories and groups.
    Manager,
    /// Also keeps people, settings and the audit log.
    Admin,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Editor, Role::Manager, Role::Admin];

    /// The word in forms, in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Editor => "editor",
            Role::Manager => "manager",
            Role::Admin => "admin",
        }
    }

    pub fn from_name(name: &str) -> Result<Self> {
        Role::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
            Error::invalid_field("role", "A role is one of viewer, editor, manager or admin.")
        })
    }
}

/// Who asks: read anew from the store for every request, so that a lost role, a left group or a
/// disabled account counts at once.
#[derive(Clone, Debug)]
pub struct Actor {
    /// `None` for a stranger and for the program itself.
    pub user: Option<Id<User>>,
    /// What proved it; `None` where nothing had to.
    pub credential: Option<Credential>,
    /// How the audit log names the actor.
    pub name: String,
    /// Administrator of the whole instance; also the program itself and the command line.
    pub is_administrator: bool,
    /// Where the actor is at work.
    pub organization: Option<Id<Organization>>,
    pub role: Option<Role>,
    pub groups: BTreeSet<Id<Group>>,
    /// The client's address, for the audit log.
    pub address: Option<String>,
}

/// What somebody has shown to prove who they are. It may be gone a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    Session(Id<Session>),
    Token(Id<ApiToken>),
}

impl Actor {
    /// Somebody who has not signed in.
    pub fn stranger() -> Self {
        Actor {
            user: None,
            credential: None,
            name: "A visitor".into(),
            is_administrator: false,
            organization: None,
            role: None,
            groups: BTreeSet::new(),
            address: None,
        }
    }

    /// The program at work for itself, or a person at the shell of the host.
    pub fn system(name: &str, organization: Option<Id<Organization>>) -> Self {
        Actor { name: name.into(), is_administrator: true, organization, ..Actor::stranger() }
    }

    /// A user at work in an organization, with the rights of this moment.
    pub fn load(tx: &ReadTx, user: &User, organization: Option<Id<Organization>>) -> Result<Self> {
        let (mut role, mut groups) = (None, BTreeSet::new());
        if let Some(organization) = organization {
            role = memberships::role(tx, organization, user.id)?;
            if role.is_some() {
                groups = groups::groups_of(tx, organization, user.id)?;
            }
        }
        Ok(Actor {
            user: Some(user.id),
            credential: None,
            name: user.display_name().into(),
            is_administrator: user.is_admin,
            organization: organization.filter(|_| role.is_some() || user.is_admin),
            role,
            groups,
            address: None,
        })
    }

    /// The same actor with the rights of this moment: whatever an actor writes is decided with
    /// these, since a request may have begun long before.
    ///
    /// # Errors
    /// `SignInRequired` when the session, the token or the account is gone, or the account disabled.
    pub fn again(&self, tx: &ReadTx) -> Result<Self> {
        let now = match (self.credential, self.user) {
            (Some(Credential::Session(id)), _) => {
                sessions::resume(tx, id)?.map(|(.., actor)| actor)
            }
            (Some(Credential::Token(id)), _) => tokens::actor(tx, id)?,
            (None, Some(id)) => match tx.get::<User>(&id)?.filter(|user| !user.is_disabled) {
                Some(user) => Some(Actor::load(tx, &user, self.organization)?),
                None => None,
            },
            (None, None) => Some(self.clone()),
        };
        let now = now.ok_or(Error::SignInRequired)?;
        Ok(Actor { address: self.address.clone(), ..now })
    }

    /// The session that asks.
    pub fn session(&self) -> Option<Id<Session>> {
        match self.credential? {
            Credential::Session(id) => Some(id),
            Credential::Token(_) => None,
        }
    }

    /// True for somebody who could gain by signing in.
    pub fn is_stranger(&self) -> bool {
        self.user.is_none() && !self.is_administrator
    }

    /// The organization the actor is at work in.
    ///
    /// # Errors
    /// `SignInRequired` for a stranger, `Forbidden` for somebody without a membership.
    pub fn at_work(&self) -> Result<Id<Organization>> {
        self.organization.ok_or_else(|| match self.is_stranger() {
            true => Error::SignInRequired,
            false => Error::forbidden("You are not a member of an organization."),
        })
    }

    /// The user behind the actor.
    pub fn person(&self) -> Result<Id<User>> {
        self.user.ok_or(Error::SignInRequired)
    }

    /// The role that counts in an organization; an administrator of the instance has every right.
    pub fn role_in(&self, organization: Id<Organization>) -> Option<Role> {
        if self.is_administrator {
            return Some(Role::Admin);
        }
        self.role.filter(|_| self.organization == Some(organization))
    }

    fn is_at_least(&self, role: Role, organization: Id<Organization>) -> bool {
        self.role_in(organization).is_some_and(|own| own >= role)
    }

    /// What an index must ask for on behalf of this actor: a document of `organization` is
    /// readable when it carries one of these. None, and nothing is visible.
    pub fn terms(&self, organization: Id<Organization>) -> Vec<Term> {
        match self.role_in(organization) {
            None => Vec::new(),
            Some(role) if role >= Role::Manager => vec![Term::All],
            Some(_) => {
                let own = self.user.map(Term::User);
                let groups = self.groups.iter().copied().map(Term::Group);
                [Term::Organization].into_iter().chain(own).chain(groups).collect()
            }
        }
    }
}

/// What for: each action carries what it is done to.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// See, preview and download a document as it is now.
    Read(&'a Document),
    /// See the versions that a document had before, and what happened to it: a public document
    /// shows the world only what it is now.
    ReadHistory(&'a Document),
    /// Change a document in any way, up to deleting it.
    Edit(&'a Document),
    /// Be in the library at all.
    Browse(Id<Organization>),
    /// Add documents.
    Upload(Id<Organization>),
    /// Keep categories and groups.
    Curate(Id<Organization>),
    /// Keep people, settings and the audit log.
    Govern(Id<Organization>),
    /// Keep what belongs to no organization: jobs, health, administrators.
    Operate,
}

/// The one access decision.
///
/// # Errors
/// `SignInRequired` for a stranger; `NotFound` when the actor may not even know of it; `Forbidden`
/// when they may, but not do this.
pub fn decide(actor: &Actor, action: Action) -> Result<()> {
    match action {
        Action::Read(document) => match may_read(actor, document) {
            true => Ok(()),
            false => Err(unknown(actor, "document")),
        },
        Action::ReadHistory(document) => {
            decide(actor, Action::Read(document))?;
            match actor.is_at_least(Role::Viewer, document.organization) {
                true => Ok(()),
                false => Err(unknown(actor, "version")),
            }
        }
        Action::Edit(document) => {
            decide(actor, Action::Read(document))?;
            let role = actor.role_in(document.organization);
            let is_own = actor.user == Some(document.created_by);
            match role {
                Some(role) if role >= Role::Manager || role >= Role::Editor && is_own => Ok(()),
                _ => Err(refusal(actor, "You can read this document, but not change it.")),
            }
        }
        Action::Browse(organization) => {
            require(actor, Role::Viewer, organization, "You are not a member of this organization.")
        }
        Action::Upload(organization) => require(
            actor,
            Role::Editor,
            organization,
            "Your role is viewer: you can read documents, but not add any.",
        ),
        Action::Curate(organization) => require(
            actor,
            Role::Manager,
            organization,
            "Only managers and administrators may do this.",
        ),
        Action::Govern(organization) => {
            require(actor, Role::Admin, organization, "Only administrators may do this.")
        }
        Action::Operate if actor.is_administrator => Ok(()),
        Action::Operate => Err(refusal(actor, "Only administrators of the portal may do this.")),
    }
}

fn may_read(actor: &Actor, document: &Document) -> bool {
    let organization = document.organization;
    let is_manager = actor.is_at_least(Role::Manager, organization);
    let is_member = actor.is_at_least(Role::Viewer, organization);
    let is_creator = is_member && actor.user == Some(document.created_by);
    if is_manager || is_creator {
        return true;
    }
    if document.trashed.is_some() || document.status == Status::Draft {
        return false;
    }
    match &document.visibility {
        Visibility::Public => true,
        Visibility::Organization => is_member,
        Visibility::Restricted { groups, people } => {
            is_member
                && (actor.user.is_some_and(|user| people.contains(&user))
                    || groups.iter().any(|group| actor.groups.contains(group)))
        }
    }
}

fn require(actor: &Actor, role: Role, organization: Id<Organization>, refused: &str) -> Result<()> {
    match actor.is_at_least(role, organization) {
        true => Ok(()),
        false => Err(refusal(actor, refused)),
    }
}

/// Nothing betrays whether the thing exists: a missing one is answered by this too.
pub fn unknown(actor: &Actor, what: &str) -> Error {
    match actor.is_stranger() {
        true => Error::SignInRequired,
        false => Error::not_found(what),
    }
}

fn refusal(actor: &Actor, message: &str) -> Error {
    match actor.is_stranger() {
        true => Error::SignInRequired,
        false => Error::forbidden(message),
    }
}

/// A reason why a document may be read; documents carry some, actors hold some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// Held by those who see everything.
    All,
    /// Held by every member.
    Organization,
    Group(Id<Group>),
    User(Id<User>),
    /// Carried by what the whole world may read. Lists hold it against nobody: strangers have none.
    Public,
}

impl Term {
    /// The word for the search index.
    pub fn word(self) -> String {
        match self {
            Term::All => "all".into(),
            Term::Organization => "org".into(),
            Term::Group(group) => format!("g:{group}"),
            Term::User(user) => format!("u:{user}"),
            Term::Public => "public".into(),
        }
    }
}

impl Key for Term {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Term::All => 0u8.encode(out),
            Term::Organization => 1u8.encode(out),
            Term::Group(group) => (2u8, *group).encode(out),
            Term::User(user) => (3u8, *user).encode(out),
            Term::Public => 4u8.encode(out),
        }
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        match u8::decode(input)? {
            0 => Some(Term::All),
            1 => Some(Term::Organization),
            2 => Id::decode(input).map(Term::Group),
            3 => Id::decode(input).map(Term::User),
            4 => Some(Term::Public),
            _ => None,
        }
    }
}

impl Document {
    /// Who may read this document, for an index. What is in the trash is in no index.
    pub fn terms(&self) -> Vec<Term> {
        if self.trashed.is_some() {
            return Vec::new();
        }
        let mut terms = vec![Term::All, Term::User(self.created_by)];
        if self.status != Status::Draft {
            match &self.visibility {
                Visibility::Organization => terms.push(Term::Organization),
                Visibility::Public => terms.extend([Term::Organization, Term::Public]),
                Visibility::Restricted { groups, people } => {
                    terms.extend(groups.iter().copied().map(Term::Group));
                    terms.extend(people.iter().copied().map(Term::User));
                }
            }
        }
        terms.sort();
        terms.dedup();
        terms
    }
}
