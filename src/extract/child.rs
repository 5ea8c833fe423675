//! The parent's side: start the child, listen within bounds, judge how it ended.

use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::error::ExtractError;
use super::protocol::{self, Attempt, Facts, Frame, Request, Walls};
use super::{Picture, Refusal};

/// All that one child said, and how it ended.
#[derive(Debug, Default)]
pub struct Conversation {
    /// It came as far as telling its walls.
    pub greeted: bool,
    pub walls: Walls,
    pub facts: Facts,
    pub text: String,
    /// Page index (`None`: the thumbnail) and picture, in the order they came.
    pub pictures: Vec<(Option<u32>, Picture)>,
    pub attempts: Vec<Attempt>,
    /// The first thing that went wrong.
    pub problem: Option<ExtractError>,
    is_done: bool,
}

impl Conversation {
    /// Nothing was learned about the file.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.pictures.is_empty() && self.facts == Facts::default()
    }

    fn failed(problem: ExtractError) -> Self {
        Conversation { problem: Some(problem), ..Conversation::default() }
    }
}

/// Starts the child on `file`, takes its reply and waits for its end, `wall` at the longest.
///
/// Dropping the future kills the child. The child also dies with the *thread* that started it
/// (PR_SET_PDEATHSIG), which is a runtime's worker and outlives it; should that thread end early,
/// the answer is `Interrupted` and a retry helps.
pub async fn converse(
    executable: &Path,
    file: File,
    request: &Request,
    wall: Duration,
    pictures_max: usize,
) -> Conversation {
    let mut child = match start(executable, file, request) {
        Ok(child) => child,
        Err(error) => return Conversation::failed(ExtractError::Internal(error)),
    };
    let mut conversation = Conversation::default();
    let listening = listen(&mut child, &mut conversation, request.text_bytes_max, pictures_max);
    match tokio::time::timeout(wall, listening).await {
        Ok(Ok(ending)) => conclude(&mut conversation, &ending),
        Ok(Err(error)) => {
            kill(&mut child).await;
            note(&mut conversation, ExtractError::Crashed(format!("an invalid reply: {error}")));
        }
        Err(_) => {
            kill(&mut child).await;
            note(&mut conversation, ExtractError::TimedOut { cpu: false });
        }
    }
    conversation
}

struct Ending {
    status: ExitStatus,
    last_words: String,
}

fn start(executable: &Path, file: File, request: &Request) -> anyhow::Result<Child> {
    let request = serde_json::to_string(request).context("encoding the request")?;
    let mut command = std::process::Command::new(executable);
    command
        .arg0("appliance")
        .arg(protocol::VERB)
        .arg(request)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(file))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command.spawn().context("starting the worker")
}

/// Reads both pipes to their ends; `Err` is a reply that breaks the rules.
async fn listen(
    child: &mut Child,
    conversation: &mut Conversation,
    text_bytes_max: usize,
    pictures_max: usize,
) -> std::io::Result<Ending> {
    let missing = || std::io::Error::other("the worker has no pipe");
    let mut stdout = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    let (frames, last_words) = tokio::join!(
        async {
            while let Some(frame) = Frame::read(&mut stdout).await? {
                take(frame, conversation, text_bytes_max, pictures_max)?;
            }
            // A child that closed its output but lives on would otherwise be waited for.
            drop(stdout);
            Ok::<_, std::io::Error>(())
        },
        read_last_words(stderr)
    );
    let cut_short = |error: &std::io::Error| error.kind() == std::io::ErrorKind::UnexpectedEof;
    match frames {
        // It died in the middle of a frame; its status says why.
        Err(error) if cut_short(&error) => {}
        other => other?,
    }
    let status = child.wait().await?;
    Ok(Ending { status, last_words })
}

/// Keeps the beginning of what the child wrote to its standard error, and drains the rest.
async fn read_last_words(mut stderr: impl AsyncRead + Unpin) -> String {
    const KEPT_BYTES_MAX: usize = 2048;
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(count) = stderr.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        let room = KEPT_BYTES_MAX - kept.len();
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
    // It ends in a log line: one line, printable.
    let words = String::from_utf8_lossy(&kept);
    words.split_whitespace().collect::<Vec<_>>().join(" ").replace(char::is_control, "")
}

