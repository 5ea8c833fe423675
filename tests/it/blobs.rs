//! The blobs engine against real folders: what an upload promises, what a crash leaves, and what
//! happens when uploads, moves, readers and removals meet.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use appliance::{
    blobs::{
        Blobs, Folders, HEAD_BYTES, Incoming, Limits, Listed, Missing, Opened, Removal, Source,
        Spooled, Tally, Verdict,
    },
    clock::Clock,
    config::StorageConfig,
    error::{Error, Result},
    hash::{ContentHash, Digest},
    host::disk,
};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, TryStreamExt, future};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use crate::support::s3::S3Server;

/// Runs each of these with files resting on the disk and on S3.
macro_rules! in_both_homes {
    ($($name:ident),* $(,)?) => {
        mod on_disk {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Home::Disk).await;
            })*
        }
        mod on_s3 {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Home::S3).await;
            })*
        }
    };
}

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
    uploads_that_announce_much_and_bring_nothing_keep_little_room,
    a_range_is_read_exactly_from_either_place,
    a_reader_who_takes_pieces_slowly_and_keeps_them_gets_the_right_bytes,
    a_missing_blob_is_a_fault_that_names_it,
    a_blob_too_large_for_memory_is_refused,
    a_damaged_blob_is_found,
    moving_to_the_store_is_repeatable,
    readers_never_notice_a_move,
    a_reader_who_has_opened_a_blob_reads_it_to_the_end_after_its_removal,
    a_crash_during_an_upload_leaves_a_file_that_the_next_start_sweeps_away,
    a_crash_after_an_upload_got_its_name_leaves_a_whole_blob,
    a_crash_at_any_step_of_a_move_leaves_the_blob_readable_and_the_move_ends_well,
    a_crash_during_a_removal_is_mended_by_doing_it_again,
    a_removal_takes_the_source_and_all_that_was_derived_and_nothing_else,
    what_is_derived_is_kept_beside_its_source_and_may_be_replaced,
    a_derived_name_cannot_lead_elsewhere,
    a_listing_names_each_blob_once_in_order_and_can_go_on_after_one,
    a_listing_does_not_mind_blobs_that_come_and_go,
    what_was_derived_from_a_blob_that_is_gone_is_listed_and_removed,
}

pub const MIB: usize = 1 << 20;
pub const NO_LIMIT: u64 = u64::MAX;

/// Where files rest in a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    Disk,
    S3,
}

/// Folders of their own for one test, and what a process would have open on them.
struct Room {
    folder: PathBuf,
    objects: PathBuf,
    clock: Clock,
    blobs: Blobs,
    storage: StorageConfig,
    s3: Option<Arc<S3Server>>,
    _temporary: Option<TempDir>,
}

impl Room {
    fn new(home: Home) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().to_owned();
        let s3 = (home == Home::S3).then(|| Arc::new(S3Server::start()));
        let storage = s3.as_ref().map_or_else(StorageConfig::default, |s3| s3.storage(None));
        let objects = folder.join("objects");
        let room = Room::with(&folder, &objects, 0, storage);
        Room { _temporary: Some(temporary), s3, ..room }
    }

    fn over(folder: &Path, objects: &Path, reserve_bytes: u64) -> Self {
        Room::with(folder, objects, reserve_bytes, StorageConfig::default())
    }

    fn with(folder: &Path, objects: &Path, reserve_bytes: u64, storage: StorageConfig) -> Self {
        let clock = Clock::held(Timestamp::now());
        let folders = Folders {
            spool: folder.join("spool"),
            objects: objects.to_owned(),
            cache: folder.join("cache"),
        };
        let limits = Limits { reserve_bytes, ..Limits::default() };
        let blobs = Blobs::at(folders, &storage, limits, clock.clone()).unwrap();
        let (folder, objects) = (folder.to_owned(), objects.to_owned());
        Room { folder, objects, clock, blobs, storage, s3: None, _temporary: None }
    }

    /// As after a crash: a new process opens the same folders.
    fn reopen(self) -> Self {
        let Room { folder, objects, clock, storage, s3, _temporary, .. } = self;
        Room { clock, s3, _temporary, ..Room::with(&folder, &objects, 0, storage) }
    }

    fn spooled(&self, hash: ContentHash) -> PathBuf {
        self.folder.join("spool").join(hash.to_string())
    }

    fn stored(&self, hash: ContentHash) -> PathBuf {
        let name = hash.to_string();
        match &self.s3 {
            Some(s3) => s3.object(&format!("{}/{name}", &name[..2])),
            None => self.objects.join(&name[..2]).join(name),
        }
    }

    /// Something derived always rests on the disk.
    fn derived(&self, hash: ContentHash, derived: &str) -> PathBuf {
        let name = hash.to_string();
        self.objects.join(&name[..2]).join(format!("{name}.{derived}"))
    }

    fn incoming_files(&self) -> Vec<PathBuf> {
        [self.folder.join("spool/incoming"), self.objects.join("incoming")]
            .iter()
            .flat_map(|folder| fs::read_dir(folder).unwrap())
            .map(|found| found.unwrap().path())
            .collect()
    }

    /// An abandoned file is removed on another thread, so shortly after.
    async fn wait_until_nothing_is_incoming(&self) {
        for _ in 0..500 {
            if self.incoming_files().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("still there: {:?}", self.incoming_files());
    }

    async fn upload(&self, bytes: &[u8]) -> Result<Spooled> {
        upload(&self.blobs, bytes).await
    }

    async fn stored_blob(&self, bytes: &[u8]) -> ContentHash {
        let hash = self.upload(bytes).await.unwrap().hash;
        self.blobs.store(hash).await.unwrap();
        hash
    }

    async fn read(&self, hash: ContentHash) -> Bytes {
        let opened = self.blobs.open(hash, None).await.unwrap();
        opened.read(64 * MIB).await.unwrap()
    }

    async fn listed(&self) -> Vec<Listed> {
        self.blobs.list(None).try_collect().await.unwrap()
    }
}

