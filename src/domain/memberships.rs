//! Memberships: which user has which role in which organization.

use serde::{Deserialize, Serialize};

use super::{
    access::{Action, Actor, Role, decide},
    events::{self, Verb},
    groups,
    organizations::Organization,
    users::{self, User},
};
use crate::{
    error::{Error, Result},
    id::Id,
    store::{Index, IndexEntries, ReadTx, Record, Table, WriteTx},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Membership {
    pub organization: Id<Organization>,
    pub user: Id<User>,
    pub role: Role,
    pub joined_at: jiff::Timestamp,
}

impl Record for Membership {
    const TABLE: Table = Table { number: 4, name: "memberships" };

    type Key = (Id<Organization>, Id<User>);

    fn key(&self) -> Self::Key {
        (self.organization, self.user)
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&BY_USER, &self.user);
    }
}

const BY_USER: Index<Membership, Id<User>> = Index::new(1);

pub fn role(tx: &ReadTx, organization: Id<Organization>, user: Id<User>) -> Result<Option<Role>> {
    Ok(tx.get::<Membership>(&(organization, user))?.map(|membership| membership.role))
}

/// Where a user is a member, oldest organization first.
pub fn of_user(tx: &ReadTx, user: Id<User>) -> Result<Vec<Membership>> {
    tx.index(&BY_USER).within(&user).records()?.collect()
}

/// Up to `limit` members after `after` that `admits` lets through, those who came first in front,
/// and where to go on.
pub fn page(
    tx: &ReadTx,
    organization: Id<Organization>,
    after: Option<Id<User>>,
    limit: usize,
    admits: impl Fn(&User, Role) -> bool,
) -> Result<(Vec<(User, Role)>, Option<Id<User>>)> {
    let mut scan = tx.records::<Membership>().within(&organization);
    if let Some(after) = after {
        scan = scan.after(&(organization, after));
    }
    let mut page: Vec<(User, Role)> = Vec::new();
    for membership in scan.iter()? {
        let membership = membership?;
        if page.len() == limit {
            let last = page.last().map(|(user, _)| user.id);
            return Ok((page, last));
        }
        let user = users::get(tx, membership.user)?;
        if admits(&user, membership.role) {
            page.push((user, membership.role));
        }
    }
    Ok((page, None))
}

/// Everybody in an organization with their role.
pub fn members(tx: &ReadTx, organization: Id<Organization>) -> Result<Vec<(User, Role)>> {
    let memberships = tx.records::<Membership>().within(&organization).iter()?;
    memberships
        .map(|membership| {
            let membership = membership?;
            Ok((users::get(tx, membership.user)?, membership.role))
        })
        .collect()
}

/// Makes a user a member, or gives a member another role.
///
/// # Errors
/// `Conflict` when the organization would lose its last administrator.
pub fn assign(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    user: Id<User>,
    role: Role,
) -> Result<Membership> {
    decide(actor, Action::Govern(organization))?;
    let person = users::get(tx, user)?;
    let before = tx.get::<Membership>(&(organization, user))?;
    if before.as_ref().is_some_and(|before| before.role == role) {
        return before.ok_or_else(|| Error::not_found("membership"));
    }
    if before.as_ref().is_some_and(|before| before.role == Role::Admin) {
        require_another_admin(tx, organization, user)?;
    }
    let joined_at = before.map_or(tx.now(), |before| before.joined_at);
    let membership = Membership { organization, user, role, joined_at };
    tx.put(&membership)?;
    events::record(tx, actor, Verb::RoleChanged, user, person.display_name(), Some(role.name()))?;
    Ok(membership)
}

/// Ends a membership and with it the person's places in the organization's groups.
pub fn end(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    user: Id<User>,
) -> Result<()> {
    decide(actor, Action::Govern(organization))?;
    let Some(membership) = tx.get::<Membership>(&(organization, user))? else { return Ok(()) };
    if membership.role == Role::Admin {
        require_another_admin(tx, organization, user)?;
    }
    groups::leave_all(tx, organization, user)?;
    tx.remove::<Membership>(&membership.key())?;
    Ok(())
}

/// # Errors
/// `Conflict` when nobody but `leaving` could sign in as an administrator of the organization.
pub fn require_another_admin(
    tx: &ReadTx,
    organization: Id<Organization>,
    leaving: Id<User>,
) -> Result<()> {
    for membership in tx.records::<Membership>().within(&organization).iter()? {
        let membership = membership?;
        if membership.role == Role::Admin
            && membership.user != leaving
            && !users::get(tx, membership.user)?.is_disabled
        {
            return Ok(());
        }
    }
    Err(Error::conflict(
        "This is the last administrator. Make somebody else an administrator first.",
    ))
}
