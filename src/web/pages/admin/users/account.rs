//! The handlers of one account: making it, changing it, and the acts on its page.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use serde::Deserialize;

use super::{
    NewUserPage, UserPage,
    form::{AccountForm, seen},
};
use crate::{
    app::App,
    domain::{
        access::{Action, Actor, decide},
        groups, memberships,
        organizations::Organization,
        passwords,
        users::{self, NewUser, User, UserEdit},
    },
    error::{Error, Result as DomainResult},
    id::Id,
    store::WriteTx,
    together::together,
    web::{
        auth::Member,
        body::Form,
        fault::Result,
        pages::{
            Choice, FormErrors, Go, HiddenField, Html, Moment, Place,
            admin::Sidebar,
            confirm::{Confirmation, Question},
            once_at, page,
            sign_in::Empty,
            take_once,
        },
    },
};

pub async fn show_new(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Govern(member.organization))?;
    let form = AccountForm { role: "viewer".into(), ..AccountForm::default() };
    new_page(&app, &request, &member, &form, Ok(())).await
}

pub async fn create(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<AccountForm>,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Govern(member.organization))?;
    match add(&app, &member, &form).await {
        Ok(user) => {
            let said = format!("{} can sign in now.", user.display_name());
            Ok(Go::to(format!("/admin/people/{}", user.id)).saying(said).response())
        }
        Err(error) => new_page(&app, &request, &member, &form, Err(error)).await,
    }
}

async fn add(app: &App, member: &Member, form: &AccountForm) -> DomainResult<User> {
    let password = app.first_password(form.password.clone(), form.names()).await;
    let (password, role, chosen) = together((password, form.role(), form.groups()))?;
    let new = NewUser {
        username: form.username.clone(),
        email: form.email.clone(),
        full_name: form.full_name.clone(),
        password,
        is_admin: form.is_admin(),
        role,
    };
    let (actor, organization) = (member.actor(), member.organization);
    app.write_as(actor, move |tx, actor| {
        let user = users::create(tx, actor, organization, new)?;
        groups::set_groups_of(tx, actor, organization, user.id, &chosen)?;
        Ok(user)
    })
    .await
}

async fn new_page(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    form: &AccountForm,
    outcome: DomainResult<()>,
) -> Result<HttpResponse> {
    let (errors, status) = FormErrors::after(outcome)?;
    Html(NewUserPage {
        page: page(request, &member.visitor, Place::People).await?,
        sidebar: Sidebar::of(app, member).await?,
        errors,
        account: form.fields(app, member).await?,
    })
    .with_status(status)
}

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<User>>,
) -> Result<HttpResponse> {
    let path = format!("/admin/people/{}", *id);
    let new_password = take_once(&app, &request, &member, &path);
    person_page(&app, &request, &member, *id, Shown { new_password, ..Shown::default() }).await
}

pub async fn edit(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<User>>,
    Form(form): Form<AccountForm>,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Govern(member.organization))?;
    match change(&app, &member, *id, &form).await {
        Ok(()) => Ok(said(*id, "The account is saved.")),
        Err(error) => {
            let shown = Shown { form: Some(form), outcome: Err(error), ..Shown::default() };
            person_page(&app, &request, &member, *id, shown).await
        }
    }
}

async fn change(app: &App, member: &Member, id: Id<User>, form: &AccountForm) -> DomainResult<()> {
    let names = form.names();
    let named = app.store.read(move |tx| users::free_names(tx, &names, Some(id))).await;
    let (_, role, chosen) = together((named, form.role(), form.groups()))?;
    let shown = form.seen.clone();
    let edit = UserEdit {
        username: Some(form.username.clone()),
        email: Some(form.email.clone()),
        full_name: Some(form.full_name.clone()),
        // Others are not asked, so their form says nothing about it.
        is_admin: member.may(Action::Operate).then(|| form.is_admin()),
    };
    let (actor, organization) = (member.actor(), member.organization);
    app.write_as(actor, move |tx, actor| {
        decide(actor, Action::Govern(organization))?;
        let role_now = memberships::role(tx, organization, id)?;
        let groups_now = groups::groups_of(tx, organization, id)?;
        shown.require(&seen(&users::get(tx, id)?, role_now, &groups_now))?;
        users::edit(tx, actor, organization, id, edit)?;
        memberships::assign(tx, actor, organization, id, role)?;
        groups::set_groups_of(tx, actor, organization, id, &chosen)
    })
    .await
}

/// Sets a random password. The page that follows shows it, once: loading it again sets no other.
pub async fn reset_password(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<User>>,
    Form(asked): Form<Confirmation>,
) -> Result<HttpResponse> {
    let id = *id;
    let name = name(&app, &member, id).await?;
    if !asked.is_confirmed() {
        return Question {
            question: format!("Reset the password of {name}?"),
            detail:
                "The old one stops working at once, all sessions end, and API tokens are revoked."
                    .into(),
            button: "Reset the password".into(),
            action: format!("/admin/people/{id}/password"),
            back_href: format!("/admin/people/{id}"),
            ..Question::default()
        }
        .ask(&request, &member.visitor, Place::People)
        .await;
    }
    let password = passwords::generate()?;
    let hash = app.new_password(password.clone(), &[]).await?;
    let (actor, organization) = (member.actor(), member.organization);
    let set = app
        .write_as(actor, move |tx, actor| users::set_password(tx, actor, organization, id, hash))
        .await;
    if let Err(error) = set {
        return refused(&app, &request, &member, id, error).await;
    }
    let path = format!("/admin/people/{id}");
    app.shown_once.leave(once_at(&member, &path), password);
    Ok(Go::to(path).response())
}

