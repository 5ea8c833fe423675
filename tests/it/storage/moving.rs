//! From the spool to S3, and what a cut at any step leaves.

use std::{fs, time::Duration};

use appliance::blobs::Removal;
use futures_util::future;
use jiff::Timestamp;

use super::Site;
use crate::{
    blobs::{MIB, collect, content, is_missing, upload},
    support::s3::Disturbance,
};

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
