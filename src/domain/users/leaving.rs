//! Deleting an account: first it is locked, then its documents are handed over, then it is gone.

use super::{
    BY_HEIR, User,
    keeping::{kept, require_replaceable},
    shut_out,
};
use crate::{
    domain::{
        access::Actor,
        documents,
        events::{self, Verb},
        groups,
        jobs::{self, Task},
        memberships,
        organizations::Organization,
    },
    error::{Error, Result},
    id::Id,
    store::{ReadTx, Record, WriteTx},
};

/// Begins to delete an account: it is locked at once, its documents go to `heir` by a job, and
/// when none is left [`finish_leaving`] removes it.
///
/// # Errors
/// `Invalid` when the heir is the same person, disabled, or no member everywhere the person is one;
/// `Conflict` for one's own account, the last administrator, and while the person is an heir: their
/// job would be over before the documents of the other arrive.
pub fn delete(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<User>,
    heir: Id<User>,
) -> Result<()> {
    tx.draw_on_reserve();
    let mut user = kept(tx, actor, organization, id)?;
    require_replaceable(tx, &user)?;
    if actor.user == Some(id) {
        return Err(Error::conflict(
            "You cannot delete your own account. Ask another administrator.",
        ));
    }
    if user.is_leaving {
        return Err(Error::conflict("This account is being deleted already."));
    }
    if tx.index(&BY_HEIR).within(&id).keys()?.next().transpose()?.is_some() {
        return Err(Error::conflict(
            "Documents of a deleted account are being handed to this person. Try again when that is done.",
        ));
    }
    if heir == id || !may_inherit(tx, organization, &user, heir)? {
        return Err(Error::invalid_field(
            "heir",
            "Choose another active person to hand the documents to.",
        ));
    }
    user.is_disabled = true;
    user.is_leaving = true;
    user.heir = Some(heir);
    tx.put(&user)?;
    shut_out(tx, id)?;
    jobs::enqueue(tx, Task::HandOver { from: id, to: heir })?;
    events::record(tx, actor, organization, Verb::PersonDeleted, id, user.display_name(), None)
}

/// Active, and a member wherever the one who leaves is one and so may have documents.
fn may_inherit(
    tx: &ReadTx,
    organization: Id<Organization>,
    leaving: &User,
    heir: Id<User>,
) -> Result<bool> {
    let is_active = tx.get::<User>(&heir)?.is_some_and(|heir| !heir.is_disabled);
    let of_leaving = memberships::of_user(tx, leaving.id)?;
    let places = of_leaving.iter().map(|membership| membership.organization);
    for place in places.chain([organization]) {
        if memberships::role(tx, place, heir)?.is_none() {
            return Ok(false);
        }
    }
    Ok(is_active)
}

/// Removes an account that owns nothing any more; one that is gone is no error.
///
/// # Errors
/// `Conflict` when the account is not leaving, or a late upload has left a document with it: hand
/// that over too and try again.
pub fn finish_leaving(tx: &mut WriteTx, id: Id<User>) -> Result<()> {
    tx.draw_on_reserve();
    let Some(user) = tx.get::<User>(&id)? else { return Ok(()) };
    if !user.is_leaving || !documents::created_by(tx, id, None, 1)?.is_empty() {
        return Err(Error::conflict("This account is in use or still has documents."));
    }
    for membership in memberships::of_user(tx, id)? {
        groups::leave_all(tx, membership.organization, id)?;
        tx.remove::<memberships::Membership>(&membership.key())?;
    }
    shut_out(tx, id)?;
    tx.remove::<User>(&id)?;
    Ok(())
}
