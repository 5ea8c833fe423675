//! One's API tokens: making one, which is shown once, and revoking.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{CreatedToken, TokenRow, TokensPage};
use crate::{
    app::App,
    domain::tokens::{self, ApiToken},
    error::Error,
    id::Id,
    together::together,
    web::{
        auth::Member,
        body::Form,
        client,
        fault::Result,
        pages::{
            Choice, FormErrors, Go, Html, Moment, Place,
            confirm::{Confirmation, Question},
            once_at, page, take_once,
        },
    },
};

/// How long a token may be good for: days, with the words. Nothing is for ever by accident.
const LIFETIMES: [(&str, &str); 4] =
    [("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("never", "Until it is revoked")];

const PAGE: &str = "/account/tokens";

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct TokenForm {
    name: String,
    expires: String,
}

pub async fn show(app: Data<App>, request: HttpRequest, member: Member) -> Result<HttpResponse> {
    let created = take_once(&app, &request, &member, PAGE).and_then(|left| {
        let (secret, name) = left.split_once(' ')?;
        let origin = client::origin(&request, &app.config);
        Some(CreatedToken { name: name.into(), secret: secret.into(), origin })
    });
    let form = TokenForm::default();
    let shown = tokens_page(&app, &request, &member, form, FormErrors::none(), created).await?;
    Html(shown).with_status(StatusCode::OK)
}

/// The page that follows shows the token, once: loading it again makes no other.
pub async fn create(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<TokenForm>,
) -> Result<HttpResponse> {
    match make(&app, &member, &form).await {
        Ok((token, secret)) => {
            let left = format!("{secret} {}", token.name);
            app.shown_once.leave(once_at(&member, PAGE), left);
            Ok(Go::to(PAGE).response())
        }
        Err(error) => {
            let (errors, status) = FormErrors::refusing(error)?;
            let shown = tokens_page(&app, &request, &member, form, errors, None).await?;
            Html(shown).with_status(status)
        }
    }
}

async fn make(
    app: &App,
    member: &Member,
    form: &TokenForm,
) -> crate::error::Result<(ApiToken, String)> {
    let expires_at = match LIFETIMES.iter().find(|(value, _)| *value == form.expires) {
        Some(("never", _)) => Ok(None),
        Some((days, _)) => {
            let days: i64 = days.parse().unwrap_or(30);
            Ok(Some(app.clock.now() + SignedDuration::from_hours(24 * days)))
        }
        None => Err(Error::invalid_field("expires", "Choose how long it is valid.")),
    };
    let (name, expires_at) = together((tokens::name(&form.name), expires_at))?;
    let actor = member.actor();
    app.write_as(actor, move |tx, actor| tokens::create(tx, actor, &name, expires_at)).await
}

pub async fn revoke(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<ApiToken>>,
    Form(asked): Form<Confirmation>,
) -> Result<HttpResponse> {
    let (actor, id) = (member.actor(), *id);
    if !asked.is_confirmed() {
        return Question {
            question: "Revoke this token?".into(),
            detail: "Programs that use it stop working at once.".into(),
            button: "Revoke".into(),
            action: format!("/account/tokens/{id}/revoke"),
            back_href: "/account/tokens".into(),
            ..Question::default()
        }
        .ask(&request, &member.visitor, Place::Tokens)
        .await;
    }
    app.write_as(actor, move |tx, actor| tokens::revoke(tx, actor, id)).await?;
    Ok(Go::to("/account/tokens").saying("The token is revoked.").response())
}

async fn tokens_page(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    form: TokenForm,
    errors: FormErrors,
    created: Option<CreatedToken>,
) -> Result<TokensPage> {
    let user = member.user.id;
    let mut tokens = app.store.read(move |tx| tokens::of_user(tx, user)).await?;
    tokens.sort_by_key(|token| std::cmp::Reverse(token.id));
    let now = app.clock.now();
    let chosen = if form.expires.is_empty() { "90" } else { form.expires.as_str() };
    let lifetime = |(value, label): &(&str, &str)| Choice::new(*value, *label, *value == chosen);
    Ok(TokensPage {
        page: page(request, &member.visitor, Place::Tokens).await?,
        errors,
        lifetimes: LIFETIMES.iter().map(lifetime).collect(),
        name: form.name,
        tokens: tokens.into_iter().map(|token| row(token, now)).collect(),
        created,
    })
}

fn row(token: ApiToken, now: Timestamp) -> TokenRow {
    TokenRow {
        id: token.id.to_string(),
        name: token.name,
        created: Moment::new(token.created_at, now),
        last_used: token.used_at.map(|at| Moment::new(at, now)),
        expires: token.expires_at.map(|at| Moment::new(at, now)),
        is_expired: token.expires_at.is_some_and(|at| at <= now),
    }
}
