//! What is derived from a blob, and what a listing shows.

use std::{collections::BTreeSet, fs};

use appliance::{
    blobs::{Listed, Source, Tally},
    error::Error,
    hash::{ContentHash, Digest},
};
use bytes::Bytes;
use futures_util::TryStreamExt;
use jiff::Timestamp;

use super::{Home, Room, collect, content, upload};

in_both_homes! {
    what_is_derived_is_kept_beside_its_source_and_may_be_replaced,
    a_derived_name_cannot_lead_elsewhere,
    a_listing_names_each_blob_once_in_order_and_can_go_on_after_one,
    a_listing_does_not_mind_blobs_that_come_and_go,
    what_was_derived_from_a_blob_that_is_gone_is_listed_and_removed,
}

async fn what_is_derived_is_kept_beside_its_source_and_may_be_replaced(home: Home) {
    let room = Room::new(home);
    let hash = room.stored_blob(b"source").await;
    assert!(room.blobs.read_derived(hash, "text", 100).await.unwrap().is_none());
    for text in ["first", "the second text"] {
        room.blobs.put_derived(hash, "text", Bytes::from(text)).await.unwrap();
        let read = room.blobs.read_derived(hash, "text", 100).await.unwrap().unwrap();
        assert_eq!(read, text);
    }
    let too_large = room.blobs.read_derived(hash, "text", 14).await;
    assert!(matches!(too_large, Err(Error::TooLarge(_))));
    let opened = room.blobs.open_derived(hash, "text").await.unwrap().unwrap();
    assert!(matches!(opened.source, Source::File(_)));
    assert_eq!(collect(opened).await, b"the second text");
    assert_eq!(room.read(hash).await, b"source".as_slice());
    assert!(room.incoming_files().is_empty());
}

async fn a_derived_name_cannot_lead_elsewhere(home: Home) {
    let room = Room::new(home);
    let hash = Digest::of(b"source");
    let long = "x".repeat(33);
    for name in ["", "..", "../x", "a/b", "a.b", "Text", "a b", "#1", long.as_str()] {
        let refused = room.blobs.put_derived(hash, name, Bytes::new()).await;
        assert!(matches!(refused, Err(Error::Internal(_))), "{name:?}");
        assert!(room.blobs.open_derived(hash, name).await.is_err(), "{name:?}");
    }
}

async fn a_listing_names_each_blob_once_in_order_and_can_go_on_after_one(home: Home) {
    let room = Room::new(home);
    let mut hashes = BTreeSet::new();
    for seed in 500..540 {
        let hash = room.upload(&content(seed, 100)).await.unwrap().hash;
        if seed % 2 == 0 {
            room.blobs.store(hash).await.unwrap();
            room.blobs.put_derived(hash, "text", Bytes::from_static(b"text!")).await.unwrap();
        }
        hashes.insert(hash);
    }
    // Strangers in our folders are passed over.
    fs::write(room.folder.join("spool/notes.txt"), b"a stranger").unwrap();
    let stored = hashes.iter().map(|hash| room.stored(*hash)).find(|path| path.exists()).unwrap();
    fs::write(stored.with_file_name("README"), b"a stranger").unwrap();
    fs::create_dir(room.folder.join("spool/lost+found")).unwrap();

    let listed = room.listed().await;
    assert!(listed.iter().map(|blob| blob.hash).eq(hashes.iter().copied()));
    for blob in &listed {
        let text = Tally { files: 1, bytes: 5 };
        let stored = (blob.stored_bytes, blob.remote_bytes);
        match blob.spooled_bytes {
            Some(100) => assert_eq!((stored, blob.derived), ((None, None), Tally::default())),
            _ if home == Home::Disk => {
                assert_eq!((stored, blob.derived), ((Some(100), None), text))
            }
            _ => assert_eq!((stored, blob.derived), ((None, Some(100)), text)),
        }
        // S3 has a clock of its own.
        assert!(home == Home::S3 || blob.modified_at == room.clock.now());
    }
    for start in [0, 17, 39] {
        let after = Some(listed[start].hash);
        let rest: Vec<Listed> = room.blobs.list(after).try_collect().await.unwrap();
        assert_eq!(rest, listed[start + 1..]);
    }

    let usage = room.blobs.usage().await.unwrap();
    assert_eq!(usage.spooled, Tally { files: 20, bytes: 2_000 });
    let stored = Tally { files: 20, bytes: 2_000 };
    assert_eq!(usage.stored, if home == Home::Disk { stored } else { Tally::default() });
    assert_eq!(usage.derived, Tally { files: 20, bytes: 100 });
    assert_eq!(room.blobs.spooled().await.unwrap(), usage.spooled);
}

async fn a_listing_does_not_mind_blobs_that_come_and_go(home: Home) {
    let room = Room::new(home);
    let steady = room.stored_blob(b"steady").await;
    let blobs = room.blobs.clone();
    let coming_and_going = tokio::spawn(async move {
        for seed in 600..640 {
            let hash = upload(&blobs, &content(seed, 100)).await.unwrap().hash;
            blobs.store(hash).await.unwrap();
            blobs.put_derived(hash, "text", Bytes::from_static(b"text")).await.unwrap();
            blobs.remove(hash, Timestamp::MAX).await.unwrap();
        }
    });
    while !coming_and_going.is_finished() {
        assert!(room.listed().await.iter().any(|blob| blob.hash == steady));
    }
    coming_and_going.await.unwrap();
    assert_eq!(room.listed().await.len(), 1);
}

async fn what_was_derived_from_a_blob_that_is_gone_is_listed_and_removed(home: Home) {
    let room = Room::new(home);
    let hash = Digest::of(b"gone");
    room.blobs.put_derived(hash, "text", Bytes::from_static(b"late")).await.unwrap();
    let listed = room.listed().await;
    assert_eq!((listed[0].hash, listed[0].stored_bytes), (hash, None));
    room.blobs.remove(hash, Timestamp::MAX).await.unwrap();
    assert!(room.listed().await.is_empty());
}

#[test]
fn a_hash_is_64_lower_case_digits_and_nothing_else() {
    let hash = Digest::of(b"abc");
    let text = hash.to_string();
    assert_eq!(text.parse(), Ok(hash));
    assert_eq!(serde_json::to_string(&hash).unwrap(), format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<ContentHash>(&format!("\"{text}\"")).unwrap(), hash);
    for wrong in ["", &text[1..], &text.to_uppercase(), &format!("{text}0"), "../../etc/passwd"] {
        assert!(wrong.parse::<ContentHash>().is_err(), "{wrong:?}");
    }
}