pub async fn upload(blobs: &Blobs, bytes: &[u8]) -> Result<Spooled> {
    let mut incoming = blobs.begin(NO_LIMIT, Some(bytes.len() as u64)).await?;
    // Odd pieces, as a network brings them.
    for chunk in bytes.chunks(60_013) {
        incoming.write(chunk).await?;
    }
    incoming.finish().await
}

/// Different bytes for each seed; no two pieces of them alike.
pub fn content(seed: u64, size_bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size_bytes + 8);
    while bytes.len() < size_bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size_bytes);
    bytes
}

pub async fn collect(opened: Opened) -> Vec<u8> {
    opened.into_stream().map(|piece| piece.unwrap().to_vec()).concat().await
}

pub fn is_missing(error: &Error, hash: ContentHash) -> bool {
    matches!(error, Error::Internal(chain) if chain.downcast_ref() == Some(&Missing(hash)))
}

// Uploading

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

// Room on the disk

#[tokio::test]
async fn an_upload_that_would_use_the_reserve_is_refused_before_it_begins() {
    let temporary = tempfile::tempdir().unwrap();
    let free_bytes = disk::space(temporary.path()).unwrap().free_bytes;
    let objects = temporary.path().join("objects");
    let room = Room::over(temporary.path(), &objects, free_bytes / 2);
    let refused = room.blobs.begin(NO_LIMIT, Some(free_bytes / 4 * 3)).await.err().unwrap();
    assert!(matches!(&refused, Error::Busy { retry_after_s, .. } if *retry_after_s > 0));
    assert!(refused.to_string().contains("disk is full"), "{refused}");
    assert!(room.incoming_files().is_empty());
    assert!(room.upload(b"small").await.unwrap().is_new);
}

async fn uploads_that_announce_much_and_bring_nothing_keep_little_room(home: Home) {
    let room = Room::new(home);
    let most = disk::space(&room.folder).unwrap().free_bytes / 5 * 3;
    let first = room.blobs.begin(NO_LIMIT, Some(most)).await.unwrap();
    let second = room.blobs.begin(NO_LIMIT, Some(most)).await.unwrap();
    drop((first, second));
    let absurd = room.blobs.begin(NO_LIMIT, Some(u64::MAX)).await;
    assert!(matches!(absurd, Err(Error::Busy { .. })));
}

#[tokio::test]
async fn a_step_of_room_is_promised_to_one_upload_at_a_time() {
    const STEP: u64 = 64 << 20;
    // Room for one and a half.
    let Some(small) = SmallDisk::mount("size=96m") else { return };
    let room = Room::over(&small.folder, &small.folder.join("objects"), 0);
    let first = room.blobs.begin(NO_LIMIT, Some(STEP)).await.unwrap();
    assert!(matches!(room.blobs.begin(NO_LIMIT, Some(STEP)).await, Err(Error::Busy { .. })));
    drop(first);
    assert!(room.blobs.begin(NO_LIMIT, Some(STEP)).await.is_ok());
}

#[tokio::test]
async fn asking_for_room_names_the_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let space = disk::space(folder.path()).unwrap();
    assert!(space.free_bytes <= space.total_bytes);
    disk::require(folder.path(), 1, 0).unwrap();
    let refused = disk::require(folder.path(), u64::MAX, 1_000_000_000).unwrap_err();
    assert!(refused.to_string().contains("1 GB to be left free"), "{refused}");
    assert!(disk::space(&folder.path().join("nowhere")).is_err());
}

