use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: this process is about to lock itself in.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == "worker") {
        return appliance::extract::worker::main();
    }
    ExitCode::SUCCESS
}
