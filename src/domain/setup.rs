//! The first run: an organization and its administrator, in one transaction.

use super::{
    access::{Actor, Role},
    events::{self, Verb},
    organizations::{self, Organization},
    passwords::PasswordHash,
    users::{self, NewUser, User},
};
use crate::{
    error::{Error, Result},
    store::{ReadTx, WriteTx},
};

/// What the setup page asks for.
#[derive(Clone, Debug)]
pub struct Setup {
    pub organization: String,
    pub username: String,
    pub email: String,
    pub full_name: String,
    pub password: PasswordHash,
}

/// What the organization will be called; one that is there already keeps its name.
pub fn organization_name(tx: &ReadTx, wanted: &str) -> Result<String> {
    match organizations::first(tx)? {
        Some(known) => Ok(known.name),
        None => organizations::free_name(tx, wanted, None),
    }
}

/// # Errors
/// `Conflict` when somebody has set the portal up already.
pub fn run(tx: &mut WriteTx, setup: Setup) -> Result<(Organization, User)> {
    if users::has_administrator(tx)? {
        return Err(Error::conflict("The portal is set up already. Sign in instead."));
    }
    let actor = Actor::system("Setup", None);
    let organization = match organizations::first(tx)? {
        Some(known) => known,
        None => organizations::create(tx, &actor, &setup.organization)?,
    };
    let actor = Actor::system("Setup", Some(organization.id));
    let new = NewUser {
        username: setup.username,
        email: setup.email,
        full_name: setup.full_name,
        password: setup.password,
        is_admin: true,
        role: Role::Admin,
    };
    let user = users::create(tx, &actor, organization.id, new)?;
    events::record(
        tx,
        &actor,
        organization.id,
        Verb::PortalSetUp,
        organization.id,
        &organization.name,
        None,
    )?;
    Ok((organization, user))
}
