//! `kill -9` of the real program between every two steps of a file's way to S3: spool, put, verify,
//! remove, record. After the next start nothing is lost, doubled or left over.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use appliance::hash::Digest;
use serde_json::Value;

use crate::{
    blobs::{MIB, content},
    support::{
        Api, PASSWORD, Shell,
        program::{PATIENCE, Server},
        s3::{Disturbance, FaultProxy, S3Server},
    },
};

/// So long without a request, S3 is left alone.
const QUIET: Duration = Duration::from_millis(300);

/// A portal with its files on S3, which is killed and started again.
struct Victim {
    s3: S3Server,
    proxy: FaultProxy,
    shell: Shell,
    server: Option<Server>,
    api: Api,
    /// What was acknowledged: the document and its content.
    known: Vec<(String, Vec<u8>)>,
}

impl Victim {
    async fn start() -> Self {
        let s3 = S3Server::start();
        let proxy = FaultProxy::start(&s3);
        let shell = Shell::new();
        shell.configure(&s3.configuration(Some(&proxy)));
        shell.add_user("ada", &["--admin"]);
        let server = shell.serve(&[]);
        let answer = Api::at(&server.url, "")
            .post("/api/login", serde_json::json!({ "username": "ada", "password": PASSWORD }))
            .await;
        let token = answer["access_token"].as_str().expect("a token").to_owned();
        let api = Api::at(&server.url, &token);
        Victim { s3, proxy, shell, server: Some(server), api, known: Vec::new() }
    }

    fn spooled(&self, bytes: &[u8]) -> PathBuf {
        self.shell.data().join("spool").join(Digest::of(bytes).to_string())
    }

    /// From now on, once the portal has ended the looks at S3 with which it starts: they count too.
    async fn disturb(&self, disturbance: Disturbance) {
        let mut seen = u64::MAX;
        while seen != self.proxy.requests() {
            seen = self.proxy.requests();
            tokio::time::sleep(QUIET).await;
        }
        self.proxy.disturb(disturbance);
    }

    async fn upload(&mut self, bytes: Vec<u8>) {
        let name = format!("{}.bin", self.known.len());
        let made = self.api.upload(&name, &bytes, &[]).await;
        self.known.push((made["id"].as_str().expect("an id").to_owned(), bytes));
    }

    fn kill(&mut self) {
        let mut server = self.server.take().expect("a server");
        server.signal(libc::SIGKILL);
        assert_eq!(server.wait(), None, "it was killed");
    }

    async fn start_again(&mut self) {
        self.proxy.settle().await;
        self.proxy.disturb(Disturbance::None);
        let server = self.shell.serve(&[]);
        self.api = self.api.clone().moved_to(&server.url);
        self.server = Some(server);
    }

    /// By itself, and nothing is lost, doubled or left over.
    async fn converges(&self, what: &str) {
        let begin = Instant::now();
        while self.is_moving().await {
            assert!(begin.elapsed() < PATIENCE, "{what}: files still wait");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for (id, bytes) in &self.known {
            let path = format!("/api/documents/{id}/download");
            let answer = self.api.send("GET", &path, None).await;
            assert_eq!(answer.status(), 200, "{what}");
            assert!(answer.bytes().await.expect("the file") == *bytes, "{what}: other bytes");
        }
        assert_eq!(self.s3.objects(), self.known.len(), "{what}: objects");
        assert_eq!(self.s3.parts(), 0, "{what}: parts of abandoned uploads");
        for folder in ["spool", "spool/incoming", "spool/multipart"] {
            let left = files_in(&self.shell.data().join(folder));
            assert!(left.is_empty(), "{what}: left over in {folder}: {left:?}");
        }
    }

    async fn is_moving(&self) -> bool {
        let storage = self.api.get("/api/admin/storage").await;
        let mut jobs = Vec::new();
        for state in ["queued", "running", "failed"] {
            let page = self.api.get(&format!("/api/admin/jobs?state={state}")).await;
            jobs.extend(page["jobs"].as_array().expect("a list").clone());
        }
        let moves = jobs.iter().any(|job: &Value| job["task"] == "store_blob");
        moves || storage["waiting"]["files"] != 0
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.is_file()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_after_any_request_to_s3_loses_nothing_and_leaves_nothing() {
    let mut victim = Victim::start().await;
    let mut seed = 2_000;
    // A small file: the file, a look. A large one: its beginning, two parts, its end, a look.
    for (size_bytes, requests_max) in [(30_000, 2), (8 * MIB + 1, 5)] {
        for cut_after in 0..=requests_max {
            for is_answer_lost in [false, true] {
                let what = format!("{size_bytes} bytes, {cut_after}, {is_answer_lost}");
                seed += 1;
                victim.disturb(Disturbance::StopAfter(cut_after, is_answer_lost)).await;
                victim.upload(content(seed, size_bytes)).await;
                let begin = Instant::now();
                // The request that gets no answer, or all is over without it.
                while victim.proxy.requests() <= cut_after
                    && begin.elapsed() < Duration::from_secs(1)
                {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                victim.kill();
                victim.start_again().await;
                victim.converges(&what).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_the_removal_from_the_spool_and_its_record_is_mended_by_itself() {
    let mut victim = Victim::start().await;
    for seed in 2_100..2_106 {
        let bytes = content(seed, 50_000);
        let spooled = victim.spooled(&bytes);
        victim.upload(bytes).await;
        // The record follows within a commit: no sleep in between.
        while spooled.exists() {
            std::hint::spin_loop();
        }
        victim.kill();
        victim.start_again().await;
        victim.converges("after the removal").await;
    }
    // The same by hand, so that it surely happens: S3 has the file, the spool no more, and the record
    // does not know.
    let bytes = content(2_110, 50_000);
    let spooled = victim.spooled(&bytes);
    victim.disturb(Disturbance::StopAfter(2, true)).await;
    victim.upload(bytes).await;
    let begin = Instant::now();
    while victim.s3.objects() < victim.known.len() {
        assert!(begin.elapsed() < PATIENCE, "it does not come to S3");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    victim.kill();
    victim.proxy.settle().await;
    std::fs::remove_file(spooled).expect("a file in the spool");
    victim.start_again().await;
    victim.converges("by hand").await;
}
