//! S3 that is away, slow, wrong or full.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use appliance::{
    blobs::{Incoming, Tally},
    error::Error,
};
use futures_util::future;
use jiff::Timestamp;

use super::{Site, is_busy};
use crate::{
    blobs::{MIB, NO_LIMIT, content, upload},
    support::s3::{Disturbance, SLOW_DOWN},
};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn one_object_that_cannot_be_read_takes_nobody_else_down() {
    let site = Site::new();
    let broken = site.stored(&content(60, 40_000)).await;
    let sound = site.stored(&content(61, 40_000)).await;
    for status in [403, 500, 503] {
        let answer = Disturbance::Answer(status, "AccessDenied");
        site.proxy.disturb(Disturbance::About(broken.to_string(), Box::new(answer)));
        let read = site.blobs.open(broken, None).await.map(drop);
        assert!(matches!(read, Err(Error::Internal(_))), "{status}: {read:?}");
        assert!(!site.blobs.is_degraded(), "{status}");
        assert_eq!(site.read(sound).await.len(), 40_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_s3_is_away_uploads_succeed_and_readers_are_told_at_once() {
    let site = Site::new();
    let away = [
        Disturbance::Refuse,
        SLOW_DOWN,
        Disturbance::Answer(500, "InternalError"),
        Disturbance::Answer(403, "InvalidAccessKeyId"),
        Disturbance::Answer(404, "NoSuchBucket"),
        // A gateway with nothing behind it.
        Disturbance::Answer(404, ""),
    ];
    for (seed, disturbance) in (770..).zip(away) {
        let bytes = content(seed, 40_000);
        let resting = site.stored(&content(seed + 100, 40_000)).await;
        site.proxy.disturb(disturbance.clone());
        let waiting = upload(&site.blobs, &bytes).await.unwrap().hash;
        assert_eq!(site.read(waiting).await, bytes);
        // The first ones find out, whatever they want; those after them are told.
        let linked = site.blobs.link(resting, "inline", "text/plain", MINUTE).await;
        let moved = site.blobs.store(waiting).await;
        let read = site.blobs.open(resting, None).await;
        assert!(is_busy(&moved) && is_busy(&read), "{disturbance:?}: {moved:?}");
        assert!(is_busy(&linked), "{disturbance:?}: {linked:?}");
        let began = Instant::now();
        assert!(is_busy(&site.blobs.store(waiting).await));
        assert!(is_busy(&site.blobs.open(resting, None).await));
        assert!(is_busy(&site.blobs.link(resting, "inline", "text/plain", MINUTE).await));
        assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
        let status = site.blobs.status().await.unwrap();
        assert_eq!(status.spooled, Tally { files: 1, bytes: 40_000 });
        let sentence = status.degraded().unwrap();
        assert!(sentence.contains("1 file waits on this machine (40 kB)"), "{sentence}");
        assert!(is_busy(&site.blobs.remove(resting, Timestamp::MAX).await));

        // It comes back, and nobody has to ask.
        site.proxy.disturb(Disturbance::None);
        site.wait_until_it_works().await;
        site.blobs.store(waiting).await.unwrap();
        assert_eq!(site.read(waiting).await, bytes);
        assert_eq!(site.read(resting).await.len(), 40_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_that_falls_silent_keeps_its_readers_for_seconds_and_a_slow_object_is_waited_for() {
    let site = Site::new();
    let resting = site.stored(&content(780, 40_000)).await;
    // Longer than silence is borne; others are answered meanwhile.
    let slow = Disturbance::Delay(Duration::from_secs(6));
    site.proxy.disturb(Disturbance::About(resting.to_string(), Box::new(slow)));
    assert_eq!(site.read(resting).await.len(), 40_000);
    assert!(!site.blobs.is_degraded());

    site.proxy.disturb(Disturbance::Silence);
    let began = Instant::now();
    let reading = site.blobs.open(resting, None);
    let late = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        site.blobs.link(resting, "inline", "text/plain", MINUTE).await
    };
    let (read, linked) = future::join(reading, late).await;
    assert!(is_busy(&read) && is_busy(&linked), "{linked:?}");
    assert!(began.elapsed() < Duration::from_secs(18), "{:?}", began.elapsed());
    assert!(is_busy(&site.blobs.open(resting, None).await));
    site.proxy.disturb(Disturbance::None);
    site.wait_until_it_works().await;
    assert_eq!(site.read(resting).await.len(), 40_000);
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
async fn uploads_use_all_of_the_spool_and_no_more_however_many_come_at_once() {
    let site = Site::with(|storage| storage.spool_mb = 1);
    let hash = upload(&site.blobs, &content(805, 10)).await.unwrap().hash;
    site.proxy.disturb(Disturbance::Refuse);
    assert!(is_busy(&site.blobs.store(hash).await));
    let bytes = content(806, 400_000);
    let mut under_way = Vec::new();
    for _ in 0..20 {
        // As a form announces it: a little less than comes.
        under_way.extend(site.blobs.begin(NO_LIMIT, Some(390_000)).await.ok());
    }
    assert_eq!(under_way.len(), 2);
    let [mut first, second] = <[Incoming; 2]>::try_from(under_way).ok().unwrap();
    first.write(&bytes).await.unwrap();
    drop(second);
    let mut unknown = site.blobs.begin(NO_LIMIT, None).await.unwrap();
    unknown.write(&content(807, 600_000)).await.unwrap();
    let refused = unknown.write(&bytes[..100_000]).await.unwrap_err();
    assert!(matches!(refused, Error::Full(_)), "{refused:?}");
    drop(unknown);
    first.finish().await.unwrap();
    upload(&site.blobs, &content(808, 600_000)).await.unwrap();
    assert!(matches!(upload(&site.blobs, &bytes[..100_000]).await, Err(Error::Full(_))));
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
