//! One request, and what its answer means.

use jiff::SignedDuration;
use reqwest::Response;

use super::{
    table::{Body, Row},
    world::World,
};

/// What an answer says about access, whatever else it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let through: it worked, or failed for a reason that has nothing to do with who asked.
    Yes,
    SignIn,
    Forbidden,
    Missing,
}

impl Verdict {
    fn of(response: &Response) -> Verdict {
        let status = response.status().as_u16();
        let location = response.headers().get("location").and_then(|it| it.to_str().ok());
        match status {
            401 => Verdict::SignIn,
            403 => Verdict::Forbidden,
            404 => Verdict::Missing,
            303 if location.is_some_and(|to| to.starts_with("/sign-in")) => Verdict::SignIn,
            200..=399 | 400 | 409 | 412 | 422 => Verdict::Yes,
            _ => panic!("{} answered {status}", response.url()),
        }
    }
}

/// What a page of another site can make a browser send.
pub struct Attack {
    pub name: &'static str,
    pub lacks_token: bool,
    header: Option<(&'static str, &'static str)>,
}

pub const ATTACKS: [&Attack; 3] = [
    &Attack { name: "without a token", lacks_token: true, header: None },
    &Attack {
        name: "from another origin",
        lacks_token: false,
        header: Some(("origin", "https://elsewhere.example")),
    },
    &Attack {
        name: "from another site",
        lacks_token: false,
        header: Some(("sec-fetch-site", "cross-site")),
    },
];

/// A request about to be sent.
pub struct Asked {
    method: String,
    path: String,
    body: Body,
    headers: Vec<(&'static str, String)>,
}

impl Asked {
    /// Programs send a token, people a cookie.
    pub fn of(world: &World, row: &Row, who: usize, place: usize) -> Asked {
        let person = &world.people[who];
        let mut headers = Vec::new();
        if row.is_api() {
            headers.extend(person.token.iter().map(|it| ("authorization", format!("Bearer {it}"))));
        } else {
            headers.extend(person.cookie.iter().map(|it| ("cookie", it.clone())));
            headers.push(("x-csrf-token", person.csrf.clone()));
        }
        Asked {
            method: row.method.into(),
            path: fill(world, row.path, place),
            body: row.body.clone(),
            headers,
        }
    }

    /// The same by a browser whose user did not mean it.
    pub fn made_by_attack(mut self, world: &World, who: usize, attack: &Attack) -> Asked {
        let person = &world.people[who];
        self.headers = vec![("cookie", person.cookie.clone().unwrap_or_default())];
        if !attack.lacks_token {
            self.headers.push(("x-csrf-token", person.csrf.clone()));
        }
        self.headers.extend(attack.header.map(|(name, value)| (name, value.to_owned())));
        self
    }

    pub fn for_its_headers(self) -> Asked {
        Asked { method: "HEAD".into(), ..self }
    }

    pub async fn send(&self, world: &World) -> Verdict {
        let mut response = self.response(world).await;
        while response.status() == 429 {
            // Too many wrong passwords: that is another wall than the one that is measured here.
            world.app.clock.advance(SignedDuration::from_mins(15));
            response = self.response(world).await;
        }
        Verdict::of(&response)
    }

    pub async fn response(&self, world: &World) -> Response {
        let method = self.method.parse().expect("a method");
        let mut request = world.client.request(method, format!("{}{}", world.app.url, self.path));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = match &self.body {
            Body::None => request,
            Body::Json(json) => request.json(json),
            Body::Form(form) => request
                .header("content-type", "application/x-www-form-urlencoded")
                .body((*form).to_owned()),
            Body::File => {
                let part = reqwest::multipart::Part::bytes(b"Once".to_vec()).file_name("a.txt");
                request.multipart(reqwest::multipart::Form::new().part("file", part))
            }
        };
        request.send().await.expect("an answer")
    }
}

/// The address with something for each of its parameters.
fn fill(world: &World, path: &str, place: usize) -> String {
    let document = &world.shown[place].document;
    let version = world.shown[place].earlier;
    let named = world.named.iter().find(|(from, _)| path.starts_with(*from)).map(|(_, id)| id);
    let id = match named {
        Some(id) => id.clone(),
        None if path.contains("documents") || path.contains("trash") || path.contains("media") => {
            document.id.to_string()
        }
        None => "00000000-0000-7000-8000-000000000000".into(),
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let filled = path
        .replace("{id}", &id)
        .replace("{version_id}", &version.to_string())
        .replace("{version}", &version.to_string())
        .replace("{user_id}", &world.named["user"])
        .replace("{user}", &world.named["user"])
        .replace("{number}", "1")
        .replace("{page}", "1")
        .replace("{filename}", "paper.pdf")
        .replace("{path:.*}", &an_asset())
        .replace("{hash}", &"0".repeat(64))
        .replace("{token}", "guessed");
    assert!(!filled.contains('{'), "{path} has a parameter that the oracle does not know");
    if query.is_empty() { filled } else { format!("{filled}?{query}") }
}

fn an_asset() -> String {
    let (_, path) = appliance::web::assets::all().next().expect("there are assets");
    path.trim_start_matches("/static/").to_owned()
}
