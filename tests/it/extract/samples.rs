//! Files made on the spot, and the extractor that reads them.

use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::path::PathBuf;

use appliance::extract::{Extract, ExtractError, Extractor, Limits, Wanted, recognize};

/// Unoptimized drawing is slow, so the tests ask for small pictures.
pub fn limits() -> Limits {
    Limits { thumbnail_px: 80, preview_px: 160, ..Limits::default() }
}

pub fn extractor() -> Extractor {
    extractor_within(limits())
}

pub fn extractor_within(limits: Limits) -> Extractor {
    Extractor::with_executable(limits, 2, PathBuf::from(env!("CARGO_BIN_EXE_appliance")))
}

/// An extractor whose worker is the script that misbehaves.
pub fn lying_extractor(limits: Limits) -> Extractor {
    Extractor::with_executable(limits, 2, fixture_path("liar.sh"))
}

pub fn fixture_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/extract").join(name)
}

pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixture_path(name)).unwrap()
}

/// A file out of `office.zip`.
pub fn office(name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(fixture("office.zip"))).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

pub fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Recognizes and reads, as the application does.
pub async fn read(name: &str, bytes: &[u8]) -> Result<Extract, ExtractError> {
    let format = recognize(bytes, name).format;
    extractor().extract(file(bytes), format, Wanted::default()).await
}

/// Reads only the text; everything must go well.
pub async fn text_of(name: &str, bytes: &[u8]) -> String {
    let extract = read(name, bytes).await.unwrap();
    assert!(extract.incomplete.is_none(), "{name}: {:?}", extract.incomplete);
    extract.text
}

pub fn zip(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in parts {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A word processor file with this XML as its body.
pub fn docx(body: &str) -> Vec<u8> {
    let document = format!(
        r#"<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{body}</w:body></w:document>"#
    );
    zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", document.as_bytes())])
}

/// A compound file with these streams.
pub fn compound(streams: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    for (path, content) in streams {
        if let Some((storage, _)) = path.rsplit_once('/').filter(|(storage, _)| !storage.is_empty())
        {
            file.create_storage_all(storage).unwrap();
        }
        file.create_stream(path).unwrap().write_all(content).unwrap();
    }
    file.into_inner().into_inner()
}

pub fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A PDF with one page per content stream; `F` is Helvetica.
pub fn pdf(contents: &[&[u8]]) -> Vec<u8> {
    pdf_with(contents, "[0 0 300 400]", &[])
}

/// The same with a page size and further objects, which are numbered after the pages and the font
/// and named `X0`, `X1` … as graphics objects.
pub fn pdf_with(contents: &[&[u8]], media_box: &str, extra: &[Vec<u8>]) -> Vec<u8> {
    let first_page = 4;
    let first_extra = first_page + 2 * contents.len();
    let kids: String =
        (0..contents.len()).map(|i| format!("{} 0 R ", first_page + 2 * i)).collect();
    let names: String =
        (0..extra.len()).map(|i| format!("/X{i} {} 0 R ", first_extra + i)).collect();
    let mut objects: Vec<Vec<u8>> = vec![
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        format!("<</Type/Pages/Kids[{kids}]/Count {}>>", contents.len()).into_bytes(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_vec(),
    ];
    for (i, content) in contents.iter().enumerate() {
        let stream = first_page + 2 * i + 1;
        objects.push(
            format!(
                "<</Type/Page/Parent 2 0 R/MediaBox{media_box}/Contents {stream} 0 R/Resources<</Font<</F 3 0 R>>/XObject<<{names}>>>>>>"
            )
            .into_bytes(),
        );
        objects.push(stream_object("", content));
    }
    objects.extend(extra.iter().cloned());
    pdf_of(objects)
}

/// Numbers the objects from 1, which is the catalog, and adds the table of their places.
fn pdf_of(objects: Vec<Vec<u8>>) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n", index + 1).bytes());
        bytes.extend(object);
        bytes.extend(b"\nendobj\n");
    }
    let table = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for offset in offsets {
        bytes.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    let size = objects.len() + 1;
    bytes.extend(
        format!("trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n").bytes(),
    );
    bytes
}

/// A PDF with one page whose content is this stream object.
pub fn pdf_with_stream(stream: Vec<u8>) -> Vec<u8> {
    pdf_of(vec![
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec(),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 400]/Contents 4 0 R>>".to_vec(),
        stream,
    ])
}

pub fn stream_object(entries: &str, content: &[u8]) -> Vec<u8> {
    let mut object = format!("<<{entries}/Length {}>>stream\n", content.len()).into_bytes();
    object.extend(content);
    object.extend(b"\nendstream");
    object
}

/// A page that says `words`, in WinAnsi.
pub fn page(words: &str) -> Vec<u8> {
    format!("BT /F 24 Tf 30 300 Td ({words}) Tj ET").into_bytes()
}

/// A PNG that claims a size and has hardly any data.
pub fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let small = image::RgbImage::new(1, 1);
    small.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}
