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

/// Good for one place and one home: a copy of the data folder elsewhere, or a restored backup, is
/// another portal and gets an id of its own. Backups leave it out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Owner {
    pub id: Id<Owner>,
    /// Such as `s3://documents/portal`, with its endpoint.
    pub place: String,
    #[serde(flatten)]
    pub home: Home,
}

/// Where a portal lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// What only this machine is called, as far as it knows: a copy of its disk has the same.
    pub machine: String,
    /// The id of a machine on EC2, where a copy of the disk gets another one; empty on others, and
    /// `None` when it could not be learned.
    #[serde(default)]
    pub instance: Option<String>,
    /// The path of the data folder. Empty in what an earlier version wrote.
    #[serde(default)]
    pub folder: String,
}

impl Home {
    /// What one of the two does not know makes no difference.
    fn is_same(&self, other: &Home) -> bool {
        let is_same_instance = match (&self.instance, &other.instance) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        let is_same_folder = self.folder == other.folder || self.folder.is_empty();
        self.machine == other.machine && is_same_instance && is_same_folder
    }
}

impl Record for Owner {
    const TABLE: Table = Table { number: 43, name: "storage_owner" };

    type Key = ();

    fn key(&self) -> Self::Key {}
}

/// The id under which this portal owns what is in `place`, given out at the first time.
pub fn owner(tx: &mut WriteTx, place: &str, home: &Home) -> Result<Id<Owner>> {
    // Asked at each start, which a full disk must not prevent.
    tx.draw_on_reserve();
    let known = tx.get::<Owner>(&())?;
    let id = match known.filter(|it| it.place == place && it.home.is_same(home)) {
        Some(owner) if owner.home == *home || home.instance.is_none() => return Ok(owner.id),
        // More is known of the same home.
        Some(owner) => owner.id,
        None => tx.new_id(),
    };
    tx.put(&Owner { id, place: place.into(), home: home.clone() })?;
    Ok(id)
}

/// Notes the name under which this portal has made itself the owner, with an event.
pub fn note_claim(
    tx: &mut WriteTx,
    actor: &Actor,
    (place, home): (&str, &Home),
    name: Id<Owner>,
) -> Result<()> {
    decide(actor, Action::Operate)?;
    tx.put(&Owner { id: name, place: place.into(), home: home.clone() })?;
    let nobody = Id::<Owner>::from_uuid(Uuid::nil());
    events::record(tx, actor, actor.organization, Verb::StorageClaimed, nobody, place, None)
}
