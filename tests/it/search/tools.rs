//! A library to search, and small makers of what goes into it.

use super::*;

/// An index in a folder of its own.
pub struct Library {
    pub index: Index,
    pub folder: tempfile::TempDir,
    pub options: Options,
}

impl std::ops::Deref for Library {
    type Target = Index;

    fn deref(&self) -> &Index {
        &self.index
    }
}

impl Library {
    pub fn new() -> Self {
        Self::with(Options { writer_memory_bytes: 15_000_000, ..Options::default() })
    }

    pub fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Library { index: Index::open(folder.path(), options.clone()).unwrap(), folder, options }
    }

    pub fn reopen(self) -> Self {
        self.reopen_after(|_| {})
    }

    pub fn reopen_after(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let Library { index, folder, options } = self;
        drop(index);
        meanwhile(folder.path());
        Library { index: Index::open(folder.path(), options.clone()).unwrap(), folder, options }
    }

    pub fn put(&self, entries: impl IntoIterator<Item = Entry>) {
        self.apply(entries.into_iter().map(put).collect());
    }

    pub fn remove(&self, numbers: impl IntoIterator<Item = u128>) {
        self.apply(numbers.into_iter().map(|number| Change::Remove(id(number))).collect());
    }

    pub fn apply(&self, changes: Vec<Change>) {
        let cursor = self.index.cursor();
        self.index.apply(cursor, changes, cursor + 1).unwrap();
    }

    pub fn page(&self, text: &str) -> Page {
        self.index.search(&request(text)).unwrap()
    }

    /// The numbers of what is found, in rising order.
    pub fn find(&self, text: &str) -> Vec<u128> {
        ids_sorted(&self.page(text))
    }
}

/// Holds a sentence against random cases.
pub fn check<S: Strategy>(
    cases: u32,
    strategy: &S,
    holds: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest::test_runner::TestRunner::new(config).run(strategy, holds).unwrap();
}

pub fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub fn put(entry: Entry) -> Change {
    Change::Put(Box::new(entry))
}

/// What the members of the tenant ask.
pub fn request(text: &str) -> Request {
    Request {
        tenant: TENANT,
        access: strings(&["org"]),
        text: text.to_owned(),
        limit: 100,
        snippets: true,
        ..Request::default()
    }
}

pub fn titled(number: u128, title: &str) -> Entry {
    Entry {
        id: id(number),
        tenant: TENANT,
        access: strings(&["org"]),
        status: "published".to_owned(),
        title: title.to_owned(),
        kind: "file".to_owned(),
        ..Entry::default()
    }
}

pub trait Described: Sized {
    fn described(self, description: &str) -> Self;
    fn with_body(self, body: &str) -> Self;
    fn tagged(self, tag: &str) -> Self;
    fn visible_to(self, access: &[&str]) -> Self;
    fn at(self, created_at_ms: i64) -> Self;
}

impl Described for Entry {
    fn described(mut self, description: &str) -> Self {
        self.description = description.to_owned();
        self
    }

    fn with_body(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    fn tagged(mut self, tag: &str) -> Self {
        self.tags.push(tag.to_owned());
        self
    }

    fn visible_to(mut self, access: &[&str]) -> Self {
        self.access = strings(access);
        self
    }

    fn at(mut self, created_at_ms: i64) -> Self {
        self.created_at_ms = created_at_ms;
        self
    }
}

pub fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

pub fn ids(page: &Page) -> Vec<u128> {
    page.hits.iter().map(|hit| hit.id.as_u128()).collect()
}

pub fn ids_sorted(page: &Page) -> Vec<u128> {
    let mut ids = ids(page);
    ids.sort_unstable();
    ids
}

pub fn all_pages(index: &Index, request: &Request) -> Vec<u128> {
    let mut all = Vec::new();
    let mut request = request.clone();
    for _ in 0..10_000 {
        let page = index.search(&request).unwrap();
        assert!(page.hits.len() <= request.limit);
        all.extend(ids(&page));
        match page.next {
            Some(next) => request.after = Some(next),
            None => return all,
        }
    }
    panic!("pages without end");
}

pub fn wait_until(mut is_so: impl FnMut() -> bool) -> bool {
    for _ in 0..500 {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

pub fn current_edition(folder: &Path) -> std::path::PathBuf {
    let current = fs::read_to_string(folder.join("current")).unwrap();
    folder.join(current.lines().nth(1).unwrap())
}

pub fn editions(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().filter(|found| found.as_ref().unwrap().path().is_dir()).count()
}

pub fn file_with(edition: &Path, ending: &str) -> std::path::PathBuf {
    fs::read_dir(edition)
        .unwrap()
        .map(|found| found.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with(ending))
        .unwrap()
}

pub fn cut_off(edition: &Path, ending: &str) {
    let path = file_with(edition, ending);
    let length = fs::metadata(&path).unwrap().len();
    fs::File::options().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
}
