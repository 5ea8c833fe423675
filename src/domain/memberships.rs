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

/// Gives a member another role. Only an administrator of the instance can also make a member of a
/// person who has an account already: who keeps an organization's people keeps their accounts too,
/// and must not gain power over somebody by claiming them.
///
/// # Errors
/// `NotFound` when the person is no member; `Forbidden` when they administer the instance and the
/// actor does not; `Conflict` when the organization would lose its last administrator.
pub fn assign(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    user: Id<User>,
    role: Role,
) -> Result<Membership> {
    decide(actor, Action::Govern(organization))?;
    let person = users::get(tx, user)?;
    let Some(before) = tx.get::<Membership>(&(organization, user))? else {
        if !actor.is_administrator {
            return Err(Error::not_found("person"));
        }
        return join(tx, actor, organization, &person, role);
    };
    if person.is_admin {
        decide(actor, Action::Operate)?;
    }
    if before.role == role {
        return Ok(before);
    }
    if before.role == Role::Admin {
        require_another_admin(tx, organization, user)?;
    }
    write(tx, actor, &person, Membership { role, ..before })
}

/// Makes a member of somebody who is none. The caller has decided that they may be one.
pub(super) fn join(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    person: &User,
    role: Role,
) -> Result<Membership> {
    let membership = Membership { organization, user: person.id, role, joined_at: tx.now() };
    write(tx, actor, person, membership)
}

fn write(
    tx: &mut WriteTx,
    actor: &Actor,
    person: &User,
    membership: Membership,
) -> Result<Membership> {
    tx.put(&membership)?;
    let role = membership.role.name();
    let name = person.display_name();
    events::record(
        tx,
        actor,
        membership.organization,
        Verb::RoleChanged,
        person.id,
        name,
        Some(role),
    )?;
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
    let person = users::get(tx, user)?;
    if person.is_admin {
        decide(actor, Action::Operate)?;
    }
    if membership.role == Role::Admin {
        require_another_admin(tx, organization, user)?;
    }
    groups::leave_all(tx, organization, user)?;
    tx.remove::<Membership>(&membership.key())?;
    let name = person.display_name();
    events::record(tx, actor, organization, Verb::MembershipEnded, user, name, None)
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
