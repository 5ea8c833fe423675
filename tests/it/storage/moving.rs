//! From the spool to S3, and what a cut at any step leaves.

use std::{fs, time::Duration};

use appliance::{
    blobs::{Blobs, Folders, Limits, Removal},
    clock::Clock,
};
use futures_util::future;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Site, is_busy};
use crate::{
    blobs::{MIB, SmallDisk, collect, content, is_missing, upload},
    support::s3::{Disturbance, S3Server, SLOW_DOWN},
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
    // A small file: the file, a look at it, a look at the owner. A large one: its beginning, two parts,
    // its end, and the two looks.
    for (seed, size_bytes, requests_max) in [(710, 50_000, 3), (711, 8 * MIB + 1, 6)] {
        for cut_after in 0..=requests_max {
            for is_answer_lost in [false, true] {
                let site = Site::new();
                let bytes = content(seed, size_bytes);
                let hash = upload(&site.blobs, &bytes).await.unwrap().hash;
                site.blobs.look_at_owner().await.unwrap();
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
async fn an_outage_that_is_over_soon_does_not_end_a_large_upload() {
    let site = Site::new();
    let hash = upload(&site.blobs, &content(712, 20 * MIB)).await.unwrap().hash;
    site.proxy.disturb(Disturbance::About("partNumber=2&".to_owned(), Box::new(SLOW_DOWN)));
    let mut works = site.blobs.watch_remote().unwrap();
    let moving = site.blobs.clone();
    let moving = tokio::spawn(async move { moving.store(hash).await });
    works.wait_for(|works| !*works).await.unwrap();
    site.proxy.disturb(Disturbance::None);
    moving.await.unwrap().unwrap();
    let log = site.proxy.take_log();
    assert_eq!(log.iter().filter(|line| line.contains("?uploads=")).count(), 1, "{log:?}");
    assert_eq!(log.iter().filter(|line| line.contains("partNumber=1&")).count(), 1, "{log:?}");
    site.assert_tidy(&[hash]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_goes_on_where_it_was_after_an_outage_and_a_restart() {
    let site = Site::new();
    let bytes = content(713, 30 * MIB);
    let hash = upload(&site.blobs, &bytes).await.unwrap().hash;
    site.proxy.disturb(Disturbance::About("partNumber=3&".to_owned(), Box::new(SLOW_DOWN)));
    assert!(is_busy(&site.blobs.store(hash).await));
    site.proxy.take_log();
    let site = site.reopen();
    site.proxy.disturb(Disturbance::None);
    site.store_at_last(hash).await;
    let log = site.proxy.take_log();
    assert!(log.iter().any(|line| line.contains("partNumber=3&")), "{log:?}");
    for sent_before in ["?uploads=", "partNumber=1&", "partNumber=2&"] {
        assert!(!log.iter().any(|line| line.contains(sent_before)), "{log:?}");
    }
    assert_eq!(site.read(hash).await, bytes);
    site.assert_tidy(&[hash]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_ended_from_outside_begins_anew() {
    let site = Site::new();
    let bytes = content(714, 20 * MIB);
    let hash = site.stored(&bytes).await;
    // The object that is there is no proof: it is damaged.
    let mut damaged = bytes.clone();
    damaged[MIB] ^= 1;
    fs::write(site.on_s3(hash), damaged).unwrap();
    upload(&site.blobs, &bytes).await.unwrap();
    site.proxy.disturb(Disturbance::About("partNumber=3&".to_owned(), Box::new(SLOW_DOWN)));
    assert!(is_busy(&site.blobs.store(hash).await));
    site.proxy.disturb(Disturbance::None);
    let noted = site.folder.path().join("spool/multipart").join(hash.to_string());
    let parts = fs::read_to_string(&noted).unwrap();
    let (_, parts) = parts.split_once('\n').unwrap();
    fs::write(&noted, format!("00000000-0000-4000-8000-000000000000\n{parts}")).unwrap();
    site.store_at_last(hash).await;
    assert_eq!(site.read(hash).await, bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_may_take_longer_on_its_way_than_an_answer() {
    let site = Site::new();
    let hash = upload(&site.blobs, &content(715, 9 * MIB)).await.unwrap().hash;
    let slow = Box::new(Disturbance::Delay(Duration::from_secs(21)));
    site.proxy.disturb(Disturbance::About("partNumber=".to_owned(), slow));
    site.blobs.store(hash).await.unwrap();
    site.assert_tidy(&[hash]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_go_without_a_checksum_to_an_s3_that_does_not_know_it() {
    let site = Site::new();
    let small = site.stored(&content(716, 1_000)).await;
    let bytes = content(717, 20 * MIB);
    let hash = upload(&site.blobs, &bytes).await.unwrap().hash;
    let unknown = Box::new(Disturbance::Answer(501, "NotImplemented"));
    site.proxy.disturb(Disturbance::About("x-amz-checksum-sha256".to_owned(), unknown));
    site.blobs.store(hash).await.unwrap();
    assert!(!site.blobs.is_degraded());
    assert_eq!(site.read(hash).await, bytes);
    site.assert_tidy(&[small, hash]).await;
    // The signature is of the bytes, too.
    let hash = upload(&site.blobs, &content(718, 9 * MIB)).await.unwrap().hash;
    site.proxy.disturb(Disturbance::Only("PUT", Box::new(Disturbance::CorruptUpload)));
    assert!(site.blobs.store(hash).await.is_err());
    assert!(site.spooled(hash).exists() && !site.on_s3(hash).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_leaves_a_full_disk() {
    let Some(small) = SmallDisk::mount("size=24m") else { return };
    let s3 = S3Server::start();
    let blobs = Blobs::at(
        Folders::below(&small.folder),
        &s3.storage(None),
        Uuid::nil(),
        Limits::default(),
        Clock::system(),
    )
    .unwrap();
    let bytes = content(719, 9 * MIB);
    let hash = upload(&blobs, &bytes).await.unwrap().hash;
    small.take_all_but(0);
    blobs.store(hash).await.unwrap();
    assert_eq!(collect(blobs.open(hash, None).await.unwrap()).await, bytes);
    assert_eq!(s3.parts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_brought_again_replaces_a_damaged_object() {
    let site = Site::new();
    let bytes = content(719, 50_000);
    let hash = site.stored(&bytes).await;
    fs::write(site.on_s3(hash), content(720, 50_000)).unwrap();
    upload(&site.blobs, &bytes).await.unwrap();
    site.blobs.store(hash).await.unwrap();
    assert_eq!(site.read(hash).await, bytes);
    site.assert_tidy(&[hash]).await;
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
