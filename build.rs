//! Turns `assets/` into what the binary embeds.
//!
//! Every published file gets a name that carries the hash of its content, so that browsers may
//! keep it forever, and compressed variants beside it. Two small conveniences make a bundler
//! unnecessary: a side-effect import (`@import "./x.css";`, `import "./x.js";`) is replaced by the
//! file it names, and every other reference between assets (`url("./x.svg")`,
//! `import { a } from "./x.js"`) is rewritten to the hashed name. The result lies in
//! `$OUT_DIR/assets/`, with a table of it in `$OUT_DIR/asset_table.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::Write,
    path::{Path, PathBuf},
};

/// Pictures for README.md and the board for Grafana, which a verb prints: nothing that browsers fetch.
const NOT_EMBEDDED: [&str; 2] = ["grafana", "readme"];

/// More files than this are a mistake, such as a folder of photographs in the wrong place.
const FILES_MAX: usize = 200;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=assets");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let target = out.join("assets");
    // What an earlier build left would be embedded too.
    let _ = fs::remove_dir_all(&target);
    fs::create_dir_all(&target).expect("creating the folder of hashed assets");

    let mut sources = BTreeMap::new();
    collect(Path::new("assets"), &mut sources);
    let inlined = inlined_files(&sources);
    let mut press = Press { sources, published: BTreeMap::new(), under_way: Vec::new(), target };
    let names: Vec<String> =
        press.sources.keys().filter(|name| !inlined.contains(*name)).cloned().collect();
    for name in &names {
        press.publish(name);
    }
    let table = table_source(&press.published);
    fs::write(out.join("asset_table.rs"), table).expect("writing the table of assets");
}

/// Every file below `folder` by its bare name; the folders are for people only.
fn collect(folder: &Path, sources: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("reading the folder of assets") {
        let path = entry.expect("reading the folder of assets").path();
        let name = path.file_name().expect("a named file").to_string_lossy().into_owned();
        if name.starts_with('.') || NOT_EMBEDDED.contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            collect(&path, sources);
            continue;
        }
        let content = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(sources.insert(name.clone(), content).is_none(), "two assets are called {name}");
        assert!(sources.len() <= FILES_MAX, "more than {FILES_MAX} assets");
    }
}

/// The files that side-effect imports pull into another file; they are not published alone.
fn inlined_files(sources: &BTreeMap<String, Vec<u8>>) -> BTreeSet<String> {
    let texts = sources.iter().filter(|(name, _)| is_code(name));
    texts.flat_map(|(_, content)| text(content).lines().filter_map(inlined_name)).collect()
}

struct Press {
    sources: BTreeMap<String, Vec<u8>>,
    published: BTreeMap<String, Published>,
    under_way: Vec<String>,
    target: PathBuf,
}

#[derive(Clone)]
struct Published {
    hashed_name: String,
    hash: String,
    has_brotli: bool,
    has_gzip: bool,
}

impl Press {
    /// Writes the file and its compressed variants, after everything it refers to.
    fn publish(&mut self, name: &str) -> Published {
        if let Some(done) = self.published.get(name) {
            return done.clone();
        }
        assert!(!self.under_way.iter().any(|other| other == name), "{name} refers to itself");
        self.under_way.push(name.to_owned());
        let mut content = self.source(name);
        if is_code(name) {
            let inlined = self.inline(name, text(&content));
            content = self.rewrite_references(name, &inlined).into_bytes();
        }
        self.under_way.pop();

        let hash = blake3::hash(&content).to_hex()[..10].to_owned();
        let (stem, extension) = name.rsplit_once('.').expect("an asset has an extension");
        let hashed_name = format!("{stem}.{hash}.{extension}");
        let path = self.target.join(&hashed_name);
        fs::write(&path, &content).expect("writing an asset");
        let has_brotli = write_if_smaller(&path, "br", &content, brotli_of(&content));
        let has_gzip = write_if_smaller(&path, "gz", &content, gzip_of(&content));
        let published = Published { hashed_name, hash, has_brotli, has_gzip };
        self.published.insert(name.to_owned(), published.clone());
        published
    }

