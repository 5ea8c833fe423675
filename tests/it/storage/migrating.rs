//! Moving house: from the disk to S3 and back.

use std::{fs, time::SystemTime};

use appliance::{
    blobs::Removal,
    config::{Backend, StorageConfig},
};
use jiff::SignedDuration;

use super::{Site, is_busy};
use crate::{
    blobs::{MIB, content, upload},
    support::s3::Disturbance,
};

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

#[tokio::test(flavor = "multi_thread")]
async fn content_that_arrived_again_keeps_its_time_when_its_old_copy_goes() {
    let site = Site::with(|storage| storage.backend = Backend::Disk);
    let bytes = content(891, 20_000);
    let hash = site.stored(&bytes).await;
    site.blobs.migrate(Backend::S3, None, 10).await.unwrap();
    let object = fs::File::options().append(true).open(site.on_s3(hash)).unwrap();
    object.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let site = site.reopen_with(|storage| storage.backend = Backend::S3);
    upload(&site.blobs, &bytes).await.unwrap();
    let cleared = site.blobs.clear_old(None, 10).await.unwrap();
    assert_eq!(cleared.removed.files, 1, "{cleared:?}");
    // The sweep takes it for new, as long as it may have no record yet.
    let cutoff = site.clock.now() - SignedDuration::from_hours(24);
    assert_eq!(site.blobs.remove(hash, cutoff).await.unwrap(), Removal::Kept);
    assert_eq!(site.read(hash).await, bytes);
}

#[tokio::test]
async fn without_s3_there_is_nowhere_to_move_to() {
    let site = Site::with(|storage| *storage = StorageConfig::default());
    let refused = site.blobs.migrate(Backend::S3, None, 10).await.unwrap_err();
    assert!(refused.to_string().contains("storage.s3.bucket"), "{refused}");
    assert!(site.blobs.check_remote().await.is_empty());
    assert_eq!(site.blobs.status().await.unwrap().remote, None);
}
