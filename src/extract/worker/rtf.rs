//! Rich Text Format: the text of the document, without its tables of fonts, colors and pictures.
//!
//! After the Rich Text Format Specification 1.9.1. Groups are followed with a stack of bounded
//! depth; a destination that is not text is skipped as a whole.

use encoding_rs::{Encoding, WINDOWS_1252};

use super::super::error::Refusal;
use super::output::{Lost, Output, Stop};

const DEPTH_MAX: usize = 1000;

pub fn extract(bytes: &[u8], output: &mut Output) -> Result<(), Stop> {
    if !bytes.starts_with(b"{\\rtf") {
        return Err(Refusal::broken("it is not a rich text file").into());
    }
    let mut reader = Reader {
        bytes,
        at: 0,
        group: Group { is_skipped: false, fallback_length: 1 },
        outer: Vec::new(),
        encoding: WINDOWS_1252,
        pending: Vec::new(),
        fallback_left: 0,
        high_surrogate: None,
        output,
    };
    Ok(reader.read()?)
}

#[derive(Clone, Copy)]
struct Group {
    is_skipped: bool,
    /// How many bytes after `\u` stand for old readers (`\uc`).
    fallback_length: usize,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    group: Group,
    outer: Vec<Group>,
    encoding: &'static Encoding,
    /// Bytes in the document's code page; a character can take two.
    pending: Vec<u8>,
    fallback_left: usize,
    high_surrogate: Option<u16>,
    output: &'a mut Output,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), Lost> {
        while let Some(byte) = self.next_byte() {
            match byte {
                b'{' => {
                    self.flush()?;
                    if self.outer.len() < DEPTH_MAX {
                        self.outer.push(self.group);
                    }
                    self.fallback_left = 0;
                }
                b'}' => {
                    self.flush()?;
                    let Some(group) = self.outer.pop() else { break };
                    self.group = group;
                    self.fallback_left = 0;
                }
                b'\\' => self.control()?,
                b'\r' | b'\n' => {}
                text => self.text_byte(text)?,
            }
            if self.output.is_full() {
                break;
            }
        }
        self.flush()
    }

    fn next_byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte
    }

    fn text_byte(&mut self, byte: u8) -> Result<(), Lost> {
        if self.group.is_skipped {
            return Ok(());
        }
        if self.fallback_left > 0 {
            self.fallback_left -= 1;
            return Ok(());
        }
        self.pending.push(byte);
        if self.pending.len() >= 4096 { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Lost> {
        if !self.pending.is_empty() {
            let (text, _) = self.encoding.decode_without_bom_handling(&self.pending);
            self.output.push(&text)?;
            self.pending.clear();
        }
        Ok(())
    }

    fn push(&mut self, text: &str) -> Result<(), Lost> {
        self.flush()?;
        if !self.group.is_skipped {
            self.output.push(text)?;
        }
        Ok(())
    }

    /// What follows a backslash: a symbol, or a word with an optional number.
    fn control(&mut self) -> Result<(), Lost> {
        let Some(first) = self.next_byte() else { return Ok(()) };
        if !first.is_ascii_alphabetic() {
            return self.symbol(first);
        }
        let start = self.at - 1;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_alphabetic) && self.at - start < 32 {
            self.at += 1;
        }
        let word = &self.bytes[start..self.at];
        let number = self.number();
        if self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        self.word(word, number)
    }

    fn number(&mut self) -> Option<i32> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) && self.at - start < 11 {
            self.at += 1;
        }
        std::str::from_utf8(&self.bytes[start..self.at]).ok()?.parse().ok()
    }

    fn symbol(&mut self, symbol: u8) -> Result<(), Lost> {
        match symbol {
            b'\'' => {
                let code = self.bytes.get(self.at..self.at + 2);
                let code = code.and_then(|two| std::str::from_utf8(two).ok());
                if let Some(byte) = code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
                    self.at += 2;
                    self.text_byte(byte)?;
                }
                Ok(())
            }
            b'\\' | b'{' | b'}' => self.text_byte(symbol),
            b'~' => self.push(" "),
            b'_' => self.push("-"),
            b'\r' | b'\n' => self.push("\n"),
            // The rest of the group is for readers that know its first word.
            b'*' => {
                self.group.is_skipped = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn word(&mut self, word: &[u8], number: Option<i32>) -> Result<(), Lost> {
        match word {
            b"par" | b"line" | b"row" | b"sect" | b"page" | b"column" => self.push("\n"),
            b"tab" | b"cell" | b"nestcell" => self.push("\t"),
            b"emdash" => self.push("—"),
            b"endash" => self.push("–"),
            b"lquote" => self.push("‘"),
            b"rquote" => self.push("’"),
            b"ldblquote" => self.push("“"),
            b"rdblquote" => self.push("”"),
            b"bullet" => self.push("•"),
            b"emspace" | b"enspace" | b"qmspace" => self.push(" "),
            b"u" => self.unicode(number.unwrap_or_default()),
            b"uc" => {
                self.group.fallback_length = number.unwrap_or(1).clamp(0, 16) as usize;
                Ok(())
            }
            b"ansicpg" => {
                if let Some(encoding) = number.and_then(code_page) {
                    self.encoding = encoding;
                }
                Ok(())
            }
            b"bin" => {
                let length = usize::try_from(number.unwrap_or_default()).unwrap_or_default();
                self.at = self.at.saturating_add(length);
                Ok(())
            }
            b"fonttbl"
            | b"colortbl"
            | b"stylesheet"
            | b"info"
            | b"pict"
            | b"object"
            | b"objdata"
            | b"listtable"
            | b"listoverridetable"
            | b"rsidtbl"
            | b"generator"
            | b"themedata"
            | b"colorschememapping"
            | b"datastore"
            | b"latentstyles"
            | b"fldinst"
            | b"xmlnstbl"
            | b"filetbl"
            | b"revtbl"
            | b"template"
            | b"nonshppict" => {
                self.group.is_skipped = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// One UTF-16 unit, as a signed number.
    fn unicode(&mut self, number: i32) -> Result<(), Lost> {
        self.flush()?;
        let unit = number as u16;
        let units = match (self.high_surrogate.take(), unit) {
            (None, 0xd800..=0xdbff) => {
                self.high_surrogate = Some(unit);
                None
            }
            (Some(high), 0xdc00..=0xdfff) => Some(vec![high, unit]),
            _ => Some(vec![unit]),
        };
        if let Some(units) = units {
            self.push(&String::from_utf16_lossy(&units))?;
        }
        self.fallback_left = self.group.fallback_length;
        Ok(())
    }
}

fn code_page(number: i32) -> Option<&'static Encoding> {
    let label = match number {
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        10000 => "macintosh".to_owned(),
        65001 => "utf-8".to_owned(),
        874 | 1250..=1258 => format!("windows-{number}"),
        _ => return None,
    };
    Encoding::for_label(label.as_bytes())
}
