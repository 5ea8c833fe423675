//! Reading everything again, and healing what is damaged.

use std::fs;

use appliance::{
    blobs::{Health, Place},
    config::Backend,
    hash::Digest,
};

use super::{Site, is_busy, key};
use crate::{
    blobs::{MIB, content},
    support::s3::Disturbance,
};

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

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_s3_cannot_give_is_made_anew_and_one_that_nobody_has_holds_up_no_other() {
    let site = Site::with(|storage| storage.cache_mb = 8);
    let hash = site.stored(&content(903, 200_000)).await;
    let size_bytes = 200_000;
    site.read(hash).await;
    for is_cut in [false, true] {
        if is_cut {
            let cut = Disturbance::Cut(100);
            site.proxy.disturb(Disturbance::About(hash.to_string(), Box::new(cut)));
        } else {
            site.s3.spoil(&key(hash));
        }
        let scrubbed = site.blobs.scrub(hash).await.unwrap();
        assert_eq!(scrubbed.copies[0], (Place::Cache, Health::Intact { size_bytes }));
        assert!(matches!(&scrubbed.copies[1], (Place::S3, Health::Unreadable { .. })));
        assert_eq!(scrubbed.healed, [Place::S3]);
        site.proxy.disturb(Disturbance::None);
        assert_eq!(site.blobs.scrub(hash).await.unwrap().healed, []);
    }
    let lost = site.stored(b"to be lost").await;
    site.s3.spoil(&key(lost));
    let scrubbed = site.blobs.scrub(lost).await.unwrap();
    assert!(scrubbed.is_lost() && scrubbed.healed.is_empty());
    assert!(!site.blobs.is_degraded());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_in_the_middle_of_a_file_says_nothing_about_the_file() {
    let site = Site::new();
    let hash = site.stored(&content(904, 3 * MIB)).await;
    let scrubbed = site.while_s3_goes_away(hash, site.blobs.scrub(hash)).await;
    assert!(is_busy(&scrubbed), "{scrubbed:?}");
    site.proxy.disturb(Disturbance::None);
    site.wait_until_it_works().await;

    let migrated = site.blobs.migrate(Backend::Disk, None, 10);
    let migrated = site.while_s3_goes_away(hash, migrated).await;
    assert!(is_busy(&migrated), "{migrated:?}");
}
