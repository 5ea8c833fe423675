//! Groups: named sets of members, for deciding who sees a document.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    access::{Action, Actor, decide},
    events::{self, Verb},
    memberships::Membership,
    organizations::Organization,
    text,
    users::{self, User},
};
use crate::{
    error::{Error, Result},
    id::Id,
    store::{Index, IndexEntries, ReadTx, Record, Table, WriteTx},
    together::together,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    pub id: Id<Group>,
    pub organization: Id<Organization>,
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub created_at: jiff::Timestamp,
}

impl Record for Group {
    const TABLE: Table = Table { number: 5, name: "groups" };

    type Key = Id<Group>;

    fn key(&self) -> Self::Key {
        self.id
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&BY_NAME, &(self.organization, text::fold(&self.name)));
    }
}

const BY_NAME: Index<Group, (Id<Organization>, String)> = Index::unique(1);

/// That a user belongs to a group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupMember {
    pub group: Id<Group>,
    pub user: Id<User>,
    pub organization: Id<Organization>,
}

impl Record for GroupMember {
    const TABLE: Table = Table { number: 6, name: "group_members" };

    type Key = (Id<Group>, Id<User>);

    fn key(&self) -> Self::Key {
        (self.group, self.user)
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&BY_USER, &(self.organization, self.user));
    }
}

const BY_USER: Index<GroupMember, (Id<Organization>, Id<User>)> = Index::new(1);

/// The groups of an organization by name.
pub fn list(tx: &ReadTx, organization: Id<Organization>) -> Result<Vec<Group>> {
    tx.index(&BY_NAME).within(&organization).records()?.collect()
}

/// # Errors
/// `NotFound` when there is no such group, or it is another organization's.
pub fn get(tx: &ReadTx, organization: Id<Organization>, id: Id<Group>) -> Result<Group> {
    find(tx, organization, id)?.ok_or_else(|| Error::not_found("group"))
}

pub fn find(tx: &ReadTx, organization: Id<Organization>, id: Id<Group>) -> Result<Option<Group>> {
    let group = tx.get::<Group>(&id)?;
    Ok(group.filter(|group| group.organization == organization))
}

pub fn members(tx: &ReadTx, group: Id<Group>) -> Result<Vec<User>> {
    let members = tx.records::<GroupMember>().within(&group).iter()?;
    members.map(|member| users::get(tx, member?.user)).collect()
}

pub fn member_count(tx: &ReadTx, group: Id<Group>) -> Result<u64> {
    tx.records::<GroupMember>().within(&group).count()
}

pub fn groups_of(
    tx: &ReadTx,
    organization: Id<Organization>,
    user: Id<User>,
) -> Result<BTreeSet<Id<Group>>> {
    let keys = tx.index(&BY_USER).within(&(organization, user)).keys()?;
    keys.map(|entry| Ok(entry?.1.0)).collect()
}

pub fn create(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    name: &str,
    description: &str,
) -> Result<Group> {
    decide(actor, Action::Curate(organization))?;
    let (name, description) = together((
        free_name(tx, organization, name, None),
        text::paragraph("description", description, 1_000),
    ))?;
    let group = Group { id: tx.new_id(), organization, name, description, created_at: tx.now() };
    tx.put(&group)?;
    events::record(tx, actor, organization, Verb::GroupCreated, group.id, &group.name, None)?;
    Ok(group)
}

pub fn edit(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<Group>,
    name: &str,
    description: &str,
) -> Result<Group> {
    decide(actor, Action::Curate(organization))?;
    let mut group = get(tx, organization, id)?;
    (group.name, group.description) = together((
        free_name(tx, organization, name, Some(id)),
        text::paragraph("description", description, 1_000),
    ))?;
    tx.put(&group)?;
    events::record(tx, actor, organization, Verb::GroupChanged, id, &group.name, None)?;
    Ok(group)
}

