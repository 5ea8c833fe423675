//! Reading everything again, and healing what is damaged.

use std::fs;

use appliance::{
    blobs::{Health, Place},
    config::Backend,
    hash::Digest,
};

use super::Site;
use crate::blobs::content;

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
