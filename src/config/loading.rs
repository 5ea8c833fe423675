//! Puts the settings together from the file, the environment and the flags.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue},
};

use super::{
    Config,
    keys::{KEYS, Key, is_section, nearest},
};
use crate::error::Error;

/// Read when no other file is named and it exists.
pub const SYSTEM_FILE: &str = "/etc/appliance/appliance.toml";

const PREFIX: &str = "APPLIANCE_";
/// Names the file; the only variable that is no setting.
const FILE_VARIABLE: &str = "APPLIANCE_CONFIG";
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The path of a key, the flag, and what was written behind it.
pub type Flags = Vec<(&'static str, &'static str, String)>;

/// Where settings may come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file that `--config` names.
    pub file: Option<PathBuf>,
    /// The variables of the environment whose name begins with `APPLIANCE_`.
    pub environment: BTreeMap<OsString, OsString>,
    pub flags: Flags,
}

impl Sources {
    /// The environment of this process.
    pub fn of_process() -> Self {
        let ours = |name: &OsString| name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        let environment = env::vars_os().filter(|(name, _)| ours(name)).collect();
        Sources { environment, ..Sources::default() }
    }

    /// The file that is read, if any is.
    pub fn file(&self) -> Option<PathBuf> {
        if let Some(named) = &self.file {
            return Some(named.clone());
        }
        if let Some(named) = self.environment.get(&OsString::from(FILE_VARIABLE))
            && !named.is_empty()
        {
            return Some(PathBuf::from(named));
        }
        let system = Path::new(SYSTEM_FILE);
        // One that is there and cannot be looked at must not be passed over.
        match system.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            _ => Some(system.to_owned()),
        }
    }
}

/// The settings, and where each comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Loaded {
    pub fn origin(&self, key: &Key) -> Origin {
        self.origins.get(key.path).cloned().unwrap_or(Origin::Default)
    }

    /// The value of one key as TOML.
    pub fn value(&self, key: &Key) -> Value {
        let mut value = Value::try_from(&self.config).ok();
        for part in key.path.split('.') {
            value = value.and_then(|value| value.get(part).cloned());
        }
        // Only what is `None` is missing, and that is written as an empty text.
        value.unwrap_or(Value::String(String::new()))
    }
}

/// Who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Origin::Variable(name) => f.write_str(name),
            Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// Everything that is wrong with the configuration; each a sentence that names its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        let rest = match problems.0.len() {
            0..=1 => String::new(),
            count => format!(" (and {} more: “appliance config check” lists them)", count - 1),
        };
        Error::invalid(problems.0.into_iter().next().unwrap_or_default() + &rest)
    }
}

/// Reads the file, the environment and the flags; the later win.
///
/// # Errors
/// With everything that is wrong, not only the first.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let mut draft = Draft::default();
    let file = sources.file();
    if let Some(path) = &file {
        draft.read_file(path);
    }
    draft.read_environment(&sources.environment);
    for (path, flag, text) in &sources.flags {
        if let Some(key) = Key::find(path) {
            draft.set_text(key, text, Origin::Flag(flag));
        }
    }
    draft.finish(file)
}

/// Settings in the making: always ones that can be read, with the problems beside them.
#[derive(Default)]
struct Draft {
    table: Table,
    origins: BTreeMap<&'static str, Origin>,
    problems: Vec<String>,
}

