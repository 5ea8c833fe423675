//! The library as people think of it: folders of organizations and categories with files named by
//! their titles, and a table of the details. For leaving, or for reading without a portal.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{App, Reporter, create_private_folder};
use crate::{
    blocking::blocking,
    domain::{
        access::{Action, Actor, decide},
        categories::Category,
        documents::Document,
        organizations::Organization,
        users::{self, User},
    },
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    store::ReadTx,
};

/// Names of files have at most 255 bytes on every common disk; room is left for a number.
const NAME_BYTES_MAX: usize = 200;
/// What is longer is none: “Minutes of the 12. meeting”.
const EXTENSION_BYTES_MAX: usize = 16;
const STEP: usize = 500;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Exported {
    pub documents: u64,
    pub files: u64,
    pub files_bytes: u64,
    /// Files that could not be read; sentences.
    pub damages: Vec<String>,
}

/// A row of the table.
#[derive(Clone, Debug, Serialize)]
struct Details {
    organization: String,
    category: String,
    title: String,
    description: String,
    tags: Vec<String>,
    kind: &'static str,
    status: &'static str,
    visibility: &'static str,
    /// From the folder of the export; empty for a link.
    path: String,
    link: String,
    filename: String,
    media_type: String,
    size_bytes: Option<u64>,
    sha256: Option<ContentHash>,
    version: Option<u32>,
    created_by: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    id: Id<Document>,
}

const COLUMNS: [&str; 19] = [
    "organization",
    "category",
    "title",
    "description",
    "tags",
    "kind",
    "status",
    "visibility",
    "path",
    "link",
    "filename",
    "media_type",
    "size_bytes",
    "sha256",
    "version",
    "created_by",
    "created_at",
    "updated_at",
    "id",
];

impl App {
    /// Writes the library into an empty folder. With a login, what that person sees, and nothing
    /// else.
    ///
    /// # Errors
    /// `Conflict` when the folder is not empty, `NotFound` when there is no such person, and what keeps
    /// files from being written: those that are there by then are whole.
    pub async fn export(
        &self,
        folder: &Path,
        login: Option<String>,
        reporter: &Reporter,
    ) -> Result<Exported> {
        create_private_folder(folder)
            .with_context(|| format!("making the folder {}", folder.display()))?;
        if fs::read_dir(folder).context("looking into the folder")?.next().is_some() {
            let folder = folder.display();
            return Err(Error::conflict(format!("The folder {folder} is not empty.")));
        }
        let user = match login {
            Some(login) => Some(self.store.read(move |tx| by_login(tx, &login)).await?),
            None => None,
        };
        let total = self.store.read(|tx| tx.records::<Document>().count()).await?;
        reporter.begin("Exporting documents", Some(total));
        let mut tables = Tables::begin(folder)?;
        let mut exported = Exported::default();
        let mut names = HashSet::new();
        let mut after = None;
        loop {
            let user = user.clone();
            let page = self.store.read(move |tx| page(tx, user.as_ref(), after)).await?;
            after = page.last;
            for mut details in page.details {
                if let Some(hash) = details.sha256 {
                    let path = free_path(&details, &mut names);
                    match self.export_file(hash, &folder.join(&path)).await? {
                        Ok(size_bytes) => {
                            details.path = path;
                            exported.files += 1;
                            exported.files_bytes += size_bytes;
                        }
                        Err(fault) => exported.damages.push(format!(
                            "The file of “{}” could not be exported: {}.",
                            details.title,
                            fault.chain()
                        )),
                    }
                }
                exported.documents += 1;
                tables.add(&details)?;
            }
            reporter.advance(page.looked_at);
            if after.is_none() {
                break;
            }
        }
        tables.finish()?;
        Ok(exported)
    }

    /// Writes one file; its size, or why it cannot be read.
    async fn export_file(
        &self,
        hash: ContentHash,
        path: &Path,
    ) -> Result<std::result::Result<u64, Error>> {
        let opened = match self.blobs.open(hash, None).await {
            Ok(opened) => opened,
            Err(fault) => return Ok(Err(fault)),
        };
        let path = path.to_owned();
        blocking(move || {
            create_private_folder(path.parent().unwrap_or(Path::new(".")))?;
            let mut out = match File::create_new(&path) {
                Ok(out) => out,
                // Of this name alone.
                Err(fault) if is_of_name(&fault) => return Ok(Err(fault.into())),
                Err(fault) => {
                    return Err(fault).with_context(|| format!("making {}", path.display()))?;
                }
            };
            let copied = copy(&mut super::backup::reader(opened), &mut out);
            if !matches!(copied, Ok(Ok(_))) {
                // What is cut off looks like the file, and is not.
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
            let copied = copied.with_context(|| format!("writing {}", path.display()))?;
            Ok(copied.map_err(|fault| Error::Internal(fault.into())))
        })
        .await
    }
}

/// Whether a disk does not take a name, as some do not take what differs in case only.
fn is_of_name(fault: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, InvalidFilename, InvalidInput};
    matches!(fault.kind(), AlreadyExists | InvalidFilename | InvalidInput)
}

/// Like [`io::copy`], which does not tell apart where it fails: outside, nothing can be written any
/// more; inside, nothing can be read.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<io::Result<u64>> {
    let (mut buffer, mut copied) = (vec![0; 1 << 16], 0);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(Ok(copied)),
            Ok(count) => {
                to.write_all(&buffer[..count])?;
                copied += count as u64;
            }
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(fault) => return Ok(Err(fault)),
        }
    }
}

struct Page {
    details: Vec<Details>,
    looked_at: u64,
    last: Option<Id<Document>>,
}