    fn source(&self, name: &str) -> Vec<u8> {
        let content = self.sources.get(name);
        content.unwrap_or_else(|| panic!("there is no asset called {name}")).clone()
    }

    /// Replaces side-effect imports by the files they name. A script becomes a block of its own,
    /// so that two files may use the same name for different things.
    fn inline(&self, name: &str, code: &str) -> String {
        let mut whole = String::with_capacity(code.len());
        for line in code.lines() {
            match inlined_name(line) {
                None => whole.push_str(line),
                Some(part) => {
                    let part_content = self.source(&part);
                    let part_code = text(&part_content);
                    let is_script = part.ends_with(".js");
                    let has_imports = part_code.lines().any(|line| {
                        line.starts_with("import ")
                            || line.starts_with("export ")
                            || line.starts_with("@import ")
                    });
                    assert!(!has_imports, "{part} is inlined into {name}: it may not import");
                    whole.push_str(if is_script { "{\n" } else { "" });
                    whole.push_str(part_code.trim_end());
                    whole.push_str(if is_script { "\n}" } else { "" });
                }
            }
            whole.push('\n');
        }
        whole
    }

    /// Puts hashed names where the code names another asset as `"./name"`.
    fn rewrite_references(&mut self, name: &str, code: &str) -> String {
        let mut whole = String::with_capacity(code.len());
        let mut rest = code;
        while let Some(at) = rest.find("\"./") {
            let (before, reference) = rest.split_at(at + 1);
            let end = reference.find('"').unwrap_or_else(|| panic!("{name}: a quote is missing"));
            let (path, fragment) = match reference[..end].split_once('#') {
                Some((path, fragment)) => (path, format!("#{fragment}")),
                None => (&reference[..end], String::new()),
            };
            let hashed_name = self.publish(&path[2..]).hashed_name;
            whole.push_str(before);
            whole.push_str("./");
            whole.push_str(&hashed_name);
            whole.push_str(&fragment);
            rest = &reference[end..];
        }
        whole.push_str(rest);
        whole
    }
}

/// The file that a side-effect import on this line names.
fn inlined_name(line: &str) -> Option<String> {
    let rest = line.strip_prefix("@import \"./").or_else(|| line.strip_prefix("import \"./"))?;
    rest.strip_suffix("\";").map(str::to_owned)
}

fn is_code(name: &str) -> bool {
    name.ends_with(".css") || name.ends_with(".js")
}

fn text(content: &[u8]) -> &str {
    std::str::from_utf8(content).expect("code is UTF-8")
}

/// Keeps a variant only where it saves at least a tenth: images are compressed already.
fn write_if_smaller(path: &Path, suffix: &str, content: &[u8], variant: Vec<u8>) -> bool {
    let pays = variant.len() * 10 < content.len() * 9;
    if pays {
        let variant_path = format!("{}.{suffix}", path.display());
        fs::write(variant_path, variant).expect("writing a compressed asset");
    }
    pays
}

fn brotli_of(content: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, ..Default::default() };
    brotli::BrotliCompress(&mut &content[..], &mut compressed, &parameters)
        .expect("compressing in memory");
    compressed
}

fn gzip_of(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).expect("compressing in memory");
    encoder.finish().expect("compressing in memory")
}

/// The rows that `src/web/assets.rs` includes, sorted by name.
fn table_source(published: &BTreeMap<String, Published>) -> String {
    let mut source = String::from("&[\n");
    for (name, asset) in published {
        let Published { hashed_name, hash, has_brotli, has_gzip } = asset;
        let media_type = media_type(name);
        source.push_str(&format!(
            "    Row {{ name: {name:?}, hashed_name: {hashed_name:?}, path: \
             \"/static/{hashed_name}\", hash: {hash:?}, media_type: {media_type:?}, has_brotli: \
             {has_brotli}, has_gzip: {has_gzip} }},\n"
        ));
    }
    source.push(']');
    source
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("txt") => "text/plain; charset=utf-8",
        _ => panic!("{name}: add the media type of this extension to build.rs"),
    }
}
