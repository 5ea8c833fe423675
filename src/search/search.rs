//! Answering a request.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use anyhow::{Context, anyhow};
use tantivy::{
    DocAddress, Searcher, TantivyDocument,
    schema::{Field, Value},
};
use uuid::Uuid;

use super::{
    after::{After, SKIP_MAX},
    bits::BitsQuery,
    collect::{self, Best, Collected, Plan, Wanted},
    corrections,
    edition::View,
    index::Index,
    marks::Marker,
    order::{self, Key},
    plan::Planner,
    request::{Correction, Hit, LIMIT_MAX, Page, Request, Scope, Sort, Source, Suggestion},
    schema::Fields,
    snippets::Snippets,
    typed::Typed,
    visible::Eyes,
};
use crate::error::{Error, Result};

impl Index {
    /// The page that answers a request.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `after` is no cursor of this order. No text is ever an error.
    pub fn search(&self, request: &Request) -> Result<Page> {
        let sort = effective_sort(request);
        let after = request.after.as_deref().map(|after| After::decode(after, sort)).transpose()?;
        guarded(|| {
            let search = Search::new(self, request);
            search.page(sort, after.as_ref())
        })
    }

    /// How many entries match, without looking at any.
    pub fn count(&self, request: &Request) -> Result<u64> {
        let request = Request { limit: 0, facets: false, after: None, ..request.clone() };
        Ok(self.search(&request)?.total)
    }

    /// Titles that contain what was typed so far, best first: what a search box offers below
    /// itself. Uses the rights, filters and limit of the request.
    pub fn suggest(&self, request: &Request) -> Result<Vec<Suggestion>> {
        let request = Request {
            scope: Scope::Title,
            sort: Sort::Relevance,
            after: None,
            facets: false,
            ..request.clone()
        };
        guarded(|| {
            let search = Search::new(self, &request);
            if search.typed.included().next().is_none() {
                return Ok(Vec::new());
            }
            let (found, _, typed) = search.find(effective_sort(&request), None)?;
            search.suggestions(&found, &typed)
        })
    }
}

/// One answer in the making.
struct Search<'r> {
    request: &'r Request,
    view: Arc<View>,
    fields: Fields,
    visible: BitsQuery,
    sees_nothing: bool,
    typed: Typed,
}

impl<'r> Search<'r> {
    fn new(index: &Index, request: &'r Request) -> Self {
        let fields = index.fields();
        let eyes = Eyes::new(request.tenant, &request.access, &request.filters.statuses);
        let sees_nothing = eyes.see_nothing();
        Search {
            request,
            view: index.view(),
            fields,
            visible: index.sets().query(Arc::new(eyes), &fields),
            sees_nothing,
            typed: Typed::read(&request.text),
        }
    }

    fn page(&self, sort: Sort, after: Option<&After>) -> tantivy::Result<Page> {
        let (found, corrected, typed) = self.find(sort, after)?;
        let skipped = match after {
            Some(After::Hits(count)) => *count,
            _ => 0,
        };
        let limit = self.limit();
        let best = found.best.get(skipped..).unwrap_or(&[]);
        let next = best.get(..limit).filter(|_| best.len() > limit).and_then(<[Best]>::last);
        let next = next.and_then(|last| next_page(sort, skipped + limit, last));
        let best = &best[..best.len().min(limit)];
        Ok(Page {
            hits: self.hits(best, sort, &typed)?,
            total: found.total,
            next: next.map(|after| after.encode(sort)),
            facets: found.facets,
            corrected,
        })
    }

    /// Finds what was typed or, when that is nothing, what was probably meant. The last value is
    /// what was searched for in the end.
    fn find(
        &self,
        sort: Sort,
        after: Option<&After>,
    ) -> tantivy::Result<(Collected, Option<Correction>, Typed)> {
        let found = self.collect(&self.typed, sort, after)?;
        if found.total > 0 || self.sees_nothing || self.typed.included().next().is_none() {
            return Ok((found, None, self.typed.clone()));
        }
        let second = corrections::corrected(&self.planner(), &self.visible, &self.typed)?;
        if let Some((typed, correction)) = second {
            let found = self.collect(&typed, sort, after)?;
            if found.total > 0 {
                return Ok((found, Some(correction), typed));
            }
        }
        Ok((found, None, self.typed.clone()))
    }