impl Draft {
    fn read_file(&mut self, path: &Path) {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) => {
                let advice = match error.kind() {
                    io::ErrorKind::PermissionDenied => " Run it as root.",
                    _ => "",
                };
                self.problems.push(format!(
                    "The configuration file {} cannot be read: {error}.{advice}",
                    path.display()
                ));
                return;
            }
        };
        let parsed = DeTable::parse(&text).and_then(|spans| Ok((spans, toml::from_str(&text)?)));
        match parsed {
            Ok((spans, values)) => {
                let file = FileText { path, text: &text };
                self.read_table(&file, "", spans.get_ref(), &values);
            }
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(&text, span.start));
                let message = error.message().trim_end_matches('.');
                self.problems.push(format!("{}, line {line}: {message}.", path.display()));
            }
        }
    }

    /// `spans` tells where things stand and `values` what they are; both are the same table.
    fn read_table(&mut self, file: &FileText, above: &str, spans: &DeTable, values: &Table) {
        for (name, span) in spans {
            let path = match above {
                "" => name.get_ref().to_string(),
                above => format!("{above}.{}", name.get_ref()),
            };
            let Some(value) = values.get(name.get_ref().as_ref()) else { continue };
            let line = line_of(file.text, name.span().start);
            let place = Origin::File { path: file.path.to_owned(), line };
            match (Key::find(&path), span.get_ref(), value) {
                (Some(key), _, value) => self.set(key, value.clone(), place),
                (None, DeValue::Table(spans), Value::Table(values)) if is_section(&path) => {
                    self.read_table(file, &path, spans, values);
                }
                (None, _, _) if is_section(&path) => self.problems.push(format!(
                    "{place}: “{path}” is a section. Write [{path}] on a line of its own."
                )),
                (None, ..) => self.refuse_key(&path, span, &place),
            }
        }
    }

    fn refuse_key(&mut self, path: &str, span: &Spanned<DeValue>, place: &Origin) {
        let name = match span.get_ref() {
            DeValue::Table(_) => format!("There is no section [{path}]"),
            _ => format!("There is no setting “{path}”"),
        };
        let own_name = path.rsplit('.').next().unwrap_or(path);
        let in_another_section = KEYS
            .iter()
            .map(|key| key.path)
            .find(|known| known.rsplit('.').next() == Some(own_name));
        let known = nearest(path, KEYS.iter().flat_map(|key| [key.path, section_of(key)]));
        let advice = match known.or(in_another_section) {
            Some(known) => format!("Did you mean “{known}”?"),
            None => "“appliance config show --template” lists all settings.".into(),
        };
        self.problems.push(format!("{place}: {name}. {advice}"));
    }

    fn read_environment(&mut self, environment: &BTreeMap<OsString, OsString>) {
        for (name, value) in environment.iter().filter(|(name, _)| *name != FILE_VARIABLE) {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
                let name = name.display();
                self.problems.push(format!("The environment variable {name} is not text."));
                continue;
            };
            let plain = KEYS.iter().find(|key| key.variable() == name);
            let from_file = || {
                let name = name.strip_suffix("_FILE")?;
                KEYS.iter().find(|key| key.variable() == name)
            };
            match (plain, from_file()) {
                // What a script leaves empty, it does not want to set.
                (Some(_), _) | (_, Some(_)) if value.is_empty() => {}
                (Some(key), _) => self.set_text(key, value, Origin::Variable(name.into())),
                (None, Some(key)) => self.read_value_file(key, name, value, environment),
                (None, None) => self.refuse_variable(name),
            }
        }
    }

    fn read_value_file(
        &mut self,
        key: &'static Key,
        name: &str,
        path: &str,
        environment: &BTreeMap<OsString, OsString>,
    ) {
        if environment.get(&OsString::from(key.variable())).is_some_and(|value| !value.is_empty()) {
            let plain = key.variable();
            self.problems.push(format!("Both {plain} and {name} are set. Remove one of them."));
            return;
        }
        match read_text(Path::new(path)) {
            Ok(text) => self.set_text(key, text.trim_end(), Origin::Variable(name.into())),
            Err(error) => {
                self.problems.push(format!("{name}: the file {path} cannot be read: {error}."));
            }
        }
    }

    fn refuse_variable(&mut self, name: &str) {
        let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
        let names = known.iter().map(String::as_str).chain([FILE_VARIABLE]);
        let advice = match nearest(name, names) {
            Some(known) => format!("Did you mean {known}?"),
            None => "Unset it; “appliance config show --template” lists all settings.".into(),
        };
        self.problems
            .push(format!("The environment variable {name} is no setting of Appliance. {advice}"));
    }

    fn set_text(&mut self, key: &'static Key, text: &str, origin: Origin) {
        self.set(key, key.value(text), origin);
    }

    /// Takes a value over when the settings are still sound with it.
    fn set(&mut self, key: &'static Key, value: Value, origin: Origin) {
        let mut table = self.table.clone();
        insert(&mut table, key.path, value.clone());
        let is_sound = read(&table).is_ok_and(|config| key.is_valid(&config));
        if is_sound {
            self.table = table;
            self.origins.insert(key.path, origin);
        } else {
            let (path, expects) = (key.path, key.expects);
            let value = match path.ends_with("secret_access_key") {
                true => "this".to_owned(),
                false => value.to_string(),
            };
            self.problems
                .push(format!("{origin}: {path} cannot be {value}. It must be {expects}."));
        }
    }

    fn finish(self, file: Option<PathBuf>) -> Result<Loaded, Problems> {
        if !self.problems.is_empty() {
            return Err(Problems(self.problems));
        }
        let config = read(&self.table).map_err(|fault| {
            Problems(vec![format!("The configuration cannot be read: {fault}")])
        })?;
        // What each setting says is sound; whether they fit together is asked last.
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        Ok(Loaded { config, file, origins: self.origins })
    }
}

struct FileText<'a> {
    path: &'a Path,
    text: &'a str,
}

fn read(table: &Table) -> Result<Config, toml::de::Error> {
    table.clone().try_into()
}

fn insert(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.into(), value);
        }
        Some((section, rest)) => {
            let below = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(below) = below {
                insert(below, rest, value);
            }
        }
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let bytes = File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if bytes as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

/// Counted from 1, as editors do.
fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    before.iter().filter(|&&byte| byte == b'\n').count() + 1
}

fn section_of(key: &Key) -> &'static str {
    key.path.split_once('.').map_or(key.path, |(section, _)| section)
}
