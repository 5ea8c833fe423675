//! What a portal that was killed has after its start: read through every door that it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::client::{Document, bytes_of, word_of};
use crate::support::{Api, Shell, program::PATIENCE};

pub struct Portal<'a> {
    pub shell: &'a Shell,
    pub api: Api,
}

impl Portal<'_> {
    /// Waits until no job is left but those that wait for the end of a grace time.
    pub async fn finish_jobs(&self) {
        let begin = Instant::now();
        loop {
            let failed = self.all("/api/admin/jobs?state=failed", "jobs").await;
            assert!(failed.is_empty(), "jobs failed: {failed:#?}");
            let mut left = self.all("/api/admin/jobs?state=queued", "jobs").await;
            left.retain(|job| job["task"] != "remove_blob");
            left.extend(self.all("/api/admin/jobs?state=running", "jobs").await);
            if left.is_empty() {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "jobs are not done: {left:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Has the program look through records, indexes, files and the search index.
    pub fn check(&self) {
        self.shell.run(&["check", "--deep"]).expect(0);
    }

    /// Every document by its tag, with its address. Its file was downloaded and compared, and the
    /// search finds it. (Of the versions before, [`check`](Self::check) reads every byte.)
    pub async fn documents(&self) -> BTreeMap<String, (String, Document)> {
        let mut listed = self.all("/api/documents?", "documents").await;
        listed.extend(self.all("/api/documents?status=archived", "documents").await);
        let mut searched = self.all("/api/documents?sort=title", "documents").await;
        searched.extend(self.all("/api/documents?sort=title&status=archived", "documents").await);
        assert_eq!(ids(&listed), ids(&searched), "the store lists the first, the index the second");
        listed.extend(self.all("/api/trash?", "documents").await);

        let mut documents = BTreeMap::new();
        for id in ids(&listed) {
            let address = format!("/api/documents/{id}");
            let view = self.api.get(&address).await;
            let tag = text(&view["tags"][0]);
            let document = self.document(&address, &view).await;
            if !document.is_trashed && document.status != "archived" {
                self.search_text(&id, &document).await;
            }
            documents.insert(tag, (address, document));
        }
        documents
    }

    async fn document(&self, address: &str, view: &Value) -> Document {
        let listed = self.api.get(&format!("{address}/versions")).await;
        let mut versions = Vec::new();
        for version in listed["versions"].as_array().expect("a list").iter().rev() {
            assert_eq!(version["number"], versions.len() + 1);
            versions.push(content_of(version));
        }
        let content = content_of(view);
        assert_eq!(Some(&content), versions.last(), "the last version is the current one");
        let download = format!("{address}/download");
        let response = self.api.send("GET", &download, None).await;
        assert_eq!(response.status(), 200, "{download}");
        let bytes = response.bytes().await.expect("the whole file");
        assert!(bytes == bytes_of(content), "{download} is not content {content}");
        assert_eq!(view["text"]["state"], "done", "{view:#}");
        Document {
            title: text(&view["title"]),
            description: text(&view["description"]),
            category: view["category"].as_str().map(Into::into),
            visibility: text(&view["visibility"]),
            status: text(&view["status"]),
            is_trashed: !view["trashed_at"].is_null(),
            versions,
        }
    }

    async fn search_text(&self, id: &str, document: &Document) {
        let word = word_of(*document.versions.last().expect("a version"));
        let found = self.all(&format!("/api/documents?q={word}"), "documents").await;
        assert!(ids(&found).contains(id), "{word} does not find {id}, {document:#?}");
    }

    /// All pages of a list.
    async fn all(&self, path: &str, noun: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.api.get(&format!("{path}&limit=200&after={after}")).await;
            all.extend(page[noun].as_array().expect("a list").iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return all,
            }
        }
    }
}

fn ids(documents: &[Value]) -> BTreeSet<String> {
    let ids: BTreeSet<String> = documents.iter().map(|document| text(&document["id"])).collect();
    assert_eq!(ids.len(), documents.len(), "a document stands in a list twice");
    ids
}

/// Files are named after their content.
fn content_of(file: &Value) -> u64 {
    let name = text(&file["filename"]);
    name.strip_suffix(".txt").and_then(|number| number.parse().ok()).expect("a content")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
