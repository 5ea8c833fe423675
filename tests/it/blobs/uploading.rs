//! What an upload promises.

use std::{fs, os::unix::fs::PermissionsExt};

use appliance::{
    blobs::{HEAD_BYTES, Verdict},
    error::Error,
    hash::Digest,
};
use bytes::Bytes;
use futures_util::{FutureExt, future};

use super::{Home, MIB, NO_LIMIT, Room, collect, content, upload};

in_both_homes! {
    an_upload_is_named_by_its_sha_256_and_comes_back_byte_for_byte,
    the_name_is_what_sha256sum_says,
    an_empty_file_is_a_blob_like_any_other,
    the_beginning_of_an_upload_is_kept_for_recognizing_its_type,
    an_upload_beyond_the_limit_is_refused_and_leaves_nothing,
    an_abandoned_upload_is_removed_whatever_it_was_doing,
    an_upload_whose_write_was_given_up_half_way_cannot_go_on,
    many_uploads_of_the_same_content_all_succeed_and_it_is_kept_once,
    many_uploads_of_different_content_do_not_mix,
    content_that_is_here_already_is_not_kept_twice,
    a_new_upload_replaces_a_copy_that_lost_bytes,
}

async fn an_upload_is_named_by_its_sha_256_and_comes_back_byte_for_byte(home: Home) {
    let room = Room::new(home);
    let bytes = content(1, 3 * MIB + 17);
    let spooled = room.upload(&bytes).await.unwrap();
    assert_eq!(spooled.hash, Digest::of(&bytes));
    assert_eq!(spooled.size_bytes, bytes.len() as u64);
    assert!(spooled.is_new);
    assert_eq!(room.read(spooled.hash).await, bytes);
    assert_eq!(collect(room.blobs.open(spooled.hash, None).await.unwrap()).await, bytes);
    assert!(room.incoming_files().is_empty());
}