/// Deletes a group. Documents that were shown to it keep its id, which nobody holds any more and
/// no other group will ever get.
pub fn delete(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<Group>,
) -> Result<()> {
    tx.draw_on_reserve();
    decide(actor, Action::Curate(organization))?;
    let group = get(tx, organization, id)?;
    let members: Vec<GroupMember> =
        tx.records::<GroupMember>().within(&id).iter()?.collect::<Result<_>>()?;
    for member in members {
        tx.remove::<GroupMember>(&member.key())?;
    }
    tx.remove::<Group>(&id)?;
    events::record(tx, actor, organization, Verb::GroupDeleted, id, &group.name, None)
}

/// # Errors
/// `Invalid` when the person is not a member of the organization.
pub fn add_member(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<Group>,
    user: Id<User>,
) -> Result<()> {
    decide(actor, Action::Curate(organization))?;
    let group = get(tx, organization, id)?;
    if tx.get::<Membership>(&(organization, user))?.is_none() {
        return Err(Error::invalid_field(
            "user",
            "This person is not a member of the organization.",
        ));
    }
    if tx.get::<GroupMember>(&(id, user))?.is_some() {
        return Ok(());
    }
    let person = users::get(tx, user)?;
    tx.put(&GroupMember { group: id, user, organization })?;
    events::record(
        tx,
        actor,
        organization,
        Verb::GroupJoined,
        id,
        &group.name,
        Some(person.display_name()),
    )
}

pub fn remove_member(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<Group>,
    user: Id<User>,
) -> Result<()> {
    tx.draw_on_reserve();
    decide(actor, Action::Curate(organization))?;
    let group = get(tx, organization, id)?;
    if tx.remove::<GroupMember>(&(id, user))?.is_none() {
        return Ok(());
    }
    let person = users::get(tx, user)?;
    events::record(
        tx,
        actor,
        organization,
        Verb::GroupLeft,
        id,
        &group.name,
        Some(person.display_name()),
    )
}

/// Makes exactly these people the members of a group.
pub fn set_members(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    id: Id<Group>,
    wanted: &BTreeSet<Id<User>>,
) -> Result<Group> {
    decide(actor, Action::Curate(organization))?;
    let group = get(tx, organization, id)?;
    let before: BTreeSet<Id<User>> = members(tx, id)?.into_iter().map(|member| member.id).collect();
    for user in before.difference(wanted) {
        remove_member(tx, actor, organization, id, *user)?;
    }
    for user in wanted.difference(&before) {
        add_member(tx, actor, organization, id, *user)?;
    }
    Ok(group)
}

/// Makes a person a member of exactly these groups.
pub fn set_groups_of(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    user: Id<User>,
    wanted: &BTreeSet<Id<Group>>,
) -> Result<()> {
    decide(actor, Action::Curate(organization))?;
    let before = groups_of(tx, organization, user)?;
    for group in before.difference(wanted) {
        remove_member(tx, actor, organization, *group, user)?;
    }
    for group in wanted.difference(&before) {
        add_member(tx, actor, organization, *group, user)?;
    }
    Ok(())
}

/// Takes a user out of every group of an organization.
pub fn leave_all(tx: &mut WriteTx, organization: Id<Organization>, user: Id<User>) -> Result<()> {
    tx.draw_on_reserve();
    for group in groups_of(tx, organization, user)? {
        tx.remove::<GroupMember>(&(group, user))?;
    }
    Ok(())
}

fn free_name(
    tx: &ReadTx,
    organization: Id<Organization>,
    name: &str,
    own: Option<Id<Group>>,
) -> Result<String> {
    let name = text::line("name", name, 100)?;
    match tx.find(&BY_NAME, &(organization, text::fold(&name)))? {
        Some(taken) if Some(taken.id) != own => {
            Err(Error::taken("name", format!("There is a group named “{name}” already.")))
        }
        _ => Ok(name),
    }
}
