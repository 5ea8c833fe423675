//! Records as they are stored, for a backup: bytes, whatever they mean.

use anyhow::Context;
use uuid::Uuid;

use super::{
    engine::{Direction, Pair, Span},
    table::{Table, record_key, record_prefix},
    tx::{ReadTx, WriteTx, meta_key},
};
use crate::error::Result;

const LINEAGE: &str = "lineage";

impl ReadTx<'_> {
    /// All records of a table: their keys and their JSON, in the order of the keys.
    pub fn stored(&self, table: Table) -> Result<impl Iterator<Item = Result<Pair>> + '_> {
        let prefix = record_prefix(table);
        let length = prefix.len();
        Ok(self.scan(&Span::prefix(&prefix), Direction::Forward)?.map(move |pair| {
            let (at, json) = pair?;
            Ok((at[length..].to_vec(), json))
        }))
    }

    /// The JSON of one record.
    pub fn stored_at(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.get_bytes(&record_key(table, key))
    }

    /// Which store this is: sequences of two stores mean nothing to each other.
    pub fn lineage(&self) -> Result<Option<Uuid>> {
        self.meta(LINEAGE)
    }
}

impl WriteTx<'_> {
    /// [`lineage`](ReadTx::lineage), given now when there is none yet. It is no record, so it is in
    /// no backup, and a store that was restored has another.
    pub fn found_lineage(&mut self) -> Result<Uuid> {
        if let Some(known) = self.lineage()? {
            return Ok(known);
        }
        self.renew_lineage()
    }

    /// Another [`lineage`](ReadTx::lineage), for a store that went back to an earlier state: what was
    /// said of it since then is of another one.
    pub fn renew_lineage(&mut self) -> Result<Uuid> {
        let lineage = Uuid::new_v4();
        self.set_meta(LINEAGE, &lineage).context("naming the store")?;
        Ok(lineage)
    }

    /// For a store that goes back in time: what it does from here on must not be taken for what the
    /// other one did.
    pub fn forget_lineage(&mut self) {
        self.discard(meta_key(LINEAGE));
    }
}