async fn the_name_is_what_sha256sum_says(home: Home) {
    let room = Room::new(home);
    let hash = room.upload(b"abc").await.unwrap().hash;
    // FIPS 180-4, appendix B.1.
    assert_eq!(
        hash.to_string(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

async fn an_empty_file_is_a_blob_like_any_other(home: Home) {
    let room = Room::new(home);
    let hash = room.stored_blob(b"").await;
    assert_eq!(hash, Digest::of(b""));
    assert_eq!(room.read(hash).await, b"".as_slice());
    assert!(collect(room.blobs.open(hash, Some(0..0)).await.unwrap()).await.is_empty());
    assert_eq!(room.blobs.verify(hash).await.unwrap(), Verdict::Intact { size_bytes: 0 });
}

async fn the_beginning_of_an_upload_is_kept_for_recognizing_its_type(home: Home) {
    let room = Room::new(home);
    let bytes = content(2, 20_000);
    let mut incoming = room.blobs.begin(NO_LIMIT, None).await.unwrap();
    assert!(incoming.head().is_empty());
    for chunk in bytes.chunks(3_000) {
        incoming.write(chunk).await.unwrap();
    }
    assert_eq!(incoming.head(), &bytes[..HEAD_BYTES]);
    assert_eq!(incoming.size_bytes(), 20_000);
}

async fn an_upload_beyond_the_limit_is_refused_and_leaves_nothing(home: Home) {
    let room = Room::new(home);
    let mut incoming = room.blobs.begin(2_500_000, None).await.unwrap();
    incoming.write(&content(3, 2_500_000)).await.unwrap();
    let refused = incoming.write(b"x").await.unwrap_err();
    assert!(matches!(&refused, Error::TooLarge(_)));
    assert!(refused.to_string().contains("larger than 2.5 MB"), "{refused}");
    assert!(matches!(incoming.write(b"").await.unwrap_err(), Error::Internal(_)));
    assert!(matches!(incoming.finish().await.unwrap_err(), Error::Internal(_)));
    room.wait_until_nothing_is_incoming().await;

    let announced = room.blobs.begin(2_500_000, Some(2_500_001)).await.err().unwrap();
    assert!(matches!(announced, Error::TooLarge(_)));
    assert!(room.incoming_files().is_empty());

    let mut exact = room.blobs.begin(5, Some(5)).await.unwrap();
    exact.write(b"exact").await.unwrap();
    assert_eq!(exact.finish().await.unwrap().size_bytes, 5);
}

async fn an_abandoned_upload_is_removed_whatever_it_was_doing(home: Home) {
    let room = Room::new(home);
    for size_bytes in [0, 1, MIB, 5 * MIB] {
        let mut incoming = room.blobs.begin(NO_LIMIT, None).await.unwrap();
        assert_eq!(room.incoming_files().len(), 1);
        incoming.write(&content(4, size_bytes)).await.unwrap();
        drop(incoming);
        room.wait_until_nothing_is_incoming().await;
    }
    assert!(room.listed().await.is_empty());
}

async fn an_upload_whose_write_was_given_up_half_way_cannot_go_on(home: Home) {
    let room = Room::new(home);
    let mut incoming = room.blobs.begin(NO_LIMIT, None).await.unwrap();
    let bytes = content(5, 8 * MIB);
    assert!(incoming.write(&bytes).now_or_never().is_none(), "eight batches need a moment");
    assert!(matches!(incoming.write(b"more").await.unwrap_err(), Error::Internal(_)));
    assert!(matches!(incoming.finish().await.unwrap_err(), Error::Internal(_)));
    room.wait_until_nothing_is_incoming().await;
}

async fn many_uploads_of_the_same_content_all_succeed_and_it_is_kept_once(home: Home) {
    let room = Room::new(home);
    let bytes = content(6, 2 * MIB + 1);
    let done = future::try_join_all((0..32).map(|_| {
        let (blobs, bytes) = (room.blobs.clone(), bytes.clone());
        async move { tokio::spawn(async move { upload(&blobs, &bytes).await }).await.unwrap() }
    }))
    .await
    .unwrap();
    assert_eq!(done.iter().filter(|spooled| spooled.is_new).count(), 1);
    assert!(done.iter().all(|spooled| spooled.hash == Digest::of(&bytes)));
    assert_eq!(room.listed().await.len(), 1);
    assert!(room.incoming_files().is_empty());
    assert_eq!(room.read(done[0].hash).await, bytes);
}

async fn many_uploads_of_different_content_do_not_mix(home: Home) {
    let room = Room::new(home);
    let contents: Vec<_> = (100..132).map(|seed| content(seed, MIB + seed as usize)).collect();
    let done = future::try_join_all(contents.iter().map(|bytes| upload(&room.blobs, bytes)));
    let done = done.await.unwrap();
    for (spooled, bytes) in done.iter().zip(&contents) {
        assert!(spooled.is_new);
        assert_eq!(spooled.hash, Digest::of(bytes));
        room.blobs.store(spooled.hash).await.unwrap();
        assert_eq!(room.read(spooled.hash).await, *bytes);
    }
    assert_eq!(room.listed().await.len(), 32);
}

async fn content_that_is_here_already_is_not_kept_twice(home: Home) {
    let room = Room::new(home);
    let bytes = content(7, 100_000);
    let first = room.upload(&bytes).await.unwrap();
    assert!(!room.upload(&bytes).await.unwrap().is_new);
    room.blobs.store(first.hash).await.unwrap();
    // What only S3 has, it is not asked about: the new copy travels again, and the old time is renewed.
    assert_eq!(room.upload(&bytes).await.unwrap().is_new, home == Home::S3);
    room.blobs.store(first.hash).await.unwrap();
    assert_eq!(room.listed().await.len(), 1);
    assert!(!room.spooled(first.hash).exists());
    assert!(room.incoming_files().is_empty());
}

async fn a_new_upload_replaces_a_copy_that_lost_bytes(home: Home) {
    let room = Room::new(home);
    let bytes = content(8, 100_000);
    let hash = room.stored_blob(&bytes).await;
    fs::File::options().write(true).open(room.stored(hash)).unwrap().set_len(50_000).unwrap();
    assert!(room.upload(&bytes).await.unwrap().is_new);
    assert_eq!(room.read(hash).await, bytes);
    room.blobs.store(hash).await.unwrap();
    assert_eq!(room.blobs.verify(hash).await.unwrap(), Verdict::Intact { size_bytes: 100_000 });
}

#[tokio::test]
async fn files_and_folders_are_private() {
    let room = Room::new(Home::Disk);
    let hash = room.stored_blob(b"stored").await;
    room.blobs.put_derived(hash, "text", Bytes::from_static(b"text")).await.unwrap();
    room.upload(b"spooled").await.unwrap();
    let _incoming = room.blobs.begin(NO_LIMIT, None).await.unwrap();

    let mut folders = vec![room.folder.join("spool"), room.objects.clone()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        for found in fs::read_dir(&folder).unwrap() {
            let path = found.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    assert_eq!(files, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_flat_however_large_an_upload_is() {
    let room = Room::new(Home::Disk);
    let chunk = content(9, 64 << 10);
    let mut incoming = room.blobs.begin(NO_LIMIT, None).await.unwrap();
    // The first megabytes make the buffers and the threads.
    for _ in 0..128 {
        incoming.write(&chunk).await.unwrap();
    }
    let before_kb = resident_kb();
    let mut most_kb = before_kb;
    for written in 0..(512 * MIB / chunk.len()) {
        incoming.write(&chunk).await.unwrap();
        if written % 64 == 0 {
            most_kb = most_kb.max(resident_kb());
        }
    }
    let spooled = incoming.finish().await.unwrap();
    assert_eq!(spooled.size_bytes, (520 * MIB) as u64);
    println!("resident: {before_kb} KB before, {most_kb} KB at most during 512 MiB");
    assert!(most_kb < before_kb + (16 << 10), "{before_kb} KB grew to {most_kb} KB");
}

fn resident_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
