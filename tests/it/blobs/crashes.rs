//! What a crash leaves: the first steps are done by hand, then the folders are opened anew.

use std::fs;

use appliance::{blobs::Tally, hash::Digest};
use bytes::Bytes;
use jiff::Timestamp;

use super::{Home, Room, content};

in_both_homes! {
    a_crash_during_an_upload_leaves_a_file_that_the_next_start_sweeps_away,
    a_crash_after_an_upload_got_its_name_leaves_a_whole_blob,
    a_crash_at_any_step_of_a_move_leaves_the_blob_readable_and_the_move_ends_well,
    a_crash_during_a_removal_is_mended_by_doing_it_again,
}

async fn a_crash_during_an_upload_leaves_a_file_that_the_next_start_sweeps_away(home: Home) {
    let room = Room::new(home);
    fs::write(room.folder.join("spool/incoming/0190-half"), b"half a fi").unwrap();
    fs::write(room.objects.join("incoming/0190-copy"), b"half").unwrap();
    let room = room.reopen();
    assert!(room.listed().await.is_empty());
    let long_ago = Timestamp::UNIX_EPOCH;
    assert_eq!(room.blobs.sweep_incoming(long_ago).await.unwrap(), Tally::default());
    let swept = room.blobs.sweep_incoming(Timestamp::MAX).await.unwrap();
    assert_eq!(swept, Tally { files: 2, bytes: 13 });
    assert!(room.incoming_files().is_empty());
}

async fn a_crash_after_an_upload_got_its_name_leaves_a_whole_blob(home: Home) {
    let room = Room::new(home);
    let bytes = content(23, 50_000);
    let hash = Digest::of(&bytes);
    fs::write(room.spooled(hash), &bytes).unwrap();
    let room = room.reopen();
    assert_eq!(room.read(hash).await, bytes);
    assert_eq!(room.listed().await[0].spooled_bytes, Some(50_000));
    assert!(!room.upload(&bytes).await.unwrap().is_new);
    room.blobs.store(hash).await.unwrap();
    assert_eq!(room.read(hash).await, bytes);
}

async fn a_crash_at_any_step_of_a_move_leaves_the_blob_readable_and_the_move_ends_well(home: Home) {
    let bytes = content(24, 50_000);
    let hash = Digest::of(&bytes);
    // Renamed, not yet synced. Copied and named, the spool's copy still there. Half a copy.
    for (spooled, stored, half) in [(false, true, false), (true, true, false), (true, false, true)]
    {
        let room = Room::new(home);
        // It was the owner of its bucket before.
        room.blobs.look_at_owner().await.unwrap();
        for (there, path) in [(spooled, room.spooled(hash)), (stored, room.stored(hash))] {
            if there {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, &bytes).unwrap();
            }
        }
        if half {
            fs::write(room.objects.join("incoming/0190-copy"), &bytes[..1_000]).unwrap();
        }
        let room = room.reopen();
        assert_eq!(room.read(hash).await, bytes);
        room.blobs.store(hash).await.unwrap();
        room.blobs.sweep_incoming(Timestamp::MAX).await.unwrap();
        assert_eq!(room.read(hash).await, bytes);
        assert!(room.stored(hash).exists() && !room.spooled(hash).exists());
        assert_eq!(room.listed().await.len(), 1);
    }
}

async fn a_crash_during_a_removal_is_mended_by_doing_it_again(home: Home) {
    let room = Room::new(home);
    let hash = room.stored_blob(b"to be removed").await;
    for name in ["text", "thumb", "page-1"] {
        room.blobs.put_derived(hash, name, Bytes::from_static(b"made")).await.unwrap();
    }
    fs::remove_file(room.derived(hash, "thumb")).unwrap();
    let room = room.reopen();
    assert_eq!(room.listed().await.len(), 1);
    room.blobs.remove(hash, Timestamp::MAX).await.unwrap();
    assert!(room.listed().await.is_empty());
}
