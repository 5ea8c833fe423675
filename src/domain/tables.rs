//! Every table of the portal, for whatever walks through all of them: backups, restores, `check`.

use anyhow::{Context, anyhow};

use super::{
    backups::{Plan, Run},
    blobs::Blob,
    categories::Category,
    certificates::{AcmeAccount, Certificate, SelfSigned},
    documents::Document,
    events::Event,
    groups::{Group, GroupMember},
    integrity::Sound,
    jobs::Job,
    memberships::Membership,
    organizations::Organization,
    restoring::{Restored, Rules},
    sessions::Session,
    settings::Settings,
    storage::{FileFault, Migration, Owner, Scrubbing},
    tokens::ApiToken,
    users::User,
    versions::Version,
};
use crate::{
    error::{Error, Result},
    store::{Inspection, Key, ReadTx, Table, WriteTx},
};

/// What can be done with the records of one table, whatever they are.
pub struct TableAccess {
    pub table: Table,
    pub count: fn(&ReadTx) -> Result<u64>,
    /// Puts one record that comes back from a backup. An error leaves nothing of it; the transaction
    /// may go on.
    pub load: fn(&mut WriteTx, &[u8], Rules) -> Result<()>,
    /// Removes one; that there is none is fine.
    pub remove: fn(&mut WriteTx, &[u8]) -> Result<()>,
    /// Looks at so many records after a place.
    pub records: fn(&ReadTx, Option<Vec<u8>>, usize) -> Result<Inspection>,
    pub index: fn(&ReadTx, Option<Vec<u8>>, usize) -> Result<Inspection>,
}

/// The one list. A number of a table is in every key of it and never given out again. The order is
/// that of a restore: what is named comes before what names it.
pub const EVERY_TABLE: &[TableAccess] = &[
    access::<Settings>(),
    access::<Organization>(),
    access::<User>(),
    access::<Membership>(),
    access::<Group>(),
    access::<GroupMember>(),
    access::<Category>(),
    access::<Document>(),
    access::<Version>(),
    access::<Blob>(),
    access::<Session>(),
    access::<ApiToken>(),
    access::<Job>(),
    access::<Event>(),
    access::<Plan>(),
    access::<Run>(),
    access::<Scrubbing>(),
    access::<FileFault>(),
    access::<Migration>(),
    access::<Owner>(),
    access::<AcmeAccount>(),
    access::<Certificate>(),
    access::<SelfSigned>(),
];

pub const TABLES: &[Table] = &{
    let mut tables = [EVERY_TABLE[0].table; EVERY_TABLE.len()];
    let mut at = 0;
    while at < tables.len() {
        tables[at] = EVERY_TABLE[at].table;
        at += 1;
    }
    tables
};

impl TableAccess {
    pub fn of(table: &str) -> Option<&'static TableAccess> {
        EVERY_TABLE.iter().find(|access| access.table.name == table)
    }
}

const fn access<R: Restored + Sound>() -> TableAccess {
    TableAccess {
        table: R::TABLE,
        count: |tx| tx.records::<R>().count(),
        load: |tx, json, rules| {
            let record: R = serde_json::from_slice(json)
                .with_context(|| format!("reading a record of {}", R::TABLE.name))?;
            match record.restored(rules) {
                Some(record) => tx.put(&record),
                None => Ok(()),
            }
        },
        remove: |tx, key| {
            let key = R::Key::from_bytes(key).ok_or_else(|| {
                Error::Internal(anyhow!("a key of {} cannot be read", R::TABLE.name))
            })?;
            tx.remove::<R>(&key).map(drop)
        },
        records: |tx, after, limit| {
            tx.inspect_records(after, limit, |record: &R| record.faults(tx))
        },
        index: |tx, after, limit| tx.inspect_index::<R>(after, limit),
    }
}
