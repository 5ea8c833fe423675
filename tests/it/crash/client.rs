//! A client that remembers what it was answered. It writes only to documents of its own, so that
//! what they must look like is known to it alone.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{
    RequestBuilder, Response,
    header::LOCATION,
    multipart::{Form, Part},
};
use serde_json::json;

use super::Random;
use crate::support::Api;

const DOCUMENTS_MAX: usize = 6;
const VERSIONS_MAX: usize = 4;
/// Few, so that the same bytes are uploaded again and again, also by two clients at a time.
const CONTENTS: u64 = 120;

/// A document as its reader sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub title: String,
    /// Changes together with the title.
    pub description: String,
    pub category: Option<String>,
    pub visibility: String,
    pub status: String,
    pub is_trashed: bool,
    /// The content of each version, the first one first.
    pub versions: Vec<u64>,
}

pub struct Client {
    number: u64,
    random: Random,
    /// What was acknowledged, by a tag that no edit changes, with the address of each document.
    known: BTreeMap<String, (String, Document)>,
    /// The write that was under way when the program was killed: what it was to make of which
    /// document.
    unanswered: Option<(String, Option<Document>)>,
    /// Uploads so far, for names that are used once.
    uploads: u64,
    pub acknowledged: u64,
}

/// A write, and what is there when it is done: the document, unless it is deleted.
struct Act {
    request: RequestBuilder,
    tag: String,
    after: Option<Document>,
}

impl Client {
    pub fn new(number: u64, random: Random) -> Self {
        let known = BTreeMap::new();
        Client { number, random, known, unanswered: None, uploads: 0, acknowledged: 0 }
    }

    pub async fn write_until_cut_off(mut self, api: Api) -> Self {
        loop {
            let Act { request, tag, after } = self.next_act(&api);
            self.unanswered = Some((tag.clone(), after.clone()));
            let Ok(response) = request.send().await else { return self };
            assert!(response.status().is_success(), "{tag}: {response:?}, not {after:?}");
            self.unanswered = None;
            self.acknowledged += 1;
            self.learn(tag, after, &response);
        }
    }

    fn learn(&mut self, tag: String, after: Option<Document>, response: &Response) {
        let Some(document) = after else {
            self.known.remove(&tag);
            return;
        };
        let address = match self.known.get(&tag) {
            Some((address, _)) => address.clone(),
            None => response.headers()[LOCATION].to_str().expect("an address").to_owned(),
        };
        self.known.insert(tag, (address, document));
    }

    /// Takes its documents out of `found` and holds them against what it knows.
    pub fn compare(&mut self, found: &mut BTreeMap<String, (String, Document)>) {
        let unanswered = self.unanswered.take();
        let of_unanswered = unanswered.iter().map(|(tag, _)| tag);
        let tags: BTreeSet<String> = self.known.keys().chain(of_unanswered).cloned().collect();
        for tag in tags {
            let before = self.known.remove(&tag);
            let now = found.remove(&tag);
            let is_as_acknowledged = now == before;
            let is_as_asked = unanswered.as_ref().is_some_and(|(unanswered, after)| {
                *unanswered == tag && *after == now.as_ref().map(|(_, document)| document.clone())
            });
            assert!(
                is_as_acknowledged || is_as_asked,
                "{tag} was acknowledged as {before:#?}, then came {unanswered:#?}, it is {now:#?}"
            );
            self.known.extend(now.map(|now| (tag, now)));
        }
    }

    fn next_act(&mut self, api: &Api) -> Act {
        let few = self.known.len() < 3;
        let may_add = self.known.len() < DOCUMENTS_MAX;
        if few || may_add && self.random.below(4) == 0 {
            return self.upload(api);
        }
        let tags: Vec<&String> = self.known.keys().collect();
        let tag = (*self.random.one_of(&tags)).clone();
        let (address, document) = self.known[&tag].clone();
        let (request, after) = match document.is_trashed {
            true => self.out_of_trash(api, &address, document),
            false => self.change(api, &address, document),
        };
        Act { request, tag, after }
    }