fn page(tx: &ReadTx, user: Option<&User>, after: Option<Id<Document>>) -> Result<Page> {
    let mut scan = tx.records::<Document>();
    if let Some(after) = after {
        scan = scan.after(&after);
    }
    let mut page = Page { details: Vec::new(), looked_at: 0, last: None };
    for document in scan.iter()?.take(STEP) {
        let document = document?;
        page.looked_at += 1;
        page.last = Some(document.id);
        if document.trashed.is_none() && may_read(tx, user, &document)? {
            page.details.push(details(tx, document)?);
        }
    }
    Ok(page)
}

/// Without a person, everything.
fn may_read(tx: &ReadTx, user: Option<&User>, document: &Document) -> Result<bool> {
    let Some(user) = user else { return Ok(true) };
    let actor = Actor::load(tx, user, Some(document.organization))?;
    Ok(decide(&actor, Action::Read(document)).is_ok())
}

fn by_login(tx: &ReadTx, login: &str) -> Result<User> {
    users::by_login(tx, login)?
        .filter(|user| !user.is_disabled)
        .ok_or_else(|| Error::NotFound(format!("There is nobody named “{login}” who may sign in.")))
}

fn details(tx: &ReadTx, document: Document) -> Result<Details> {
    let organization = tx.get::<Organization>(&document.organization)?;
    let category = document.category.map(|id| tx.get::<Category>(&id)).transpose()?.flatten();
    let creator = tx.get::<User>(&document.created_by)?;
    let current = document.current;
    Ok(Details {
        organization: organization.map(|one| one.name).unwrap_or_default(),
        category: category.map(|category| category.name).unwrap_or_default(),
        title: document.title,
        description: document.description,
        tags: document.tags,
        kind: document.kind.name(),
        status: document.status.name(),
        visibility: document.visibility.name(),
        path: String::new(),
        link: document.link.unwrap_or_default(),
        filename: current.as_ref().map(|file| file.filename.clone()).unwrap_or_default(),
        media_type: current.as_ref().map(|file| file.media_type.clone()).unwrap_or_default(),
        size_bytes: current.as_ref().map(|file| file.size_bytes),
        version: current.as_ref().map(|file| file.number),
        sha256: current.map(|file| file.blob),
        created_by: creator.map(|user| user.username).unwrap_or_default(),
        created_at: document.created_at,
        updated_at: document.updated_at,
        id: document.id,
    })
}

/// `Northlight/Plans/Budget 2026.pdf`, with a number when that is taken: also by a name that differs
/// in case only, which is the same on many disks.
fn free_path(details: &Details, taken: &mut HashSet<String>) -> String {
    let category = if details.category.is_empty() { "Without category" } else { &details.category };
    let folder = format!("{}/{}", safe(&details.organization), safe(category));
    let end = match Path::new(&details.filename).extension() {
        Some(end) if end.len() <= EXTENSION_BYTES_MAX => {
            format!(".{}", safe(&end.to_string_lossy()))
        }
        _ => String::new(),
    };
    let title = safe(details.title.strip_suffix(&end).unwrap_or(&details.title));
    let numbered = |number: u32| match number {
        1 => format!("{folder}/{title}{end}"),
        _ => format!("{folder}/{title} ({number}){end}"),
    };
    let mut number = 1;
    while !taken.insert(numbered(number).to_lowercase()) {
        number += 1;
    }
    numbered(number)
}

/// A name that every common system takes, and that leads nowhere else.
fn safe(name: &str) -> String {
    let is_bad = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    let replaced: String = name.chars().map(|c| if is_bad(c) { '_' } else { c }).collect();
    let trimmed = replaced.trim().trim_matches('.').trim();
    let mut end = trimmed.len().min(NAME_BYTES_MAX);
    while !trimmed.is_char_boundary(end) {
        end -= 1;
    }
    match trimmed[..end].trim() {
        "" => "Untitled".into(),
        name => name.into(),
    }
}

/// `details.csv` (RFC 4180) and `details.json`.
struct Tables {
    csv: io::BufWriter<File>,
    json: io::BufWriter<File>,
    is_first: bool,
}

impl Tables {
    fn begin(folder: &Path) -> Result<Self> {
        let create = |name: &str| -> Result<io::BufWriter<File>> {
            let path: PathBuf = folder.join(name);
            let file =
                File::create_new(&path).with_context(|| format!("making {}", path.display()))?;
            Ok(io::BufWriter::new(file))
        };
        let mut tables =
            Tables { csv: create("details.csv")?, json: create("details.json")?, is_first: true };
        write!(tables.csv, "{}\r\n", COLUMNS.join(","))?;
        tables.json.write_all(b"[")?;
        Ok(tables)
    }

    fn add(&mut self, details: &Details) -> Result<()> {
        let value = serde_json::to_value(details).context("writing details")?;
        let cells: Vec<String> = COLUMNS.iter().map(|name| cell(&value[*name])).collect();
        write!(self.csv, "{}\r\n", cells.join(","))?;
        self.json.write_all(if self.is_first { b"\n" } else { b",\n" })?;
        self.is_first = false;
        let written = serde_json::to_writer(&mut self.json, &value);
        written.map_err(|fault| Error::Internal(anyhow!(fault)))
    }

    fn finish(mut self) -> Result<()> {
        self.json.write_all(b"\n]\n")?;
        for table in [self.csv, self.json] {
            let file = table.into_inner().map_err(|fault| fault.into_error())?;
            file.sync_all().context("writing the details")?;
        }
        Ok(())
    }
}

/// In quotes where it must be. What a spreadsheet would take for a formula begins with an apostrophe.
fn cell(value: &serde_json::Value) -> String {
    let text = match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(parts) => {
            let parts: Vec<_> = parts.iter().filter_map(|part| part.as_str()).collect();
            parts.join("; ")
        }
        other => other.to_string(),
    };
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text };
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}
