//! Users: the people with an account.

mod keeping;
mod leaving;
mod naming;
mod visits;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::keeping::{kept, require_another_administrator, require_governance, require_replaceable};
pub use self::{
    keeping::is_replaceable,
    leaving::{delete, finish_leaving},
    naming::{Names, free_names},
    visits::{note_sign_in, note_visit},
};
use super::{
    access::{Action, Actor, Role, decide},
    events::{self, Verb},
    memberships,
    organizations::Organization,
    passwords::PasswordHash,
    sessions, text, tokens,
};
use crate::{
    error::{Error, Result},
    id::Id,
    store::{Index, IndexEntries, ReadTx, Record, Table, WriteTx},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    pub id: Id<User>,
    pub username: String,
    pub email: String,
    #[serde(default)]
    pub full_name: String,
    pub password: PasswordHash,
    /// Administrator of the whole instance.
    #[serde(default)]
    pub is_admin: bool,
    /// May not sign in; open sessions end at once.
    #[serde(default)]
    pub is_disabled: bool,
    /// Set while the documents of a deleted account move to another person.
    #[serde(default)]
    pub is_leaving: bool,
    /// Who gets these documents while [`is_leaving`](Self::is_leaving).
    #[serde(default)]
    pub heir: Option<Id<User>>,
    pub created_at: Timestamp,
    #[serde(default)]
    pub signed_in_at: Option<Timestamp>,
    /// When they last used a browser here, to within five minutes.
    #[serde(default)]
    pub seen_at: Option<Timestamp>,
    /// [`seen_at`](Self::seen_at) as it was when the present visit began.
    #[serde(default)]
    pub left_at: Option<Timestamp>,
    pub password_changed_at: Timestamp,
    /// Somebody else has set the password: its owner is asked to choose another one.
    #[serde(default)]
    pub must_change_password: bool,
}

impl User {
    /// The full name, or the user name when there is none.
    pub fn display_name(&self) -> &str {
        if self.full_name.is_empty() { &self.username } else { &self.full_name }
    }
}

impl Record for User {
    const TABLE: Table = Table { number: 3, name: "users" };

    type Key = Id<User>;

    fn key(&self) -> Self::Key {
        self.id
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&BY_USERNAME, &text::fold(&self.username));
        entries.add(&BY_EMAIL, &text::fold(&self.email));
        if self.is_admin {
            entries.add(&ADMINISTRATORS, &());
        }
        if let Some(heir) = self.heir {
            entries.add(&BY_HEIR, &heir);
        }
    }
}

const BY_USERNAME: Index<User, String> = Index::unique(1);
const BY_EMAIL: Index<User, String> = Index::unique(2);
const ADMINISTRATORS: Index<User, ()> = Index::new(3);
const BY_HEIR: Index<User, Id<User>> = Index::new(4);

pub fn get(tx: &ReadTx, id: Id<User>) -> Result<User> {
    tx.get(&id)?.ok_or_else(|| Error::not_found("person"))
}

/// The user with this user name or e-mail address, however it is capitalized.
pub fn by_login(tx: &ReadTx, login: &str) -> Result<Option<User>> {
    let folded = text::fold(login.trim());
    match tx.find(&BY_USERNAME, &folded)? {
        Some(user) => Ok(Some(user)),
        None => tx.find(&BY_EMAIL, &folded),
    }
}

/// All users by user name, for the command line.
pub fn list(tx: &ReadTx) -> Result<Vec<User>> {
    tx.index(&BY_USERNAME).records()?.collect()
}

/// An account with its role, for an administrator of the organization it belongs to.
///
/// # Errors
/// `NotFound` for somebody who is not a member, unless the actor administers the whole instance.
pub fn governed(
    tx: &ReadTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<User>,
) -> Result<(User, Option<Role>)> {
    decide(actor, Action::Govern(organization))?;
    let user = get(tx, id)?;
    let role = memberships::role(tx, organization, id)?;
    match role.is_some() || actor.is_administrator {
        true => Ok((user, role)),
        false => Err(Error::not_found("person")),
    }
}

