//! What goes on by itself: the worker through its faults, and the keeper.

use std::time::Duration;

use appliance::domain::{
    documents,
    jobs::{self, State},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rustix::process::{Resource, Rlimit};

use crate::support::{Still, new_document};

#[test]
fn a_new_process_removes_what_interrupted_uploads_left() {
    let still = Still::open();
    let incoming = still.app.config.data.join("spool/incoming");
    std::fs::write(incoming.join("half"), "an upl").expect("half an upload");
    let _still = still.reopen();
    assert_eq!(std::fs::read_dir(incoming).expect("the folder").count(), 0);
}

/// On a full disk a job ends and the store cannot take it down.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_end_could_not_be_noted_is_noted_later() {
    let still = Still::open();
    let bytes = stream::iter([Ok(Bytes::from_static(b"The heron is back."))]);
    let file = still.app.receive("a.txt", None, bytes).await.expect("an upload");
    let organization = still.organization;
    let new = new_document("Heron", "");
    still.write(move |tx, ada| documents::add_file(tx, ada, organization, new, file));
    let count =
        |state| still.app.store.read_blocking(|tx| jobs::count(tx, state)).expect("a count");

    let background = still.app.start();
    while count(State::Running) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let allowed = forbid_writing();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(count(State::Running) > 0, "its end could not be noted yet");
    rustix::process::setrlimit(Resource::Fsize, allowed).expect("writing");

    let running = async {
        while count(State::Running) > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), running).await.expect("its end is noted");
    background.stop().await;
}

/// From here on every write of this process to a file fails; each test is a process.
fn forbid_writing() -> Rlimit {
    // SAFETY: ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let allowed = rustix::process::getrlimit(Resource::Fsize);
    let none = Rlimit { current: Some(0), ..allowed.clone() };
    rustix::process::setrlimit(Resource::Fsize, none).expect("no writing");
    allowed
}

#[tokio::test]
async fn an_upload_that_stalls_is_ended() {
    let still = Still::open_with(|config| config.uploads.stall_seconds = 1);
    let begun = stream::iter([Ok(Bytes::from_static(b"The heron"))]);
    let stalled = begun.chain(stream::pending());
    let ended = still.app.receive("a.txt", Some(5 << 20), stalled).await;
    let fault = ended.expect_err("it never ends");
    assert!(fault.to_string().contains("Nothing came for 1 seconds"), "{fault}");
}
