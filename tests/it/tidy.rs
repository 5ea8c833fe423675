//! The shape of the code: who may import whom, and what may stand nowhere.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The layers from the bottom up, each with what it may import besides itself. `src/lib.rs` says
/// why.
const LAYERS: [(&str, &[&str], &[&str]); 7] = [
    (
        "base",
        &[
            "blocking", "clock", "config", "error", "glibc", "hash", "heap", "id", "log_tail",
            "size", "space", "together", "version",
        ],
        &["base"],
    ),
    ("clients", &["s3"], &["base"]),
    (
        "engines",
        &["backup", "blobs", "extract", "host", "release", "search", "store", "tls"],
        &["base", "clients"],
    ),
    ("domain", &["domain"], &["base", "store"]),
    ("flows", &["app"], &["base", "clients", "engines", "domain"]),
    ("web", &["web"], &["base", "store", "domain", "app"]),
    ("shell", &["cli", "control", "main"], &["base", "engines", "domain", "app", "web"]),
];

/// What `domain` must do without: it is plain Rust inside a transaction.
const NOT_IN_DOMAIN: [&str; 5] = ["actix", "tantivy", "object_store", "tokio", "async fn"];

#[test]
fn imports_go_one_way() {
    let mut broken = Vec::new();
    for file in source_files() {
        let text = fs::read_to_string(&file).expect("a source file");
        let module = module_of(&file);
        if module == "lib" {
            continue;
        }
        for imported in imported_modules(&text) {
            if !may_import(&module, &imported) {
                broken.push(format!("{}: `{module}` must not import `{imported}`", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "imports against the layers of src/lib.rs:\n{}", broken.join("\n"));
}

#[test]
fn the_domain_knows_no_transport_and_no_engine_but_the_store() {
    for file in source_files().into_iter().filter(|file| module_of(file) == "domain") {
        let text = fs::read_to_string(&file).expect("a source file");
        for word in NOT_IN_DOMAIN {
            let found = code_lines(&text).find(|line| line.contains(word));
            assert!(found.is_none(), "{} uses {word}: {}", file.display(), found.unwrap_or(""));
        }
    }
}

/// A request may end long after its actor was read.
#[test]
fn what_a_request_writes_is_decided_with_the_rights_of_that_moment() {
    for file in source_files().into_iter().filter(|file| module_of(file) == "web") {
        // Notes about the session and the token itself.
        if file.ends_with("web/auth.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file");
        let code: String = code_lines(&text).flat_map(str::split_whitespace).collect();
        assert!(
            !code.contains("store.write("),
            "{} writes without App::write_as or App::change",
            file.display()
        );
    }
}

#[test]
fn every_folder_of_the_source_introduces_itself() {
    for file in source_files() {
        let text = fs::read_to_string(&file).expect("a source file");
        let is_exempt = file.ends_with("main.rs") || file.ends_with("tests.rs");
        assert!(is_exempt || text.starts_with("//!"), "{} has no introduction", file.display());
    }
}

#[test]
fn every_table_has_a_number_and_a_name_of_its_own() {
    let tables = appliance::domain::TABLES;
    let numbers: BTreeSet<u8> = tables.iter().map(|table| table.number).collect();
    let names: BTreeSet<&str> = tables.iter().map(|table| table.name).collect();
    assert_eq!(numbers.len(), tables.len());
    assert_eq!(names.len(), tables.len());
}

/// A table that is missing there would be lost in a restore, and nobody would look at it.
#[test]
fn every_record_has_its_table_in_the_list() {
    let records = source_files()
        .into_iter()
        .filter(|file| module_of(file) == "domain")
        .map(|file| fs::read_to_string(file).expect("a source file"))
        .map(|text| code_lines(&text).filter(|line| line.starts_with("impl Record for ")).count())
        .sum::<usize>();
    assert_eq!(records, appliance::domain::TABLES.len());
}

fn may_import(importer: &str, imported: &str) -> bool {
    let Some((layer, _, allowed)) = LAYERS.iter().find(|(_, own, _)| own.contains(&importer))
    else {
        return false;
    };
    // Engines do not know each other; everything else may import within its layer.
    let within_layer = importer == imported || *layer != "engines";
    LAYERS.iter().any(|(name, modules, _)| {
        let is_named = allowed.contains(name) || allowed.contains(&imported);
        modules.contains(&imported) && (is_named || name == layer && within_layer)
    })
}

fn source_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the source") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 50, "the source was not found");
    files.sort();
    files
}

/// The first module of a file's path: `src/web/pages/mod.rs` belongs to `web`.
fn module_of(file: &Path) -> String {
    let inside = file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let first = inside.expect("below src").components().next().expect("a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The modules that follow `crate::`, also inside braces.
fn imported_modules(text: &str) -> BTreeSet<String> {
    let code: String = code_lines(text).collect::<Vec<_>>().join("\n");
    let mut modules = BTreeSet::new();
    for (_, after) in
        code.match_indices("crate::").map(|(at, found)| (at, &code[at + found.len()..]))
    {
        match after.strip_prefix('{') {
            Some(group) => modules.extend(heads_of_group(group)),
            None => modules.extend(head(after)),
        }
    }
    modules
}

fn heads_of_group(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let (mut depth, mut is_start) = (0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_start = true,
            c if is_start && !c.is_whitespace() => {
                is_start = false;
                heads.extend(head(&group[at..]));
            }
            _ => {}
        }
    }
    heads
}

fn head(path: &str) -> Option<String> {
    let name: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let is_module = name.chars().next().is_some_and(char::is_lowercase);
    is_module.then_some(name)
}

fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}
