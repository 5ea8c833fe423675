//! How much room files take, and whose they are: counted from the records, so it costs no look at a
//! disk or a bucket.

use std::collections::HashMap;

use super::Amount;
use crate::{
    domain::{
        blobs::{self, Place},
        documents::{Document, Kind},
        organizations::Organization,
        versions,
    },
    error::Result,
    hash::ContentHash,
    id::Id,
    store::ReadTx,
};

/// All versions of all documents, and the files that they consist of.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// The largest first.
    pub organizations: Vec<OrganizationUsage>,
    /// Each content once, however often it was uploaded.
    pub kept: Amount,
    /// Of those, what has not arrived where files rest.
    pub waiting: Amount,
}

#[derive(Clone, Debug)]
pub struct OrganizationUsage {
    pub id: Id<Organization>,
    pub name: String,
    pub total: Amount,
    /// By the kind of the document, the largest first.
    pub kinds: Vec<(Kind, Amount)>,
}

/// Versions as far as they were counted.
#[derive(Clone, Debug, Default)]
pub struct Counted(HashMap<(Id<Organization>, Kind), Amount>);

/// Counts the versions of up to `limit` documents after `after`; the last one of them. `None` when
/// there are no more.
pub fn count(
    tx: &ReadTx,
    counted: &mut Counted,
    after: Option<Id<Document>>,
    limit: usize,
) -> Result<Option<Id<Document>>> {
    let mut scan = tx.records::<Document>();
    if let Some(after) = after {
        scan = scan.after(&after);
    }
    let mut last = None;
    for document in scan.iter()?.take(limit) {
        let document = document?;
        last = Some(document.id);
        if document.current.is_none() {
            continue;
        }
        let amount = counted.0.entry((document.organization, document.kind)).or_default();
        for version in versions::of_document(tx, document.id)? {
            amount.add(version.size_bytes);
        }
    }
    Ok(last)
}

/// Counts up to `limit` files after `after`; the last one of them.
pub fn count_blobs(
    tx: &ReadTx,
    usage: &mut Usage,
    after: Option<ContentHash>,
    limit: usize,
) -> Result<Option<ContentHash>> {
    let page = blobs::after(tx, after, limit)?;
    for blob in &page {
        usage.kept.add(blob.size_bytes);
        if blob.place == Place::Spooled {
            usage.waiting.add(blob.size_bytes);
        }
    }
    Ok(page.last().map(|blob| blob.hash))
}

impl Counted {
    /// By organization, with their names.
    pub fn by_organization(self, tx: &ReadTx) -> Result<Vec<OrganizationUsage>> {
        let mut all = Vec::new();
        for organization in tx.records::<Organization>().iter()? {
            let Organization { id, name, .. } = organization?;
            let own = self.0.iter().filter(|((organization, _), _)| *organization == id);
            let mut kinds: Vec<_> = own.map(|((_, kind), amount)| (*kind, *amount)).collect();
            kinds.sort_by_key(|(kind, amount)| (std::cmp::Reverse(amount.bytes), kind.name()));
            let mut total = Amount::default();
            kinds.iter().for_each(|(_, amount)| total.add_all(*amount));
            all.push(OrganizationUsage { id, name, total, kinds });
        }
        all.sort_by_key(|usage| std::cmp::Reverse(usage.total.bytes));
        Ok(all)
    }
}
