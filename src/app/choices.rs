//! What a form offers to somebody who adds or changes a document: the shelves and tags that there
//! are, and whom to show it to.

use super::{App, Find};
use crate::{
    domain::{
        access::{Action, Actor, decide},
        categories::{self, Category},
        groups::{self, Group},
        memberships,
        organizations::Organization,
        users::User,
    },
    error::Result,
    id::Id,
    store::ReadTx,
};

/// What upload and edit forms propose while somebody types.
#[derive(Clone, Debug, Default)]
pub struct Proposals {
    pub categories: Vec<Category>,
    /// The most common ones among what the actor may read.
    pub tags: Vec<String>,
}

/// Whom a document can be shown to.
#[derive(Clone, Debug, Default)]
pub struct Audience {
    /// With the number of members.
    pub groups: Vec<(Group, u64)>,
    /// All members by name, also those who may not sign in at the moment.
    pub people: Vec<User>,
}

impl App {
    /// # Errors
    /// `Forbidden` for somebody who may not add documents.
    pub async fn proposals(&self, actor: Actor) -> Result<Proposals> {
        let organization = actor.at_work()?;
        decide(&actor, Action::Upload(organization))?;
        let categories = self.store.read(move |tx| categories::list(tx, organization)).await?;
        let find = Find { limit: 1, wants_facets: true, ..Find::default() };
        let facets = self.find(actor, find).await?.facets.unwrap_or_default();
        let tags = facets.tags.into_iter().map(|(tag, _)| tag).collect();
        Ok(Proposals { categories, tags })
    }

    /// # Errors
    /// `Forbidden` for somebody who may not add documents.
    pub async fn audience(&self, actor: Actor) -> Result<Audience> {
        let organization = actor.at_work()?;
        decide(&actor, Action::Upload(organization))?;
        self.store.read(move |tx| audience(tx, organization)).await
    }
}

fn audience(tx: &ReadTx, organization: Id<Organization>) -> Result<Audience> {
    let groups = groups::list(tx, organization)?
        .into_iter()
        .map(|group| groups::member_count(tx, group.id).map(|count| (group, count)))
        .collect::<Result<_>>()?;
    let mut people: Vec<User> =
        memberships::members(tx, organization)?.into_iter().map(|(user, _)| user).collect();
    people.sort_by_cached_key(|user| user.display_name().to_lowercase());
    Ok(Audience { groups, people })
}
