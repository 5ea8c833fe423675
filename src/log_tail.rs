//! The last lines of the log, kept in memory: for the administration, where a journal is out of reach.
//!
//! Errors and warnings have a ring of their own, so that a busy hour of requests does not push them
//! out. A line holds what the log holds, and the log holds no secrets.

use std::{
    collections::VecDeque,
    fmt::{self, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use crate::clock::Clock;

/// Of each ring; a line is cut at [`LINE_BYTES_MAX`], so all of it stays below two megabytes.
const LINES_MAX: usize = 1_000;
const LINE_BYTES_MAX: usize = 1_000;

/// One thing that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Counts from the start of the process.
    pub number: u64,
    pub at: Timestamp,
    pub level: LogLevel,
    /// The part that said it.
    pub target: String,
    /// With its fields: `method=GET path=/ status=200`.
    pub text: String,
}

/// How grave it is, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Error,
    Warning,
    Info,
    Debug,
}

impl LogLevel {
    pub const ALL: [LogLevel; 4] =
        [LogLevel::Error, LogLevel::Warning, LogLevel::Info, LogLevel::Debug];

    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warning => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        LogLevel::ALL.into_iter().find(|level| level.name() == name)
    }

    fn of(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => LogLevel::Error,
            tracing::Level::WARN => LogLevel::Warning,
            tracing::Level::INFO => LogLevel::Info,
            _ => LogLevel::Debug,
        }
    }
}

/// Which lines are wanted.
#[derive(Clone, Debug, Default)]
pub struct LogWanted {
    /// This grave or graver; all when it is not said.
    pub level: Option<LogLevel>,
    /// In any case of letters; all when it is empty.
    pub text: String,
    pub limit: usize,
}

/// A handle to the lines; clones share them.
#[derive(Clone, Default)]
pub struct LogTail {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    rings: Mutex<Rings>,
    errors: AtomicU64,
    warnings: AtomicU64,
}

#[derive(Default)]
struct Rings {
    said: u64,
    grave: VecDeque<LogLine>,
    other: VecDeque<LogLine>,
}

impl LogTail {
    /// The wanted lines, the latest first.
    pub fn lines(&self, wanted: &LogWanted) -> Vec<LogLine> {
        let text = wanted.text.to_lowercase();
        let is_wanted = |line: &&LogLine| {
            wanted.level.is_none_or(|level| line.level <= level)
                && (text.is_empty()
                    || line.text.to_lowercase().contains(&text)
                    || line.target.to_lowercase().contains(&text))
        };
        let rings = self.rings();
        let mut lines: Vec<LogLine> =
            rings.grave.iter().chain(&rings.other).filter(is_wanted).cloned().collect();
        drop(rings);
        lines.sort_unstable_by_key(|line| std::cmp::Reverse(line.number));
        lines.truncate(wanted.limit);
        lines
    }

    /// How many errors and warnings there were since the start of the process.
    pub fn counts(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.shared.errors), count(&self.shared.warnings))
    }

    fn keep(&self, level: LogLevel, target: &str, text: String) {
        match level {
            LogLevel::Error => self.shared.errors.fetch_add(1, Ordering::Relaxed),
            LogLevel::Warning => self.shared.warnings.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
        let at = Clock::system().now();
        let mut rings = self.rings();
        rings.said += 1;
        let line = LogLine { number: rings.said, at, level, target: target.to_owned(), text };
        let ring = match level {
            LogLevel::Error | LogLevel::Warning => &mut rings.grave,
            LogLevel::Info | LogLevel::Debug => &mut rings.other,
        };
        if ring.len() == LINES_MAX {
            ring.pop_front();
        }
        ring.push_back(line);
    }

    fn rings(&self) -> MutexGuard<'_, Rings> {
        // A panic elsewhere cannot leave a ring half changed.
        self.shared.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for LogTail {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        self.keep(LogLevel::of(*metadata.level()), metadata.target(), text.whole());
    }
}

/// A message, and its fields behind it.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn whole(mut self) -> String {
        let gap = if self.message.is_empty() || self.fields.is_empty() { "" } else { " " };
        self.message.push_str(gap);
        self.message.push_str(&self.fields);
        if self.message.len() > LINE_BYTES_MAX {
            let end = self.message.floor_char_boundary(LINE_BYTES_MAX);
            self.message.truncate(end);
            self.message.push('…');
        }
        self.message
    }

    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing into a text cannot fail.
        let _written = match field.name() {
            "message" => self.message.write_fmt(value),
            name => {
                let gap = if self.fields.is_empty() { "" } else { " " };
                write!(self.fields, "{gap}{name}={value}")
            }
        };
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, format_args!("{value:.1}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn texts(tail: &LogTail, level: Option<LogLevel>, text: &str) -> Vec<String> {
        let wanted = LogWanted { level, text: text.into(), limit: 3 };
        tail.lines(&wanted).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_are_found_by_level_and_text_and_errors_outlast_a_flood() {
        let tail = LogTail::default();
        let subscriber = tracing_subscriber::registry().with(tail.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(file = "plan.pdf", "a file is damaged");
            tracing::warn!("it is slow");
            for number in 0..2 * LINES_MAX {
                tracing::info!(target: "request", number, ms = 1.23, path = "/");
            }
            tracing::info!("{}", "ä".repeat(LINE_BYTES_MAX));
        });
        let all = texts(&tail, None, "");
        assert!(all[0].starts_with("ää") && all[0].ends_with("ä…"));
        assert_eq!(all[1], format!("number={} ms=1.2 path=/", 2 * LINES_MAX - 1));
        let grave = texts(&tail, Some(LogLevel::Warning), "");
        assert_eq!(grave, ["it is slow", "a file is damaged file=plan.pdf"]);
        assert_eq!(texts(&tail, Some(LogLevel::Error), ""), grave[1..]);
        assert_eq!(texts(&tail, None, "PLAN"), grave[1..]);
        assert_eq!(texts(&tail, None, "elsewhere"), Vec::<String>::new());
        assert_eq!(tail.counts(), (1, 1));
    }
}
