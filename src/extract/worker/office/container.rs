//! A ZIP file, opened with suspicion.
//!
//! What a part declares as its size is not believed: reading stops at a limit for the part and at
//! a budget for all parts together, so that a few kilobytes cannot unpack to gigabytes.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::super::super::error::Refusal;
use super::super::super::format::Format;

const PARTS_MAX: usize = 20_000;
const PART_BYTES_MAX: u64 = 64 * 1024 * 1024;
const TOTAL_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Parts whose declared sizes add up to more are not handed to a reader with its own unpacking.
const DECLARED_BYTES_MAX: u128 = 512 * 1024 * 1024;

pub struct Container<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    bytes_left: u64,
    is_cut: bool,
}

impl<'a> Container<'a> {
    pub fn open(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(refusal)?;
        if archive.len() > PARTS_MAX {
            return Err(Refusal::broken("it contains too many parts"));
        }
        Ok(Container { archive, bytes_left: TOTAL_BYTES_MAX, is_cut: false })
    }

    /// What the parts say it is.
    pub fn format(&mut self) -> Option<Format> {
        let by_part = [
            ("xl/workbook.xml", Format::Xlsx),
            ("xl/workbook.bin", Format::Xlsb),
            ("word/document.xml", Format::Docx),
            ("ppt/presentation.xml", Format::Pptx),
            ("META-INF/container.xml", Format::Epub),
        ];
        by_part.into_iter().find(|(part, _)| self.contains(part)).map(|(_, format)| format)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.archive.index_for_name(name).is_some()
    }

    /// The names of all parts, in the order of the directory.
    pub fn names(&self) -> Vec<String> {
        self.archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect()
    }

    /// The unpacked part, or `None` if there is none of that name. What exceeds a limit is missing
    /// at its end, and [`Container::is_cut`] tells.
    pub fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, Refusal> {
        let part = match self.archive.by_name(name) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(refusal(error)),
        };
        let limit = PART_BYTES_MAX.min(self.bytes_left);
        let mut bytes = Vec::new();
        // A part that ends in rubbish is used up to there: its beginning is still text.
        let outcome = part.take(limit).read_to_end(&mut bytes);
        if outcome.is_err() && bytes.is_empty() {
            return Err(Refusal::broken("a part of it cannot be unpacked"));
        }
        self.bytes_left -= bytes.len() as u64;
        self.is_cut |= outcome.is_err() || bytes.len() as u64 == limit;
        Ok(Some(bytes))
    }

    /// Something was left out by a limit or a damage.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// For readers that unpack by themselves.
    pub fn check_declared_size(&self) -> Result<(), Refusal> {
        match self.archive.decompressed_size() {
            Some(size) if size > DECLARED_BYTES_MAX => {
                let sentence = "The file unpacks to more data than can be read.";
                Err(Refusal::TooLarge(sentence.into()))
            }
            _ => Ok(()),
        }
    }
}

fn refusal(error: ZipError) -> Refusal {
    match error {
        // The crate has this variant for parts that need a password, too.
        ZipError::InvalidPassword => Refusal::Encrypted,
        ZipError::UnsupportedArchive(reason) if reason.contains("assword") => Refusal::Encrypted,
        _ => Refusal::broken("its parts cannot be unpacked"),
    }
}
