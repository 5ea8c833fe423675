//! What a connection by HTTP/2 is held to. The library that speaks it takes any number of streams,
//! and waits for ever for a client that takes nothing; it knows how to do better, and nobody who uses
//! it can ask for it. So the connection follows the heads of the frames (RFC 9113, 4.1) in both
//! directions, and adds two of its own: how many streams there may be, and a farewell.

use std::collections::HashMap;

use tokio::time::Instant;

/// Of one client at the same time. Browsers and common clients open no more by themselves.
pub const STREAMS_MAX: u8 = 100;
/// `SETTINGS_MAX_CONCURRENT_STREAMS` (RFC 9113, 6.5.2).
const LIMIT: [u8; 6] = [0, 3, 0, 0, 0, STREAMS_MAX];
/// A GOAWAY frame (6.8), "no stream above the highest": what is on its way is still answered; nothing
/// new is begun.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
/// What a client begins with, before its first frame (3.4).
const PREFACE_BYTES: usize = 24;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;

pub struct Http2 {
    sent: Frames,
    received: Frames,
    /// The client's streams without an end; true once the answer has begun.
    open: HashMap<u32, bool>,
    newest: u32,
    /// When the content of a request or an answer, or the head of an answer, went last.
    moved_at: Instant,
    /// The first frame must be the server's settings.
    has_begun: bool,
    farewell_said: usize,
}

impl Http2 {
    pub fn new(now: Instant) -> Self {
        Http2 {
            sent: Frames::default(),
            received: Frames { payload_left: PREFACE_BYTES, ..Frames::default() },
            open: HashMap::new(),
            newest: 0,
            moved_at: now,
            has_begun: false,
            farewell_said: 0,
        }
    }

    /// These bytes have come.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        let Http2 { received, open, newest, moved_at, .. } = self;
        received.follow(bytes, |head| match head.kind {
            // With a lower number they are the trailers of a stream that is known.
            HEADERS if head.stream > *newest => {
                *newest = head.stream;
                open.insert(head.stream, false);
            }
            RST_STREAM => {
                open.remove(&head.stream);
            }
            DATA => *moved_at = now,
            _ => {}
        });
    }

    /// These bytes, of the library's, have been written.
    pub fn send(&mut self, bytes: &[u8], now: Instant) {
        let Http2 { sent, open, moved_at, .. } = self;
        sent.follow(bytes, |head| match head.kind {
            RST_STREAM => {
                open.remove(&head.stream);
            }
            DATA | HEADERS => {
                *moved_at = now;
                if head.flags & END_STREAM != 0 {
                    open.remove(&head.stream);
                } else if let Some(is_begun) = open.get_mut(&head.stream) {
                    *is_begun = true;
                }
            }
            _ => {}
        });
        self.has_begun |= !bytes.is_empty();
    }

    /// True for a client that heeds no limit.
    pub fn is_overrun(&self) -> bool {
        self.open.len() > usize::from(STREAMS_MAX)
    }

    /// Since when nothing moves although every answer has begun: the client takes none of them.
    pub fn stuck_since(&self) -> Option<Instant> {
        let is_waiting = !self.open.is_empty() && self.open.values().all(|is_begun| *is_begun);
        is_waiting.then_some(self.moved_at)
    }

    /// The server's first frame, its settings, with the limit in it, and for how many of these first
    /// bytes it stands. A frame of its own would be acknowledged to a library that knows of none.
    pub fn greeting(&self, first: &[u8]) -> Option<(Vec<u8>, usize)> {
        let (head, rest) = first.split_first_chunk::<HEAD_BYTES>()?;
        let settings = rest.get(..length(head))?;
        if self.has_begun || head[3] != SETTINGS {
            return None;
        }
        let mut frame = ((settings.len() + LIMIT.len()) as u32).to_be_bytes()[1..].to_vec();
        frame.extend_from_slice(&head[3..]);
        frame.extend_from_slice(settings);
        frame.extend_from_slice(&LIMIT);
        Some((frame, HEAD_BYTES + settings.len()))
    }

    /// Tells the client that the server goes. To be written before anything else; empty in the middle
    /// of a frame, and once it is said.
    pub fn farewell(&self) -> &'static [u8] {
        match self.has_begun && (self.sent.is_between() || self.farewell_said > 0) {
            true => &GOAWAY[self.farewell_said..],
            false => &[],
        }
    }

    /// So much of [`farewell`](Self::farewell) has been written.
    pub fn say(&mut self, bytes: usize) {
        self.farewell_said += bytes;
    }
}

const HEAD_BYTES: usize = 9;

struct Head {
    kind: u8,
    flags: u8,
    stream: u32,
}

