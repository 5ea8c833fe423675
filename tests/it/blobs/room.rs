//! Room on the disk: what is promised, and what happens when it ends.

use std::time::Duration;

use appliance::{
    blobs::Incoming,
    error::Error,
    space::{require, space},
};

use super::{Home, MIB, NO_LIMIT, Room, SmallDisk, content};

in_both_homes! {
    uploads_that_announce_much_and_bring_nothing_keep_little_room,
}

#[tokio::test]
async fn an_upload_that_would_use_the_reserve_is_refused_before_it_begins() {
    let temporary = tempfile::tempdir().unwrap();
    let free_bytes = space(temporary.path()).unwrap().free_bytes;
    let objects = temporary.path().join("objects");
    let room = Room::over(temporary.path(), &objects, free_bytes / 2);
    let refused = room.blobs.begin(NO_LIMIT, Some(free_bytes / 4 * 3)).await.err().unwrap();
    assert!(matches!(&refused, Error::Full(_)));
    assert!(refused.to_string().contains("disk is full"), "{refused}");
    assert!(room.incoming_files().is_empty());
    assert!(room.upload(b"small").await.unwrap().is_new);
}

async fn uploads_that_announce_much_and_bring_nothing_keep_little_room(home: Home) {
    let room = Room::new(home);
    let most = space(&room.folder).unwrap().free_bytes / 5 * 3;
    let first = room.blobs.begin(NO_LIMIT, Some(most)).await.unwrap();
    let second = room.blobs.begin(NO_LIMIT, Some(most)).await.unwrap();
    drop((first, second));
    let absurd = room.blobs.begin(NO_LIMIT, Some(u64::MAX)).await;
    assert!(matches!(absurd, Err(Error::Full(_))));
}

#[tokio::test]
async fn a_step_of_room_is_promised_to_one_upload_at_a_time() {
    const STEP: u64 = 64 << 20;
    // Room for one and a half.
    let Some(small) = SmallDisk::mount("size=96m") else { return };
    let room = Room::over(&small.folder, &small.folder.join("objects"), 0);
    let first = room.blobs.begin(NO_LIMIT, Some(STEP)).await.unwrap();
    assert!(matches!(room.blobs.begin(NO_LIMIT, Some(STEP)).await, Err(Error::Full(_))));
    drop(first);
    assert!(room.blobs.begin(NO_LIMIT, Some(STEP)).await.is_ok());
}

#[tokio::test]
async fn asking_for_room_names_the_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let found = space(folder.path()).unwrap();
    assert!(found.free_bytes <= found.total_bytes);
    require(folder.path(), 1, 0).unwrap();
    let refused = require(folder.path(), u64::MAX, 1_000_000_000).unwrap_err();
    assert!(refused.to_string().contains("1 GB to be left free"), "{refused}");
    assert!(space(&folder.path().join("nowhere")).is_err());
}

#[tokio::test]
async fn a_disk_that_fills_up_during_an_upload_says_so_and_leaves_nothing() {
    let Some(small) = SmallDisk::mount("size=4m") else { return };
    let room = Room::over(&small.folder, &small.folder.join("objects"), 0);
    let before = space(&small.folder).unwrap().free_bytes;
    let mut incoming = room.blobs.begin(NO_LIMIT, None).await.unwrap();
    let full = fill(&mut incoming).await;
    assert!(matches!(&full, Error::Full(_)), "{full:?}");
    assert!(full.to_string().contains("was not saved"), "{full}");
    drop(incoming);
    room.wait_until_nothing_is_incoming().await;
    // The threads that wrote let go of the file when they notice.
    for _ in 0..500 {
        if space(&small.folder).unwrap().free_bytes == before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(space(&small.folder).unwrap().free_bytes, before);
    assert!(room.upload(&content(10, MIB)).await.unwrap().is_new);
}

#[tokio::test]
async fn an_upload_of_unknown_size_stops_at_the_reserve() {
    let Some(small) = SmallDisk::mount("size=16m") else { return };
    let room = Room::over(&small.folder, &small.folder.join("objects"), 8 << 20);
    let mut incoming = room.blobs.begin(NO_LIMIT, None).await.unwrap();
    assert!(matches!(fill(&mut incoming).await, Error::Full(_)));
    assert!(incoming.size_bytes() < 10 << 20);
    drop(incoming);
    room.wait_until_nothing_is_incoming().await;
}

#[tokio::test]
async fn a_disk_without_a_free_file_entry_says_that_it_is_full() {
    let Some(small) = SmallDisk::mount("size=4m,nr_inodes=4") else { return };
    let objects = tempfile::tempdir().unwrap();
    let room = Room::over(&small.folder, &objects.path().join("objects"), 0);
    let first = room.blobs.begin(NO_LIMIT, None).await.unwrap();
    assert!(matches!(room.blobs.begin(NO_LIMIT, None).await, Err(Error::Full(_))));
    drop(first);
}

/// Writes until it is refused.
async fn fill(incoming: &mut Incoming) -> Error {
    let chunk = content(11, 100_000);
    for _ in 0..1_000 {
        if let Err(error) = incoming.write(&chunk).await {
            return error;
        }
    }
    panic!("a small disk took 100 MB");
}
