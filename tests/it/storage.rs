//! Files on S3: a server that checks signatures, through a proxy that does what happens on bad days.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use appliance::{
    blobs::{Blobs, CheckStep, Folders, Health, Limits, Outcome, Place, Removal, Tally},
    clock::Clock,
    config::{Backend, Delivery, StorageConfig},
    domain::{access::Actor, jobs::State},
    error::Error,
    hash::{ContentHash, Digest},
    web::content::content_disposition,
};
use futures_util::{StreamExt, TryStreamExt, future};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::{
    blobs::{MIB, NO_LIMIT, collect, content, is_missing, upload},
    support::{
        TestApp,
        s3::{Disturbance, FaultProxy, S3Server, SLOW_DOWN},
    },
};

/// A portal's files with S3 behind a proxy.
struct Site {
    s3: Arc<S3Server>,
    proxy: Arc<FaultProxy>,
    storage: StorageConfig,
    clock: Clock,
    blobs: Blobs,
    folder: Arc<TempDir>,
}

impl Site {
    fn new() -> Self {
        Site::with(|_| {})
    }

    fn with(configure: impl FnOnce(&mut StorageConfig)) -> Self {
        let s3 = Arc::new(S3Server::start());
        let proxy = Arc::new(FaultProxy::start(&s3));
        let mut storage = s3.storage(Some(&proxy));
        configure(&mut storage);
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = Clock::held(Timestamp::now());
        let blobs = open(&folder, &storage, &clock);
        Site { s3, proxy, storage, clock, blobs, folder }
    }

    /// As after a crash, perhaps with other settings.
    fn reopen_with(mut self, configure: impl FnOnce(&mut StorageConfig)) -> Self {
        configure(&mut self.storage);
        self.blobs = open(&self.folder, &self.storage, &self.clock);
        self
    }

    fn reopen(self) -> Self {
        self.reopen_with(|_| {})
    }

    async fn stored(&self, bytes: &[u8]) -> ContentHash {
        let hash = upload(&self.blobs, bytes).await.unwrap().hash;
        self.blobs.store(hash).await.unwrap();
        hash
    }

    async fn read(&self, hash: ContentHash) -> Vec<u8> {
        collect(self.blobs.open(hash, None).await.unwrap()).await
    }

    /// What a reader gets, whatever becomes of it: all of it or an error.
    async fn try_read(&self, hash: ContentHash) -> Result<Vec<u8>, String> {
        let opened = self.blobs.open(hash, None).await.map_err(|fault| fault.chain())?;
        let pieces: Result<Vec<_>, _> = opened.into_stream().try_collect().await;
        pieces.map(|pieces| pieces.concat()).map_err(|error| error.to_string())
    }

    fn spooled(&self, hash: ContentHash) -> PathBuf {
        self.folder.path().join("spool").join(hash.to_string())
    }

    fn on_disk(&self, hash: ContentHash) -> PathBuf {
        self.folder.path().join("objects").join(key(hash))
    }

    fn cached(&self, hash: ContentHash) -> PathBuf {
        self.folder.path().join("cache").join(hash.to_string())
    }

    fn on_s3(&self, hash: ContentHash) -> PathBuf {
        self.s3.object(&key(hash))
    }

