//! Keys as bytes whose order is the order of the values, so that a scan of bytes is a scan of
//! meaning. `tests/it/store_keys.rs` holds every implementation to that.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{hash::ContentHash, id::Id};

/// A value that can stand in a key.
///
/// Two rules: `a < b` exactly when `encode(a) < encode(b)`, and no encoding is the beginning of
/// another of the same type. The second is what lets a tuple be its parts one after the other, and
/// its first parts be a prefix to scan.
pub trait Key: Sized {
    fn encode(&self, out: &mut Vec<u8>);

    /// Takes one value off the front of `input`; `None` when the bytes are not such a value.
    fn decode(input: &mut &[u8]) -> Option<Self>;

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        self.encode(&mut out);
        out
    }

    /// Reads a whole key; `None` when bytes are left over.
    fn from_bytes(mut input: &[u8]) -> Option<Self> {
        let key = Self::decode(&mut input)?;
        input.is_empty().then_some(key)
    }
}

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

macro_rules! unsigned_key {
    ($($type:ty),*) => {$(
        impl Key for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn decode(input: &mut &[u8]) -> Option<Self> {
                take(input).map(<$type>::from_be_bytes)
            }
        }
    )*};
}

unsigned_key!(u8, u16, u32, u64);

/// The sign bit is flipped, so that negative numbers come first.
impl Key for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        ((*self as u64) ^ (1 << 63)).encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        u64::decode(input).map(|bits| (bits ^ (1 << 63)) as i64)
    }
}

impl Key for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        match u8::decode(input)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

/// Whole milliseconds; a key forgets what is finer.
impl Key for Timestamp {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_millisecond().encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        Timestamp::from_millisecond(i64::decode(input)?).ok()
    }
}

impl Key for Uuid {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        take(input).map(Uuid::from_bytes)
    }
}

impl<T> Key for Id<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.uuid().encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        Uuid::decode(input).map(Id::from_uuid)
    }
}

impl Key for ContentHash {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        take(input).map(ContentHash)
    }
}

/// Ends in `00 00`; a zero byte inside is written `00 FF`, which sorts after every end.
impl Key for String {
    fn encode(&self, out: &mut Vec<u8>) {
        for &byte in self.as_bytes() {
            out.push(byte);
            if byte == 0 {
                out.push(0xFF);
            }
        }
        out.extend_from_slice(&[0, 0]);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        let mut text = Vec::new();
        loop {
            let [byte] = take(input)?;
            if byte != 0 {
                text.push(byte);
                continue;
            }
            match take(input)? {
                [0] => return String::from_utf8(text).ok(),
                [0xFF] => text.push(0),
                _ => return None,
            }
        }
    }
}

/// The empty key: a prefix that everything begins with.
impl Key for () {
    fn encode(&self, _out: &mut Vec<u8>) {}

    fn decode(_input: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

macro_rules! tuple_key {
    ($($part:ident $index:tt),*) => {
        impl<$($part: Key),*> Key for ($($part,)*) {
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$index.encode(out);)*
            }

            fn decode(input: &mut &[u8]) -> Option<Self> {
                Some(($($part::decode(input)?,)*))
            }
        }
    };
}

tuple_key!(A 0, B 1);
tuple_key!(A 0, B 1, C 2);
tuple_key!(A 0, B 1, C 2, D 3);
tuple_key!(A 0, B 1, C 2, D 3, E 4);
