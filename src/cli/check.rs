//! `appliance check`: is everything that is stored whole?

use clap::Args;

use super::{
    Exit, Failure, Shell,
    ask::unexpected,
    output::{self, Color, colored, counted},
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
    let report = match shell.ask(Request::Check { deep: arguments.deep })? {
        Reply::Checked(report) => report,
        other => return Err(unexpected(&other)),
    };
    match arguments.json {
        true => output::print_json(&report)?,
        false => output::print(&shown(&report))?,
    }
    Ok(if report.damages_total == 0 { Exit::Done } else { Exit::Partly })
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
