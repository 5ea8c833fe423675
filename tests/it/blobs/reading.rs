//! Ranges, slow readers, and what is missing or damaged.

use std::{fs, time::Duration};

use appliance::{blobs::Verdict, error::Error, hash::Digest};

use futures_util::StreamExt;

use super::{Home, MIB, Room, collect, content, is_missing};

in_both_homes! {
    a_range_is_read_exactly_from_either_place,
    a_reader_who_takes_pieces_slowly_and_keeps_them_gets_the_right_bytes,
    a_missing_blob_is_a_fault_that_names_it,
    a_blob_too_large_for_memory_is_refused,
    a_damaged_blob_is_found,
}

async fn a_range_is_read_exactly_from_either_place(home: Home) {
    let room = Room::new(home);
    let bytes = content(12, 700_001);
    let hash = room.upload(&bytes).await.unwrap().hash;
    for _ in 0..2 {
        let size_bytes = bytes.len() as u64;
        for range in [0..1, 5..5, 0..size_bytes, 262_143..262_145, 1..600_000, 700_000..700_001] {
            let opened = room.blobs.open(hash, Some(range.clone())).await.unwrap();
            assert_eq!(opened.size_bytes, size_bytes);
            assert_eq!(opened.range, range);
            let wanted = &bytes[range.start as usize..range.end as usize];
            assert_eq!(collect(opened).await, wanted);
            let opened = room.blobs.open(hash, Some(range)).await.unwrap();
            assert_eq!(opened.read(MIB).await.unwrap(), wanted);
        }
        let at_end = room.blobs.open(hash, Some(size_bytes..size_bytes + 9)).await.unwrap();
        assert_eq!(at_end.range, size_bytes..size_bytes);
        assert!(collect(at_end).await.is_empty());
        let beyond_end = room.blobs.open(hash, Some(700_000..u64::MAX)).await.unwrap();
        assert_eq!(collect(beyond_end).await, &bytes[700_000..]);
        let outside = room.blobs.open(hash, Some(size_bytes + 1..size_bytes + 2)).await;
        assert!(matches!(outside, Err(Error::Invalid { .. })));
        #[expect(clippy::reversed_empty_ranges, reason = "that is the question")]
        let reversed = room.blobs.open(hash, Some(9..3)).await;
        assert!(matches!(reversed, Err(Error::Invalid { .. })));
        // The second round reads from the store.
        room.blobs.store(hash).await.unwrap();
    }
}

async fn a_reader_who_takes_pieces_slowly_and_keeps_them_gets_the_right_bytes(home: Home) {
    let room = Room::new(home);
    let bytes = content(13, 3 * MIB + 5);
    let hash = room.stored_blob(&bytes).await;
    let mut pieces = room.blobs.open(hash, None).await.unwrap().into_stream();
    let mut kept = Vec::new();
    while let Some(piece) = pieces.next().await {
        kept.push(piece.unwrap());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(kept.concat(), bytes);
}

async fn a_missing_blob_is_a_fault_that_names_it(home: Home) {
    let room = Room::new(home);
    let hash = Digest::of(b"never uploaded");
    for fault in [
        room.blobs.open(hash, None).await.err().unwrap(),
        room.blobs.store(hash).await.unwrap_err(),
    ] {
        assert!(is_missing(&fault, hash), "{fault:?}");
        assert!(format!("{fault:?}").contains(&hash.to_string()));
        assert!(!fault.to_string().contains(&hash.to_string()), "users are not told");
    }
    assert_eq!(room.blobs.verify(hash).await.unwrap(), Verdict::Missing);
}

#[tokio::test]
async fn a_file_that_became_shorter_ends_in_an_error_and_not_in_other_bytes() {
    let room = Room::new(Home::Disk);
    let bytes = content(14, 2 * MIB);
    let hash = room.stored_blob(&bytes).await;
    let opened = room.blobs.open(hash, None).await.unwrap();
    fs::File::options().write(true).open(room.stored(hash)).unwrap().set_len(900_000).unwrap();
    let pieces: Vec<_> = opened.into_stream().collect().await;
    let (last, before) = pieces.split_last().unwrap();
    assert_eq!(last.as_ref().unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    let read: Vec<u8> = before.iter().flat_map(|piece| piece.as_ref().unwrap().to_vec()).collect();
    assert_eq!(read, bytes[..read.len()]);
}

async fn a_blob_too_large_for_memory_is_refused(home: Home) {
    let room = Room::new(home);
    let hash = room.stored_blob(&content(15, 1_001)).await;
    let opened = room.blobs.open(hash, None).await.unwrap();
    assert!(matches!(opened.read(1_000).await, Err(Error::TooLarge(_))));
}

async fn a_damaged_blob_is_found(home: Home) {
    let room = Room::new(home);
    let bytes = content(16, 300_000);
    let hash = room.stored_blob(&bytes).await;
    assert_eq!(room.blobs.verify(hash).await.unwrap(), Verdict::Intact { size_bytes: 300_000 });
    let mut damaged = bytes;
    damaged[123_456] ^= 1;
    fs::write(room.stored(hash), &damaged).unwrap();
    assert_eq!(
        room.blobs.verify(hash).await.unwrap(),
        Verdict::Damaged { found: Digest::of(&damaged), size_bytes: 300_000 }
    );
}
