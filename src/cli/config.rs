//! `appliance config`: what is in effect, where it comes from, and whether it makes sense.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::{
    Common, Exit, Failure, https,
    output::{self, Color, colored},
};
use crate::{
    config::{KEYS, Loaded, Origin, TEMPLATE, load},
    control::{Change, HttpsChange},
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
    /// Set the domains, or the e-mail address for certificates, while the portal runs
    Set {
        setting: Setting,
        /// Domains, the main one first, or one address
        #[arg(required = true)]
        values: Vec<String>,
        /// Do not wait for the certificate
        #[arg(long)]
        no_wait: bool,
    },
    /// Leave a setting to the configuration file again
    Unset { setting: Setting },
}

/// What can be set without a restart. It is kept with the data, and wins over the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Setting {
    #[value(alias = "domains")]
    Domain,
    Email,
}

pub fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.verb {
        Verb::Show { template: true, .. } => output::print(TEMPLATE)?,
        Verb::Show { json: true, .. } => output::print_json(&as_json(&common.load(Vec::new())?))?,
        Verb::Show { .. } => output::print(&as_toml(&common.load(Vec::new())?))?,
        Verb::Check => return check(common),
        Verb::Set { setting, values, no_wait } => {
            return https::set(&common.shell()?, change(*setting, values)?, !no_wait);
        }
        Verb::Unset { setting: Setting::Domain } => {
            let change = HttpsChange { domains: Change::Unset, ..HttpsChange::default() };
            return https::set(&common.shell()?, change, false);
        }
        Verb::Unset { setting: Setting::Email } => {
            let change = HttpsChange { email: Change::Unset, ..HttpsChange::default() };
            return https::set(&common.shell()?, change, false);
        }
    }
    Ok(Exit::Done)
}

fn change(setting: Setting, values: &[String]) -> Result<HttpsChange, Failure> {
    // Commas, too, as in the environment.
    let values: Vec<String> =
        values.iter().flat_map(|value| value.split(',')).map(str::to_owned).collect();
    match (setting, values.as_slice()) {
        (Setting::Domain, _) => {
            Ok(HttpsChange { domains: Change::Set(values), ..HttpsChange::default() })
        }
        (Setting::Email, [email]) => {
            Ok(HttpsChange { email: Change::Set(email.clone()), ..HttpsChange::default() })
        }
        (Setting::Email, _) => Err(Failure::usage("Name one address.".to_owned())),
    }
}

fn check(common: &Common) -> Result<Exit, Failure> {
    match load(&common.sources(Vec::new())) {
        Ok(loaded) => {
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