/// True once somebody can administer the portal; until then it asks to be set up.
pub fn has_administrator(tx: &ReadTx) -> Result<bool> {
    for user in tx.index(&ADMINISTRATORS).records()? {
        if !user?.is_disabled {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a new account needs.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub username: String,
    pub email: String,
    pub full_name: String,
    pub password: PasswordHash,
    pub is_admin: bool,
    pub role: Role,
}

/// Makes an account and its membership in `organization`.
///
/// # Errors
/// Those of [`free_names`].
pub fn create(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    new: NewUser,
) -> Result<User> {
    decide(actor, Action::Govern(organization))?;
    if new.is_admin {
        decide(actor, Action::Operate)?;
    }
    let names = free_names(tx, &new.names(), None)?;
    let user = User {
        id: tx.new_id(),
        username: names.username,
        email: names.email,
        full_name: names.full_name,
        password: new.password,
        is_admin: new.is_admin,
        is_disabled: false,
        is_leaving: false,
        heir: None,
        created_at: tx.now(),
        signed_in_at: None,
        seen_at: None,
        left_at: None,
        password_changed_at: tx.now(),
        must_change_password: actor.user.is_some(),
    };
    tx.put(&user)?;
    events::record(tx, actor, organization, Verb::PersonAdded, user.id, user.display_name(), None)?;
    memberships::join(tx, actor, organization, &user, new.role)?;
    Ok(user)
}

/// Changes to an account; `None` leaves a part as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserEdit {
    pub username: Option<String>,
    pub email: Option<String>,
    pub full_name: Option<String>,
    pub is_admin: Option<bool>,
}

/// Changes an account: one's own, or as an administrator that of anybody below oneself.
pub fn edit(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<User>,
    edit: UserEdit,
) -> Result<User> {
    let mut user = get(tx, id)?;
    if actor.user != Some(id) {
        require_governance(tx, actor, organization, &user)?;
    }
    let wanted = Names {
        full_name: edit.full_name.unwrap_or(user.full_name),
        username: edit.username.unwrap_or(user.username),
        email: edit.email.unwrap_or(user.email),
    };
    let names = free_names(tx, &wanted, Some(id))?;
    (user.full_name, user.username, user.email) = (names.full_name, names.username, names.email);
    if let Some(is_admin) = edit.is_admin
        && is_admin != user.is_admin
    {
        decide(actor, Action::Operate)?;
        if !is_admin {
            require_another_administrator(tx, id)?;
        }
        user.is_admin = is_admin;
    }
    tx.put(&user)?;
    events::record(tx, actor, organization, Verb::PersonChanged, id, user.display_name(), None)?;
    Ok(user)
}

/// Locks an account out: sessions end and tokens are revoked, also for the day it is enabled again.
pub fn disable(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<User>,
) -> Result<User> {
    tx.draw_on_reserve();
    let mut user = kept(tx, actor, organization, id)?;
    if user.is_disabled {
        return Ok(user);
    }
    require_replaceable(tx, &user)?;
    user.is_disabled = true;
    tx.put(&user)?;
    shut_out(tx, id)?;
    events::record(tx, actor, organization, Verb::PersonDisabled, id, user.display_name(), None)?;
    Ok(user)
}

pub fn enable(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<User>,
) -> Result<User> {
    let mut user = kept(tx, actor, organization, id)?;
    if user.is_leaving {
        return Err(Error::conflict("This account is being deleted."));
    }
    if !user.is_disabled {
        return Ok(user);
    }
    user.is_disabled = false;
    tx.put(&user)?;
    events::record(tx, actor, organization, Verb::PersonEnabled, id, user.display_name(), None)?;
    Ok(user)
}

/// Gives an account another password and ends its sessions, but the one that asks. Set by somebody
/// else, it also revokes its tokens: the account may have been taken.
pub fn set_password(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<User>,
    password: PasswordHash,
) -> Result<()> {
    tx.draw_on_reserve();
    let mut user = get(tx, id)?;
    if actor.user != Some(id) {
        require_governance(tx, actor, organization, &user)?;
        tokens::revoke_all(tx, id)?;
    }
    user.password = password;
    user.password_changed_at = tx.now();
    user.must_change_password = actor.user.is_some_and(|by| by != id);
    tx.put(&user)?;
    sessions::end_all(tx, id, actor.session())?;
    events::record(tx, actor, organization, Verb::PasswordChanged, id, user.display_name(), None)
}

/// Changes one's own password. `proven` is what the old one was checked against.
///
/// # Errors
/// `Conflict` when that is not the password any more: who knew the old one knows nothing now.
pub fn change_own_password(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    proven: &PasswordHash,
    password: PasswordHash,
) -> Result<()> {
    tx.draw_on_reserve();
    let id = actor.person()?;
    if get(tx, id)?.password != *proven {
        return Err(Error::conflict(
            "Your password was changed in the meantime. Sign in with the new one.",
        ));
    }
    set_password(tx, actor, organization, id, password)
}

/// Ends every session and revokes every token of somebody else.
pub fn sign_out_everywhere(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<User>,
) -> Result<()> {
    tx.draw_on_reserve();
    let user = kept(tx, actor, organization, id)?;
    shut_out(tx, id)?;
    let name = user.display_name();
    events::record(tx, actor, organization, Verb::SignedOutEverywhere, id, name, None)
}

/// Ends every session of the account and revokes every token.
fn shut_out(tx: &mut WriteTx, id: Id<User>) -> Result<()> {
    sessions::end_all(tx, id, None)?;
    tokens::revoke_all(tx, id)
}
