//! Who asks: from a cookie, a JSON Web Token or an API token to an [`Actor`], anew for each request.

use std::{net::IpAddr, rc::Rc};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    cookie::{Cookie, SameSite, time},
    dev::Payload,
    http::header,
    web::Data,
};
use futures_util::future::LocalBoxFuture;

use super::{client, csrf, fault::Fault};
use crate::{
    app::App,
    domain::{
        access::{Action, Actor, decide},
        organizations::Organization,
        sessions::{self, Session},
        tokens::{self, ApiToken},
        users::User,
    },
    error::{Error, Result},
    id::Id,
};

pub const COOKIE: &str = "session";

/// What is left to somebody whose password another person has set.
const WITHOUT_OWN_PASSWORD: [&str; 4] =
    ["/account/password", "/sign-out", "/api/users/me/password", "/api/logout"];

/// Anybody who sends a request. Extracting it twice costs nothing the second time.
#[derive(Clone)]
pub struct Visitor(Rc<Identity>);

pub struct Identity {
    pub actor: Actor,
    pub user: Option<User>,
    pub session: Option<Session>,
    pub proof: Proof,
    pub address: Option<IpAddr>,
}

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    None,
    /// A browser sends it by itself, also when another site makes it: a request that changes
    /// something must carry a CSRF token too.
    Cookie,
    /// In the `Authorization` header, which no other site can set.
    Bearer,
}

impl std::ops::Deref for Visitor {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl Visitor {
    pub fn actor(&self) -> Actor {
        self.actor.clone()
    }

    /// What forms of this visitor carry; empty for strangers.
    pub fn csrf_token(&self) -> String {
        self.session.as_ref().map(csrf::token).unwrap_or_default()
    }

    /// # Errors
    /// `Forbidden` when a browser sends this on behalf of its user without the token of our forms.
    pub fn require_csrf(&self, token: Option<&str>) -> Result<()> {
        let Some(session) = self.session.as_ref().filter(|_| self.proof == Proof::Cookie) else {
            return Ok(());
        };
        match token.is_some_and(|token| csrf::matches(session, token)) {
            true => Ok(()),
            false => Err(Error::forbidden(
                "This form is too old or does not come from this portal. Load the page again and repeat what you did.",
            )),
        }
    }
}

impl FromRequest for Visitor {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            if let Some(known) = request.extensions().get::<Visitor>() {
                return Ok(known.clone());
            }
            let visitor = Visitor(Rc::new(identify(&request).await?));
            let needs_password = visitor.user.as_ref().is_some_and(|it| it.must_change_password);
            if needs_password && !WITHOUT_OWN_PASSWORD.contains(&request.path()) {
                return Err(Error::OwnPasswordRequired.into());
            }
            request.extensions_mut().insert(visitor.clone());
            Ok(visitor)
        })
    }
}

/// Somebody who has signed in and works in an organization.
#[derive(Clone)]
pub struct Member {
    pub visitor: Visitor,
    pub user: User,
    pub organization: Id<Organization>,
}

impl std::ops::Deref for Member {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.visitor
    }
}

impl Member {
    pub fn actor(&self) -> Actor {
        self.visitor.actor()
    }

    /// Whether to offer something; the verb behind it decides again.
    pub fn may(&self, action: Action) -> bool {
        decide(&self.visitor.actor, action).is_ok()
    }
}

impl FromRequest for Member {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visitor = Visitor::from_request(request, payload);
        Box::pin(async move {
            let visitor = visitor.await?;
            let user = visitor.user.clone().ok_or(Error::SignInRequired)?;
            let organization = visitor.actor.at_work()?;
            Ok(Member { visitor, user, organization })
        })
    }
}

