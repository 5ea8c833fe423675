//! Accounts, as the command line keeps them.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    domain::{
        access::{Actor, Role},
        memberships,
        organizations::{self, Organization},
        passwords::PasswordHash,
        setup::{self, Setup},
        users::{self, Names, NewUser, User},
    },
    error::{Error, Result},
    id::Id,
    store::{ReadTx, WriteTx},
};

/// How the audit log names whoever is at the shell.
const NAME: &str = "Command line";
const ORGANIZATION: &str = "My organization";

/// A password on its way to its hash; not shown by `Debug`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct NewAccount {
    pub username: String,
    pub email: String,
    pub full_name: String,
    pub password: Password,
    pub is_administrator: bool,
    /// In the organization; an administrator may do everything in any case.
    pub role: Role,
    /// By name; needed only when there are several. The first administrator's is made.
    pub organization: Option<String>,
}

/// An account as `user list` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    pub id: Id<User>,
    pub username: String,
    pub email: String,
    pub full_name: String,
    pub is_administrator: bool,
    pub is_disabled: bool,
    pub memberships: Vec<Place>,
    pub created_at: Timestamp,
    pub signed_in_at: Option<Timestamp>,
}

/// An account's role in an organization.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    pub organization: String,
    pub role: Role,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Added {
    pub user: Account,
    /// The organization was made with its first administrator.
    pub is_first: bool,
}

pub async fn add(app: &Arc<App>, new: NewAccount) -> Result<Added> {
    let wanted = new.organization.clone();
    app.store.read(move |tx| organization(tx, wanted.as_deref())).await?;
    let names = Names {
        full_name: new.full_name.clone(),
        username: new.username.clone(),
        email: new.email.clone(),
    };
    let password = app.first_password(new.password.0.clone(), names).await?;
    app.store
        .write(move |tx| {
            let organization = organization(tx, new.organization.as_deref())?;
            let is_first = organization.is_none();
            let user = match organization {
                Some(organization) => join(tx, organization, new, password)?,
                None => set_up(tx, new, password)?,
            };
            Ok(Added { user: account(tx, user)?, is_first })
        })
        .await
}

pub async fn list(app: &Arc<App>) -> Result<Vec<Account>> {
    let accounts =
        |tx: &ReadTx| users::list(tx)?.into_iter().map(|user| account(tx, user)).collect();
    app.store.read(accounts).await
}

pub async fn set_password(app: &Arc<App>, login: String, password: Password) -> Result<Account> {
    let user = {
        let login = login.clone();
        app.store.read(move |tx| by_login(tx, &login)).await?
    };
    let password = app.new_password(password.0, &[&user.username, &user.email]).await?;
    change(app, login, move |tx, actor, organization, user| {
        users::set_password(tx, actor, organization, user, password)
    })
    .await
}

pub async fn disable(app: &Arc<App>, login: String) -> Result<Account> {
    change(app, login, |tx, actor, organization, user| {
        users::disable(tx, actor, organization, user).map(|_| ())
    })
    .await
}

pub async fn enable(app: &Arc<App>, login: String) -> Result<Account> {
    change(app, login, |tx, actor, organization, user| {
        users::enable(tx, actor, organization, user).map(|_| ())
    })
    .await
}

/// Does something to one account on behalf of whoever is at the shell.
async fn change<F>(app: &Arc<App>, login: String, verb: F) -> Result<Account>
where
    F: FnOnce(&mut WriteTx, &Actor, Id<Organization>, Id<User>) -> Result<()> + Send + 'static,
{
    app.store
        .write(move |tx| {
            let id = by_login(tx, &login)?.id;
            let organization = home(tx, id)?;
            verb(tx, &Actor::system(NAME, Some(organization)), organization, id)?;
            let changed = users::get(tx, id)?;
            account(tx, changed)
        })
        .await
}

fn join(
    tx: &mut WriteTx,
    organization: Organization,
    new: NewAccount,
    password: PasswordHash,
) -> Result<User> {
    let user = NewUser {
        username: new.username,
        email: new.email,
        full_name: new.full_name,
        password,
        is_admin: new.is_administrator,
        role: if new.is_administrator { Role::Admin } else { new.role },
    };
    users::create(tx, &Actor::system(NAME, Some(organization.id)), organization.id, user)
}

/// The first account of all.
fn set_up(tx: &mut WriteTx, new: NewAccount, password: PasswordHash) -> Result<User> {
    if !new.is_administrator {
        return Err(Error::conflict(
            "Nobody administers this portal yet. Begin with its administrator: “appliance user \
             add NAME --email ADDRESS --admin”.",
        ));
    }
    let setup = Setup {
        organization: new.organization.unwrap_or_else(|| ORGANIZATION.into()),
        username: new.username,
        email: new.email,
        full_name: new.full_name,
        password,
    };
    setup::run(tx, setup).map(|(_, user)| user)
}

/// The organization with this name, or the only one; `None` when there is none at all.
fn organization(tx: &ReadTx, name: Option<&str>) -> Result<Option<Organization>> {
    let all: Vec<Organization> = tx.records().iter()?.collect::<Result<_>>()?;
    let Some(name) = name else {
        return match all.len() {
            0..=1 => Ok(all.into_iter().next()),
            _ => Err(Error::invalid(format!(
                "Name the organization with --organization: {}.",
                names(&all)
            ))),
        };
    };
    match organizations::by_name(tx, name)? {
        None if all.is_empty() => Ok(None),
        None => Err(Error::NotFound(format!(
            "There is no organization “{name}”. There is: {}.",
            names(&all)
        ))),
        found => Ok(found),
    }
}

fn names(organizations: &[Organization]) -> String {
    let names: Vec<&str> = organizations.iter().map(|one| one.name.as_str()).collect();
    names.join(", ")
}

fn by_login(tx: &ReadTx, login: &str) -> Result<User> {
    users::by_login(tx, login)?.ok_or_else(|| {
        Error::NotFound(format!(
            "There is nobody with the user name or address “{login}”. “appliance user list” shows \
             everybody."
        ))
    })
}

/// The organization through which a user is kept: their first, or the portal's.
fn home(tx: &ReadTx, user: Id<User>) -> Result<Id<Organization>> {
    if let Some(membership) = memberships::of_user(tx, user)?.first() {
        return Ok(membership.organization);
    }
    let first = organizations::first(tx)?;
    first.map(|first| first.id).ok_or_else(|| Error::not_found("organization"))
}

fn account(tx: &ReadTx, user: User) -> Result<Account> {
    let mut places = Vec::new();
    for membership in memberships::of_user(tx, user.id)? {
        let organization = organizations::get(tx, membership.organization)?.name;
        places.push(Place { organization, role: membership.role });
    }
    Ok(Account {
        id: user.id,
        username: user.username,
        email: user.email,
        full_name: user.full_name,
        is_administrator: user.is_admin,
        is_disabled: user.is_disabled,
        memberships: places,
        created_at: user.created_at,
        signed_in_at: user.signed_in_at,
    })
}
