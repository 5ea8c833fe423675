//! Under which id this portal owns the files in a bucket.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::{
        access::{Action, Actor, decide},
        events::{self, Verb},
    },
    error::Result,
    id::Id,
    store::{Record, Table, WriteTx},
};

/// Good for one place and one machine: a copy of the data folder elsewhere, or a restored backup, is
/// another portal and gets an id of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Owner {
    pub id: Id<Owner>,
    /// Such as `s3://documents/portal`, with its endpoint.
    pub place: String,
    pub machine: String,
}

impl Record for Owner {
    const TABLE: Table = Table { number: 43, name: "storage_owner" };

    type Key = ();

    fn key(&self) -> Self::Key {}
}

/// The id under which this portal owns what is in `place`, given out at the first time.
pub fn owner(tx: &mut WriteTx, place: &str, machine: &str) -> Result<Id<Owner>> {
    // Asked at each start, which a full disk must not prevent.
    tx.draw_on_reserve();
    let known = tx.get::<Owner>(&())?;
    if let Some(owner) = known.filter(|it| it.place == place && it.machine == machine) {
        return Ok(owner.id);
    }
    let id = tx.new_id();
    tx.put(&Owner { id, place: place.into(), machine: machine.into() })?;
    Ok(id)
}

/// Leaves an event about this portal having made itself the owner.
pub fn note_claim(tx: &mut WriteTx, actor: &Actor, place: &str) -> Result<()> {
    decide(actor, Action::Operate)?;
    let nobody = Id::<Owner>::from_uuid(Uuid::nil());
    events::record(tx, actor, actor.organization, Verb::StorageClaimed, nobody, place, None)
}
