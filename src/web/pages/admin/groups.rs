//! Groups: names for sets of people, to share documents with.

use std::collections::BTreeSet;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use askama::Template;
use serde::Deserialize;

use super::Sidebar;
use crate::{
    app::App,
    domain::{
        access::{Action, decide},
        documents,
        groups::{self, Group},
        memberships,
        users::User,
    },
    error::{Error, Result as DomainResult},
    id::Id,
    store::ReadTx,
    web::{
        auth::Member,
        body::Form,
        fault::Result,
        pages::{
            Choice, FormErrors, Go, Html, Page, Place, Seen,
            confirm::{Confirmation, Question},
            filters, page,
        },
    },
};

/// `GET` and `POST /admin/groups`: `name`, `description` make a new one.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/groups/index.html")]
pub struct GroupsPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub errors: FormErrors,
    /// What was typed for the new group.
    pub name: String,
    pub description: String,
    pub groups: Vec<GroupRow>,
}

#[derive(Clone, Debug)]
pub struct GroupRow {
    pub id: String,
    pub name: String,
    pub description: String,
    pub members: u64,
    pub documents: u64,
}

/// `GET` and `POST /admin/groups/{id}`: `name`, `description`. The members post to
/// `/admin/groups/{id}/members` (`people`, repeated: all who are in afterwards), and
/// `/admin/groups/{id}/delete` deletes it.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/groups/show.html")]
pub struct GroupPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub errors: FormErrors,
    pub id: String,
    /// As it is stored, for the heading.
    pub title: String,
    pub name: String,
    pub description: String,
    /// Everybody; the members are selected and come first.
    pub people: Vec<Choice>,
    pub seen: Seen,
    pub members: u64,
    /// Documents that are shared with this group.
    pub documents: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct GroupForm {
    name: String,
    description: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct MembersForm {
    people: Vec<String>,
    /// The members that the form showed.
    seen: Seen,
}

pub async fn list(app: Data<App>, request: HttpRequest, member: Member) -> Result<HttpResponse> {
    listed(&app, &request, &member, GroupForm::default(), Ok(())).await
}

pub async fn create(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<GroupForm>,
) -> Result<HttpResponse> {
    let (actor, organization) = (member.actor(), member.organization);
    let (name, description) = (form.name.clone(), form.description.clone());
    let made = app
        .write_as(actor, move |tx, actor| {
            groups::create(tx, actor, organization, &name, &description)
        })
        .await;
    match made {
        Ok(group) => {
            Ok(said(group.id, format!("The group “{}” was added. Choose its members.", group.name)))
        }
        Err(error) => listed(&app, &request, &member, form, Err(error)).await,
    }
}

async fn listed(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    form: GroupForm,
    outcome: DomainResult<()>,
) -> Result<HttpResponse> {
    let (errors, status) = FormErrors::after(outcome)?;
    let (actor, organization) = (member.actor(), member.organization);
    let groups = app
        .store
        .read(move |tx| {
            decide(&actor, Action::Curate(organization))?;
            groups::list(tx, organization)?
                .into_iter()
                .map(|group| {
                    Ok(GroupRow {
                        members: groups::member_count(tx, group.id)?,
                        documents: documents::shown_to_group_count(tx, organization, group.id)?,
                        id: group.id.to_string(),
                        name: group.name,
                        description: group.description,
                    })
                })
                .collect::<DomainResult<Vec<_>>>()
        })
        .await?;
    Html(GroupsPage {
        page: page(request, &member.visitor, Place::Groups).await?,
        sidebar: Sidebar::of(app, member).await?,
        errors,
        name: form.name,
        description: form.description,
        groups,
    })
    .with_status(status)
}

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Group>>,
) -> Result<HttpResponse> {
    shown(&app, &request, &member, *id, None, Ok(())).await
}