/// Finds the heads of frames in what goes one way, piece by piece.
#[derive(Default)]
struct Frames {
    head: [u8; HEAD_BYTES],
    head_length: usize,
    payload_left: usize,
}

impl Frames {
    fn follow(&mut self, mut bytes: &[u8], mut begins: impl FnMut(Head)) {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let taken = self.payload_left.min(bytes.len());
                self.payload_left -= taken;
                bytes = &bytes[taken..];
                continue;
            }
            let taken = (HEAD_BYTES - self.head_length).min(bytes.len());
            self.head[self.head_length..self.head_length + taken].copy_from_slice(&bytes[..taken]);
            self.head_length += taken;
            bytes = &bytes[taken..];
            if self.head_length == HEAD_BYTES {
                let [_, _, _, kind, flags, stream @ ..] = self.head;
                // The highest bit is reserved.
                let stream = u32::from_be_bytes(stream) & 0x7FFF_FFFF;
                self.payload_left = length(&self.head);
                self.head_length = 0;
                begins(Head { kind, flags, stream });
            }
        }
    }

    fn is_between(&self) -> bool {
        self.head_length == 0 && self.payload_left == 0
    }
}

/// Of the payload, in bytes.
fn length(head: &[u8; HEAD_BYTES]) -> usize {
    let [high, middle, low, ..] = head.map(usize::from);
    high << 16 | middle << 8 | low
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    }

    #[test]
    fn the_farewell_is_said_once_and_between_two_frames() {
        let now = Instant::now();
        let mut http2 = Http2::new(now);
        assert!(http2.farewell().is_empty(), "the settings come first");
        let settings = frame(SETTINGS, 0, 0, b"abc");
        http2.send(&settings[..5], now);
        assert!(http2.farewell().is_empty(), "in the middle of a head");
        http2.send(&settings[5..10], now);
        assert!(http2.farewell().is_empty(), "in the middle of a frame");
        http2.send(&settings[10..], now);
        assert_eq!(http2.farewell(), GOAWAY);
        http2.say(10);
        assert_eq!(http2.farewell(), &GOAWAY[10..]);
        http2.say(7);
        assert!(http2.farewell().is_empty());
        http2.send(&settings, now);
        assert!(http2.farewell().is_empty());
    }

    #[test]
    fn the_limit_is_in_the_first_settings_and_nowhere_else() {
        let now = Instant::now();
        let mut http2 = Http2::new(now);
        let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]);
        let both = [settings.clone(), frame(DATA, 0, 1, b"abc")].concat();
        let greeting = frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0, 0, 3, 0, 0, 0, STREAMS_MAX]);
        assert_eq!(http2.greeting(&both), Some((greeting, settings.len())));
        http2.send(&settings, now);
        assert_eq!(http2.greeting(&settings), None);
    }

    #[test]
    fn a_client_is_stuck_when_it_takes_nothing_of_any_answer() {
        let begin = Instant::now();
        let later = |seconds| begin + Duration::from_secs(seconds);
        let mut http2 = Http2::new(begin);
        http2.receive(&[b'P'; PREFACE_BYTES], begin);
        http2.receive(&frame(HEADERS, END_STREAM, 1, b"get"), later(1));
        http2.receive(&frame(HEADERS, 0, 3, b"post"), later(1));
        assert_eq!(http2.stuck_since(), None, "the portal works on both");
        http2.send(&frame(HEADERS, 0, 1, b"200"), later(2));
        assert_eq!(http2.stuck_since(), None, "it still works on one");
        http2.receive(&frame(DATA, END_STREAM, 3, b"more"), later(3));
        http2.send(&frame(HEADERS, 0, 3, b"200"), later(4));
        http2.receive(&frame(6, 0, 0, b"pingping"), later(5));
        assert_eq!(http2.stuck_since(), Some(later(4)));
        http2.send(&frame(DATA, 0, 3, b"some"), later(6));
        assert_eq!(http2.stuck_since(), Some(later(6)));
        http2.send(&frame(DATA, END_STREAM, 3, b"the rest"), later(7));
        http2.receive(&frame(RST_STREAM, 0, 1, &[0; 4]), later(8));
        assert_eq!(http2.stuck_since(), None, "nothing is open");
    }

    #[test]
    fn streams_that_end_make_room() {
        let now = Instant::now();
        let mut http2 = Http2::new(now);
        http2.receive(&[b'P'; PREFACE_BYTES], now);
        for number in 0..250 {
            let stream = 2 * number + 1;
            http2.receive(&frame(HEADERS, END_STREAM, stream, b"get"), now);
            assert_eq!(http2.is_overrun(), number == 249);
            if number < 149 {
                http2.send(&frame(HEADERS, END_STREAM, stream, b"304"), now);
            }
        }
    }
}
