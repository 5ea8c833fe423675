//! One's own account.

use actix_web::{
    HttpResponse,
    web::{Data, Json as Answer},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    parts::{Named, done, present},
    users::UserView,
};
use crate::{
    app::App,
    domain::{
        access::{Action, Actor, decide},
        organizations::{self, Organization},
        users::{self, UserEdit},
    },
    error::Result as AppResult,
    id::Id,
    store::ReadTx,
    web::{auth::Member, body::Json, fault::Result},
};

/// The account that asks, and what it may do.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Account")]
pub struct AccountView {
    #[serde(flatten)]
    user: UserView,
    organization: Named,
    permissions: AccountPermissions,
}

#[derive(Serialize, JsonSchema)]
pub struct AccountPermissions {
    /// Add documents.
    can_upload: bool,
    /// Keep categories and groups, and edit every document.
    can_curate: bool,
    /// Keep people, settings and the audit log.
    can_govern: bool,
    /// Keep jobs and everything else that belongs to the whole portal.
    can_operate: bool,
}

impl AccountView {
    fn of(tx: &ReadTx, actor: &Actor, organization: Id<Organization>) -> AppResult<Self> {
        let user = users::get(tx, actor.person()?)?;
        let may = |action| decide(actor, action).is_ok();
        Ok(AccountView {
            user: UserView::of(user, actor.role).with_groups(tx, organization)?,
            organization: Named::new(
                organization.uuid(),
                organizations::get(tx, organization)?.name,
            ),
            permissions: AccountPermissions {
                can_upload: may(Action::Upload(organization)),
                can_curate: may(Action::Curate(organization)),
                can_govern: may(Action::Govern(organization)),
                can_operate: may(Action::Operate),
            },
        })
    }
}

pub async fn show(app: Data<App>, member: Member) -> Result<Answer<AccountView>> {
    let (actor, organization) = (member.actor(), member.organization);
    let view = app.store.read(move |tx| AccountView::of(tx, &actor, organization)).await?;
    Ok(Answer(view))
}

/// What to change; a field that is left out stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountEdit {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    username: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    email: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    full_name: Option<String>,
}

pub async fn edit(
    app: Data<App>,
    member: Member,
    Json(edit): Json<AccountEdit>,
) -> Result<Answer<AccountView>> {
    let (actor, organization) = (member.actor(), member.organization);
    let edit = UserEdit {
        username: edit.username,
        email: edit.email,
        full_name: edit.full_name,
        is_admin: None,
    };
    let view = app
        .write_as(actor, move |tx, actor| {
            users::edit(tx, actor, organization, actor.person()?, edit)?;
            AccountView::of(tx, actor, organization)
        })
        .await?;
    Ok(Answer(view))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    current_password: String,
    /// At least 8 characters.
    new_password: String,
}

/// Changes the password and ends all other sessions.
pub async fn change_password(
    app: Data<App>,
    member: Member,
    Json(change): Json<PasswordChange>,
) -> Result<HttpResponse> {
    app.change_own_password(member.actor(), change.current_password, change.new_password).await?;
    Ok(done())
}
