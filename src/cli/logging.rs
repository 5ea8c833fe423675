//! The log: to the standard error, for people on a terminal and as JSON otherwise.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    config::{LogConfig, LogFormat},
    log_tail::LogTail,
};

/// Parts that say much and of little use here, unless they are asked for by name.
const QUIET: &str = "tantivy=warn,actix_server=warn,mio=warn,hyper=warn";

/// For the server: as the configuration says; `RUST_LOG` wins. What it says is kept in the tail, too.
pub fn start_for_server(config: &LogConfig, is_verbose: bool) -> LogTail {
    let level = if is_verbose { "debug" } else { config.level.as_str() };
    let is_for_people = match config.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => io::stderr().is_terminal(),
    };
    let tail = LogTail::default();
    start(level, is_for_people, Some(tail.clone()));
    log_panics();
    tail
}

/// For a verb that ends soon: only what is amiss.
pub fn start_for_verb(is_verbose: bool) {
    start(if is_verbose { "debug" } else { "warn" }, true, None);
}

fn start(level: &str, is_for_people: bool, tail: Option<LogTail>) {
    let usual = || EnvFilter::new(format!("{QUIET},{level}"));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| usual());
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match is_for_people {
        true => {
            let is_colored = io::stderr().is_terminal() && super::output::may_color();
            lines.with_target(false).with_ansi(is_colored).boxed()
        }
        false => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    // Refused when there is a log already: then that one goes on.
    let _started = tracing_subscriber::registry().with(filter).with(lines).with(tail).try_init();
}

/// A panic is one failed request or job; it belongs into the log like everything else.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, "the program panicked: {message}");
    }));
}
