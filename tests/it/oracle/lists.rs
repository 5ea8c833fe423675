//! Lists, counts, facets, suggestions and figures show what the decision lets an actor read, no more
//! and no less: compared with a look at every document.

use std::collections::{BTreeMap, BTreeSet};

use appliance::{
    domain::{
        access::{Action, Actor, Role, decide},
        documents::{self, Document, Kind, NewDocument, Status, Visibility},
        groups,
        users::{self, User},
    },
    id::Id,
};
use serde_json::Value;

use crate::support::{Api, TestApp};

const CATEGORIES: [&str; 4] = ["", "Plans", "Reports", "Posters"];
const TAGS: [&str; 3] = ["2026", "urgent", "draft"];
const WORDS: [&str; 4] = ["quince", "meadow", "harbor", "lantern"];

/// A library as it grows by itself, from a seed.
struct Library {
    app: TestApp,
    people: Vec<(User, Actor, Api)>,
    documents: Vec<Document>,
    categories: BTreeMap<uuid::Uuid, String>,
}

#[actix_web::test]
async fn lists_counts_and_facets_show_what_may_be_read_and_nothing_else() {
    let library = Library::grow(7, 60).await;
    for person in &library.people {
        for filter in FILTERS {
            library.compare(person, &filter).await;
        }
        library.compare_figures(person).await;
        library.compare_suggestions(person).await;
        library.compare_trash(person).await;
    }
    library.app.stop().await;
}

/// A part of an address, and which documents it is about.
struct Filter {
    query: &'static str,
    admits: fn(&Library, &Document) -> bool,
}

const FILTERS: [Filter; 10] = [
    Filter { query: "", admits: |_, document| is_current(document) },
    Filter { query: "sort=title", admits: |_, document| is_current(document) },
    Filter { query: "status=archived", admits: |_, it| it.status == Status::Archived },
    Filter { query: "status=draft", admits: |_, it| it.status == Status::Draft },
    Filter { query: "q=quince", admits: |_, it| is_current(it) && it.title.contains("quince") },
    Filter {
        query: "category=Plans",
        admits: |library, it| is_current(it) && library.category(it) == "Plans",
    },
    Filter { query: "kind=poster", admits: |_, it| is_current(it) && it.kind == Kind::Poster },
    Filter {
        query: "tag=urgent",
        admits: |_, it| is_current(it) && it.tags.contains(&"urgent".to_owned()),
    },
    Filter {
        query: "tag=urgent&tag=2026&status=published",
        admits: |_, it| {
            let has = |tag: &str| it.tags.iter().any(|own| own == tag);
            it.status == Status::Published && has("urgent") && has("2026")
        },
    },
    Filter { query: "q=nothingofthekind", admits: |_, _| false },
];

fn is_current(document: &Document) -> bool {
    document.status != Status::Archived
}

impl Library {
    async fn grow(seed: u64, count: usize) -> Library {
        let app = TestApp::spawn().await;
        let mut people = vec![app.ada.clone()];
        for (name, role) in [
            ("alma", Role::Admin),
            ("mona", Role::Manager),
            ("eddy", Role::Editor),
            ("erna", Role::Editor),
            ("vera", Role::Viewer),
            ("gus", Role::Viewer),
        ] {
            people.push(app.add_user(name, role).await);
        }
        let (ours, members) = (app.organization, people.clone());
        let documents = app
            .app
            .store
            .write(move |tx| {
                let mut dice = Dice(seed);
                let actors: Vec<Actor> = members
                    .iter()
                    .map(|user| Actor::load(tx, user, Some(ours)))
                    .collect::<Result<_, _>>()?;
                let mut sets = Vec::new();
                for name in ["Readers", "Board"] {
                    let group = groups::create(tx, &actors[0], ours, name, "")?;
                    for member in &members {
                        if dice.below(3) == 0 {
                            groups::add_member(tx, &actors[0], ours, group.id, member.id)?;
                        }
                    }
                    sets.push(group.id);
                }
                let mut made = Vec::new();
                for number in 0..count {
                    let creator = &actors[dice.below(5)];
                    let visibility = match dice.below(4) {
                        0 | 1 => Visibility::Organization,
                        2 => Visibility::Public,
                        _ => Visibility::Restricted {
                            groups: vec![sets[dice.below(2)]],
                            people: vec![members[dice.below(members.len())].id],
                        },
                    };
                    let new = NewDocument {
                        title: format!("{} {number}", WORDS[dice.below(WORDS.len())]),
                        description: String::new(),
                        category: CATEGORIES[dice.below(CATEGORIES.len())].into(),
                        tags: TAGS
                            .iter()
                            .filter(|_| dice.below(2) == 0)
                            .map(|&t| t.into())
                            .collect(),
                        kind: Kind::Link,
                        status: Status::ALL[dice.below(3)],
                        visibility,
                    };
                    let url = "https://example.com";
                    let document = documents::add_link(tx, creator, ours, new, url)?;
                    let document = match dice.below(6) {
                        0 => documents::trash(tx, creator, document.id)?,
                        _ => document,
                    };
                    made.push(document);
                }
                Ok(made)
            })
            .await
            .expect("a library");
        app.settle().await;
        let mut library =
            Library { categories: categories(&app).await, people: Vec::new(), documents, app };
        for user in people {
            let (api, id) = (library.app.signed_in(&user.username).await, user.id);
            let loaded = library.app.app.store.read(move |tx| {
                let user = users::get(tx, id)?;
                Actor::load(tx, &user, Some(ours))
            });
            let actor = loaded.await.expect("an actor");
            library.people.push((user, actor, api));
        }
        library
    }