pub async fn sign_out(
    app: Data<App>,
    member: Member,
    id: Path<Id<User>>,
    _form: Form<Empty>,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, *id);
    app.write_as(actor, move |tx, actor| users::sign_out_everywhere(tx, actor, organization, id))
        .await?;
    Ok(said(id, "Signed out everywhere. API tokens are revoked."))
}

pub async fn disable(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<User>>,
    _form: Form<Empty>,
) -> Result<HttpResponse> {
    bar(&app, &request, &member, *id, users::disable, "cannot sign in any more").await
}

pub async fn enable(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<User>>,
    _form: Form<Empty>,
) -> Result<HttpResponse> {
    bar(&app, &request, &member, *id, users::enable, "can sign in again").await
}

type Verb = fn(&mut WriteTx, &Actor, Id<Organization>, Id<User>) -> DomainResult<User>;

/// Shuts an account out, or lets it in again.
async fn bar(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    id: Id<User>,
    verb: Verb,
    outcome: &str,
) -> Result<HttpResponse> {
    let (actor, organization) = (member.actor(), member.organization);
    match app.write_as(actor, move |tx, actor| verb(tx, actor, organization, id)).await {
        Ok(user) => Ok(said(id, &format!("{} {outcome}.", user.display_name()))),
        Err(error) => refused(app, request, member, id, error).await,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct DeleteForm {
    heir: String,
    #[serde(flatten)]
    asked: Confirmation,
}

/// Deletes the account; a job hands its documents over. Asks first where no script has asked.
pub async fn delete(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<User>>,
    Form(form): Form<DeleteForm>,
) -> Result<HttpResponse> {
    let id = *id;
    let name = name(&app, &member, id).await?;
    if !form.asked.is_confirmed() {
        return Question {
            question: format!("Delete {name}?"),
            detail: "The account is removed for good. Documents are handed over.".into(),
            button: "Delete the account".into(),
            action: format!("/admin/people/{id}/delete"),
            fields: vec![HiddenField::new("heir", form.heir)],
            back_href: format!("/admin/people/{id}"),
        }
        .ask(&request, &member.visitor, Place::People)
        .await;
    }
    // Without documents nobody is asked for; what comes late goes to whoever deletes the account.
    let heir = match form.heir.as_str() {
        "" => Ok(member.user.id),
        heir => heir.parse(),
    };
    let Ok(heir) = heir else {
        let error = Error::invalid_field("heir", "Choose who gets the documents.");
        return refused(&app, &request, &member, id, error).await;
    };
    let (actor, organization) = (member.actor(), member.organization);
    let done = app
        .write_as(actor, move |tx, actor| users::delete(tx, actor, organization, id, heir))
        .await;
    match done {
        Ok(()) => {
            let said = format!("{name} cannot sign in any more; the account is being removed.");
            Ok(Go::to("/admin/people").saying(said).response())
        }
        Err(error) => refused(&app, &request, &member, id, error).await,
    }
}

async fn name(app: &App, member: &Member, id: Id<User>) -> DomainResult<String> {
    let (actor, organization) = (member.actor(), member.organization);
    let (user, _) = app.store.read(move |tx| users::governed(tx, &actor, organization, id)).await?;
    Ok(user.display_name().to_owned())
}

fn said(id: Id<User>, text: &str) -> HttpResponse {
    Go::to(format!("/admin/people/{id}")).saying(text).response()
}

async fn refused(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    id: Id<User>,
    error: Error,
) -> Result<HttpResponse> {
    let shown = Shown { outcome: Err(error), ..Shown::default() };
    person_page(app, request, member, id, shown).await
}

/// What the page shows besides the account as it is.
struct Shown {
    form: Option<AccountForm>,
    outcome: DomainResult<()>,
    new_password: Option<String>,
}

impl Default for Shown {
    fn default() -> Self {
        Shown { form: None, outcome: Ok(()), new_password: None }
    }
}

async fn person_page(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    id: Id<User>,
    shown: Shown,
) -> Result<HttpResponse> {
    let is_conflict = matches!(shown.outcome, Err(Error::Conflict(_)));
    let (errors, status) = FormErrors::after(shown.outcome)?;
    let details = app.user(member.actor(), id).await?;
    let stored = AccountForm::about(&details);
    let mut conflict = Vec::new();
    let form = match shown.form {
        Some(mut form) if is_conflict && form.seen.require(&stored.seen).is_err() => {
            form.seen = stored.seen.clone();
            let stored = stored.fields(app, member).await?;
            conflict = stored.differences(&form.fields(app, member).await?);
            form
        }
        form => form.unwrap_or(stored),
    };
    let now = app.clock.now();
    let heir = |user: &User| {
        Choice::new(user.id.to_string(), user.display_name(), user.id == member.user.id)
    };
    let user = &details.summary.user;
    Html(UserPage {
        page: page(request, &member.visitor, Place::People).await?,
        sidebar: Sidebar::of(app, member).await?,
        errors,
        id: id.to_string(),
        name: user.display_name().to_owned(),
        account: form.fields(app, member).await?,
        conflict,
        is_disabled: user.is_disabled,
        is_oneself: id == member.user.id,
        is_last_administrator: details.is_last_administrator,
        documents: details.summary.documents,
        sessions: details.sessions,
        tokens: details.tokens,
        created: Moment::new(user.created_at, now),
        last_seen: details.summary.seen_at.map(|at| Moment::new(at, now)),
        new_password: shown.new_password,
        heirs: details.others.iter().map(heir).collect(),
    })
    .with_status(status)
}