pub async fn edit(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Group>>,
    Form(form): Form<GroupForm>,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, *id);
    let (name, description) = (form.name.clone(), form.description.clone());
    let edited = app
        .write_as(actor, move |tx, actor| {
            groups::edit(tx, actor, organization, id, &name, &description)
        })
        .await;
    match edited {
        Ok(_) => Ok(said(id, "The group is saved.".into())),
        Err(error) => shown(&app, &request, &member, id, Some(form), Err(error)).await,
    }
}

pub async fn set_members(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Group>>,
    Form(form): Form<MembersForm>,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, *id);
    let wanted: Result<BTreeSet<Id<User>>, _> = form.people.iter().map(|id| id.parse()).collect();
    let Ok(wanted) = wanted else {
        let error = Error::invalid("One of the people does not exist.");
        return shown(&app, &request, &member, id, None, Err(error)).await;
    };
    let set = app
        .write_as(actor, move |tx, actor| {
            decide(actor, Action::Curate(organization))?;
            form.seen.require(&Seen::of(member_ids(tx, id)?))?;
            groups::set_members(tx, actor, organization, id, &wanted)
        })
        .await;
    match set {
        Ok(_) => Ok(said(id, "The members are saved.".into())),
        Err(error) => shown(&app, &request, &member, id, None, Err(error)).await,
    }
}

/// Asks first where no script has asked.
pub async fn delete(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Group>>,
    Form(asked): Form<Confirmation>,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, *id);
    if !asked.is_confirmed() {
        let group = app
            .store
            .read(move |tx| {
                decide(&actor, Action::Curate(organization))?;
                groups::get(tx, organization, id)
            })
            .await?;
        return Question {
            question: format!("Delete the group “{}”?", group.name),
            detail: "Its members lose access to what was shared with this group alone.".into(),
            button: "Delete the group".into(),
            action: format!("/admin/groups/{id}/delete"),
            back_href: format!("/admin/groups/{id}"),
            ..Question::default()
        }
        .ask(&request, &member.visitor, Place::Groups)
        .await;
    }
    app.write_as(actor, move |tx, actor| groups::delete(tx, actor, organization, id)).await?;
    Ok(Go::to("/admin/groups").saying("The group is deleted.").response())
}

async fn shown(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    id: Id<Group>,
    form: Option<GroupForm>,
    outcome: DomainResult<()>,
) -> Result<HttpResponse> {
    let (errors, status) = FormErrors::after(outcome)?;
    let (actor, organization) = (member.actor(), member.organization);
    let (group, chosen, everybody, documents) = app
        .store
        .read(move |tx| {
            decide(&actor, Action::Curate(organization))?;
            let group = groups::get(tx, organization, id)?;
            let chosen = member_ids(tx, id)?;
            let everybody = memberships::members(tx, organization)?;
            let documents = documents::shown_to_group_count(tx, organization, id)?;
            Ok((group, chosen, everybody, documents))
        })
        .await?;
    let mut people: Vec<Choice> = everybody
        .into_iter()
        .map(|(user, _)| Choice {
            value: user.id.to_string(),
            selected: chosen.contains(&user.id),
            label: user.display_name().to_owned(),
            detail: user.email,
        })
        .collect();
    people.sort_by_cached_key(|choice| (!choice.selected, choice.label.to_lowercase()));
    let form = form.unwrap_or_else(|| GroupForm {
        name: group.name.clone(),
        description: group.description.clone(),
    });
    Html(GroupPage {
        page: page(request, &member.visitor, Place::Groups).await?,
        sidebar: Sidebar::of(app, member).await?,
        errors,
        id: id.to_string(),
        title: group.name,
        name: form.name,
        description: form.description,
        people,
        seen: Seen::of(&chosen),
        members: chosen.len() as u64,
        documents,
    })
    .with_status(status)
}

fn member_ids(tx: &ReadTx, id: Id<Group>) -> DomainResult<BTreeSet<Id<User>>> {
    Ok(groups::members(tx, id)?.into_iter().map(|member| member.id).collect())
}

fn said(id: Id<Group>, text: String) -> HttpResponse {
    Go::to(format!("/admin/groups/{id}")).saying(text).response()
}
