//! `appliance config`: what is in effect, where it comes from, and whether it makes sense.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::{
    Common, Exit, Failure,
    https::{self, Live},
    output::{self, Color, colored},
    variables,
};
use crate::{
    config::{self, KEYS, Key, Loaded, Origin, Problems, SYSTEM_FILE, Sources, TEMPLATE, load},
    error::Error,
    host::files::{self, Rights},
};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the settings in effect and where each comes from
    Show {
        /// Print a commented file with every setting and its default instead
        #[arg(long, conflicts_with = "json")]
        template: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say everything that is wrong with the file and the environment
    Check,
    /// Change a setting in the file, which counts after a restart; or set the domains (`domain`) or
    /// the e-mail address for certificates (`email`) while the portal runs
    Set {
        /// The name with its section, such as https.domains; or domain, or email
        key: String,
        /// The value; several of a list are separated by commas
        #[arg(required = true)]
        values: Vec<String>,
        /// Do not wait for the certificate of a domain
        #[arg(long)]
        no_wait: bool,
    },
    /// Leave what was set while the portal ran to the configuration file again
    Unset { setting: Live },
}

pub fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.verb {
        Verb::Show { template: true, .. } => output::print(TEMPLATE)?,
        Verb::Show { json: true, .. } => output::print_json(&as_json(&common.load(Vec::new())?))?,
        Verb::Show { .. } => output::print(&as_toml(&common.load(Vec::new())?))?,
        Verb::Check => return check(common),
        Verb::Set { key, values, no_wait } => {
            return match Live::from_str(key, true) {
                Ok(setting) => https::set(&common.shell()?, setting.to(values)?, !no_wait),
                Err(_) => change(common, key, &values.join(",")),
            };
        }
        Verb::Unset { setting } => return https::set(&common.shell()?, setting.gone(), false),
    }
    Ok(Exit::Done)
}

fn check(common: &Common) -> Result<Exit, Failure> {
    match load(&common.sources(Vec::new())) {
        Ok(loaded) => {
            variables::adopt(&loaded.config.data)?;
            let source = match &loaded.file {
                Some(file) => format!("The configuration in {} is fine.", file.display()),
                None => "The configuration is fine; there is no file.".into(),
            };
            output::print(&format!("{source}\n"))?;
            Ok(Exit::Done)
        }
        Err(problems) => {
            for problem in &problems.0 {
                output::print(&format!("{problem}\n"))?;
            }
            Ok(Exit::Usage)
        }
    }
}

/// Writes the file with another value, if it is sound with it.
fn change(common: &Common, name: &str, value: &str) -> Result<Exit, Failure> {
    let key = Key::find(name).ok_or_else(|| {
        let nearest = Key::nearest(name);
        let advice = nearest.map_or_else(
            || "“appliance config show --template” lists all settings.".to_owned(),
            |nearest| format!("Did you mean “{nearest}”?"),
        );
        Failure::usage(format!("There is no setting “{name}”. {advice}"))
    })?;
    let sources = common.sources(Vec::new());
    let path = sources.file().ok_or_else(|| {
        Failure::from(Error::NotFound(format!(
            "There is no configuration file. Begin one: appliance config show --template > \
             {SYSTEM_FILE}, or name one with --config."
        )))
    })?;
    let before = files::read(&path)?.unwrap_or_default();
    let before =
        String::from_utf8(before).with_context(|| format!("{} is no text", path.display()));
    let after = config::set(&before?, key, &key.value(value))
        .with_context(|| format!("changing {}", path.display()))?;
    let rights = Rights::of(&path).context("looking at the file")?;
    let rights = rights.unwrap_or_else(|| Rights::own(0o640));
    let draft = Draft(path.with_extension("draft"));
    files::replace(&draft.0, after.as_bytes(), rights)?;
    let tried = Sources { file: Some(draft.0.clone()), ..sources };
    if let Err(problems) = load(&tried) {
        let (drafted, real) = (draft.0.display().to_string(), path.display().to_string());
        let said = problems.0.into_iter().map(|problem| problem.replace(&drafted, &real));
        return Err(Problems(said.collect()).into());
    }
    files::replace(&path, after.as_bytes(), rights)?;
    let value = key.value(value);
    output::print(&format!(
        "{name} = {value} is in {}. It counts after a restart: appliance restart\n",
        path.display()
    ))?;
    Ok(Exit::Done)
}

/// A file that is tried and then removed.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // One that was never written is not there.
        let _gone = fs::remove_file(&self.0);
    }
}

/// A file that would have the same effect, with the origins as comments.
fn as_toml(loaded: &Loaded) -> String {
    let mut lines: Vec<(String, Origin)> = Vec::new();
    let mut section = "";
    for key in KEYS {
        let (of, name) = key.path.split_once('.').unwrap_or(("", key.path));
        if of != section {
            section = of;
            lines.push((format!("\n[{of}]"), Origin::Default));
        }
        lines.push((format!("{name} = {}", loaded.value(key)), loaded.origin(key)));
    }
    let widest = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (line, origin) in lines {
        text.push_str(&line);
        if origin != Origin::Default {
            let gap = widest + 2 - line.chars().count();
            text.extend(std::iter::repeat_n(' ', gap));
            text.push_str(&colored(&format!("# {origin}"), Color::Dim));
        }
        text.push('\n');
    }
    text
}

fn as_json(loaded: &Loaded) -> Value {
    let origins: Map<String, Value> = KEYS
        .iter()
        .map(|key| (key.path.to_owned(), Value::String(loaded.origin(key).to_string())))
        .collect();
    json!({ "file": loaded.file, "config": loaded.config, "origins": origins })
}
