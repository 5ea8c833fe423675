//! A person at a browser without JavaScript: follows links, fills in forms, keeps cookies. The CSRF
//! token of the page that was seen last goes into the next form, as a browser would send it.

use std::sync::Mutex;

use reqwest::{
    Client, RequestBuilder, Response,
    header::{HeaderMap, LOCATION},
    multipart::{Form, Part},
};

use super::{NewPortal, PASSWORD, TestApp};

const REDIRECTS_MAX: usize = 5;

pub struct Person {
    client: Client,
    url: String,
    csrf_token: Mutex<String>,
}

/// What the browser got.
pub struct Shown {
    pub status: u16,
    pub headers: HeaderMap,
    pub html: String,
    /// The path and query that answered.
    pub address: String,
}

impl TestApp {
    /// Somebody who has signed in through the form.
    pub async fn person(&self, username: &str) -> Person {
        let person = Person::at(&self.url);
        person.sign_in(username, PASSWORD).await;
        person
    }

    pub fn passer_by(&self) -> Person {
        Person::at(&self.url)
    }
}

impl NewPortal {
    pub fn passer_by(&self) -> Person {
        Person::at(&self.url)
    }
}

impl Person {
    fn at(url: &str) -> Self {
        let client = Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Person { client, url: url.to_owned(), csrf_token: Mutex::default() }
    }

    pub async fn sign_in(&self, username: &str, password: &str) -> Shown {
        self.get("/sign-in").await;
        let shown = self.send("/sign-in", &[("name", username), ("password", password)]).await;
        match shown.location() {
            // Its page has the token of the new session.
            Some(to) => self.open(&to).await,
            None => shown,
        }
    }

    /// One request, and what it answers.
    pub async fn get(&self, path: &str) -> Shown {
        let request = self.client.get(format!("{}{path}", self.url));
        self.answered(path, request).await
    }

    /// [`get`](Self::get), and on to wherever it leads.
    pub async fn open(&self, path: &str) -> Shown {
        let shown = self.get(path).await;
        self.follow(shown).await
    }

    /// Posts a form.
    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let csrf_token = self.csrf_token();
        let mut all = vec![("csrf", csrf_token.as_str())];
        all.extend_from_slice(fields);
        self.send_without_token(path, &all).await
    }

    /// Posts a form as it is.
    pub async fn send_without_token(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let request = self.client.post(format!("{}{path}", self.url));
        self.answered(path, filled_in(request, fields)).await
    }

    /// Posts a form and sees the page that it leads to.
    pub async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let shown = self.send(path, fields).await;
        self.follow(shown).await
    }

    /// Posts a form with files in its field `file`, as (name, content).
    pub async fn upload(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        files: &[(&str, &[u8])],
    ) -> Shown {
        let mut form = Form::new().text("csrf", self.csrf_token());
        for (name, value) in fields {
            form = form.text((*name).to_owned(), (*value).to_owned());
        }
        for (name, content) in files {
            form = form.part("file", Part::bytes(content.to_vec()).file_name((*name).to_owned()));
        }
        let request = self.client.post(format!("{}{path}", self.url)).multipart(form);
        let shown = self.answered(path, request).await;
        self.follow(shown).await
    }

    /// Uploads one file through the form and returns the id of its document.
    pub async fn add(&self, filename: &str, content: &[u8], fields: &[(&str, &str)]) -> String {
        let shown = self.upload("/documents/upload", fields, &[(filename, content)]).await;
        let id = shown.address.strip_prefix("/documents/").map(str::to_owned);
        id.filter(|id| id.len() == 36).unwrap_or_else(|| panic!("no document: {}", shown.html))
    }

    /// A request of the test's own making, with this person's cookies.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(method.parse().expect("a method"), format!("{}{path}", self.url))
    }

    pub fn csrf_token(&self) -> String {
        self.csrf_token.lock().expect("the token").clone()
    }

    async fn follow(&self, mut shown: Shown) -> Shown {
        for _ in 0..REDIRECTS_MAX {
            match shown.location() {
                Some(to) => shown = self.get(&to).await,
                None => return shown,
            }
        }
        panic!("{} leads around in circles", shown.address);
    }

    async fn answered(&self, path: &str, request: RequestBuilder) -> Shown {
        let response = request.send().await.expect("an answer");
        let shown = Shown::read(path, response).await;
        if let Some(token) = between(&shown.html, "name=\"csrf-token\" content=\"", "\"") {
            *self.csrf_token.lock().expect("the token") = token.to_owned();
        }
        shown
    }
}

impl Shown {
    async fn read(path: &str, response: Response) -> Self {
        Shown {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            html: response.text().await.expect("a body"),
            address: path.to_owned(),
        }
    }

    /// Where a redirect leads.
    pub fn location(&self) -> Option<String> {
        let location = self.headers.get(LOCATION)?;
        Some(location.to_str().expect("a location").to_owned())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header"))
    }

    /// What the page says, without its markup and with single spaces.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for piece in self.html.split('<') {
            text.push_str(piece.split_once('>').map_or(piece, |(_, text)| text));
            text.push(' ');
        }
        let entities =
            [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
        let text = entities.iter().fold(text, |text, (entity, plain)| text.replace(entity, plain));
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    pub fn says(&self, words: &str) -> &Self {
        let text = self.text();
        assert!(text.contains(words), "{} does not say “{words}”: {text}", self.address);
        self
    }

    #[track_caller]
    pub fn does_not_say(&self, words: &str) -> &Self {
        let text = self.text();
        assert!(!text.contains(words), "{} says “{words}”: {text}", self.address);
        self
    }

    /// The first piece of the HTML between two others.
    #[track_caller]
    pub fn piece(&self, before: &str, after: &str) -> &str {
        let found = between(&self.html, before, after);
        found.unwrap_or_else(|| panic!("{} has no {before}…{after}: {}", self.address, self.html))
    }

    /// The address of the first link whose own text is `text`.
    #[track_caller]
    pub fn link(&self, text: &str) -> String {
        for anchor in self.html.split("<a ").skip(1) {
            let (tag, rest) = anchor.split_once('>').expect("a closed tag");
            let inside = rest.split("</a>").next().expect("the text of a link");
            let words = Shown { html: inside.to_owned(), ..self.bare() }.text();
            if words == text {
                let href = between(tag, "href=\"", "\"").expect("a link with an address");
                return href.replace("&amp;", "&").replace("&#38;", "&");
            }
        }
        panic!("{} has no link “{text}”: {}", self.address, self.text());
    }

    fn bare(&self) -> Shown {
        let (headers, html) = (HeaderMap::new(), String::new());
        Shown { status: self.status, headers, html, address: String::new() }
    }
}

/// A form as browsers send one without files.
pub fn filled_in(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let body = serde_html_form::to_string(fields).expect("a form");
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(piece, _)| piece)
}
