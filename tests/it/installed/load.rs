//! Visitors who come all the time and notice everything.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

use crate::support::{Api, host::Host};

const READERS: usize = 6;
const WRITERS: usize = 2;
/// Of all readers together about this many a second, and some more of the writers.
const READS_PER_SECOND: u32 = 500;
/// Longer than any visitor waits in a socket while the portal changes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Readers and writers, each request on a connection of its own, as of a new visitor.
pub struct Load {
    goes_on: Arc<AtomicBool>,
    answered: Arc<AtomicU32>,
    /// The titles of the documents whose saving was answered.
    saved: Arc<Mutex<Vec<String>>>,
    visitors: Vec<JoinHandle<()>>,
}

impl Load {
    pub fn begin(host: &Host, api: &Api) -> Self {
        let (goes_on, answered) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
        let saved = Arc::new(Mutex::new(Vec::new()));
        let mut visitors = Vec::new();
        for _ in 0..READERS {
            let (goes_on, answered) = (goes_on.clone(), answered.clone());
            let (client, url) = (visitor(), format!("{}/sign-in", host.url()));
            visitors.push(tokio::spawn(async move {
                let pause = Duration::from_secs(1) * READERS as u32 / READS_PER_SECOND;
                while goes_on.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    let answer = client.get(&url).send().await.expect("an answer");
                    assert_eq!(answer.status(), 200);
                    answer.bytes().await.expect("all of it");
                    answered.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(pause.saturating_sub(begin.elapsed())).await;
                }
            }));
        }
        for number in 0..WRITERS {
            let (goes_on, saved) = (goes_on.clone(), saved.clone());
            let api = api.with_client(visitor());
            visitors.push(tokio::spawn(async move {
                for count in 0.. {
                    if !goes_on.load(Ordering::Relaxed) {
                        return;
                    }
                    let title = format!("Note {number}-{count}");
                    let fields = [("title", title.as_str())];
                    let answer = api.try_upload("note.txt", title.as_bytes(), &fields).await;
                    assert_eq!(answer.status(), 201, "{title}");
                    saved.lock().expect("the list").push(title);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }));
        }
        Load { goes_on, answered, saved, visitors }
    }

    /// Waits until so many more were answered.
    pub async fn wait_for(&self, more: u32) {
        let (begin, before) = (Instant::now(), self.answered.load(Ordering::Relaxed));
        while self.answered.load(Ordering::Relaxed) < before + more {
            assert!(begin.elapsed() < PATIENCE, "nobody is answered any more");
            assert!(self.visitors.iter().all(|visitor| !visitor.is_finished()), "somebody failed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it: nobody was refused. Gives the number of answers, and the titles that were saved.
    pub async fn end(self) -> (u32, Vec<String>) {
        self.goes_on.store(false, Ordering::Relaxed);
        for visitor in self.visitors {
            visitor.await.expect("no request failed");
        }
        let saved = self.saved.lock().expect("the list").clone();
        (self.answered.load(Ordering::Relaxed), saved)
    }
}

fn visitor() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(PATIENCE);
    client.build().expect("a client")
}
