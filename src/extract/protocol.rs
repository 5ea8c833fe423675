//! What the two processes say to each other.
//!
//! The request is one JSON argument on the child's command line. The reply is a stream of frames
//! on its standard output: one byte of kind, four bytes of length (little endian), the payload.
//! Frames arrive as soon as something is known (text page by page, then pictures), so whatever was
//! said before a crash or a time limit is kept. The parent trusts nothing it reads: each kind has a
//! largest size, and a frame above it ends the conversation.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::error::Refusal;
use super::format::Format;

/// The argument that turns the program into a worker.
pub const VERB: &str = "worker";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    pub task: Task,
    pub memory_bytes: u64,
    pub cpu_s: u64,
    pub wall_ms: u64,
    pub text_bytes_max: usize,
    pub pixels_max: u64,
    pub thumbnail_px: u32,
    pub preview_px: u32,
    /// Go on although no system call filter stands.
    pub allow_unsandboxed: bool,
    /// Behind everything else on the machine; off when a person waits for the answer.
    pub in_background: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    Extract {
        format: Format,
        text: bool,
        thumbnail: bool,
        previews_max: u32,
    },
    RenderPage {
        page_index: u32,
        width_px: u32,
    },
    /// Try what a parser must never be able to do, and tell what happened.
    Probe,
}

/// What is known about the file; a later value replaces an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    pub title: Option<String>,
    pub language: Option<String>,
    pub page_count: Option<u32>,
    pub width_px: Option<u32>,
    pub height_px: Option<u32>,
    pub text_truncated: bool,
}

/// Which walls stand around the worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walls {
    pub resource_limits: bool,
    pub no_new_privileges: bool,
    /// Which of landlock's restrictions the kernel enforces: `full`, `partial` or `none`.
    pub landlock: Landlock,
    pub seccomp: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Landlock {
    Full,
    Partial,
    #[default]
    None,
}

impl Walls {
    /// Nothing is missing that a current kernel offers.
    pub fn are_complete(&self) -> bool {
        self.resource_limits
            && self.no_new_privileges
            && self.seccomp
            && self.landlock == Landlock::Full
    }
}

/// One thing the probe tried, and whether it was refused as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub what: String,
    pub refused: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureHead {
    /// `None` is the thumbnail, a number the page shown.
    pub page_index: Option<u32>,
    pub width_px: u32,
    pub height_px: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The first frame: what protects the parent from here on.
    Walls(Walls),
    Facts(Facts),
    /// The next piece of text, UTF-8.
    Text(Vec<u8>),
    Picture(PictureHead, Vec<u8>),
    Attempts(Vec<Attempt>),
    /// What went wrong; more frames may follow (a picture that failed does not spoil the text).
    Refused(Refusal),
    Done,
}

const JSON_BYTES_MAX: u32 = 64 * 1024;
const TEXT_BYTES_MAX: u32 = 1024 * 1024;
const PICTURE_BYTES_MAX: u32 = 16 * 1024 * 1024;

impl Frame {
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Frame::Walls(walls) => write_json(out, b'w', walls),
            Frame::Facts(facts) => write_json(out, b'f', facts),
            Frame::Text(text) => write_bytes(out, b't', &[text]),
            Frame::Picture(head, bytes) => {
                let head = serde_json::to_vec(head)?;
                let head_length = (head.len() as u32).to_le_bytes();
                write_bytes(out, b'p', &[&head_length, &head, bytes])
            }
            Frame::Attempts(attempts) => write_json(out, b'a', attempts),
            Frame::Refused(refusal) => write_json(out, b'r', refusal),
            Frame::Done => write_bytes(out, b'd', &[]),
        }
    }

    /// The next frame, or `None` at the end of the stream.
    ///
    /// A frame that is too large, cut short or of an unknown kind is an `InvalidData` error.
    pub async fn read(input: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
        let mut head = [0; 5];
        if input.read(&mut head[..1]).await? == 0 {
            return Ok(None);
        }
        input.read_exact(&mut head[1..]).await?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let length_max = match head[0] {
            b't' => TEXT_BYTES_MAX,
            b'p' => PICTURE_BYTES_MAX,
            _ => JSON_BYTES_MAX,
        };
        if length > length_max {
            return Err(invalid("a frame above its limit"));
        }
        let mut payload = vec![0; length as usize];
        input.read_exact(&mut payload).await?;
        match head[0] {
            b'w' => Ok(Some(Frame::Walls(serde_json::from_slice(&payload)?))),
            b'f' => Ok(Some(Frame::Facts(serde_json::from_slice(&payload)?))),
            b't' => Ok(Some(Frame::Text(payload))),
            b'p' => picture(payload).map(Some),
            b'a' => Ok(Some(Frame::Attempts(serde_json::from_slice(&payload)?))),
            b'r' => Ok(Some(Frame::Refused(serde_json::from_slice(&payload)?))),
            b'd' => Ok(Some(Frame::Done)),
            _ => Err(invalid("a frame of an unknown kind")),
        }
    }
}

/// The largest piece of text one frame may carry.
pub const TEXT_FRAME_BYTES_MAX: usize = TEXT_BYTES_MAX as usize;
/// The largest picture one frame may carry, with room for its head.
pub const PICTURE_FRAME_BYTES_MAX: usize = PICTURE_BYTES_MAX as usize - 1024;

fn picture(mut payload: Vec<u8>) -> io::Result<Frame> {
    let head_length: [u8; 4] = payload
        .get(..4)
        .and_then(|four| four.try_into().ok())
        .ok_or_else(|| invalid("a picture without a head"))?;
    let body_at = 4usize.saturating_add(u32::from_le_bytes(head_length) as usize);
    let head = payload.get(4..body_at).ok_or_else(|| invalid("a picture cut short"))?;
    let head = serde_json::from_slice(head)?;
    payload.drain(..body_at);
    Ok(Frame::Picture(head, payload))
}

fn write_json(out: &mut impl Write, kind: u8, value: &impl Serialize) -> io::Result<()> {
    write_bytes(out, kind, &[&serde_json::to_vec(value)?])
}

fn write_bytes(out: &mut impl Write, kind: u8, parts: &[&[u8]]) -> io::Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).map_err(|_| invalid("a frame above its limit"))?;
    out.write_all(&[kind])?;
    out.write_all(&length.to_le_bytes())?;
    for part in parts {
        out.write_all(part)?;
    }
    out.flush()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_come_back_as_they_were_sent() {
        let head = PictureHead { page_index: Some(3), width_px: 4, height_px: 5 };
        let frames = [
            Frame::Walls(Walls::default()),
            Frame::Facts(Facts { page_count: Some(7), ..Facts::default() }),
            Frame::Text("Größe".into()),
            Frame::Picture(head, vec![1, 2, 3]),
            Frame::Refused(Refusal::broken("why")),
            Frame::Done,
        ];
        let mut wire = Vec::new();
        for frame in &frames {
            frame.write(&mut wire).unwrap();
        }
        let mut input = wire.as_slice();
        for frame in frames {
            assert_eq!(Frame::read(&mut input).await.unwrap(), Some(frame));
        }
        assert_eq!(Frame::read(&mut input).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_lying_child_is_caught() {
        let lies: [&[u8]; 5] = [
            b"t\xff\xff\xff\xff",
            b"z\0\0\0\0",
            b"t\x05\0\0\0abc",
            b"p\x04\0\0\0\xff\xff\xff\xff",
            b"f\x02\0\0\x0012",
        ];
        for lie in lies {
            let mut input = lie;
            assert!(Frame::read(&mut input).await.is_err(), "{lie:?}");
        }
    }
}
