//! `appliance export`: the library as folders and files, for leaving or for reading.

use clap::Args;

use super::{
    Exit, Failure, Shell,
    ask::unexpected,
    backup::{push_damages, whole},
    output::{self, counted},
    service,
};
use crate::{
    control::{Reply, Request},
    size::Size,
};

#[derive(Debug, Args)]
pub struct Arguments {
    /// An empty folder, or one that is made
    #[arg(value_name = "FOLDER")]
    folder: String,
    /// Only what this person sees, by name or e-mail address
    #[arg(long = "as", value_name = "USER")]
    login: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    let folder = whole(&arguments.folder)?;
    service::must_reach(shell, &folder)?;
    let request = Request::Export { folder: folder.clone().into(), login: arguments.login.clone() };
    let exported = match shell.ask(request)? {
        Reply::Exported(exported) => exported,
        other => return Err(unexpected(&other)),
    };
    if arguments.json {
        output::print_json(&exported)?;
    } else {
        let mut text = format!(
            "Wrote {} with {} ({}) to {folder}; details.csv and details.json say more.\n",
            counted(exported.documents, "document", "documents"),
            counted(exported.files, "file", "files"),
            Size(exported.files_bytes),
        );
        push_damages(&mut text, &exported.damages);
        output::print(&text)?;
    }
    Ok(if exported.damages.is_empty() { Exit::Done } else { Exit::Partly })
}
