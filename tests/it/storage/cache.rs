//! Copies of what was read.

use std::fs;

use appliance::blobs::Tally;
use futures_util::StreamExt;
use jiff::Timestamp;

use super::Site;
use crate::{
    blobs::{collect, content},
    support::s3::Disturbance,
};

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
