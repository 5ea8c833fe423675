//! The people of an organization with what an administrator wants to know of each.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::App;
use crate::{
    domain::{
        access::{Action, Actor, Role, decide},
        documents,
        groups::{self, Group},
        memberships,
        organizations::Organization,
        sessions, text, tokens,
        users::{self, User},
    },
    error::Result,
    id::Id,
    store::ReadTx,
};

/// Whom to list; the default lists everybody.
#[derive(Clone, Debug, Default)]
pub struct FindUsers {
    /// A part of the name, the user name or the address.
    pub text: String,
    pub role: Option<Role>,
    pub is_disabled: Option<bool>,
    /// How many of those in front are left out.
    pub skip: usize,
    pub limit: usize,
}

/// A page of people by name.
#[derive(Clone, Debug, Default)]
pub struct UsersFound {
    pub users: Vec<UserSummary>,
    /// Those who match, on all pages.
    pub total: u64,
    /// In the whole organization, and how many of them may not sign in.
    pub everybody: u64,
    pub disabled: u64,
}

#[derive(Clone, Debug)]
pub struct UserSummary {
    pub user: User,
    /// `None` for an administrator of the instance who is no member here.
    pub role: Option<Role>,
    /// Created by this person, the trash included.
    pub documents: u64,
    pub seen_at: Option<Timestamp>,
}

/// One account with everything about it.
#[derive(Clone, Debug)]
pub struct UserDetails {
    pub summary: UserSummary,
    pub groups: BTreeSet<Id<Group>>,
    pub sessions: u64,
    pub tokens: u64,
    /// Without this account nobody could administer.
    pub is_last_administrator: bool,
    /// Who else is active here, by name.
    pub others: Vec<User>,
}

/// How long ago somebody counts as active.
const ACTIVE_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

impl App {
    pub async fn users(&self, actor: Actor, wanted: FindUsers) -> Result<UsersFound> {
        let organization = actor.at_work()?;
        decide(&actor, Action::Govern(organization))?;
        self.store.read(move |tx| found(tx, organization, &wanted)).await
    }

    /// # Errors
    /// As [`users::governed`].
    pub async fn user(&self, actor: Actor, id: Id<User>) -> Result<UserDetails> {
        let organization = actor.at_work()?;
        self.store
            .read(move |tx| {
                let (user, role) = users::governed(tx, &actor, organization, id)?;
                let members = memberships::members(tx, organization)?;
                let others = members.into_iter().map(|(user, _)| user);
                let mut others: Vec<User> =
                    others.filter(|other| other.id != id && !other.is_disabled).collect();
                others.sort_by_cached_key(|user| text::fold(user.display_name()));
                Ok(UserDetails {
                    groups: groups::groups_of(tx, organization, id)?,
                    sessions: sessions::of_user(tx, id)?.len() as u64,
                    tokens: tokens::of_user(tx, id)?.len() as u64,
                    is_last_administrator: !users::is_replaceable(tx, &user)?,
                    others,
                    summary: summary(tx, user, role)?,
                })
            })
            .await
    }

    /// How many people there are, and how many of them were here within a week.
    pub async fn count_users(&self, actor: Actor) -> Result<(u64, u64)> {
        let organization = actor.at_work()?;
        decide(&actor, Action::Govern(organization))?;
        self.store
            .read(move |tx| {
                let members = memberships::members(tx, organization)?;
                let since = tx.now() - ACTIVE_WITHIN;
                let mut active = 0;
                for (user, _) in &members {
                    active += u64::from(seen_at(tx, user)?.is_some_and(|at| at >= since));
                }
                Ok((members.len() as u64, active))
            })
            .await
    }
}

fn found(tx: &ReadTx, organization: Id<Organization>, wanted: &FindUsers) -> Result<UsersFound> {
    let mut members = memberships::members(tx, organization)?;
    let everybody = members.len() as u64;
    let disabled = members.iter().filter(|(user, _)| user.is_disabled).count() as u64;
    let part = text::fold(wanted.text.trim());
    members.retain(|(user, role)| {
        let names = [&user.username, &user.email, &user.full_name];
        names.iter().any(|name| text::fold(name).contains(&part))
            && wanted.role.is_none_or(|wanted| *role == wanted)
            && wanted.is_disabled.is_none_or(|wanted| user.is_disabled == wanted)
    });
    members.sort_by_cached_key(|(user, _)| text::fold(user.display_name()));
    let total = members.len() as u64;
    let shown = members.into_iter().skip(wanted.skip).take(wanted.limit);
    let users = shown.map(|(user, role)| summary(tx, user, Some(role))).collect::<Result<_>>()?;
    Ok(UsersFound { users, total, everybody, disabled })
}

fn summary(tx: &ReadTx, user: User, role: Option<Role>) -> Result<UserSummary> {
    let documents = documents::created_count(tx, user.id)?;
    Ok(UserSummary { seen_at: seen_at(tx, &user)?, documents, role, user })
}

/// When somebody was last here, to within five minutes.
fn seen_at(tx: &ReadTx, user: &User) -> Result<Option<Timestamp>> {
    let latest = sessions::of_user(tx, user.id)?.into_iter().map(|session| session.seen_at).max();
    Ok(latest.max(user.signed_in_at).max(user.seen_at))
}
