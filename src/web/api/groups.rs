//! Groups and their members.

use actix_web::{
    HttpResponse,
    web::{Data, Json as Answer, Path},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    parts::{created, done, present},
    people::PersonView,
};
use crate::{
    app::App,
    domain::{
        access::{Action, decide},
        groups::{self, Group},
        users::User,
    },
    error::Result as AppResult,
    id::Id,
    store::ReadTx,
    web::{
        auth::Member,
        body::{Json, NoBody},
        fault::Result,
    },
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Group")]
pub struct GroupView {
    id: Id<Group>,
    name: String,
    description: String,
    member_count: u64,
    created_at: Timestamp,
}

impl GroupView {
    fn of(tx: &ReadTx, group: Group) -> AppResult<Self> {
        Ok(GroupView {
            id: group.id,
            member_count: groups::member_count(tx, group.id)?,
            name: group.name,
            description: group.description,
            created_at: group.created_at,
        })
    }
}

#[derive(Serialize, JsonSchema)]
pub struct GroupList {
    /// By name.
    groups: Vec<GroupView>,
}

/// For everybody who may decide about a document: they choose from these.
pub async fn list(app: Data<App>, member: Member) -> Result<Answer<GroupList>> {
    let (actor, organization) = (member.actor(), member.organization);
    let groups = app
        .store
        .read(move |tx| {
            decide(&actor, Action::Upload(organization))?;
            let all = groups::list(tx, organization)?;
            all.into_iter().map(|group| GroupView::of(tx, group)).collect()
        })
        .await?;
    Ok(Answer(GroupList { groups }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    name: String,
    #[serde(default)]
    description: String,
}

pub async fn create(
    app: Data<App>,
    member: Member,
    Json(new): Json<NewGroup>,
) -> Result<HttpResponse> {
    let (actor, organization) = (member.actor(), member.organization);
    let view = app
        .write_as(actor, move |tx, actor| {
            let group = groups::create(tx, actor, organization, &new.name, &new.description)?;
            GroupView::of(tx, group)
        })
        .await?;
    Ok(created(format!("/api/admin/groups/{}", view.id), &view))
}

pub async fn show(
    app: Data<App>,
    member: Member,
    id: Path<Id<Group>>,
) -> Result<Answer<GroupView>> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    let view = app
        .store
        .read(move |tx| {
            decide(&actor, Action::Upload(organization))?;
            GroupView::of(tx, groups::get(tx, organization, id)?)
        })
        .await?;
    Ok(Answer(view))
}

/// What to change; a field that is left out stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupChange {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    description: Option<String>,
}

pub async fn edit(
    app: Data<App>,
    member: Member,
    id: Path<Id<Group>>,
    Json(change): Json<GroupChange>,
) -> Result<Answer<GroupView>> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    let view = app
        .write_as(actor, move |tx, actor| {
            decide(actor, Action::Curate(organization))?;
            let group = groups::get(tx, organization, id)?;
            let name = change.name.unwrap_or(group.name);
            let description = change.description.unwrap_or(group.description);
            let group = groups::edit(tx, actor, organization, id, &name, &description)?;
            GroupView::of(tx, group)
        })
        .await?;
    Ok(Answer(view))
}

pub async fn delete(
    app: Data<App>,
    member: Member,
    id: Path<Id<Group>>,
    _: NoBody,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    app.write_as(actor, move |tx, actor| groups::delete(tx, actor, organization, id)).await?;
    Ok(done())
}

#[derive(Serialize, JsonSchema)]
pub struct GroupMemberList {
    members: Vec<PersonView>,
}

pub async fn members(
    app: Data<App>,
    member: Member,
    id: Path<Id<Group>>,
) -> Result<Answer<GroupMemberList>> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    let members = app
        .store
        .read(move |tx| {
            decide(&actor, Action::Curate(organization))?;
            groups::members(tx, groups::get(tx, organization, id)?.id)
        })
        .await?;
    Ok(Answer(GroupMemberList { members: members.into_iter().map(PersonView::of).collect() }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroupMember {
    /// The id of a member of the organization.
    user: Id<User>,
}

pub async fn add_member(
    app: Data<App>,
    member: Member,
    id: Path<Id<Group>>,
    Json(new): Json<NewGroupMember>,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    app.write_as(actor, move |tx, actor| groups::add_member(tx, actor, organization, id, new.user))
        .await?;
    Ok(done())
}

pub async fn remove_member(
    app: Data<App>,
    member: Member,
    ids: Path<(Id<Group>, Id<User>)>,
    _: NoBody,
) -> Result<HttpResponse> {
    let (actor, organization, (id, user)) = (member.actor(), member.organization, ids.into_inner());
    app.write_as(actor, move |tx, actor| groups::remove_member(tx, actor, organization, id, user))
        .await?;
    Ok(done())
}
