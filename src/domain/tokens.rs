//! Personal API tokens: for programs that act as a person. Shown once, stored hashed.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    access::{Actor, Credential},
    events::{self, Verb},
    memberships, organizations,
    secrets::{Secret, SecretHash},
    text,
    users::User,
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    store::{Index, IndexEntries, ReadTx, Record, Table, WriteTx},
};

/// What every token begins with, so that a leaked one can be recognized.
pub const PREFIX: &str = "apl_";

/// How stale `used_at` may be: a write for every request would be wasteful.
const USED_EVERY: SignedDuration = SignedDuration::from_mins(5);

const TOKENS_MAX: usize = 50;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiToken {
    pub id: Id<ApiToken>,
    pub user: Id<User>,
    pub name: String,
    pub secret: SecretHash,
    pub created_at: Timestamp,
    #[serde(default)]
    pub used_at: Option<Timestamp>,
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

impl Record for ApiToken {
    const TABLE: Table = Table { number: 12, name: "api_tokens" };

    type Key = Id<ApiToken>;

    fn key(&self) -> Self::Key {
        self.id
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&BY_SECRET, &self.secret.key());
        entries.add(&BY_USER, &self.user);
    }
}

const BY_SECRET: Index<ApiToken, ContentHash> = Index::unique(1);
const BY_USER: Index<ApiToken, Id<User>> = Index::new(2);

/// What a token is called.
pub fn name(text: &str) -> Result<String> {
    text::line("name", text, 100)
}

/// Makes a token for the actor. The second value is the token itself: show it once.
pub fn create(
    tx: &mut WriteTx,
    actor: &Actor,
    name: &str,
    expires_at: Option<Timestamp>,
) -> Result<(ApiToken, String)> {
    let user = actor.person()?;
    let name = self::name(name)?;
    if of_user(tx, user)?.len() >= TOKENS_MAX {
        return Err(Error::conflict("You have 50 tokens. Revoke one that is not in use first."));
    }
    if expires_at.is_some_and(|at| at <= tx.now()) {
        return Err(Error::invalid_field("expires_at", "The token would have expired already."));
    }
    let revealed = format!("{PREFIX}{}", Secret::random()?.reveal());
    let token = ApiToken {
        id: tx.new_id(),
        user,
        name,
        secret: SecretHash::of(&revealed),
        created_at: tx.now(),
        used_at: None,
        expires_at,
    };
    tx.put(&token)?;
    events::record(tx, actor, actor.organization, Verb::TokenCreated, token.id, &token.name, None)?;
    Ok((token, revealed))
}

/// Who a token speaks for; `None` when it is unknown, has expired, or its owner may not sign in.
pub fn resume(tx: &ReadTx, revealed: &str) -> Result<Option<(ApiToken, User, Actor)>> {
    match tx.find(&BY_SECRET, &SecretHash::of(revealed).key())? {
        Some(token) => resume_known(tx, token),
        None => Ok(None),
    }
}

/// The actor behind a token that has been proven before; `None` when it does not count any more.
pub(super) fn actor(tx: &ReadTx, id: Id<ApiToken>) -> Result<Option<Actor>> {
    let Some(token) = tx.get::<ApiToken>(&id)? else { return Ok(None) };
    Ok(resume_known(tx, token)?.map(|(.., actor)| actor))
}

fn resume_known(tx: &ReadTx, token: ApiToken) -> Result<Option<(ApiToken, User, Actor)>> {
    if token.expires_at.is_some_and(|at| at <= tx.now()) {
        return Ok(None);
    }
    let Some(user) = tx.get::<User>(&token.user)?.filter(|user| !user.is_disabled) else {
        return Ok(None);
    };
    let organization = match memberships::of_user(tx, user.id)?.first() {
        Some(membership) => Some(membership.organization),
        None if user.is_admin => organizations::first(tx)?.map(|organization| organization.id),
        None => None,
    };
    let actor = Actor::load(tx, &user, organization)?;
    let actor = Actor { credential: Some(Credential::Token(token.id)), ..actor };
    Ok(Some((token, user, actor)))
}

/// True when [`touch`] has something to write.
pub fn is_stale(token: &ApiToken, now: Timestamp) -> bool {
    token.used_at.is_none_or(|used_at| now.duration_since(used_at) >= USED_EVERY)
}

/// Notes that a token was used.
pub fn touch(tx: &mut WriteTx, id: Id<ApiToken>) -> Result<()> {
    let Some(mut token) = tx.get::<ApiToken>(&id)? else { return Ok(()) };
    token.used_at = Some(tx.now());
    tx.put(&token)
}

pub fn of_user(tx: &ReadTx, user: Id<User>) -> Result<Vec<ApiToken>> {
    tx.index(&BY_USER).within(&user).records()?.collect()
}

/// Revokes one of the actor's own tokens.
pub fn revoke(tx: &mut WriteTx, actor: &Actor, id: Id<ApiToken>) -> Result<()> {
    tx.draw_on_reserve();
    let user = actor.person()?;
    let token = tx
        .get::<ApiToken>(&id)?
        .filter(|token| token.user == user)
        .ok_or_else(|| Error::not_found("token"))?;
    tx.remove::<ApiToken>(&id)?;
    events::record(tx, actor, actor.organization, Verb::TokenRevoked, id, &token.name, None)
}

pub fn revoke_all(tx: &mut WriteTx, user: Id<User>) -> Result<()> {
    tx.draw_on_reserve();
    for token in of_user(tx, user)? {
        tx.remove::<ApiToken>(&token.id)?;
    }
    Ok(())
}
