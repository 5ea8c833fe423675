//! A backup into a pipe whose reader takes nothing.

use std::{
    fs::File,
    io::Read,
    path::PathBuf,
    time::{Duration, Instant},
};

use appliance::{
    app::{Reporter, Target},
    domain::documents,
    hash::Digest,
};

use super::{folder, noise, upload, wanted};
use crate::support::Still;

fn pipe(folder: &std::path::Path) -> PathBuf {
    let path = folder.join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).expect("a pipe");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_nothing_does_not_keep_a_backup_for_ever() {
    let still = Still::open_with(|config| config.backups.stall_seconds = 1);
    upload(&still, "Noise", noise(1_000_000, 0)).await;
    for opens in [false, true] {
        let folder = folder();
        let path = pipe(folder.path());
        let unheard = Reporter::unheard();
        let opening = path.clone();
        // It reads the beginning, and no more.
        let reader = tokio::task::spawn_blocking(move || {
            let mut file = opens.then(|| File::open(opening).expect("the pipe"));
            if let Some(file) = &mut file {
                file.read_exact(&mut [0; 10]).expect("its beginning");
            }
            file
        });
        let backing_up = still.app.back_up(wanted(Target::Pipe(path)), &unheard);
        let ended = tokio::time::timeout(Duration::from_secs(60), backing_up).await;
        let message = ended.expect("an end").expect_err("a refusal").to_string();
        assert!(message.contains("backups.stall_seconds"), "{message}");
        drop(reader.await.expect("a reader"));
    }
    // What it held on to can go again.
    let id = upload(&still, "Doomed", b"soon gone".to_vec()).await;
    still.write(move |tx, ada| {
        documents::trash(tx, ada, id)?;
        documents::delete(tx, ada, id)
    });
    still.clock.advance(jiff::SignedDuration::from_hours(30));
    let background = still.app.start();
    let begin = Instant::now();
    while still.app.blobs.open(Digest::of(b"soon gone"), None).await.is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(60), "the file stays for ever");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    background.stop().await;
}
