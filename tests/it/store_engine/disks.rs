//! Disks that fail, fill up, and lose their power.

use super::*;

/// A disk that can fail and lose its power: what was written since the last sync is then lost in
/// any part. Clones are the same disk.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<DiskState>>);

#[derive(Debug, Default)]
struct DiskState {
    bytes: Vec<u8>,
    /// The content at the last sync, and what was written since.
    synced: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
    /// How many more writes and syncs succeed; `None` for all.
    budget: Option<u64>,
    /// The blocks that were ever written; on a full disk only these can be written again.
    allocated: BTreeSet<usize>,
    is_full: bool,
}

const BLOCK_BYTES: usize = 4096;

impl Disk {
    fn opened(&self) -> RedbEngine {
        let disk = self.clone();
        let open = move || {
            redb::Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(disk.clone())
        };
        RedbEngine::opened_by(open).unwrap()
    }

    fn fail_after(&self, operations: u64) {
        self.0.lock().unwrap().budget = Some(operations);
    }

    fn fill_up(&self) {
        self.0.lock().unwrap().is_full = true;
    }

    fn mend(&self) {
        let mut state = self.0.lock().unwrap();
        state.budget = None;
        state.is_full = false;
    }

    /// What a machine finds after a power cut, when of the unsynced writes only those arrived for
    /// which `arrives` says so.
    fn after_power_cut(&self, mut arrives: impl FnMut() -> bool) -> Disk {
        let state = self.0.lock().unwrap();
        let mut bytes = state.synced.clone();
        for (at, data) in &state.unsynced {
            if arrives() {
                let end = at + data.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*at..end].copy_from_slice(data);
            }
        }
        let state = DiskState { synced: bytes.clone(), bytes, ..DiskState::default() };
        Disk(Arc::new(Mutex::new(state)))
    }
}

impl DiskState {
    fn spend(&mut self) -> std::io::Result<()> {
        match &mut self.budget {
            Some(0) => Err(std::io::ErrorKind::StorageFull.into()),
            Some(budget) => {
                *budget -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        let state = self.0.lock().unwrap();
        let from = offset as usize;
        let read = state.bytes.get(from..from + out.len());
        out.copy_from_slice(read.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.spend()?;
        state.bytes.resize(len as usize, 0);
        // A file's length arrives with the data; taking it as synced is the harder case, since a
        // longer file of zeros must not be mistaken for content.
        state.synced.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> std::io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.spend()?;
        state.synced = state.bytes.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.spend()?;
        let from = offset as usize;
        let blocks: Vec<usize> =
            (from / BLOCK_BYTES..(from + data.len()).div_ceil(BLOCK_BYTES)).collect();
        if state.is_full && !blocks.iter().all(|block| state.allocated.contains(block)) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        state.allocated.extend(blocks);
        state.bytes[from..from + data.len()].copy_from_slice(data);
        state.unsynced.push((from, data.to_vec()));
        Ok(())
    }
}

fn put_number(engine: &dyn Engine, number: u8) -> anyhow::Result<()> {
    engine.write(&mut |tx| {
        // Two keys and a large value: a commit of many pages.
        tx.put(&[number, 0], &[number; 20_000])?;
        tx.put(&[number, 1], b"")
    })
}

/// The numbers that are there; a number of which only half is there fails the test.
fn numbers(engine: &dyn Engine) -> Vec<u8> {
    let reader = engine.read().unwrap();
    (0..=255)
        .filter(|&number| {
            let value = reader.get(&[number, 0]).unwrap();
            assert_eq!(value.is_some(), reader.get(&[number, 1]).unwrap().is_some());
            assert!(value.iter().flatten().all(|&byte| byte == number));
            value.is_some()
        })
        .collect()
}

#[test]
fn after_the_disk_was_full_redb_goes_on_by_itself() {
    let disk = Disk::default();
    let engine = disk.opened();
    put_number(&engine, 1).unwrap();
    // Wherever in a commit the disk gives up.
    for operations in 0..40 {
        disk.fail_after(operations);
        let full = put_number(&engine, 2);
        disk.mend();
        let is_whole = numbers(&engine).contains(&2);
        if let Err(fault) = full {
            let is_recognized = fault.chain().any(|cause| {
                cause
                    .downcast_ref::<std::io::Error>()
                    .is_some_and(|cause| cause.kind() == std::io::ErrorKind::StorageFull)
            });
            assert!(is_recognized);
        } else {
            assert!(is_whole);
        }
        engine.write(&mut |tx| tx.remove(&[2, 0]).and(tx.remove(&[2, 1]))).unwrap();
        assert_eq!(numbers(&engine), [1]);
    }
}

#[test]
fn while_the_disk_is_full_reads_go_on_and_writes_are_refused() {
    let disk = Disk::default();
    let engine = disk.opened();
    disk.fill_up();
    // Free pages of the file take a few more.
    let last = (0..=255).find(|&number| put_number(&engine, number).is_err()).unwrap();
    let there: Vec<u8> = (0..last).collect();
    for _ in 0..3 {
        put_number(&engine, last).unwrap_err();
        assert_eq!(numbers(&engine), there);
    }
    disk.mend();
    put_number(&engine, last).unwrap();
    assert_eq!(numbers(&engine).len(), there.len() + 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The power goes in the middle of a commit, with any part of the unsynced writes on the disk.
    #[test]
    fn a_power_cut_loses_no_commit_that_was_acknowledged(
        commits in 1u8..6,
        operations in 0u64..40,
        arrivals in vec(any::<bool>(), 64),
    ) {
        let disk = Disk::default();
        let engine = disk.opened();
        for number in 0..commits {
            put_number(&engine, number).unwrap();
        }
        let acknowledged: Vec<u8> = (0..commits).collect();
        disk.fail_after(operations);
        let last = put_number(&engine, 100);
        let mut arrivals = arrivals.into_iter().cycle();
        let found = disk.after_power_cut(|| arrivals.next().unwrap());
        let after = numbers(&found.opened());
        prop_assert_eq!(&after[..commits as usize], &acknowledged[..]);
        prop_assert!(last.is_err() || after.contains(&100));
    }
}
