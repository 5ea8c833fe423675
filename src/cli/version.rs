//! `appliance version`.

use clap::Args;
use serde_json::json;

use super::{Exit, Failure, output};
use crate::version;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let (version, records) = (version::number(), version::records());
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    match arguments.json {
        true => output::print_json(&json!({
            "name": "appliance", "version": version, "system": system, "machine": machine,
            "records": records,
        }))?,
        false => output::print(&format!("appliance {version} ({system}, {machine})\n"))?,
    }
    Ok(Exit::Done)
}
