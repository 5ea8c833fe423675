//! Microsoft's compound files (MS-CFB): Office 97 to 2003, Outlook messages, and today's Office
//! files behind a password.

mod message;
mod presentation;
mod properties;
mod word;

use std::io::{Cursor, Read};

use cfb::CompoundFile;

use super::super::error::Refusal;
use super::office::sheets;
use super::output::{Output, Stop};

type Compound<'a> = CompoundFile<Cursor<&'a [u8]>>;

pub fn is_compound_file(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
}

/// Reads the file by the streams that are in it, whatever its name said.
pub fn extract(bytes: &[u8], output: &mut Output) -> Result<(), Stop> {
    let Ok(mut file) = CompoundFile::open(Cursor::new(bytes)) else {
        // The reader of tables has a directory reader of its own, which forgives more.
        return sheets::extract_xls(bytes, output).map_err(|stop| match stop {
            Stop::Refused(Refusal::Broken(_)) => {
                Refusal::broken("its directory cannot be read").into()
            }
            other => other,
        });
    };
    // MS-OFFCRYPTO 1.3.2: a protected file of today; 2.3.7.1: a protected presentation of old.
    if file.is_stream("/EncryptedPackage") || file.is_stream("/EncryptedSummary") {
        return Err(Refusal::Encrypted.into());
    }
    if let Some(properties) = stream(&mut file, "/\u{5}SummaryInformation")
        && let Some(title) = properties::title(&properties)
    {
        output.title(&title)?;
    }
    if let Some(document) = stream(&mut file, "/WordDocument") {
        word::extract(&document, &mut file, output)
    } else if file.is_stream("/Workbook") || file.is_stream("/Book") {
        sheets::extract_xls(bytes, output)
    } else if let Some(document) = stream(&mut file, "/PowerPoint Document") {
        presentation::extract(&document, output)
    } else if file.is_stream("/__properties_version1.0") {
        message::extract(&mut file, output)
    } else {
        Err(Refusal::Unsupported.into())
    }
}

/// A whole stream, or `None` where there is no readable one.
fn stream(file: &mut Compound<'_>, path: &str) -> Option<Vec<u8>> {
    const STREAM_BYTES_MAX: u64 = 256 * 1024 * 1024;
    let mut bytes = Vec::new();
    let stream = file.open_stream(path).ok()?;
    stream.take(STREAM_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(two.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}
