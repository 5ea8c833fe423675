//! A fresh server that is killed in the middle of a restore from its first page: at the next start it is as
//! fresh as before, or all of the portal in the backup, and nothing between.

use std::time::{Duration, Instant};

use reqwest::multipart::Form;

use super::{Target, back_up, dump, library, sound, wanted};
use crate::support::Shell;

const STEP: Duration = Duration::from_millis(20);
/// Of one server; what takes longer than this to restore some files is broken.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Restored,
}

#[test]
fn a_fresh_portal_that_is_killed_while_it_is_restored_is_fresh_or_restored() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let still = runtime.block_on(library());
    let made = runtime.block_on(back_up(&still.app, wanted(Target::Folder)));
    let there = dump(&still.app.store);
    let mut states = Vec::new();
    // 20 ms later each time, until it was done before it was killed a few times.
    for number in 1.. {
        let state = killed_after(STEP * number, &runtime, &made.place, &there);
        states.push(state);
        let done = states.iter().rev().take_while(|state| **state == State::Restored).count();
        if done >= 3 || number >= 120 {
            break;
        }
    }
    let count = |wanted| states.iter().filter(|state| **state == wanted).count();
    assert!(count(State::Fresh) > 0 && count(State::Restored) > 0, "{states:?}");
}

type Dump = std::collections::BTreeMap<String, serde_json::Value>;

fn killed_after(
    delay: Duration,
    runtime: &tokio::runtime::Runtime,
    archive: &str,
    there: &Dump,
) -> State {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let link = server.setup_link().expect("a setup link").to_owned();
    let form = Form::new().text("source", archive.to_owned());
    runtime.block_on(async {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let client = client.expect("a client");
        let answer = client.post(format!("{link}/restore")).multipart(form).send().await;
        assert_eq!(answer.expect("an answer").status(), 303);
    });
    let begin = Instant::now();
    std::thread::sleep(delay);
    // Dropping it kills it.
    drop(server);
    assert!(begin.elapsed() < PATIENCE);
    // The next start finishes or clears what there is.
    let server = shell.serve(&[]);
    let is_fresh = server.setup_link().is_some();
    server.stop();
    assert!(!shell.data().join("restoring").exists(), "after {delay:?}");
    let app = runtime.block_on(sound(&shell.data()));
    let found = dump(&app.store);
    drop(app);
    match is_fresh {
        true => {
            let documents = found.keys().filter(|key| key.starts_with("documents "));
            assert_eq!(documents.count(), 0, "after {delay:?}");
            assert!(!found.keys().any(|key| key.starts_with("users ")), "after {delay:?}");
            State::Fresh
        }
        false => {
            for key in there.keys() {
                assert!(found.contains_key(key), "after {delay:?}: {key} is missing");
            }
            State::Restored
        }
    }
}