    /// What the job does: again and again until it is there.
    async fn store_at_last(&self, hash: ContentHash) {
        for _ in 0..2_000 {
            match self.blobs.store(hash).await {
                Ok(()) => return,
                Err(Error::Busy { .. } | Error::Internal(_)) => {}
                Err(other) => panic!("{other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("blob {hash} never got there");
    }

    async fn wait_until_it_works(&self) {
        let mut works = self.blobs.watch_remote().unwrap();
        works.wait_for(|works| *works).await.unwrap();
        while self.blobs.status().await.unwrap().degraded().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Each blob once, on S3, and nothing left over anywhere.
    async fn assert_tidy(&self, hashes: &[ContentHash]) {
        let listed: Vec<_> = self.blobs.list(None).try_collect().await.unwrap();
        let mut wanted = hashes.to_vec();
        wanted.sort();
        assert!(listed.iter().map(|blob| blob.hash).eq(wanted), "{listed:?}");
        for blob in listed {
            assert!(blob.remote_bytes.is_some());
            assert_eq!((blob.spooled_bytes, blob.stored_bytes), (None, None));
        }
        assert_eq!(self.s3.parts(), 0, "parts of abandoned uploads");
        let noted = fs::read_dir(self.folder.path().join("spool/multipart")).unwrap();
        assert_eq!(noted.count(), 0, "uploads that were noted and not forgotten");
    }
}

fn open(folder: &TempDir, storage: &StorageConfig, clock: &Clock) -> Blobs {
    let folders = Folders {
        spool: folder.path().join("spool"),
        objects: folder.path().join("objects"),
        cache: folder.path().join("cache"),
    };
    let limits = Limits { reserve_bytes: 0, outage_pause_max: Duration::from_millis(200) };
    Blobs::at(folders, storage, limits, clock.clone()).unwrap()
}

fn key(hash: ContentHash) -> String {
    let name = hash.to_string();
    format!("{}/{name}", &name[..2])
}

fn is_busy<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Busy { retry_after_s, .. }) if *retry_after_s > 0)
}

// Moving

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_travels_in_parts_and_comes_back() {
    let site = Site::new();
    let bytes = content(700, 20 * MIB + 1);
    let hash = site.stored(&bytes).await;
    let log = site.proxy.take_log();
    assert_eq!(log.iter().filter(|line| line.contains("partNumber=")).count(), 3, "{log:?}");
    assert_eq!(site.read(hash).await, bytes);
    let range = 9 * MIB as u64..9 * MIB as u64 + 100;
    let opened = site.blobs.open(hash, Some(range.clone())).await.unwrap();
    assert_eq!(collect(opened).await, bytes[range.start as usize..range.end as usize]);
    let file = site.blobs.open_file(hash).await.unwrap();
    assert_eq!(file.metadata().unwrap().len(), bytes.len() as u64);
    site.assert_tidy(&[hash]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_cut_off_after_any_request_ends_well_the_next_time() {
    for (seed, size_bytes, requests_max) in [(710, 50_000, 3), (711, 8 * MIB + 1, 7)] {
        for cut_after in 0..=requests_max {
            for is_answer_lost in [false, true] {
                let site = Site::new();
                let bytes = content(seed, size_bytes);
                let hash = upload(&site.blobs, &bytes).await.unwrap().hash;
                site.proxy.disturb(Disturbance::StopAfter(cut_after, is_answer_lost));
                let moving = site.blobs.clone();
                let moving = tokio::spawn(async move { moving.store(hash).await });
                // Dropped in the middle, as by the end of the process.
                for _ in 0..1_000 {
                    if site.proxy.requests() > cut_after || moving.is_finished() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                moving.abort();
                drop(moving.await);
                site.proxy.settle().await;

                let site = site.reopen();
                site.proxy.disturb(Disturbance::None);
                assert_eq!(site.read(hash).await, bytes);
                site.blobs.store(hash).await.unwrap();
                assert_eq!(site.read(hash).await, bytes, "{cut_after} {is_answer_lost}");
                site.assert_tidy(&[hash]).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_damaged_on_its_way_is_refused_by_s3_and_waits() {
    let site = Site::new();
    for (seed, size_bytes) in [(720, 100_000), (721, 9 * MIB)] {
        let bytes = content(seed, size_bytes);
        let hash = upload(&site.blobs, &bytes).await.unwrap().hash;
        site.proxy.disturb(Disturbance::Only("PUT", Box::new(Disturbance::CorruptUpload)));
        assert!(site.blobs.store(hash).await.is_err());
        assert!(site.spooled(hash).exists() && !site.on_s3(hash).exists());
        site.proxy.disturb(Disturbance::None);
        site.store_at_last(hash).await;
        assert_eq!(site.read(hash).await, bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_damaged_in_the_spool_never_becomes_an_object() {
    let site = Site::new();
    for (seed, size_bytes) in [(725, 100_000), (726, 9 * MIB)] {
        let hash = upload(&site.blobs, &content(seed, size_bytes)).await.unwrap().hash;
        fs::write(site.spooled(hash), content(727, size_bytes)).unwrap();
        let refused = site.blobs.store(hash).await.unwrap_err();
        assert!(refused.chain().contains("was not moved"), "{refused:?}");
        assert!(site.spooled(hash).exists() && !site.on_s3(hash).exists());
    }
    assert_eq!(site.s3.parts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_arrives_again_while_it_travels_stays_readable() {
    let site = Site::new();
    let bytes = content(730, 30_000);
    let hash = site.stored(&bytes).await;
    for _ in 0..20 {
        let (again, moved) =
            future::join(upload(&site.blobs, &bytes), site.blobs.store(hash)).await;
        again.unwrap();
        moved.unwrap();
        assert_eq!(site.read(hash).await, bytes);
    }
    site.blobs.store(hash).await.unwrap();
    site.assert_tidy(&[hash]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_meets_a_move_leaves_nothing_or_all_of_it() {
    let site = Site::new();
    for seed in 740..760 {
        let bytes = content(seed, 5_000);
        let hash = upload(&site.blobs, &bytes).await.unwrap().hash;
        let removing = site.blobs.remove(hash, Timestamp::MAX);
        let (moved, removed) = future::join(site.blobs.store(hash), removing).await;
        assert_eq!(removed.unwrap(), Removal::Removed);
        if let Err(fault) = moved {
            assert!(is_missing(&fault, hash), "{fault:?}");
        }
        assert!(!site.on_s3(hash).exists() && !site.spooled(hash).exists());
    }
}

// Outages

#[tokio::test(flavor = "multi_thread")]
async fn while_s3_is_away_uploads_succeed_and_readers_are_told_at_once() {
    let site = Site::new();
    let away = [
        Disturbance::Refuse,
        SLOW_DOWN,
        Disturbance::Answer(500, "InternalError"),
        Disturbance::Answer(403, "InvalidAccessKeyId"),
        Disturbance::Answer(404, "NoSuchBucket"),
    ];
    for (seed, disturbance) in (770..).zip(away) {
        let bytes = content(seed, 40_000);
        let resting = site.stored(&content(seed + 100, 40_000)).await;
        let is_about_bucket = disturbance == Disturbance::Answer(404, "NoSuchBucket");
        site.proxy.disturb(disturbance.clone());
        let waiting = upload(&site.blobs, &bytes).await.unwrap().hash;
        assert_eq!(site.read(waiting).await, bytes);
        // The first ones find out; those after them are told.
        let moved = site.blobs.store(waiting).await;
        let read = site.blobs.open(resting, None).await;
        assert!(is_busy(&moved) && is_busy(&read), "{disturbance:?}: {moved:?}");
        let began = Instant::now();
        assert!(is_busy(&site.blobs.store(waiting).await));
        assert!(is_busy(&site.blobs.open(resting, None).await));
        assert!(is_busy(
            &site.blobs.link(resting, "inline", "text/plain", Duration::from_secs(9)).await
        ));
        assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
        let status = site.blobs.status().await.unwrap();
        assert_eq!(status.spooled, Tally { files: 1, bytes: 40_000 });
        let sentence = status.degraded().unwrap();
        assert!(sentence.contains("1 files with 40 kB wait"), "{sentence}");
        assert!(is_about_bucket || is_busy(&site.blobs.remove(resting, Timestamp::MAX).await));

        // It comes back, and nobody has to ask.
        site.proxy.disturb(Disturbance::None);
        site.wait_until_it_works().await;
        site.blobs.store(waiting).await.unwrap();
        assert_eq!(site.read(waiting).await, bytes);
        assert_eq!(site.read(resting).await.len(), 40_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_that_takes_no_files_is_still_read() {
    let site = Site::new();
    let bytes = content(790, 30_000);
    let resting = site.stored(&bytes).await;
    let waiting = upload(&site.blobs, &content(791, 30_000)).await.unwrap().hash;
    site.proxy
        .disturb(Disturbance::Only("PUT", Box::new(Disturbance::Answer(403, "AccessDenied"))));
    assert!(is_busy(&site.blobs.store(waiting).await));
    assert_eq!(site.read(resting).await, bytes);
    let status = site.blobs.status().await.unwrap().remote.unwrap();
    assert!(status.writes.open_since.is_some() && status.reads.open_since.is_none());
    assert!(status.writes.last_error.unwrap().message.contains("AccessDenied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_refuses_uploads_only_while_s3_is_away() {
    let site = Site::with(|storage| storage.spool_mb = 1);
    let first = upload(&site.blobs, &content(800, 700_000)).await.unwrap().hash;
    site.proxy.disturb(Disturbance::Refuse);
    assert!(is_busy(&site.blobs.store(first).await));
    let refused = upload(&site.blobs, &content(801, 700_000)).await.unwrap_err();
    assert!(matches!(&refused, Error::Full(message) if message.contains("1 MB")), "{refused:?}");
    // One that does not say how large it is, too.
    let mut unknown = site.blobs.begin(NO_LIMIT, None).await.unwrap();
    let refused = unknown.write(&content(802, 700_000)).await.unwrap_err();
    assert!(matches!(refused, Error::Full(_)), "{refused:?}");
    drop(unknown);
    upload(&site.blobs, &content(803, 1_000)).await.unwrap();
    assert_eq!(site.read(first).await.len(), 700_000);
    site.proxy.disturb(Disturbance::None);
    site.wait_until_it_works().await;
    upload(&site.blobs, &content(804, 700_000)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reader_ever_completes_with_other_bytes() {
    let site = Site::new();
    let bytes = content(810, 3 * MIB);
    let hash = site.stored(&bytes).await;
    for disturbance in [
        Disturbance::Cut(0),
        Disturbance::Cut(100_000),
        Disturbance::Cut(3 * MIB - 1),
        Disturbance::Corrupt,
        Disturbance::LoseAnswer,
    ] {
        site.proxy.disturb(disturbance.clone());
        let read = site.try_read(hash).await;
        assert!(read.is_err() || read.as_deref() == Ok(&bytes[..]), "{disturbance:?}");
        assert!(disturbance != Disturbance::Corrupt || read.is_err());
        site.proxy.disturb(Disturbance::None);
        site.wait_until_it_works().await;
    }
    assert_eq!(site.read(hash).await, bytes);
    // Damaged at rest: other bytes, fewer bytes.
    let mut damaged = bytes.clone();
    damaged[MIB] ^= 1;
    for wrong in [&damaged[..], &bytes[..2 * MIB]] {
        fs::write(site.on_s3(hash), wrong).unwrap();
        let refused = site.try_read(hash).await.unwrap_err();
        assert!(refused.contains("damaged"), "{refused}");
        assert!(site.blobs.open_file(hash).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_operations_through_outages_lose_nothing_and_invent_nothing() {
    const OPERATIONS: u64 = 1_000;
    let site = Arc::new(Site::with(|storage| storage.cache_mb = 1));
    let weather = {
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            let days = [
                Disturbance::None,
                Disturbance::Refuse,
                SLOW_DOWN,
                Disturbance::None,
                Disturbance::Cut(300),
                Disturbance::Corrupt,
                Disturbance::Answer(500, "InternalError"),
                Disturbance::None,
                Disturbance::CorruptUpload,
                Disturbance::LoseAnswer,
                Disturbance::Delay(Duration::from_millis(50)),
            ];
            for day in days.iter().cycle() {
                site.proxy.disturb(day.clone());
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
        })
    };
    // A quarter uploads, the rest reads what was uploaded before; moves go on beside.
    let mut hashes = Vec::new();
    let mut moves = Vec::new();
    let mut refused = 0;
    for operation in 0..OPERATIONS {
        if operation % 4 == 0 {
            let bytes = content(10_000 + operation, 2_000 + operation as usize);
            let spooled = upload(&site.blobs, &bytes).await.expect("no upload fails");
            hashes.push((spooled.hash, bytes));
            let site = Arc::clone(&site);
            moves.push(tokio::spawn(async move { site.store_at_last(spooled.hash).await }));
        } else {
            let (hash, bytes) = &hashes[(operation * 7) as usize % hashes.len()];
            match site.try_read(*hash).await {
                Ok(read) => assert_eq!(read, *bytes, "other bytes"),
                Err(_) => refused += 1,
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    weather.abort();
    drop(weather.await);
    site.proxy.disturb(Disturbance::None);
    future::join_all(moves).await.into_iter().for_each(|moved| moved.unwrap());
    site.wait_until_it_works().await;
    println!("{refused} readers were told to come back");
    for (hash, bytes) in &hashes {
        assert_eq!(site.read(*hash).await, *bytes);
    }
    let hashes: Vec<_> = hashes.into_iter().map(|(hash, _)| hash).collect();
    site.assert_tidy(&hashes).await;
}

// Abandoned uploads

#[tokio::test(flavor = "multi_thread")]
async fn old_uploads_that_nobody_completes_are_aborted_and_others_are_not() {
    let site = Site::new();
    let ours = format!("portal/files/{}", key(Digest::of(b"ours")));
    let upload = |key: &str, id: &str, at: &str| {
        format!(
            "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{at}</Initiated></Upload>"
        )
    };
    let (old, new) = ("2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z");
    let page = [
        upload(&ours, "old-one", old),
        upload(&ours, "new-one", new),
        upload("portal/files/film.mp4", "foreign-one", old),
        upload(&key(Digest::of(b"ours")), "outside-one", old),
    ];
    site.proxy
        .can("?uploads=&", format!("<R><IsTruncated>false</IsTruncated>{}</R>", page.concat()));
    assert_eq!(site.blobs.sweep_uploads(site.clock.now()).await.unwrap(), 1);
    let log = site.proxy.take_log();
    let aborted: Vec<_> = log.iter().filter(|line| line.starts_with("DELETE")).collect();
    assert!(aborted.len() == 1 && aborted[0].ends_with("uploadId=old-one"), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_list_uploads_is_fine_and_noted_ones_are_aborted() {
    let site = Site::new();
    assert_eq!(site.blobs.sweep_uploads(site.clock.now()).await.unwrap(), 0);
    // A large file begins to travel, and is removed after the process has died.
    let hash = upload(&site.blobs, &content(820, 17 * MIB)).await.unwrap().hash;
    site.proxy.disturb(Disturbance::StopAfter(4, false));
    let moving = site.blobs.clone();
    let moving = tokio::spawn(async move { moving.store(hash).await });
    while site.proxy.requests() < 5 || site.s3.parts() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    moving.abort();
    drop(moving.await);
    site.proxy.settle().await;
    fs::remove_file(site.spooled(hash)).unwrap();
    let site = site.reopen();
    site.proxy.disturb(Disturbance::None);
    site.blobs.sweep_uploads(site.clock.now()).await.unwrap();
    site.assert_tidy(&[]).await;
}

// Links

#[tokio::test(flavor = "multi_thread")]
async fn a_link_gives_a_plain_client_the_right_bytes_name_and_type() {
    let site = Site::new();
    let bytes = content(830, 10_000);
    let hash = upload(&site.blobs, &bytes).await.unwrap().hash;
    let minute = Duration::from_secs(60);
    let name = content_disposition("attachment", "a.pdf");
    assert_eq!(site.blobs.link(hash, &name, "application/pdf", minute).await.unwrap(), None);
    site.blobs.store(hash).await.unwrap();
    for filename in [
        "Annual report 2026.pdf",
        "Zürich – Straße é.pdf",
        "වාර්ෂික වාර්තාව.pdf",
        "التقرير السنوي.pdf",
        "年度报告.pdf",
        "a \"quoted\"; name=x, 100% & more+less.pdf",
        "back\\slash '/ and ~tilde.pdf",
    ] {
        let name = content_disposition("attachment", filename);
        let link = site.blobs.link(hash, &name, "application/pdf", minute).await.unwrap().unwrap();
        let answer = reqwest::get(&link).await.unwrap();
        assert_eq!(answer.status(), 200, "{filename}");
        assert_eq!(answer.headers()["content-type"], "application/pdf");
        let told = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert_eq!(told, name);
        assert_eq!(name_in(&told), filename);
        assert_eq!(answer.bytes().await.unwrap(), bytes);
        let part = reqwest::Client::new().get(&link).header("range", "bytes=100-199");
        assert_eq!(part.send().await.unwrap().bytes().await.unwrap(), bytes[100..200]);
        let other = link.replace("application%2Fpdf", "text%2Fhtml");
        assert_eq!(reqwest::get(other).await.unwrap().status(), 403, "it is signed");
    }
    let nowhere = Digest::of(b"nowhere");
    let missing = site.blobs.link(nowhere, &name, "application/pdf", minute).await.unwrap_err();
    assert!(is_missing(&missing, nowhere));
}

/// The name in full (RFC 8187), as a browser decodes it.
fn name_in(disposition: &str) -> String {
    let (_, encoded) = disposition.split_once("filename*=UTF-8''").unwrap();
    let mut bytes = Vec::new();
    let mut rest = encoded.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let digits = std::str::from_utf8(&rest[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

// The cache

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_once_is_read_from_the_cache_also_in_an_outage() {
    let site = Site::with(|storage| storage.cache_mb = 8);
    let bytes = content(840, 700_000);
    let hash = site.stored(&bytes).await;
    // A part or a broken read is not kept.
    collect(site.blobs.open(hash, Some(0..1_000)).await.unwrap()).await;
    drop(site.blobs.open(hash, None).await.unwrap().into_stream().next().await);
    assert!(!site.cached(hash).exists());
    assert_eq!(site.read(hash).await, bytes);
    assert!(site.cached(hash).exists());
    let used = site.blobs.status().await.unwrap().cache.unwrap().used;
    assert_eq!(used, Tally { files: 1, bytes: 700_000 });

    let site = site.reopen();
    site.proxy.disturb(Disturbance::Refuse);
    assert_eq!(site.read(hash).await, bytes);
    let part = site.blobs.open(hash, Some(5..500_000)).await.unwrap();
    assert_eq!(collect(part).await, bytes[5..500_000]);
    assert_eq!(site.proxy.requests(), 0);
    // In the end it goes with its blob.
    site.proxy.disturb(Disturbance::None);
    site.blobs.remove(hash, Timestamp::MAX).await.unwrap();
    assert!(!site.cached(hash).exists() && !site.on_s3(hash).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_copy_in_the_cache_is_never_served() {
    let site = Site::with(|storage| storage.cache_mb = 8);
    let bytes = content(845, 300_000);
    let hash = site.stored(&bytes).await;
    let mut site = site;
    for is_reopened in [false, true] {
        assert_eq!(site.read(hash).await, bytes);
        let mut damaged = bytes.clone();
        damaged[1_000] ^= 1;
        fs::write(site.cached(hash), damaged).unwrap();
        if is_reopened {
            site = site.reopen();
        }
        assert_eq!(site.read(hash).await, bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_keeps_its_size_and_what_was_used_last() {
    let site = Site::with(|storage| storage.cache_mb = 1);
    let large = site.stored(&content(850, 400_000)).await;
    site.read(large).await;
    assert!(!site.cached(large).exists(), "one file takes a quarter at most");
    let mut hashes = Vec::new();
    for seed in 851..855 {
        hashes.push(site.stored(&content(seed, 250_000)).await);
        site.clock.advance(jiff::SignedDuration::from_secs(1));
        site.read(hashes[hashes.len() - 1]).await;
    }
    site.clock.advance(jiff::SignedDuration::from_secs(1));
    site.read(hashes[0]).await;
    let site = site.reopen();
    let another = site.stored(&content(860, 250_000)).await;
    site.read(another).await;
    let kept = hashes.iter().map(|hash| site.cached(*hash).exists()).collect::<Vec<_>>();
    assert_eq!(kept, [true, false, true, true]);
    let used = site.blobs.status().await.unwrap().cache.unwrap().used;
    assert_eq!(used, Tally { files: 4, bytes: 1_000_000 });
}

// Moving house

#[tokio::test(flavor = "multi_thread")]
async fn a_library_moves_to_s3_and_back_while_it_is_read() {
    let site = Site::with(|storage| storage.backend = Backend::Disk);
    let mut hashes = Vec::new();
    for seed in 870..890 {
        hashes.push((site.stored(&content(seed, 20_000)).await, content(seed, 20_000)));
    }
    let large = content(890, 9 * MIB);
    hashes.push((site.stored(&large).await, large));
    assert!(
        hashes.iter().all(|(hash, _)| site.on_disk(*hash).exists() && !site.on_s3(*hash).exists())
    );

    let mut site = site;
    for home in [Backend::S3, Backend::Disk] {
        // An outage in the middle: the step is done again.
        site.proxy.disturb(Disturbance::StopAfter(u64::MAX, false));
        let mut after = None;
        let mut copied = 0;
        let mut is_disturbed = false;
        loop {
            if copied > 8 && !is_disturbed {
                is_disturbed = true;
                site.proxy.disturb(Disturbance::Refuse);
                assert!(is_busy(&site.blobs.migrate(home, after, 4).await));
                site.proxy.disturb(Disturbance::None);
                site = site.reopen();
            }
            let (blobs, from) = (site.blobs.clone(), after);
            let step = tokio::spawn(async move { blobs.migrate(home, from, 4).await });
            let step = step.await.unwrap().unwrap();
            assert!(step.failed.is_empty(), "{step:?}");
            copied += step.copied.files + step.known.files;
            after = step.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(copied, 21);
        assert!(
            hashes
                .iter()
                .all(|(hash, _)| site.on_disk(*hash).exists() && site.on_s3(*hash).exists())
        );
        let again = site.blobs.migrate(home, None, 100).await.unwrap();
        assert_eq!((again.copied.files, again.known.files), (0, 21));

        site = site.reopen_with(|storage| storage.backend = home);
        // One whose new copy is not right keeps its old one.
        let (wrong, bytes) = &hashes[3];
        let new_copy = if home == Backend::S3 { site.on_s3(*wrong) } else { site.on_disk(*wrong) };
        fs::write(&new_copy, b"damaged").unwrap();
        let cleared = site.blobs.clear_old(None, 100).await.unwrap();
        assert_eq!((cleared.removed.files, cleared.kept.len()), (20, 1), "{cleared:?}");
        assert_eq!(cleared.kept[0].0, *wrong);
        fs::write(&new_copy, bytes).unwrap();
        assert_eq!(site.blobs.clear_old(None, 100).await.unwrap().removed.files, 1);
        for (hash, bytes) in &hashes {
            assert_eq!(site.read(*hash).await, *bytes);
            assert_eq!(site.on_s3(*hash).exists(), home == Backend::S3);
            assert_eq!(site.on_disk(*hash).exists(), home == Backend::Disk);
        }
    }
}

#[tokio::test]
async fn without_s3_there_is_nowhere_to_move_to() {
    let site = Site::with(|storage| *storage = StorageConfig::default());
    let refused = site.blobs.migrate(Backend::S3, None, 10).await.unwrap_err();
    assert!(refused.to_string().contains("storage.s3.bucket"), "{refused}");
    assert!(site.blobs.check_remote().await.is_empty());
    assert_eq!(site.blobs.status().await.unwrap().remote, None);
}

// Scrubbing

#[tokio::test(flavor = "multi_thread")]
async fn scrubbing_finds_damage_and_heals_it_from_the_other_copy() {
    let site = Site::with(|storage| storage.cache_mb = 8);
    let bytes = content(900, 200_000);
    let hash = site.stored(&bytes).await;
    let size_bytes = 200_000;
    let scrubbed = site.blobs.scrub(hash).await.unwrap();
    assert!(scrubbed.is_fine());
    assert_eq!(scrubbed.copies, [(Place::S3, Health::Intact { size_bytes })]);

    // Both copies, then one of them damaged, then the other.
    site.read(hash).await;
    fs::write(site.on_s3(hash), content(901, 200_000)).unwrap();
    let scrubbed = site.blobs.scrub(hash).await.unwrap();
    assert!(!scrubbed.is_fine() && !scrubbed.is_lost());
    assert_eq!(scrubbed.healed, [Place::S3]);
    assert_eq!(fs::read(site.on_s3(hash)).unwrap(), bytes);
    fs::write(site.cached(hash), content(902, 200_000)).unwrap();
    assert_eq!(site.blobs.scrub(hash).await.unwrap().healed, [Place::Cache]);

    // Gone from S3, and only the cache still has it.
    site.read(hash).await;
    fs::remove_file(site.on_s3(hash)).unwrap();
    assert_eq!(site.blobs.scrub(hash).await.unwrap().healed, [Place::Spool]);
    site.blobs.store(hash).await.unwrap();
    assert_eq!(fs::read(site.on_s3(hash)).unwrap(), bytes);

    // On the disk, healed from S3.
    site.blobs.migrate(Backend::Disk, None, 10).await.unwrap();
    fs::write(site.on_disk(hash), b"short").unwrap();
    assert_eq!(site.blobs.scrub(hash).await.unwrap().healed, [Place::Disk]);
    assert_eq!(fs::read(site.on_disk(hash)).unwrap(), bytes);

    // Nothing can be made of nothing.
    let lost = site.stored(b"to be lost").await;
    fs::write(site.on_s3(lost), b"damaged").unwrap();
    let scrubbed = site.blobs.scrub(lost).await.unwrap();
    assert!(scrubbed.is_lost() && scrubbed.healed.is_empty());
    let missing = site.blobs.scrub(Digest::of(b"never")).await.unwrap();
    assert!(missing.is_lost() && missing.copies.is_empty());
}

// The check

fn failing(steps: &[CheckStep]) -> Vec<(&'static str, String)> {
    let failed = steps.iter().filter_map(|step| match &step.outcome {
        Outcome::Fails { advice, .. } => Some((step.what, advice.clone())),
        _ => None,
    });
    failed.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_a_good_storage_finds_everything_working() {
    let site = Site::new();
    let steps = site.blobs.check_remote().await;
    assert_eq!(steps.len(), 9);
    assert_eq!(failing(&steps), []);
    let missing: Vec<_> =
        steps.iter().filter(|step| step.outcome != Outcome::Works).map(|step| step.what).collect();
    assert_eq!(missing, ["List unfinished uploads"], "this server cannot");
    site.assert_tidy(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_what_is_missing() {
    let site = Site::new();
    let refuse =
        |method| Disturbance::Only(method, Box::new(Disturbance::Answer(403, "AccessDenied")));
    for (disturbance, what, advice) in [
        (
            refuse("PUT"),
            "Write a file",
            "Grant s3:PutObject on arn:aws:s3:::documents/portal/files/*",
        ),
        (refuse("DELETE"), "Delete a file", "Grant s3:DeleteObject on"),
        (refuse("HEAD"), "Tell a missing file", "Grant s3:ListBucket on arn:aws:s3:::documents."),
        (refuse("GET"), "Read a file", "Grant s3:GetObject on"),
        (Disturbance::Refuse, "Write a file", "storage.s3.endpoint"),
        (
            Disturbance::Answer(403, "SignatureDoesNotMatch"),
            "Write a file",
            "storage.s3.secret_access_key",
        ),
        (Disturbance::Answer(403, "RequestTimeTooSkewed"), "Write a file", "clock"),
        (
            Disturbance::Answer(400, "AuthorizationHeaderMalformed"),
            "Write a file",
            "storage.s3.region",
        ),
        (Disturbance::Answer(404, "NoSuchBucket"), "Write a file", "storage.s3.bucket"),
        (Disturbance::Corrupt, "Read a file", "Other bytes"),
    ] {
        site.proxy.disturb(disturbance.clone());
        let steps = site.blobs.check_remote().await;
        let failed = failing(&steps);
        let step = failed.iter().find(|(step, _)| *step == what);
        let step = step.unwrap_or_else(|| panic!("{disturbance:?}: {failed:?}"));
        assert!(step.1.contains(advice), "{disturbance:?}: {step:?}");
    }
    site.proxy.disturb(Disturbance::None);
    let wrong = |configure: fn(&mut StorageConfig)| {
        let mut storage = site.storage.clone();
        configure(&mut storage);
        let blobs = open(&site.folder, &storage, &site.clock);
        async move { failing(&blobs.check_remote().await).remove(0).1 }
    };
    let advice = wrong(|storage| storage.s3.secret_access_key = "another".into()).await;
    assert!(advice.contains("storage.s3.secret_access_key"), "{advice}");
    let advice = wrong(|storage| storage.s3.access_key_id = "AKIANOBODY".into()).await;
    assert!(advice.contains("storage.s3.access_key_id"), "{advice}");
}

// Settings

#[tokio::test]
async fn a_wrong_setting_stops_the_start_and_an_absent_s3_does_not() {
    let site = Site::new();
    let folders = || Folders {
        spool: site.folder.path().join("spool"),
        objects: site.folder.path().join("objects"),
        cache: site.folder.path().join("cache"),
    };
    let try_open = |storage: &StorageConfig| {
        Blobs::at(folders(), storage, Limits::default(), Clock::system()).map(drop)
    };
    let mut storage = site.storage.clone();
    storage.s3.ca_file = "/nowhere/ca.pem".into();
    let refused = try_open(&storage).unwrap_err();
    assert!(refused.to_string().starts_with("storage.s3.ca_file: /nowhere/ca.pem"), "{refused}");
    let no_pem = site.folder.path().join("ca.pem");
    fs::write(&no_pem, "not a certificate").unwrap();
    storage.s3.ca_file = no_pem;
    let refused = try_open(&storage).unwrap_err();
    assert!(refused.to_string().contains("does not hold certificates"), "{refused}");
    storage.s3.ca_file = PathBuf::new();
    storage.s3.endpoint = "http://127.0.0.1:1".into();
    try_open(&storage).unwrap();
}

// The whole portal

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_serves_through_an_outage_and_catches_up_by_itself() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let storage = s3.storage(Some(&proxy));
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    let ada = app.signed_in("ada").await;
    let resting = ada.upload("before.txt", b"before the outage", &[("title", "Before")]).await;
    app.settle().await;
    assert_eq!(app.app.blobs.status().await.unwrap().spooled.files, 0);

    proxy.disturb(Disturbance::Refuse);
    let waiting = ada.upload("during.txt", b"during the outage", &[("title", "During")]).await;
    let path = |document: &serde_json::Value| {
        format!("/api/documents/{}/download", document["id"].as_str().unwrap())
    };
    let read = ada.send("GET", &path(&waiting), None).await;
    assert_eq!(read.status(), 200);
    assert_eq!(read.text().await.unwrap(), "during the outage");
    let began = Instant::now();
    let refused = ada.send("GET", &path(&resting), None).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(began.elapsed() < Duration::from_secs(5));

    // The move was put off, and is none the worse for it.
    let job = loop {
        let actor = Actor::system("test", None);
        let (work, _) = app.app.work(actor, Some(State::Queued), None, 10).await.unwrap();
        if let Some(work) = work.into_iter().find(|work| work.job.error.is_some()) {
            break work.job;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(job.attempts, 0, "{job:?}");
    proxy.disturb(Disturbance::None);
    for _ in 0..500 {
        app.clock.advance(jiff::SignedDuration::from_secs(2));
        if app.app.blobs.status().await.unwrap().spooled.files == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.settle().await;
    assert_eq!(app.app.blobs.status().await.unwrap().spooled.files, 0);
    let read = ada.send("GET", &path(&resting), None).await;
    assert_eq!(read.text().await.unwrap(), "before the outage");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_only_s3_had_travels_again_when_somebody_brings_it() {
    let s3 = S3Server::start();
    let storage = s3.storage(None);
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    let ada = app.signed_in("ada").await;
    ada.upload("one.txt", b"the same words", &[("title", "One")]).await;
    app.settle().await;
    ada.upload("two.txt", b"the same words", &[("title", "Two")]).await;
    app.settle().await;
    assert_eq!(app.app.blobs.status().await.unwrap().spooled.files, 1);
    app.clock.advance(jiff::SignedDuration::from_mins(11));
    app.app.move_strays().await.unwrap();
    app.settle().await;
    assert_eq!(app.app.blobs.status().await.unwrap().spooled.files, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_leads_to_s3_unless_it_is_to_pass_through_us_and_a_preview_never_does() {
    let s3 = S3Server::start();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.build().unwrap();
    for delivery in [Delivery::Redirect, Delivery::Proxy] {
        let mut storage = s3.storage(None);
        storage.delivery = delivery;
        let app = TestApp::spawn_with(|config| config.storage = storage).await;
        let ada = app.signed_in("ada").await;
        let made = ada.upload("වාර්තාව 2026.txt", b"a report", &[]).await;
        let address = format!("/api/documents/{}", made["id"].as_str().unwrap());
        let download = format!("{address}/download");
        app.settle().await;
        let get = async |path: &str| {
            client.execute(ada.request("GET", path).build().unwrap()).await.unwrap()
        };
        let answer = get(&download).await;
        if delivery == Delivery::Redirect {
            assert_eq!(answer.status(), 307);
            assert_eq!(answer.headers()["cache-control"], "private, no-store");
            let link = answer.headers()["location"].to_str().unwrap().to_owned();
            let fetched = reqwest::get(link).await.unwrap();
            assert_eq!(fetched.headers()["content-type"], "text/plain; charset=utf-8");
            assert_eq!(
                fetched.headers()["content-disposition"],
                content_disposition("attachment", "වාර්තාව 2026.txt").as_str()
            );
            assert_eq!(fetched.text().await.unwrap(), "a report");
        } else {
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.text().await.unwrap(), "a report");
        }
        assert_eq!(get(&format!("{address}/content")).await.status(), 200);
        app.stop().await;
    }
}