#[tokio::test]
async fn a_disk_that_fills_up_during_an_upload_says_so_and_leaves_nothing() {
    let Some(small) = SmallDisk::mount("size=4m") else { return };
    let room = Room::over(&small.folder, &small.folder.join("objects"), 0);
    let before = disk::space(&small.folder).unwrap().free_bytes;
    let mut incoming = room.blobs.begin(NO_LIMIT, None).await.unwrap();
    let full = fill(&mut incoming).await;
    assert!(matches!(&full, Error::Busy { .. }), "{full:?}");
    assert!(full.to_string().contains("was not saved"), "{full}");
    drop(incoming);
    room.wait_until_nothing_is_incoming().await;
    // The threads that wrote let go of the file when they notice.
    for _ in 0..500 {
        if disk::space(&small.folder).unwrap().free_bytes == before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(disk::space(&small.folder).unwrap().free_bytes, before);
    assert!(room.upload(&content(10, MIB)).await.unwrap().is_new);
}

#[tokio::test]
async fn an_upload_of_unknown_size_stops_at_the_reserve() {
    let Some(small) = SmallDisk::mount("size=16m") else { return };
    let room = Room::over(&small.folder, &small.folder.join("objects"), 8 << 20);
    let mut incoming = room.blobs.begin(NO_LIMIT, None).await.unwrap();
    assert!(matches!(fill(&mut incoming).await, Error::Busy { .. }));
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
    assert!(matches!(room.blobs.begin(NO_LIMIT, None).await, Err(Error::Busy { .. })));
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

/// A file system in memory, which only root may mount.
struct SmallDisk {
    folder: PathBuf,
    _temporary: TempDir,
}

impl SmallDisk {
    fn mount(options: &str) -> Option<Self> {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("disk");
        fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&folder)
            .output();
        match mounted {
            Ok(output) if output.status.success() => {
                Some(SmallDisk { folder, _temporary: temporary })
            }
            refused => {
                println!("skipped: cannot mount a small disk here: {refused:?}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.folder).status();
        assert!(unmounted.unwrap().success());
    }
}

// Reading

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

// Moving

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
    assert!(matches!(room.blobs.store(hash).await, Err(Error::Busy { .. })));
    assert_eq!(room.read(hash).await, large);
    room.wait_until_nothing_is_incoming().await;
}

// What a crash leaves: the first steps are done by hand, then the folders are opened anew

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

// Removing

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

// Derived blobs

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

// What is there

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

// Measurements: run by hand with `cargo nextest run --run-ignored only measure --no-capture`

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: writes several GiB"]
async fn measure_upload_and_download_of_a_gibibyte() {
    const ROUNDS: usize = 4;
    let room = Room::new(Home::Disk);
    let block = content(600, MIB);
    let source = room.folder.join("source");
    let mut file = fs::File::create(&source).unwrap();
    for _ in 0..1_024 {
        file.write_all(&block).unwrap();
    }
    file.sync_all().unwrap();
    for _ in 0..ROUNDS {
        let copy = room.folder.join("copy");
        let watch = Watch::start("cp and sync");
        let copied = Command::new("sh")
            .args(["-c", "cp \"$0\" \"$1\" && sync \"$1\""])
            .args([&source, &copy])
            .status();
        watch.stop();
        assert!(copied.unwrap().success());
        fs::remove_file(copy).unwrap();

        let watch = Watch::start("SHA-256 alone");
        let mut digest = Digest::new();
        (0..1_024).for_each(|_| digest.update(&block));
        let hash = digest.finish();
        watch.stop();

        let watch = Watch::start("upload");
        let mut incoming = room.blobs.begin(NO_LIMIT, Some(1 << 30)).await.unwrap();
        for _ in 0..1_024 {
            for chunk in block.chunks(64 << 10) {
                incoming.write(chunk).await.unwrap();
            }
        }
        let spooled = incoming.finish().await.unwrap();
        watch.stop();
        assert_eq!(spooled.hash, hash);

        let watch = Watch::start("move");
        room.blobs.store(hash).await.unwrap();
        watch.stop();

        let watch = Watch::start("download");
        let mut pieces = room.blobs.open(hash, None).await.unwrap().into_stream();
        let mut read_bytes = 0;
        while let Some(piece) = pieces.next().await {
            read_bytes += piece.unwrap().len();
        }
        watch.stop();
        assert_eq!(read_bytes, 1 << 30);

        let watch = Watch::start("remove");
        room.blobs.remove(hash, Timestamp::MAX).await.unwrap();
        watch.stop();
        println!();
    }
}

/// Says how long something of one GiB took, and how much of a processor of ours.
struct Watch {
    what: &'static str,
    began: Instant,
    processor_s: f64,
}

impl Watch {
    fn start(what: &'static str) -> Self {
        Watch { what, began: Instant::now(), processor_s: processor_s() }
    }

    fn stop(self) {
        let elapsed_s = self.began.elapsed().as_secs_f64();
        let processor_s = processor_s() - self.processor_s;
        let rate = 1_024.0 / elapsed_s;
        println!(
            "{:>14}: {elapsed_s:6.3} s ({processor_s:5.2} s of CPU), {rate:6.0} MiB/s",
            self.what
        );
    }
}

/// Seconds of processor time of this process, in user and kernel.
fn processor_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // proc(5): utime and stime, in ticks of a hundredth of a second.
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}
