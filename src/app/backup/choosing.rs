//! Which snapshot of a repository is restored: the newest of the portal that is meant, as far as it can be
//! read, and a word about those that were passed over.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{Restore, staging::moment};
use crate::{
    backup::{Head, Repository, Signers, Snapshot, is_unreachable},
    error::{Error, Result},
};

/// The snapshot that is restored, and what is to be known of those that are not.
pub(super) struct Chosen {
    pub snapshot: Snapshot,
    pub warning: Option<String>,
    /// Newer ones that cannot be read; sentences.
    pub damages: Vec<String>,
}

/// The snapshot that was named, or the newest before the moment that is wanted of those that can be read.
pub(super) async fn chosen(repository: &Repository, wanted: &Restore) -> Result<Chosen> {
    if let Some(id) = &wanted.snapshot {
        let snapshots = repository.snapshots().await?;
        let named = snapshots.into_iter().find(|snapshot| snapshot.id == *id);
        let snapshot = named.ok_or_else(|| {
            Error::NotFound(format!(
                "There is no snapshot {id}. “appliance backup list” shows those there are."
            ))
        })?;
        return Ok(Chosen { snapshot, warning: None, damages: Vec::new() });
    }
    let all = repository.heads().await?;
    let Some(oldest) = all.first().map(|(snapshot, _)| snapshot.created_at) else {
        return Err(Error::NotFound("There is no snapshot in this repository yet.".into()));
    };
    let in_time = |snapshot: &Snapshot| wanted.at.is_none_or(|at| snapshot.created_at <= at);
    let (mut heads, unread): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, head)| head.is_some());
    let passed_over = pass_over_strangers(repository, wanted.signers, &mut heads);
    let mut heads: Vec<(Snapshot, Head)> =
        heads.into_iter().filter_map(|(snapshot, head)| Some((snapshot, head?))).collect();
    heads.retain(|(snapshot, _)| in_time(snapshot));
    if let Some(own) = wanted.lineage
        && heads.iter().any(|(_, head)| head.lineage == own)
    {
        heads.retain(|(_, head)| head.lineage == own);
    }
    put_in_order(&mut heads, wanted.signers);
    require_one_portal(&heads)?;
    let newest = heads.last().map(|(snapshot, _)| snapshot.created_at);
    let mut damages = Vec::new();
    for (snapshot, _) in
        unread.iter().filter(|(one, _)| in_time(one) && Some(one.created_at) > newest)
    {
        damages.push(unreadable(repository, snapshot).await?);
    }
    let is_any_signed = heads.iter().any(|(_, head)| head.signer.is_some());
    let Some((snapshot, head)) = heads.pop() else {
        return Err(nothing_to_restore(wanted.signers, oldest, damages));
    };
    let is_doubtful = wanted.signers == Signers::Any && is_any_signed && head.signer.is_none();
    let doubt = is_doubtful.then(|| {
        "Earlier snapshots here are signed and the newest is not: somebody else may have put it there. \
         Say whose you want with --signer."
            .into()
    });
    Ok(Chosen { snapshot, warning: passed_over.or(doubt), damages })
}

/// What is wrong with a snapshot that was passed over; a sentence.
async fn unreadable(repository: &Repository, snapshot: &Snapshot) -> Result<String> {
    let why = match repository.manifest(snapshot).await {
        Err(fault) if is_unreachable(&fault) => return Err(fault),
        Err(fault) => fault.chain(),
        Ok(_) => "it could be read only now".into(),
    };
    Ok(format!(
        "The snapshot {} of {} was passed over, since it cannot be read: {why}",
        snapshot.id,
        moment(snapshot.created_at)
    ))
}

fn nothing_to_restore(signers: Signers, oldest: Timestamp, damages: Vec<String>) -> Error {
    match (damages.into_iter().next(), signers) {
        (Some(damage), _) => {
            Error::invalid(format!("{}. There is no other.", damage.trim_end_matches('.')))
        }
        (None, Signers::Only(key)) => Error::NotFound(format!(
            "No snapshot here is signed by {key}; the oldest one is of {}.",
            moment(oldest)
        )),
        (None, Signers::Any | Signers::Own(_)) => {
            Error::NotFound(format!("The oldest snapshot is of {}.", moment(oldest)))
        }
    }
}

/// Portal by portal, the one that wrote last at the end, and of each in the order in which it made them.
fn put_in_order(heads: &mut [(Snapshot, Head)], signers: Signers) {
    let mut newest = HashMap::new();
    for (_, head) in heads.iter() {
        let last = newest.entry(head.lineage).or_insert_with(|| head.order(signers));
        *last = head.order(signers).max(*last);
    }
    let written_at = |head: &Head| newest.get(&head.lineage).map(|order| order.created_at);
    heads.sort_by_key(|(_, head)| (written_at(head), head.lineage, head.order(signers)));
}

/// Leaves those out that somebody else has put there; a sentence about them.
fn pass_over_strangers(
    repository: &Repository,
    signers: Signers,
    heads: &mut Vec<(Snapshot, Option<Head>)>,
) -> Option<String> {
    let before = heads.len();
    match signers {
        Signers::Any => {}
        Signers::Own(_) => {
            let mut strangers = repository.strangers(heads).into_iter();
            heads.retain(|_| strangers.next() != Some(true));
        }
        Signers::Only(key) => {
            heads.retain(|(_, head)| head.as_ref().is_some_and(|head| head.signer == Some(key)));
        }
    }
    let count = before - heads.len();
    (count > 0).then(|| {
        format!("{count} snapshots were passed over: they do not have the signature they should.")
    })
}

/// One portal after the other may have written to a repository, as after a restore. When two did so at
/// the same time, nobody but a person knows which one is meant. `heads` are [in order](put_in_order).
fn require_one_portal(heads: &[(Snapshot, Head)]) -> Result<()> {
    let Some((newest, own)) = heads.last() else { return Ok(()) };
    let begin = heads.iter().find(|(_, head)| head.lineage == own.lineage);
    // The last of the others is the last of its portal.
    let other = heads.iter().rfind(|(_, head)| head.lineage != own.lineage);
    let (Some((begin, _)), Some((other, head))) = (begin, other) else { return Ok(()) };
    if other.created_at <= begin.created_at {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "Two portals make backups in this repository, such as one that was restored for a test and its \
         original. Say which one you want with --snapshot: {} of {} ({}) or {} of {} ({}).",
        newest.id,
        moment(newest.created_at),
        own.instance,
        other.id,
        moment(other.created_at),
        head.instance,
    )))
}