    fn category(&self, document: &Document) -> &str {
        let name = document.category.and_then(|id| self.categories.get(&id.uuid()));
        name.map(String::as_str).unwrap_or_default()
    }

    /// What the decision says, by a look at everything.
    fn readable(&self, actor: &Actor, filter: &Filter) -> BTreeSet<Id<Document>> {
        self.documents
            .iter()
            .filter(|document| document.trashed.is_none())
            .filter(|document| decide(actor, Action::Read(document)).is_ok())
            .filter(|document| (filter.admits)(self, document))
            .map(|document| document.id)
            .collect()
    }

    async fn compare(&self, (user, actor, api): &(User, Actor, Api), filter: &Filter) {
        let expected = self.readable(actor, filter);
        let name = format!("{} asks for ?{}", user.username, filter.query);
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let query = filter.query;
            let page = api.get(&format!("/api/documents?limit=7&facets=true&{query}{after}")).await;
            assert_eq!(page["total"], expected.len(), "{name}: the total");
            self.compare_facets(&name, &expected, &page["facets"]);
            let rows = page["documents"].as_array().expect("documents");
            assert!(rows.len() <= 7, "{name}: a page is too long");
            found.extend(rows.iter().map(id_of));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
            assert!(found.len() <= self.documents.len(), "{name}: there is no end");
        }
        let unique: BTreeSet<_> = found.iter().copied().collect();
        assert_eq!(unique.len(), found.len(), "{name}: something is on two pages");
        assert_eq!(unique, expected, "{name}");
    }

    fn compare_facets(&self, name: &str, expected: &BTreeSet<Id<Document>>, facets: &Value) {
        let mut tags: BTreeMap<&str, u64> = BTreeMap::new();
        let mut shelves: BTreeMap<&str, u64> = BTreeMap::new();
        let mut people: BTreeMap<String, u64> = BTreeMap::new();
        for document in self.documents.iter().filter(|it| expected.contains(&it.id)) {
            for tag in &document.tags {
                *tags.entry(tag).or_default() += 1;
            }
            if !self.category(document).is_empty() {
                *shelves.entry(self.category(document)).or_default() += 1;
            }
            *people.entry(document.created_by.to_string()).or_default() += 1;
        }
        let counted = |facet: &str, key: &str| -> BTreeMap<String, u64> {
            let values = facets[facet].as_array().expect("a facet").iter();
            values
                .map(|it| {
                    let value = it[key].as_str().expect("a value").to_owned();
                    (value, it["count"].as_u64().expect("a count"))
                })
                .collect()
        };
        let owned = |counts: BTreeMap<&str, u64>| -> BTreeMap<String, u64> {
            counts.into_iter().map(|(value, count)| (value.to_owned(), count)).collect()
        };
        assert_eq!(counted("tags", "value"), owned(tags), "{name}: tags");
        assert_eq!(counted("categories", "name"), owned(shelves), "{name}: categories");
        assert_eq!(counted("people", "id"), people, "{name}: people");
    }

    async fn compare_figures(&self, (user, actor, api): &(User, Actor, Api)) {
        let expected = self.readable(actor, &FILTERS[0]);
        let shelves: BTreeSet<&str> = self
            .documents
            .iter()
            .filter(|document| expected.contains(&document.id))
            .map(|document| self.category(document))
            .filter(|name| !name.is_empty())
            .collect();
        let figures = api.get("/api/statistics").await;
        assert_eq!(figures["documents"], expected.len(), "{}", user.username);
        assert_eq!(figures["new_this_month"], expected.len(), "{}", user.username);
        assert_eq!(figures["categories"], shelves.len(), "{}", user.username);
    }

    async fn compare_suggestions(&self, (user, actor, api): &(User, Actor, Api)) {
        for word in WORDS {
            let may = |document: &Document| is_current(document) && document.title.contains(word);
            let expected: BTreeSet<_> = self
                .documents
                .iter()
                .filter(|document| document.trashed.is_none() && may(document))
                .filter(|document| decide(actor, Action::Read(document)).is_ok())
                .map(|document| document.id)
                .collect();
            let answer = api.get(&format!("/api/suggestions?q={}", &word[..3])).await;
            let found: BTreeSet<_> =
                answer["suggestions"].as_array().expect("suggestions").iter().map(id_of).collect();
            assert!(found.is_subset(&expected), "{} types {word}", user.username);
            assert_eq!(found.len(), expected.len().min(8), "{} types {word}", user.username);
        }
    }

    async fn compare_trash(&self, (user, actor, api): &(User, Actor, Api)) {
        let expected: BTreeSet<_> = self
            .documents
            .iter()
            .filter(|document| document.trashed.is_some())
            .filter(|document| decide(actor, Action::Edit(document)).is_ok())
            .map(|document| document.id)
            .collect();
        let mut found = BTreeSet::new();
        let mut after = String::new();
        loop {
            let page = api.get(&format!("/api/trash?limit=3{after}")).await;
            found.extend(page["documents"].as_array().expect("documents").iter().map(id_of));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(found, expected, "{} looks into the trash", user.username);
    }
}

async fn categories(app: &TestApp) -> BTreeMap<uuid::Uuid, String> {
    let answer = app.signed_in("ada").await.get("/api/admin/categories").await;
    let rows = answer["categories"].as_array().expect("categories").iter();
    let named = |row: &Value| {
        let id = row["id"].as_str().expect("an id").parse().expect("a UUID");
        (id, row["name"].as_str().expect("a name").to_owned())
    };
    rows.map(named).collect()
}

fn id_of(row: &Value) -> Id<Document> {
    row["id"].as_str().expect("an id").parse().expect("a UUID")
}

/// Numbers that look random and are the same each time (the constants are Knuth's, from MMIX).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}