    fn upload(&mut self, api: &Api) -> Act {
        self.uploads += 1;
        let tag = format!("c{}-{}", self.number, self.uploads);
        let content = self.random.below(CONTENTS);
        let document = Document {
            title: format!("Paper {tag}"),
            description: format!("About {tag}"),
            category: self.category(),
            visibility: self.visibility(),
            status: (*self.random.one_of(&["draft", "published"])).into(),
            is_trashed: false,
            versions: vec![content],
        };
        let form = Form::new()
            .text("title", document.title.clone())
            .text("description", document.description.clone())
            .text("category", document.category.clone().unwrap_or_default())
            .text("tags", tag.clone())
            .text("visibility", document.visibility.clone())
            .text("status", document.status.clone())
            .part("file", file(content));
        let request = api.request("POST", "/api/admin/documents/upload").multipart(form);
        Act { request, tag, after: Some(document) }
    }

    fn change(
        &mut self,
        api: &Api,
        address: &str,
        mut document: Document,
    ) -> (RequestBuilder, Option<Document>) {
        let request = |method, act| api.request(method, &format!("{address}{act}"));
        let request = match self.random.below(8) {
            0 | 1 if document.versions.len() < VERSIONS_MAX => {
                let content = self.random.below(CONTENTS);
                document.versions.push(content);
                request("POST", "/versions").multipart(Form::new().part("file", file(content)))
            }
            0..3 => {
                let number = self.random.next();
                document.title = format!("Paper {number}");
                document.description = format!("About {number}");
                let Document { title, description, .. } = &document;
                let edit = json!({ "title": title, "description": description });
                request("PATCH", "").json(&edit)
            }
            3 => {
                document.category = self.category();
                request("PATCH", "").json(&json!({ "category": document.category }))
            }
            4 => {
                document.visibility = self.visibility();
                let form = json!({ "visibility": document.visibility });
                request("PUT", "/visibility").json(&form)
            }
            5 | 6 => {
                let steps =
                    [("publish", "published"), ("withdraw", "draft"), ("archive", "archived")];
                // A draft is not archived.
                let possible = if document.status == "draft" { &steps[..2] } else { &steps[..] };
                let (step, status) = *self.random.one_of(possible);
                document.status = status.into();
                request("POST", &format!("/{step}"))
            }
            _ => {
                document.is_trashed = true;
                request("DELETE", "")
            }
        };
        (request, Some(document))
    }

    fn out_of_trash(
        &mut self,
        api: &Api,
        address: &str,
        mut document: Document,
    ) -> (RequestBuilder, Option<Document>) {
        if self.random.below(2) == 0 {
            document.is_trashed = false;
            return (api.request("POST", &format!("{address}/restore")), Some(document));
        }
        let in_trash = address.replace("/documents/", "/trash/");
        (api.request("DELETE", &in_trash), None)
    }

    /// Some are new with the write that names them first.
    fn category(&mut self) -> Option<String> {
        let number = self.random.below(30);
        (number > 0).then(|| format!("Shelf {number}"))
    }

    fn visibility(&mut self) -> String {
        (*self.random.one_of(&["organization", "restricted", "public"])).into()
    }
}

fn file(content: u64) -> Part {
    Part::bytes(bytes_of(content)).file_name(format!("{content}.txt"))
}

/// What a file holds: its word, again and again. Every tenth is large enough to be cut off on its
/// way.
pub fn bytes_of(content: u64) -> Vec<u8> {
    let size_bytes = if content.is_multiple_of(10) { 400_000 } else { 50 + content * 97 };
    let line = format!("This is {}.\n", word_of(content));
    line.bytes().cycle().take(size_bytes as usize).collect()
}

/// A word that stands in one content alone.
pub fn word_of(content: u64) -> String {
    let letter = |number: u64| char::from(b'a' + (number % 26) as u8);
    format!("paper{}{}q", letter(content / 26), letter(content))
}
