//! Tells an HTTP/2 client that the server goes: a GOAWAY frame between two others (RFC 9113, 6.8).
//! The library that speaks HTTP/2 knows how, and nobody who uses it can ask for it.

/// "No stream above the highest": what is on its way is still answered; nothing new is begun.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
const HEAD_BYTES: usize = 9;

/// Follows what is written, from frame to frame.
#[derive(Default)]
pub struct Farewell {
    head: [u8; HEAD_BYTES],
    head_length: usize,
    payload_left: usize,
    /// The first frame must be the server's settings.
    has_begun: bool,
    said: usize,
}

impl Farewell {
    /// These bytes have been written.
    pub fn follow(&mut self, mut bytes: &[u8]) {
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
                let [high, middle, low, ..] = self.head.map(usize::from);
                self.payload_left = high << 16 | middle << 8 | low;
                self.head_length = 0;
                self.has_begun = true;
            }
        }
    }

    /// What is to be written before anything else; empty in the middle of a frame, and once it is
    /// said.
    pub fn due(&self) -> &'static [u8] {
        let is_between = self.head_length == 0 && self.payload_left == 0;
        match self.has_begun && (is_between || self.said > 0) {
            true => &GOAWAY[self.said..],
            false => &[],
        }
    }

    /// So much of [`due`](Self::due) has been written.
    pub fn say(&mut self, bytes: usize) {
        self.said += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_and_between_two_frames() {
        let mut farewell = Farewell::default();
        assert!(farewell.due().is_empty(), "the settings come first");
        let frame = [&[0, 0, 3, 4, 0, 0, 0, 0, 0][..], b"abc"].concat();
        farewell.follow(&frame[..5]);
        assert!(farewell.due().is_empty(), "in the middle of a head");
        farewell.follow(&frame[5..10]);
        assert!(farewell.due().is_empty(), "in the middle of a frame");
        farewell.follow(&frame[10..]);
        assert_eq!(farewell.due(), GOAWAY);
        farewell.say(10);
        assert_eq!(farewell.due(), &GOAWAY[10..]);
        farewell.say(7);
        assert!(farewell.due().is_empty());
        farewell.follow(&frame);
        assert!(farewell.due().is_empty());
    }
}
