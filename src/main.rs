use std::process::ExitCode;

use appliance::{cli, extract, heap};

fn main() -> ExitCode {
    // Before anything else: this process is about to lock itself in.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == "worker") {
        return extract::worker::main();
    }
    heap::keep_little();
    let command_line = cli::parse();
    match cli::run(&command_line) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print(command_line.is_verbose());
            failure.exit().into()
        }
    }
}
