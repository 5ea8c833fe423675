//! How many: the figures above the library, and those beside its categories.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use moka::sync::Cache;

use super::{Find, request};
use crate::{
    app::App,
    blocking::blocking,
    domain::{access::Actor, categories::Category, documents::Document},
    error::Result,
    id::Id,
    search::{self, Sort},
};

/// Counts cost a look at every match: kept until the index changes.
pub(in crate::app) type CountCache = Cache<(u64, String), search::Page>;

/// The figures above the library.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    pub documents: u64,
    pub new_this_month: u64,
    pub categories: u64,
    pub updated_at: Option<Timestamp>,
}

impl App {
    /// The figures above the library, for what the actor may read.
    pub async fn statistics(&self, actor: Actor) -> Result<Statistics> {
        let organization = actor.at_work()?;
        self.wait_for_index().await;
        let all = request(&actor, organization, &Find::default(), 1);
        let mut new = all.clone();
        let this_month = self.clock.now().to_zoned(TimeZone::UTC).first_of_month();
        new.filters.created_from_ms = this_month
            .ok()
            .and_then(|first| first.start_of_day().ok())
            .map(|start| start.timestamp().as_millisecond());
        let documents = self.counts(&all, true).await?;
        let new_this_month = self.counts(&new, false).await?.total;
        let categories = documents.facets.map_or(0, |facets| facets.categories.len() as u64);
        let mut latest = all;
        latest.sort = Sort::RecentlyUpdated;
        let latest = self.counts(&latest, false).await?.hits.into_iter().next();
        let updated_at = match latest {
            None => None,
            Some(hit) => {
                let document: Option<Document> =
                    self.store.read(move |tx| tx.get(&Id::from_uuid(hit.id))).await?;
                document.map(|document| document.updated_at)
            }
        };
        Ok(Statistics { documents: documents.total, new_this_month, categories, updated_at })
    }

    /// How many documents in each of these categories the actor may read, the archive included.
    pub async fn category_counts(
        &self,
        actor: Actor,
        categories: Vec<Id<Category>>,
    ) -> Result<BTreeMap<Id<Category>, u64>> {
        let organization = actor.at_work()?;
        self.wait_for_index().await;
        let mut all = request(&actor, organization, &Find::default(), 1);
        all.filters.statuses.clear();
        let facets = self.counts(&all, true).await?.facets.unwrap_or_default();
        let mut counts: BTreeMap<_, _> =
            facets.categories.iter().map(|(id, count)| (Id::from_uuid(*id), *count)).collect();
        // Facets show the most frequent values; the others are counted one by one.
        let is_complete = facets.categories.len() < search::FACET_VALUES_MAX;
        for category in categories {
            if is_complete || counts.contains_key(&category) {
                continue;
            }
            all.filters.categories = vec![category.uuid()];
            counts.insert(category, self.counts(&all, false).await?.total);
        }
        Ok(counts)
    }

    /// The total and the facets of a request, without its hits.
    pub(super) async fn counts(
        &self,
        request: &search::Request,
        wants_facets: bool,
    ) -> Result<search::Page> {
        let mut request = request.clone();
        request.limit = 1;
        request.after = None;
        request.snippets = false;
        request.facets = wants_facets;
        let key = (self.index.generation(), format!("{request:?}"));
        if let Some(known) = self.counts.get(&key) {
            return Ok(known);
        }
        let index = self.index.clone();
        let counted = blocking(move || index.search(&request)).await?;
        self.counts.insert(key, counted.clone());
        Ok(counted)
    }
}
