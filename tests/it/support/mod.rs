//! The real portal on a free port, with a data folder of its own and a clock that tests move.

pub mod acme;
mod chromium;
pub mod fakes;
pub mod host;
pub mod manager;
mod person;
pub mod program;
pub mod releases;
pub mod s3;
mod small_disk;
mod still;

use std::{net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use appliance::{
    app::{App, Background, Doors, SetupForm},
    clock::Clock,
    config::Config,
    domain::{
        access::{Actor, Role},
        organizations::Organization,
        users::{self, NewUser, User},
    },
    id::Id,
    web::{self, Door, Stopping},
};
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

pub use self::{
    chromium::{Chromium, Tab},
    person::{Shown, filled_in},
    program::{Shell, finish},
    small_disk::SmallDisk,
    still::{Still, new_document},
};

/// The password of everybody in a test world.
pub const PASSWORD: &str = "a tall green kettle";

/// Waits for what happens by itself a little later.
pub async fn until(mut is_true: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if is_true().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not true in ten seconds");
}

/// A running portal with an organization and its administrator `ada`.
pub struct TestApp {
    pub app: Arc<App>,
    pub url: String,
    /// The port of HTTPS; 0 when the configuration of the test wants none.
    pub https_port: u16,
    pub clock: Clock,
    pub organization: Id<Organization>,
    pub ada: User,
    background: Option<Background>,
    server: Stopping,
    // Last: the folder goes when everything that uses it is gone.
    _data: tempfile::TempDir,
}

impl TestApp {
    pub async fn spawn() -> Self {
        TestApp::spawn_with(|_| {}).await
    }

    /// With a configuration of the test's own.
    pub async fn spawn_with(configure: impl FnOnce(&mut Config)) -> Self {
        let NewPortal { app, url, https_port, clock, background, server, data } =
            NewPortal::spawn_with(configure).await;
        let secret = app.setup_link.issue().expect("a setup link");
        let form = SetupForm {
            organization: "Northlight".into(),
            username: "ada".into(),
            email: "ada@example.com".into(),
            full_name: "Ada Lovelace".into(),
            password: PASSWORD.into(),
        };
        let (organization, ada) = app.set_up(secret.reveal(), form).await.expect("setting up");
        TestApp {
            app,
            url,
            https_port,
            clock,
            organization: organization.id,
            ada,
            background: Some(background),
            server,
            _data: data,
        }
    }

    /// Another member, with the password [`PASSWORD`].
    pub async fn add_user(&self, username: &str, role: Role) -> User {
        let password = self.app.new_password(PASSWORD.into(), &[]).await.expect("a hash");
        let new = NewUser {
            username: username.into(),
            email: format!("{username}@example.com"),
            full_name: String::new(),
            password,
            is_admin: false,
            role,
        };
        let organization = self.organization;
        let actor = Actor::system("test", Some(organization));
        self.app
            .store
            .write(move |tx| users::create(tx, &actor, organization, new))
            .await
            .expect("a new user")
    }

    /// A program that is signed in with a token.
    pub async fn signed_in(&self, username: &str) -> Api {
        let answer = self
            .stranger()
            .post("/api/login", json!({ "username": username, "password": PASSWORD }))
            .await;
        let token = answer["access_token"].as_str().expect("a token").to_owned();
        Api { client: Client::new(), url: self.url.clone(), token: Some(token) }
    }

    /// A program that has a token.
    pub fn with_token(&self, token: &str) -> Api {
        Api { token: Some(token.to_owned()), ..self.stranger() }
    }

    /// A program that is not signed in.
    pub fn stranger(&self) -> Api {
        Api { client: Client::new(), url: self.url.clone(), token: None }
    }

    /// A browser without JavaScript: keeps cookies, does not follow redirects by itself.
    pub fn browser(&self) -> Client {
        Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client")
    }

    /// Waits until all jobs are done and the search index shows everything.
    pub async fn settle(&self) {
        self.app.settle().await.expect("settling");
    }

    /// Ends the portal and waits for it: what a clean stop of the process does.
    pub async fn stop(mut self) {
        self.server.stop().await;
        if let Some(background) = self.background.take() {
            background.stop().await;
        }
    }
}

/// A running portal that nobody has set up yet.
pub struct NewPortal {
    pub app: Arc<App>,
    pub url: String,
    pub https_port: u16,
    pub clock: Clock,
    background: Background,
    server: Stopping,
    data: tempfile::TempDir,
}

impl NewPortal {
    pub async fn spawn() -> Self {
        NewPortal::spawn_with(|_| {}).await
    }

    async fn spawn_with(configure: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().expect("a folder for the test");
        let clock = Clock::held("2026-11-21T10:00:00Z".parse::<Timestamp>().expect("a time"));
        let mut config = Config { data: data.path().join("data"), ..Config::default() };
        config.storage.reserve_mb = 0;
        config.store.cache_mb = 16;
        config.listen.set_port(0);
        configure(&mut config);
        let worker = PathBuf::from(env!("CARGO_BIN_EXE_appliance"));
        let held = clock.clone();
        let app = tokio::task::spawn_blocking(move || App::open_with(config, held, Some(worker)))
            .await
            .expect("opening does not panic")
            .expect("opening the portal");
        let plain = TcpListener::bind(app.config.listen).expect("a free port");
        let address = plain.local_addr().expect("its address");
        let secure = app.config.listen_https.map(|at| TcpListener::bind(at).expect("a free port"));
        let https = secure.as_ref().map(|secure| secure.local_addr().expect("its address"));
        let doors = Doors { http: Some(address), https };
        let tls = app.open_doors(doors).await.expect("certificates");
        let background = app.start();
        let mut doors = vec![Door::plain(plain)];
        doors.extend(secure.map(|listener| Door { listener, tls }));
        let (server, stopping) = web::serve(app.clone(), doors).expect("a server");
        tokio::spawn(server);
        let (url, https_port) = (format!("http://{address}"), https.map_or(0, |at| at.port()));
        NewPortal { app, url, https_port, clock, background, server: stopping, data }
    }
}

/// A client of the JSON API.
#[derive(Clone)]
pub struct Api {
    client: Client,
    url: String,
    token: Option<String>,
}

impl Api {
    /// Of a portal that runs somewhere else.
    pub fn at(url: &str, token: &str) -> Self {
        let token = (!token.is_empty()).then(|| token.to_owned());
        // It may hang, or be switched off in the middle.
        let client = Client::builder().no_proxy().timeout(program::PATIENCE).build();
        Api { client: client.expect("a client"), url: url.to_owned(), token }
    }

    /// The same program, with connections of its own.
    pub fn with_client(&self, client: Client) -> Self {
        Api { client, url: self.url.clone(), token: self.token.clone() }
    }

    /// The same program, after the portal was started at another address.
    pub fn moved_to(self, url: &str) -> Self {
        Api { url: url.to_owned(), ..self }
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = method.parse().expect("a method");
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Response {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.expect("an answer")
    }

    /// The body of a success.
    pub async fn get(&self, path: &str) -> Value {
        read(self.send("GET", path, None).await).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        read(self.send("POST", path, Some(body)).await).await
    }

    pub async fn status(&self, method: &str, path: &str, body: Option<Value>) -> u16 {
        self.send(method, path, body).await.status().as_u16()
    }

    /// Uploads a file and returns the new document.
    pub async fn upload(&self, filename: &str, bytes: &[u8], fields: &[(&str, &str)]) -> Value {
        read(self.try_upload(filename, bytes, fields).await).await
    }

    pub async fn try_upload(
        &self,
        filename: &str,
        bytes: &[u8],
        fields: &[(&str, &str)],
    ) -> Response {
        let mut form = reqwest::multipart::Form::new();
        for (name, value) in fields {
            form = form.text((*name).to_owned(), (*value).to_owned());
        }
        let part = reqwest::multipart::Part::bytes(bytes.to_vec()).file_name(filename.to_owned());
        let form = form.part("file", part);
        let request = self.request("POST", "/api/admin/documents/upload").multipart(form);
        request.send().await.expect("an answer")
    }
}

async fn read(response: Response) -> Value {
    let (status, url) = (response.status(), response.url().clone());
    let text = response.text().await.expect("a body");
    assert!(status.is_success(), "{url} answered {status}: {text}");
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") }
}