    fn collect(
        &self,
        typed: &Typed,
        sort: Sort,
        after: Option<&After>,
    ) -> tantivy::Result<Collected> {
        let planner = self.planner();
        let plan = Plan {
            matching: planner.matching(self.visible.clone(), &self.request.filters, typed)?,
            excluded: planner.excluded(typed)?,
            scoring: if sort == Sort::Relevance { planner.scoring(typed) } else { Vec::new() },
        };
        let (skipped, after) = match after {
            Some(After::Hits(count)) => (*count, None),
            Some(After::Hit { key, id }) => (0, Some((key, *id))),
            None => (0, None),
        };
        // One more than the page holds tells whether there is a next one.
        let count = match self.limit() {
            0 => 0,
            limit => skipped + limit + 1,
        };
        let wanted = Wanted { sort, count, after, facets: self.request.facets };
        collect::collect(&self.view, &plan, &wanted)
    }

    fn planner(&self) -> Planner<'_> {
        Planner {
            fields: &self.fields,
            searcher: &self.view.searcher,
            languages: &self.view.languages,
            scope: self.request.scope,
        }
    }

    fn limit(&self) -> usize {
        self.request.limit.min(LIMIT_MAX)
    }

    fn hits(&self, best: &[Best], sort: Sort, typed: &Typed) -> tantivy::Result<Vec<Hit>> {
        let mut snippets = self.snippets(typed);
        best.iter().map(|best| self.hit(best, sort, &mut snippets)).collect()
    }

    fn hit(&self, best: &Best, sort: Sort, snippets: &mut Snippets) -> tantivy::Result<Hit> {
        let score = match (&best.key, sort) {
            (Key::Number(rank), Sort::Relevance) => order::score_of_rank(*rank),
            _ => 0.0,
        };
        let mut hit = Hit { id: Uuid::from_u128(best.id), score, ..Hit::default() };
        // Without words there is nothing to show, and reading what is stored is the dearest part.
        if !self.request.snippets || snippets.are_empty() {
            return Ok(hit);
        }
        let stored = Stored::read(&self.view.searcher, best.address)?;
        hit.title_html = snippets.whole(stored.text(self.fields.stored_title)).0;
        let (filename_html, is_marked) = snippets.whole(stored.text(self.fields.stored_filename));
        hit.filename_html = is_marked.then_some(filename_html);
        let places = [
            (self.fields.stored_description, Source::Description),
            (self.fields.stored_body, Source::Body),
        ];
        for (field, source) in places {
            hit.snippets.extend(snippets.best(stored.text(field), source));
        }
        Ok(hit)
    }

    fn suggestions(&self, found: &Collected, typed: &Typed) -> tantivy::Result<Vec<Suggestion>> {
        let mut snippets = self.snippets(typed);
        let best = found.best.iter().take(self.limit());
        best.map(|best| {
            let stored = Stored::read(&self.view.searcher, best.address)?;
            let title = stored.text(self.fields.stored_title).to_owned();
            let title_html = snippets.whole(&title).0;
            Ok(Suggestion { id: Uuid::from_u128(best.id), title, title_html })
        })
        .collect()
    }

    fn snippets(&self, typed: &Typed) -> Snippets {
        Snippets::new(Marker::new(typed, &self.view.languages))
    }
}

/// What is stored with a hit.
struct Stored {
    document: TantivyDocument,
}

impl Stored {
    fn read(searcher: &Searcher, address: DocAddress) -> tantivy::Result<Stored> {
        Ok(Stored { document: searcher.doc(address)? })
    }

    fn text(&self, field: Field) -> &str {
        self.document.get_first(field).and_then(|value| value.as_str()).unwrap_or("")
    }
}

/// Without words there is nothing to be relevant to.
fn effective_sort(request: &Request) -> Sort {
    let has_words = || Typed::read(&request.text).included().next().is_some();
    if request.sort == Sort::Relevance && !has_words() { Sort::Newest } else { request.sort }
}

fn next_page(sort: Sort, shown: usize, last: &Best) -> Option<After> {
    match sort {
        Sort::Relevance => (shown <= SKIP_MAX).then_some(After::Hits(shown)),
        _ => Some(After::Hit { key: last.key.clone(), id: last.id }),
    }
}

/// Runs a search so that a damaged file is an error and not a panic.
fn guarded<T>(search: impl FnOnce() -> tantivy::Result<T>) -> Result<T> {
    match panic::catch_unwind(AssertUnwindSafe(search)) {
        Ok(found) => Ok(found.context("searching")?),
        Err(_) => Err(Error::Internal(anyhow!(
            "searching failed; a file of the index is probably damaged"
        ))),
    }
}
