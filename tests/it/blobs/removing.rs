//! Removals, and the uploads that they meet.

use std::fs;

use appliance::blobs::Removal;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::{Home, Room, content, is_missing};

in_both_homes! {
    a_removal_takes_the_source_and_all_that_was_derived_and_nothing_else,
}

async fn a_removal_takes_the_source_and_all_that_was_derived_and_nothing_else(home: Home) {
    let room = Room::new(home);
    let bytes = content(25, 1_000);
    let hash = room.stored_blob(&bytes).await;
    // A neighbor in the same folder.
    let mut near = hash;
    near.0[31] ^= 1;
    fs::write(room.stored(near), b"neighbor").unwrap();
    for name in ["text", "page-1", "page-12"] {
        room.blobs.put_derived(hash, name, Bytes::from_static(b"made")).await.unwrap();
    }
    for _ in 0..2 {
        let removal = room.blobs.remove(hash, Timestamp::MAX).await.unwrap();
        assert_eq!(removal, Removal::Removed);
        assert!(is_missing(&room.blobs.open(hash, None).await.err().unwrap(), hash));
        assert!(room.blobs.open_derived(hash, "text").await.unwrap().is_none());
    }
    assert_eq!(room.listed().await.iter().map(|blob| blob.hash).collect::<Vec<_>>(), [near]);

    let spooled = room.upload(&bytes).await.unwrap();
    assert!(spooled.is_new);
    room.blobs.remove(hash, Timestamp::MAX).await.unwrap();
    assert!(!room.spooled(hash).exists());
}

#[tokio::test]
async fn a_blob_that_arrived_again_after_the_cutoff_is_kept() {
    let room = Room::new(Home::Disk);
    let bytes = content(26, 1_000);
    let hash = room.stored_blob(&bytes).await;
    let cutoff = room.clock.now();
    room.clock.advance(SignedDuration::from_hours(30));
    room.upload(&bytes).await.unwrap();
    assert_eq!(room.blobs.remove(hash, cutoff).await.unwrap(), Removal::Kept);
    assert_eq!(room.read(hash).await, bytes);
    let later = room.clock.now();
    assert_eq!(room.blobs.remove(hash, later).await.unwrap(), Removal::Removed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_meets_the_removal_of_its_content_keeps_its_bytes() {
    let room = Room::new(Home::Disk);
    for seed in 400..460 {
        let bytes = content(seed, 2_000);
        let hash = room.upload(&bytes).await.unwrap().hash;
        if seed % 2 == 0 {
            room.blobs.store(hash).await.unwrap();
        }
        let cutoff = room.clock.now();
        room.clock.advance(SignedDuration::from_hours(30));
        let blobs = room.blobs.clone();
        let remover = tokio::spawn(async move { blobs.remove(hash, cutoff).await.unwrap() });
        let uploaded = room.upload(&bytes).await.unwrap();
        let removal = remover.await.unwrap();
        assert_eq!(room.read(hash).await, bytes, "{removal:?}, new: {}", uploaded.is_new);
        assert_eq!(uploaded.is_new, removal == Removal::Removed);
    }
}