async fn identify(request: &HttpRequest) -> Result<Identity> {
    let app = app(request)?;
    let address = client::address(request, &app.config);
    let mut identity = match bearer(request) {
        Some(token) if token.starts_with(tokens::PREFIX) => by_api_token(&app, token).await?,
        Some(token) => by_web_token(&app, &token).await?,
        None => by_cookie(&app, request).await?,
    };
    if let Some(proxy) = client::unknown_proxy(request, &app.config) {
        app.note_unknown_proxy(proxy);
    }
    identity.address = address;
    identity.actor.address = address.map(|address| address.to_string());
    Ok(identity)
}

pub fn app(request: &HttpRequest) -> Result<Data<App>> {
    let app = request.app_data::<Data<App>>().cloned();
    app.ok_or_else(|| Error::Internal(anyhow::anyhow!("the server was built without its App")))
}

fn bearer(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

fn stranger() -> Identity {
    Identity {
        actor: Actor::stranger(),
        user: None,
        session: None,
        proof: Proof::None,
        address: None,
    }
}

/// # Errors
/// `SignInRequired` for a token that is not valid (any more): a program must hear of that, also
/// where strangers are welcome.
async fn by_web_token(app: &App, token: &str) -> Result<Identity> {
    let id = app.read_token(token).ok_or(Error::SignInRequired)?;
    let resumed = app.store.read(move |tx| sessions::resume(tx, id)).await?;
    let (session, user, actor) = resumed.ok_or(Error::SignInRequired)?;
    note_session_use(app, &session);
    Ok(Identity {
        actor,
        user: Some(user),
        session: Some(session),
        proof: Proof::Bearer,
        address: None,
    })
}

async fn by_api_token(app: &App, revealed: String) -> Result<Identity> {
    let found = app.store.read(move |tx| tokens::resume(tx, &revealed)).await?;
    let (token, user, actor) = found.ok_or(Error::SignInRequired)?;
    note_token_use(app, &token);
    Ok(Identity { actor, user: Some(user), session: None, proof: Proof::Bearer, address: None })
}

async fn by_cookie(app: &App, request: &HttpRequest) -> Result<Identity> {
    let Some(cookie) = request.cookie(COOKIE) else { return Ok(stranger()) };
    let parts = cookie.value().split_once('.');
    let Some((Ok(id), secret)) = parts.map(|(id, secret)| (id.parse(), secret)) else {
        return Ok(stranger());
    };
    let resumed = app.store.read(move |tx| sessions::resume(tx, id)).await?;
    let Some((session, user, actor)) = resumed else { return Ok(stranger()) };
    if !session.secret.as_ref().is_some_and(|hash| hash.matches(secret)) {
        return Ok(stranger());
    }
    note_session_use(app, &session);
    Ok(Identity {
        actor,
        user: Some(user),
        session: Some(session),
        proof: Proof::Cookie,
        address: None,
    })
}

/// Nobody waits for these notes. They are made once the secret or the signature is proven: an id
/// alone keeps no session alive.
fn note_session_use(app: &App, session: &Session) {
    if sessions::is_stale(session, app.clock.now()) {
        let (store, id) = (app.store.clone(), session.id);
        let lifetime = app.settings().session_lifetime();
        tokio::spawn(async move { store.write(move |tx| sessions::touch(tx, id, lifetime)).await });
    }
}

fn note_token_use(app: &App, token: &ApiToken) {
    if tokens::is_stale(token, app.clock.now()) {
        let (store, id) = (app.store.clone(), token.id);
        tokio::spawn(async move { store.write(move |tx| tokens::touch(tx, id)).await });
    }
}

/// The cookie of a session; the browser keeps it for the longest that a session can last, and the
/// session's own end decides.
pub fn cookie(value: String, is_secure: bool) -> Cookie<'static> {
    Cookie::build(COOKIE, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(is_secure)
        .max_age(time::Duration::days(365))
        .finish()
}

/// Makes the browser forget its session.
pub fn removal_cookie() -> Cookie<'static> {
    let mut cookie = Cookie::build(COOKIE, "").path("/").finish();
    cookie.make_removal();
    cookie
}
