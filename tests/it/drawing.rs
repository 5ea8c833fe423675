//! Pages that are drawn when somebody asks: strangers may ask for those of a public file.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use appliance::{
    app::Image,
    domain::{
        access::Actor,
        blobs::{self, Extraction, Facts},
        documents::{self, Document, Visibility},
    },
    error::{Error, Result},
    id::Id,
};
use bytes::Bytes;
use futures_util::{future, stream};

use crate::support::{Still, new_document};

/// A portal whose files are read by this script, and a public PDF of many pages in it.
async fn portal(folder: &Path, script: &str) -> (Still, Id<Document>) {
    let path = folder.join("worker.sh");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("an executable");
    let still = Still::with_worker(path);
    let bytes = stream::iter([Ok(Bytes::from_static(b"%PDF-1.4\n%%EOF\n"))]);
    let file = still.app.receive("plan.pdf", None, bytes).await.expect("an upload");
    let hash = file.blob.hash;
    let organization = still.organization;
    let mut new = new_document("Plan", "");
    new.visibility = Visibility::Public;
    let document =
        still.write(move |tx, ada| documents::add_file(tx, ada, organization, new, file));
    let facts = Facts { page_count: Some(100), ..Facts::default() };
    still.write(move |tx, _| blobs::mark_extracted(tx, hash, Extraction::Done(facts)));
    (still, document.id)
}

#[tokio::test]
async fn a_page_that_cannot_be_drawn_is_tried_once_however_many_ask() {
    let folder = tempfile::tempdir().expect("a folder");
    let started = folder.path().join("started");
    let script = format!("echo x >> {}; exit 3", started.display());
    let (still, id) = portal(folder.path(), &script).await;
    let asked = (0..8).map(|_| still.app.page(Actor::stranger(), id, 7));
    for answer in future::join_all(asked).await {
        assert!(matches!(answer, Err(Error::NotFound(_))), "{answer:?}");
    }
    let again = still.app.page(Actor::stranger(), id, 7).await;
    assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
    assert_eq!(fs::read_to_string(started).expect("a line for each start").lines().count(), 1);
}

#[tokio::test]
async fn who_asks_for_a_page_too_many_is_told_to_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (still, id) = portal(folder.path(), "exec sleep 60").await;
    let app = Arc::clone(&still.app);
    let ask = move |page| {
        let app = Arc::clone(&app);
        async move { app.page(Actor::stranger(), id, page).await }
    };
    let waiting: Vec<tokio::task::JoinHandle<Result<Image>>> =
        (1..=40).map(|page| tokio::spawn(ask(page))).collect();
    let first = future::select_all(waiting).await.0.expect("no panic");
    let busy = first.expect_err("no page");
    assert!(matches!(&busy, Error::Busy { retry_after_s, .. } if *retry_after_s > 0), "{busy:?}");
}
