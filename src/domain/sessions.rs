//! Sessions: one row for each sign-in, whether it is held by a cookie or by a JSON Web Token. A row
//! that is gone ends it, on the next request.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    access::{Actor, Credential},
    events::{self, Verb},
    memberships,
    organizations::{self, Organization},
    secrets::{Secret, SecretHash},
    users::{self, User},
};
use crate::{
    error::{Error, Result},
    id::Id,
    store::{Index, IndexEntries, ReadTx, Record, Table, WriteTx},
};

/// How stale `seen_at` may be: a write for every request would be wasteful.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// How many sessions of one user may be open.
const SESSIONS_MAX: usize = 1_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    pub id: Id<Session>,
    pub user: Id<User>,
    pub organization: Option<Id<Organization>>,
    /// The hash of the cookie's secret; a token is proven by its signature instead.
    #[serde(default)]
    pub secret: Option<SecretHash>,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
    pub expires_at: Timestamp,
    #[serde(default)]
    pub address: Option<String>,
    #[serde(default)]
    pub user_agent: String,
}

impl Record for Session {
    const TABLE: Table = Table { number: 11, name: "sessions" };

    type Key = Id<Session>;

    fn key(&self) -> Self::Key {
        self.id
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&BY_USER, &self.user);
        entries.add(&BY_EXPIRY, &self.expires_at);
    }
}

const BY_USER: Index<Session, Id<User>> = Index::new(1);
const BY_EXPIRY: Index<Session, Timestamp> = Index::new(2);

/// From where, and for how long, somebody signs in.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub address: Option<String>,
    pub user_agent: String,
    pub lifetime: SignedDuration,
}

/// Begins a session for somebody whose password was right: `proven` is the account as it was when
/// the password was checked. With a secret the session is for a cookie.
///
/// # Errors
/// `Forbidden` when the account is disabled. `SignInRequired` when it has another password by now:
/// who still had the old one must not slip in behind the change.
pub fn begin(
    tx: &mut WriteTx,
    proven: &User,
    sign_in: SignIn,
    secret: Option<&Secret>,
) -> Result<Session> {
    tx.draw_on_reserve();
    let user = proven.id;
    let person = users::get(tx, user)?;
    if person.is_disabled {
        return Err(Error::forbidden("This account is disabled. Ask your administrator."));
    }
    if person.password != proven.password {
        return Err(Error::SignInRequired);
    }
    make_room(tx, user)?;
    let organization = match memberships::of_user(tx, user)?.first() {
        Some(membership) => Some(membership.organization),
        None if person.is_admin => organizations::first(tx)?.map(|organization| organization.id),
        None => None,
    };
    let session = Session {
        id: tx.new_id(),
        user,
        organization,
        secret: secret.map(Secret::hash),
        created_at: tx.now(),
        seen_at: tx.now(),
        expires_at: tx.now() + sign_in.lifetime,
        address: sign_in.address,
        user_agent: sign_in.user_agent.chars().take(300).collect(),
    };
    tx.put(&session)?;
    users::note_sign_in(tx, user, secret.is_some())?;
    let mut actor = Actor::load(tx, &person, organization)?;
    actor.address = session.address.clone();
    events::record(tx, &actor, organization, Verb::SignedIn, user, person.display_name(), None)?;
    Ok(session)
}

/// A program that signs in for every request must not fill the store: the oldest sessions end.
fn make_room(tx: &mut WriteTx, user: Id<User>) -> Result<()> {
    let known: Vec<Id<Session>> = tx
        .index(&BY_USER)
        .within(&user)
        .keys()?
        .map(|entry| Ok(entry?.1))
        .collect::<Result<_>>()?;
    for id in known.iter().take((known.len() + 1).saturating_sub(SESSIONS_MAX)) {
        tx.remove::<Session>(id)?;
    }
    Ok(())
}

/// The session, its user and what they may do now; `None` when it has ended in any way.
pub fn resume(tx: &ReadTx, id: Id<Session>) -> Result<Option<(Session, User, Actor)>> {
    let Some(session) = tx.get::<Session>(&id)? else { return Ok(None) };
    if session.expires_at <= tx.now() {
        return Ok(None);
    }
    let Some(user) = tx.get::<User>(&session.user)?.filter(|user| !user.is_disabled) else {
        return Ok(None);
    };
    let actor = Actor::load(tx, &user, session.organization)?;
    let actor = Actor { credential: Some(Credential::Session(id)), ..actor };
    Ok(Some((session, user, actor)))
}

/// True when [`touch`] has something to write.
pub fn is_stale(session: &Session, now: Timestamp) -> bool {
    now.duration_since(session.seen_at) >= SEEN_EVERY
}

/// Notes that the session is in use and, for a cookie, moves its end away; one that has ended stays
/// ended.
pub fn touch(tx: &mut WriteTx, id: Id<Session>, lifetime: SignedDuration) -> Result<()> {
    tx.draw_on_reserve();
    let Some(mut session) = tx.get::<Session>(&id)? else { return Ok(()) };
    if session.expires_at <= tx.now() {
        return Ok(());
    }
    session.seen_at = tx.now();
    if session.secret.is_some() {
        session.expires_at = session.expires_at.max(tx.now() + lifetime);
        users::note_visit(tx, session.user)?;
    }
    tx.put(&session)
}

/// The open sessions of a user, the one used last first.
pub fn of_user(tx: &ReadTx, user: Id<User>) -> Result<Vec<Session>> {
    let all = tx.index(&BY_USER).within(&user).records()?;
    let mut open: Vec<Session> = all.collect::<Result<_>>()?;
    open.retain(|session| session.expires_at > tx.now());
    open.sort_by_key(|session| std::cmp::Reverse(session.seen_at));
    Ok(open)
}

/// Ends one session of a user; one that has ended already is no error.
pub fn end(tx: &mut WriteTx, user: Id<User>, id: Id<Session>) -> Result<()> {
    tx.draw_on_reserve();
    match tx.get::<Session>(&id)? {
        Some(session) if session.user == user => tx.remove::<Session>(&id).map(|_| ()),
        _ => Ok(()),
    }
}

/// Ends all sessions of the actor but the one that asks. Returns how many.
pub fn end_others(tx: &mut WriteTx, actor: &Actor) -> Result<usize> {
    end_all(tx, actor.person()?, actor.session())
}

/// Ends all sessions of a user except `keep`. Returns how many.
pub fn end_all(tx: &mut WriteTx, user: Id<User>, keep: Option<Id<Session>>) -> Result<usize> {
    tx.draw_on_reserve();
    let all = tx.index(&BY_USER).within(&user).records()?;
    let sessions: Vec<Session> = all.collect::<Result<_>>()?;
    let mut ended = 0;
    for session in sessions.iter().filter(|session| Some(session.id) != keep) {
        tx.remove::<Session>(&session.id)?;
        ended += 1;
    }
    Ok(ended)
}

/// Removes sessions that have run out, at most `limit`. Returns how many.
pub fn sweep(tx: &mut WriteTx, limit: usize) -> Result<usize> {
    let now = tx.now();
    let mut expired = Vec::new();
    for entry in tx.index(&BY_EXPIRY).keys()?.take(limit) {
        let (expires_at, id) = entry?;
        if expires_at > now {
            break;
        }
        expired.push(id);
    }
    for id in &expired {
        tx.remove::<Session>(id)?;
    }
    Ok(expired.len())
}
