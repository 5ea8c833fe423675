//! Cutting a table into parts at places that its content chooses: a record that comes or goes
//! changes the part it is in, and no other. So the parts of two snapshots are mostly the same.

use super::manifest::Part;
use crate::hash::{ContentHash, Digest};

/// One key in so many ends a part.
const KEYS_PER_PART: u16 = 1_024;
/// What holds huge records ends earlier, so that a part fits in memory.
const PART_BYTES_MAX: usize = 4 << 20;
/// Keys that nobody chose end a part long before; and so many lines are still short work.
const LINES_MAX: u64 = 50_000;
/// What a reader takes: the last line of a part may be as long as a record can be.
pub(super) const PART_BYTES_READ_MAX: u64 = 16 << 20;
/// The parts of other versions may have a few more.
pub const LINES_READ_MAX: usize = 1 << 17;

/// Lines that are whole.
pub struct Chunk {
    pub bytes: Vec<u8>,
    pub lines: u64,
}

impl Chunk {
    pub fn part(&self, table: &str) -> Part {
        Part {
            table: table.into(),
            lines: self.lines,
            size_bytes: self.bytes.len() as u64,
            sha256: Digest::of(&self.bytes),
        }
    }
}

#[derive(Default)]
pub struct Cutter {
    bytes: Vec<u8>,
    lines: u64,
}

impl Cutter {
    /// Adds a line; the part that ends with it, if one does.
    pub fn add(&mut self, key: &[u8], line: &[u8]) -> Option<Chunk> {
        // In JSON a line break can only be space between two words.
        self.bytes.extend(line.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }));
        self.bytes.push(b'\n');
        self.lines += 1;
        let ContentHash([high, low, ..]) = Digest::of(key);
        let ends = u16::from_be_bytes([high, low]).is_multiple_of(KEYS_PER_PART);
        let is_full = self.bytes.len() >= PART_BYTES_MAX || self.lines >= LINES_MAX;
        if ends || is_full { self.rest() } else { None }
    }

    /// What was not cut off yet.
    pub fn rest(&mut self) -> Option<Chunk> {
        let Cutter { bytes, lines } = std::mem::take(self);
        (lines > 0).then_some(Chunk { bytes, lines })
    }
}
