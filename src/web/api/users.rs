//! People with an account, for those who keep them.

use actix_web::{
    HttpResponse,
    web::{Data, Json as Answer, Path},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::{self, Named, created, done, present};
use crate::{
    app::App,
    domain::{
        access::{Action, Actor, Role, decide},
        groups, memberships,
        organizations::Organization,
        text,
        users::{self, Names, NewUser, User, UserEdit},
    },
    error::{Error, Result as AppResult},
    id::Id,
    store::{ReadTx, WriteTx, cursor},
    web::{
        auth::Member,
        body::{Json, NoBody, Query},
        fault::Result,
    },
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub struct UserView {
    id: Id<User>,
    username: String,
    email: String,
    full_name: String,
    /// In this organization; `null` for an administrator of the portal who is not a member.
    role: Option<Role>,
    /// Administrator of the whole portal.
    is_admin: bool,
    /// May not sign in.
    is_disabled: bool,
    /// Is being deleted: the documents move to somebody else.
    is_leaving: bool,
    created_at: Timestamp,
    signed_in_at: Option<Timestamp>,
    password_changed_at: Timestamp,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Named>>,
}

impl UserView {
    pub fn of(user: User, role: Option<Role>) -> Self {
        UserView {
            id: user.id,
            username: user.username,
            email: user.email,
            full_name: user.full_name,
            role,
            is_admin: user.is_admin,
            is_disabled: user.is_disabled,
            is_leaving: user.is_leaving,
            created_at: user.created_at,
            signed_in_at: user.signed_in_at,
            password_changed_at: user.password_changed_at,
            groups: None,
        }
    }

    pub fn with_groups(self, tx: &ReadTx, organization: Id<Organization>) -> AppResult<Self> {
        let ids = groups::groups_of(tx, organization, self.id)?;
        let named = ids.into_iter().map(|id| {
            let group = groups::get(tx, organization, id)?;
            Ok(Named::new(id.uuid(), group.name))
        });
        Ok(UserView { groups: Some(named.collect::<AppResult<_>>()?), ..self })
    }

    fn governed(
        tx: &ReadTx,
        actor: &Actor,
        organization: Id<Organization>,
        id: Id<User>,
    ) -> AppResult<Self> {
        let (user, role) = users::governed(tx, actor, organization, id)?;
        UserView::of(user, role).with_groups(tx, organization)
    }
}

#[derive(Deserialize, JsonSchema)]
pub struct UsersWanted {
    /// A part of the name, the username or the e-mail address.
    #[serde(default)]
    q: String,
    #[serde(default)]
    role: Option<Role>,
    /// Between 1 and 200; 50 when it is left out.
    #[serde(default)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub struct UserList {
    users: Vec<UserView>,
    /// What to send as `after` for the next page; `null` on the last one.
    next: Option<String>,
}

pub async fn list(
    app: Data<App>,
    member: Member,
    Query(wanted): Query<UsersWanted>,
) -> Result<Answer<UserList>> {
    let (actor, organization) = (member.actor(), member.organization);
    let limit = parts::limit(wanted.limit)?;
    let after = parts::place(wanted.after.as_deref())?;
    let part = text::fold(wanted.q.trim());
    let admits = move |user: &User, role: Role| {
        let names = [&user.username, &user.email, &user.full_name];
        wanted.role.is_none_or(|wanted| wanted == role)
            && names.iter().any(|name| text::fold(name).contains(&part))
    };
    let (page, next) = app
        .store
        .read(move |tx| {
            decide(&actor, Action::Govern(organization))?;
            memberships::page(tx, organization, after, limit, admits)
        })
        .await?;
    let users = page.into_iter().map(|(user, role)| UserView::of(user, Some(role))).collect();
    Ok(Answer(UserList { users, next: next.map(|place| cursor::encode(&place)) }))
}

pub async fn show(app: Data<App>, member: Member, id: Path<Id<User>>) -> Result<Answer<UserView>> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    let view = app.store.read(move |tx| UserView::governed(tx, &actor, organization, id)).await?;
    Ok(Answer(view))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserForm {
    /// 2 to 64 letters, digits, dots, hyphens or underscores.
    username: String,
    email: String,
    /// At least 8 characters.
    password: String,
    #[serde(default)]
    full_name: String,
    /// `viewer` when it is left out.
    #[serde(default = "viewer")]
    role: Role,
    /// Administrator of the whole portal; only such an administrator can make another.
    #[serde(default)]
    is_admin: bool,
}

fn viewer() -> Role {
    Role::Viewer
}

pub async fn create(
    app: Data<App>,
    member: Member,
    Json(form): Json<NewUserForm>,
) -> Result<HttpResponse> {
    let (actor, organization) = (member.actor(), member.organization);
    // Before the work of hashing.
    decide(&actor, Action::Govern(organization))?;
    let names = Names {
        full_name: form.full_name.clone(),
        username: form.username.clone(),
        email: form.email.clone(),
    };
    let password = app.first_password(form.password, names).await?;
    let new = NewUser {
        username: form.username,
        email: form.email,
        full_name: form.full_name,
        password,
        is_admin: form.is_admin,
        role: form.role,
    };
    let view = app
        .write_as(actor, move |tx, actor| {
            let user = users::create(tx, actor, organization, new)?;
            UserView::governed(tx, actor, organization, user.id)
        })
        .await?;
    Ok(created(format!("/api/admin/users/{}", view.id), &view))
}

/// What to change; a field that is left out stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    username: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    email: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    full_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Role")]
    role: Option<Role>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "bool")]
    is_admin: Option<bool>,
}