/// Adds a frame to the conversation, if it keeps within what was asked.
fn take(
    frame: Frame,
    conversation: &mut Conversation,
    text_bytes_max: usize,
    pictures_max: usize,
) -> std::io::Result<()> {
    let broken_rule = |what: &'static str| Err(std::io::Error::other(what));
    if conversation.is_done {
        return broken_rule("words after the end");
    }
    match frame {
        Frame::Walls(walls) => {
            conversation.greeted = true;
            conversation.walls = walls;
        }
        Frame::Facts(facts) => merge(&mut conversation.facts, facts),
        Frame::Text(piece) => {
            if conversation.text.len() + piece.len() > text_bytes_max {
                return broken_rule("more text than allowed");
            }
            match String::from_utf8(piece) {
                Ok(piece) => conversation.text.push_str(&piece),
                Err(_) => return broken_rule("text that is not UTF-8"),
            }
        }
        Frame::Picture(head, bytes) => {
            if conversation.pictures.len() >= pictures_max {
                return broken_rule("more pictures than asked for");
            }
            // These bytes are served to browsers, so their kind is not taken on trust either.
            let media_type = if bytes.starts_with(b"\xff\xd8\xff") {
                "image/jpeg"
            } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
                "image/webp"
            } else {
                return broken_rule("a picture of an unexpected kind");
            };
            let (width_px, height_px) = (head.width_px, head.height_px);
            let picture = Picture { bytes, media_type, width_px, height_px };
            conversation.pictures.push((head.page_index, picture));
        }
        Frame::Attempts(attempts) => conversation.attempts = attempts,
        Frame::Refused(refusal) => note(conversation, ExtractError::Refused(refusal)),
        Frame::Done => conversation.is_done = true,
    }
    Ok(())
}

fn merge(known: &mut Facts, newer: Facts) {
    known.title = newer.title.or(known.title.take());
    known.language = newer.language.or(known.language.take());
    known.page_count = newer.page_count.or(known.page_count);
    known.width_px = newer.width_px.or(known.width_px);
    known.height_px = newer.height_px.or(known.height_px);
    known.text_truncated |= newer.text_truncated;
}

/// The first problem is the one to tell.
fn note(conversation: &mut Conversation, problem: ExtractError) {
    conversation.problem.get_or_insert(problem);
}

fn conclude(conversation: &mut Conversation, ending: &Ending) {
    if conversation.is_done && ending.status.success() {
        return;
    }
    let problem = if !conversation.greeted && ending.status.signal() == Some(libc::SIGSYS) {
        // Not the file's fault: the worker was not allowed to lock itself in.
        ExtractError::Internal(anyhow::anyhow!(
            "the system call filter around this service killed the worker; let it pass \
             landlock_create_ruleset and landlock_restrict_self, or answer with EPERM"
        ))
    } else {
        judge(ending)
    };
    note(conversation, problem);
}

/// What the way it ended means.
fn judge(ending: &Ending) -> ExtractError {
    let last_words = ending.last_words.as_str();
    // Rust's own words when an allocation fails; it aborts then.
    if last_words.contains("memory allocation of") {
        return ExtractError::OutOfMemory;
    }
    if last_words.contains("overflowed its stack") {
        return Refusal::broken("it is nested too deeply").into();
    }
    match ending.status.signal() {
        Some(libc::SIGXCPU) => ExtractError::TimedOut { cpu: true },
        Some(libc::SIGKILL | libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT) => {
            ExtractError::Interrupted
        }
        Some(signal) => ExtractError::Crashed(format!("signal {signal}; {last_words}")),
        None => match ending.status.code() {
            Some(super::worker::EXIT_NOT_STARTED) => {
                ExtractError::Internal(anyhow::anyhow!("the worker did not start: {last_words}"))
            }
            code => ExtractError::Crashed(format!("exit code {code:?}; {last_words}")),
        },
    }
}

async fn kill(child: &mut Child) {
    // Fails only when the child has already ended, which is what is wanted.
    let _ = child.kill().await;
}
