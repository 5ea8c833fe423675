//! From the spool to where files rest.

use std::{fs, os::unix::fs::PermissionsExt};

use appliance::{blobs::Removal, error::Error};
use jiff::Timestamp;

use super::{Home, MIB, Room, SmallDisk, collect, content, is_missing};

in_both_homes! {
    moving_to_the_store_is_repeatable,
    readers_never_notice_a_move,
    a_reader_who_has_opened_a_blob_reads_it_to_the_end_after_its_removal,
}

async fn moving_to_the_store_is_repeatable(home: Home) {
    let room = Room::new(home);
    let bytes = content(17, 10_000);
    let hash = room.upload(&bytes).await.unwrap().hash;
    assert!(room.spooled(hash).exists());
    for _ in 0..3 {
        room.blobs.store(hash).await.unwrap();
        assert!(room.stored(hash).exists() && !room.spooled(hash).exists());
        assert_eq!(room.read(hash).await, bytes);
    }
}

async fn readers_never_notice_a_move(home: Home) {
    let room = Room::new(home);
    for seed in 200..260 {
        let bytes = content(seed, 1_000);
        let hash = room.upload(&bytes).await.unwrap().hash;
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (blobs, bytes) = (room.blobs.clone(), bytes.clone());
                tokio::spawn(async move {
                    for _ in 0..20 {
                        let opened = blobs.open(hash, None).await.unwrap();
                        assert_eq!(opened.read(1_000).await.unwrap(), bytes);
                    }
                })
            })
            .collect();
        let movers = [room.blobs.clone(), room.blobs.clone()]
            .map(|blobs| tokio::spawn(async move { blobs.store(hash).await.unwrap() }));
        for task in readers.into_iter().chain(movers) {
            task.await.unwrap();
        }
    }
}

async fn a_reader_who_has_opened_a_blob_reads_it_to_the_end_after_its_removal(home: Home) {
    let room = Room::new(home);
    let bytes = content(18, 4 * MIB);
    let hash = room.stored_blob(&bytes).await;
    let opened = room.blobs.open(hash, None).await.unwrap();
    room.blobs.remove(hash, Timestamp::MAX).await.unwrap();
    assert_eq!(collect(opened).await, bytes);
    for seed in 300..340 {
        let bytes = content(seed, 5_000);
        let hash = room.stored_blob(&bytes).await;
        let blobs = room.blobs.clone();
        let remover =
            tokio::spawn(async move { blobs.remove(hash, Timestamp::MAX).await.unwrap() });
        loop {
            match room.blobs.open(hash, None).await {
                Ok(opened) => assert_eq!(opened.read(5_000).await.unwrap(), bytes),
                Err(error) => break assert!(is_missing(&error, hash), "{error:?}"),
            }
        }
        assert_eq!(remover.await.unwrap(), Removal::Removed);
    }
}

#[tokio::test]
async fn a_blob_is_copied_and_verified_between_two_disks() {
    let Some(other) = SmallDisk::mount("size=8m") else { return };
    let temporary = tempfile::tempdir().unwrap();
    let room = Room::over(temporary.path(), &other.folder.join("objects"), 0);
    let bytes = content(19, 2 * MIB);
    let hash = room.stored_blob(&bytes).await;
    assert!(room.stored(hash).exists() && !room.spooled(hash).exists());
    assert_eq!(room.read(hash).await, bytes);
    assert_eq!(fs::metadata(room.stored(hash)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(room.listed().await[0].modified_at, room.clock.now());
    room.blobs.store(hash).await.unwrap();

    // What was damaged in the spool is not taken over.
    let hash = room.upload(&content(20, MIB)).await.unwrap().hash;
    fs::write(room.spooled(hash), content(21, MIB)).unwrap();
    let refused = room.blobs.store(hash).await.unwrap_err();
    assert!(format!("{refused:?}").contains("was not moved"), "{refused:?}");
    assert!(room.spooled(hash).exists() && !room.stored(hash).exists());

    // What does not fit stays where it is, readable.
    let large = content(22, 7 * MIB);
    let hash = room.upload(&large).await.unwrap().hash;
    assert!(matches!(room.blobs.store(hash).await, Err(Error::Full(_))));
    assert_eq!(room.read(hash).await, large);
    room.wait_until_nothing_is_incoming().await;
}
