//! `appliance check`: does the portal work, as its visitors see it, and is everything that is stored
//! whole?

use anyhow::anyhow;
use clap::Args;

use super::{
    Exit, Failure, Shell,
    ask::unexpected,
    findings,
    output::{self, Color, colored, counted},
    visits,
};
use crate::{
    app::Report,
    control::{Reply, Request},
};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Also read every file and compare its content with its name
    #[arg(long)]
    deep: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    let probes = visits::probe(shell)?;
    if !arguments.json && !probes.is_empty() {
        // At once: what follows takes its time in a large library.
        output::print(&format!("{}\n", findings::lines(&probes)))?;
    }
    let report = match shell.ask(Request::Check { deep: arguments.deep })? {
        Reply::Checked(report) => report,
        other => return Err(unexpected(&other)),
    };
    match arguments.json {
        true => {
            let mut json = serde_json::to_value(&report).map_err(|fault| anyhow!(fault))?;
            json["probes"] = serde_json::to_value(&probes).map_err(|fault| anyhow!(fault))?;
            output::print_json(&json)?;
        }
        false => output::print(&shown(&report))?,
    }
    let is_well = report.damages_total == 0 && !findings::has_problem(&probes);
    Ok(if is_well { Exit::Done } else { Exit::Partly })
}

fn shown(report: &Report) -> String {
    let looked_at = format!(
        "Looked at {}, {}, {}{} and {} in the search index.\n",
        counted(report.records, "record", "records"),
        counted(report.index_entries, "index entry", "index entries"),
        counted(report.files, "file", "files"),
        if report.is_deep { " (read in full)" } else { "" },
        counted(report.documents, "document", "documents"),
    );
    if report.damages_total == 0 {
        return looked_at + &colored("Everything is whole.", Color::Green) + "\n";
    }
    let mut text = looked_at;
    for damage in &report.damages {
        text.push_str(&format!("{}: {}\n", colored(&damage.part, Color::Red), damage.what));
    }
    let unnamed = report.damages_total - report.damages.len() as u64;
    if unnamed > 0 {
        text.push_str(&format!("… and {unnamed} more.\n"));
    }
    text.push_str(&format!("{} found.\n", counted(report.damages_total, "damage", "damages")));
    let mut remedies: Vec<&str> =
        report.damages.iter().filter_map(|damage| damage.remedy.as_deref()).collect();
    remedies.sort_unstable();
    remedies.dedup();
    for remedy in remedies {
        text.push_str(&format!("→ {remedy}\n"));
    }
    text
}
