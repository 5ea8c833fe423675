//! One's name and address, and how the pages look on this device.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time},
    http::StatusCode,
    web::Data,
};
use serde::Deserialize;

use super::ProfilePage;
use crate::{
    app::App,
    domain::{
        groups, memberships,
        users::{self, UserEdit},
    },
    web::{
        auth::Member,
        body::Form,
        client,
        fault::Result,
        pages::{FormErrors, Go, Html, Moment, Place, THEME_COOKIE, Theme, back, page, role_label},
    },
};

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ProfileForm {
    full_name: String,
    email: String,
}

pub async fn show(app: Data<App>, request: HttpRequest, member: Member) -> Result<HttpResponse> {
    let form =
        ProfileForm { full_name: member.user.full_name.clone(), email: member.user.email.clone() };
    let shown = profile_page(&app, &request, &member, form, FormErrors::none()).await?;
    Html(shown).with_status(StatusCode::OK)
}

pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<ProfileForm>,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, member.user.id);
    let edit = UserEdit {
        email: Some(form.email.clone()),
        full_name: Some(form.full_name.clone()),
        ..UserEdit::default()
    };
    let edited =
        app.write_as(actor, move |tx, actor| users::edit(tx, actor, organization, id, edit)).await;
    match edited {
        Ok(_) => Ok(Go::to("/account").saying("Your profile is saved.").response()),
        Err(error) => {
            let (errors, status) = FormErrors::refusing(error)?;
            let shown = profile_page(&app, &request, &member, form, errors).await?;
            Html(shown).with_status(status)
        }
    }
}

async fn profile_page(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    form: ProfileForm,
    errors: FormErrors,
) -> Result<ProfilePage> {
    let (organization, id) = (member.organization, member.user.id);
    let (role, groups) = app
        .store
        .read(move |tx| {
            let role = memberships::role(tx, organization, id)?;
            let groups = groups::groups_of(tx, organization, id)?;
            let names = groups.into_iter().map(|id| groups::get(tx, organization, id));
            Ok((role, names.collect::<crate::error::Result<Vec<_>>>()?))
        })
        .await?;
    Ok(ProfilePage {
        page: page(request, &member.visitor, Place::Profile).await?,
        errors,
        username: member.user.username.clone(),
        full_name: form.full_name,
        email: form.email,
        role: role.map_or("Administrator of the portal", role_label).into(),
        groups: groups.into_iter().map(|group| group.name).collect(),
        member_since: Moment::new(member.user.created_at, app.clock.now()),
    })
}

#[derive(Deserialize)]
pub struct ThemeForm {
    #[serde(default)]
    theme: String,
}

/// Remembers light or dark in a cookie of this device, which the pages' script can set too.
pub async fn set_theme(
    app: Data<App>,
    request: HttpRequest,
    _member: Member,
    Form(form): Form<ThemeForm>,
) -> Result<HttpResponse> {
    let cookie = Cookie::build(THEME_COOKIE, Theme::from_key(&form.theme).key())
        .path("/")
        .same_site(SameSite::Lax)
        .secure(client::is_secure(&request, &app.config))
        .max_age(time::Duration::days(365))
        .finish();
    let mut response = Go::to(back(&request, "/account")).response();
    response.add_cookie(&cookie).map_err(|fault| anyhow::anyhow!(fault))?;
    Ok(response)
}