pub async fn edit(
    app: Data<App>,
    member: Member,
    id: Path<Id<User>>,
    Json(change): Json<UserChange>,
) -> Result<Answer<UserView>> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    let view = app
        .write_as(actor, move |tx, actor| {
            users::governed(tx, actor, organization, id)?;
            let edit = UserEdit {
                username: change.username,
                email: change.email,
                full_name: change.full_name,
                is_admin: change.is_admin,
            };
            if edit != UserEdit::default() {
                users::edit(tx, actor, organization, id, edit)?;
            }
            if let Some(role) = change.role {
                memberships::assign(tx, actor, organization, id, role)?;
            }
            // One's own rights may be others now.
            let (user, role) = (users::get(tx, id)?, memberships::role(tx, organization, id)?);
            UserView::of(user, role).with_groups(tx, organization)
        })
        .await?;
    Ok(Answer(view))
}

#[derive(Deserialize, JsonSchema)]
pub struct Heir {
    /// Who gets the documents.
    heir: Option<Id<User>>,
}

pub async fn delete(
    app: Data<App>,
    member: Member,
    id: Path<Id<User>>,
    Query(wanted): Query<Heir>,
    _: NoBody,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    app.write_as(actor, move |tx, actor| {
        users::governed(tx, actor, organization, id)?;
        let heir = wanted.heir.ok_or_else(|| {
            Error::invalid_field("heir", "Say with ?heir= who gets the person's documents.")
        })?;
        users::delete(tx, actor, organization, id, heir)
    })
    .await?;
    Ok(HttpResponse::Accepted().finish())
}

pub async fn disable(
    app: Data<App>,
    member: Member,
    id: Path<Id<User>>,
    _: NoBody,
) -> Result<Answer<UserView>> {
    keep(app, member, id.into_inner(), users::disable).await
}

pub async fn enable(
    app: Data<App>,
    member: Member,
    id: Path<Id<User>>,
    _: NoBody,
) -> Result<Answer<UserView>> {
    keep(app, member, id.into_inner(), users::enable).await
}

type Verb = fn(&mut WriteTx, &Actor, Id<Organization>, Id<User>) -> AppResult<User>;

async fn keep(
    app: Data<App>,
    member: Member,
    id: Id<User>,
    verb: Verb,
) -> Result<Answer<UserView>> {
    let (actor, organization) = (member.actor(), member.organization);
    let view = app
        .write_as(actor, move |tx, actor| {
            verb(tx, actor, organization, id)?;
            UserView::governed(tx, actor, organization, id)
        })
        .await?;
    Ok(Answer(view))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// At least 8 characters.
    password: String,
}

/// Gives somebody another password and ends all of their sessions.
pub async fn set_password(
    app: Data<App>,
    member: Member,
    id: Path<Id<User>>,
    Json(new): Json<NewPassword>,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    let asking = actor.clone();
    let (user, _) =
        app.store.read(move |tx| users::governed(tx, &asking, organization, id)).await?;
    let hash = app.new_password(new.password, &[&user.username, &user.email]).await?;
    app.write_as(actor, move |tx, actor| users::set_password(tx, actor, organization, id, hash))
        .await?;
    Ok(done())
}

pub async fn sign_out(
    app: Data<App>,
    member: Member,
    id: Path<Id<User>>,
    _: NoBody,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    app.write_as(actor, move |tx, actor| users::sign_out_everywhere(tx, actor, organization, id))
        .await?;
    Ok(done())
}
