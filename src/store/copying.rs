//! A copy of the whole store while it is in use: pair by pair, from one view.

use std::path::Path;

use anyhow::Context;

use super::{
    Store,
    engine::{Direction, Engine, Pairs, Span},
    redb::RedbEngine,
};
use crate::error::Result;

/// In one transaction of the copy.
const STEP: usize = 20_000;
const CACHE_BYTES: usize = 32 << 20;

impl Store {
    /// Writes what is committed now into a new database file, with indexes and change log; `advance`
    /// hears how many pairs were written. Writers are not held up. Blocks.
    ///
    /// # Errors
    /// When a file is there already, or the disk is full; then what was written stays.
    pub fn copy_blocking(&self, to: &Path, advance: impl Fn(u64)) -> Result<()> {
        if to.exists() {
            let doing = format!("copying the records: {} is there already", to.display());
            return Err(anyhow::anyhow!(doing).into());
        }
        let reader = self.engine.read()?;
        let copy = RedbEngine::open(to, CACHE_BYTES)?;
        let mut pairs = reader.scan(&Span::prefix(&[]), Direction::Forward)?;
        loop {
            let written = write_some(&copy, &mut pairs).context("copying the records")?;
            if written == 0 {
                return Ok(());
            }
            advance(written);
        }
    }
}

fn write_some(copy: &RedbEngine, pairs: &mut Pairs<'_>) -> anyhow::Result<u64> {
    let mut written = 0;
    copy.write(&mut |writer| {
        for pair in pairs.by_ref().take(STEP) {
            let (key, value) = pair?;
            writer.put(&key, &value)?;
            written += 1;
        }
        Ok(())
    })?;
    Ok(written)
}
