//! The columns of one segment: a value per document for sorting and counting.
//!
//! A segment never changes, so its columns are opened once, when it first shows, and not by every
//! search; that would take longer than the search.

use tantivy::{
    DocId, SegmentReader,
    columnar::{BytesColumn, Column, StrColumn},
};

use super::schema::column;

pub(super) struct Columns {
    id_high: Column<u64>,
    id_low: Column<u64>,
    pub created: Column<i64>,
    pub updated: Column<i64>,
    /// Calendar year of creation (UTC).
    pub year: Column<u64>,
    pub size: Column<u64>,
    /// Titles in their order.
    pub title: StrColumn,
    pub category: StrColumn,
    pub kind: StrColumn,
    pub tag: StrColumn,
    pub person: StrColumn,
    pub file_type: StrColumn,
}

impl Columns {
    pub fn open(segment: &SegmentReader) -> tantivy::Result<Columns> {
        let columns = segment.fast_fields();
        let texts = |name: &str| -> tantivy::Result<StrColumn> {
            let none = || StrColumn::wrap(BytesColumn::empty(segment.max_doc()));
            Ok(columns.str(name)?.unwrap_or_else(none))
        };
        Ok(Columns {
            id_high: columns.u64(column::ID_HIGH)?,
            id_low: columns.u64(column::ID_LOW)?,
            created: columns.i64(column::CREATED)?,
            updated: columns.i64(column::UPDATED)?,
            year: columns.u64(column::YEAR)?,
            size: columns.u64(column::SIZE)?,
            title: texts(column::TITLE_ORDER)?,
            category: texts(column::CATEGORY)?,
            kind: texts(column::KIND)?,
            tag: texts(column::TAG)?,
            person: texts(column::PERSON)?,
            file_type: texts(column::FILE_TYPE)?,
        })
    }

    pub fn id(&self, doc: DocId) -> u128 {
        let high = self.id_high.first(doc).unwrap_or(0);
        let low = self.id_low.first(doc).unwrap_or(0);
        u128::from(high) << 64 | u128::from(low)
    }
}
