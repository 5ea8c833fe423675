//! Who may keep an account, and which of them cannot be spared.

use super::{ADMINISTRATORS, User, get};
use crate::{
    domain::{
        access::{Action, Actor, Role, decide},
        memberships,
        organizations::Organization,
    },
    error::{Error, Result},
    id::Id,
    store::ReadTx,
};

/// The account, for somebody who [keeps](require_governance) it.
pub(super) fn kept(
    tx: &ReadTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<User>,
) -> Result<User> {
    let user = get(tx, id)?;
    require_governance(tx, actor, organization, &user)?;
    Ok(user)
}

/// May `actor` keep this account? An administrator of an organization keeps the accounts that
/// belong to it alone. One that is also elsewhere, or administers the instance, is kept by
/// administrators of the instance: whoever can set a password or an address can become that person.
pub(super) fn require_governance(
    tx: &ReadTx,
    actor: &Actor,
    organization: Id<Organization>,
    user: &User,
) -> Result<()> {
    decide(actor, Action::Govern(organization))?;
    if actor.is_administrator {
        return Ok(());
    }
    let places = memberships::of_user(tx, user.id)?;
    if !places.iter().any(|place| place.organization == organization) {
        return Err(Error::not_found("person"));
    }
    if user.is_admin || places.len() > 1 {
        return Err(Error::forbidden(
            "Only an administrator of the portal can do this: the account counts beyond your organization.",
        ));
    }
    Ok(())
}

/// False for somebody without whom the instance, or an organization, would have no administrator.
pub fn is_replaceable(tx: &ReadTx, user: &User) -> Result<bool> {
    match require_replaceable(tx, user) {
        Ok(()) => Ok(true),
        Err(Error::Conflict(_)) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// # Errors
/// `Conflict` when the instance, or an organization, would be left without an administrator.
pub(super) fn require_replaceable(tx: &ReadTx, user: &User) -> Result<()> {
    if user.is_admin {
        require_another_administrator(tx, user.id)?;
    }
    for place in memberships::of_user(tx, user.id)? {
        if place.role == Role::Admin {
            memberships::require_another_admin(tx, place.organization, user.id)?;
        }
    }
    Ok(())
}

pub(super) fn require_another_administrator(tx: &ReadTx, leaving: Id<User>) -> Result<()> {
    for user in tx.index(&ADMINISTRATORS).records()? {
        let user = user?;
        if user.id != leaving && !user.is_disabled {
            return Ok(());
        }
    }
    Err(Error::conflict(
        "This is the last administrator of the portal. Make somebody else one first.",
    ))
}
