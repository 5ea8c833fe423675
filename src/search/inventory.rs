//! What is in the index, for comparing it with the store.

use std::collections::HashMap;

use anyhow::Context;
use uuid::Uuid;

use super::{Index, schema::column};
use crate::error::Result;

impl Index {
    /// Every entry with the time of its last change, in milliseconds since the epoch. Takes some
    /// forty bytes of memory for each.
    pub fn inventory(&self) -> Result<HashMap<Uuid, i64>> {
        let view = self.view();
        let mut entries = HashMap::new();
        for segment in view.searcher.segment_readers() {
            let columns = segment.fast_fields();
            let reading = "reading the entries of the search index";
            let high = columns.u64(column::ID_HIGH).context(reading)?;
            let low = columns.u64(column::ID_LOW).context(reading)?;
            let updated = columns.i64(column::UPDATED).context(reading)?;
            for doc in segment.doc_ids_alive() {
                let (high, low) = (high.first(doc).unwrap_or(0), low.first(doc).unwrap_or(0));
                let id = Uuid::from_u64_pair(high, low);
                entries.insert(id, updated.first(doc).unwrap_or(0));
            }
        }
        Ok(entries)
    }
}
