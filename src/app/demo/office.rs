//! Word and Excel files of the smallest kind: a few XML parts in a zip (ECMA-376).

use std::io::{Cursor, Write};

use anyhow::Context;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::manuscript::Block;
use crate::error::Result;

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;
const FORMATS: &str = "application/vnd.openxmlformats-officedocument";
const RELATION: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const WORD: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const SHEET: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

/// A manuscript as a Word file; what cannot be written in words is left out.
pub(super) fn docx(blocks: &[Block]) -> Result<Vec<u8>> {
    let mut body = String::new();
    for block in blocks {
        match block {
            Block::Title(text) => paragraph(&mut body, text, 40, true),
            Block::Heading(text) => paragraph(&mut body, text, 28, true),
            Block::Paragraph(text) => paragraph(&mut body, text, 22, false),
            Block::Item(text) => paragraph(&mut body, &format!("– {text}"), 22, false),
            Block::NewPage => body.push_str(r#"<w:p><w:r><w:br w:type="page"/></w:r></w:p>"#),
            Block::Bars(_) | Block::Swatches(_) => {}
        }
    }
    let document = format!(
        r#"{HEAD}<w:document xmlns:w="{WORD}"><w:body>{body}<w:sectPr/></w:body></w:document>"#
    );
    let main = format!("{FORMATS}.wordprocessingml.document.main+xml");
    package(&[
        ("[Content_Types].xml", types(&[("/word/document.xml", &main)])),
        ("_rels/.rels", relations(&[("officeDocument", "word/document.xml")])),
        ("word/document.xml", document),
    ])
}

/// Rows of cells as an Excel file with one sheet; what reads as a number is one.
pub(super) fn xlsx(name: &str, rows: &[&[&str]]) -> Result<Vec<u8>> {
    let mut data = String::new();
    for row in rows {
        data.push_str("<row>");
        for cell in *row {
            data.push_str(&match cell.parse::<f64>() {
                Ok(number) => format!("<c><v>{number}</v></c>"),
                Err(_) => {
                    format!(r#"<c t="inlineStr"><is><t>{}</t></is></c>"#, escaped(cell))
                }
            });
        }
        data.push_str("</row>");
    }
    let sheet =
        format!(r#"{HEAD}<worksheet xmlns="{SHEET}"><sheetData>{data}</sheetData></worksheet>"#);
    let workbook = format!(
        r#"{HEAD}<workbook xmlns="{SHEET}" xmlns:r="{RELATION}"><sheets><sheet name="{}" sheetId="1" r:id="r1"/></sheets></workbook>"#,
        escaped(name)
    );
    let main = format!("{FORMATS}.spreadsheetml.sheet.main+xml");
    let part = format!("{FORMATS}.spreadsheetml.worksheet+xml");
    package(&[
        (
            "[Content_Types].xml",
            types(&[("/xl/workbook.xml", &main), ("/xl/worksheets/sheet1.xml", &part)]),
        ),
        ("_rels/.rels", relations(&[("officeDocument", "xl/workbook.xml")])),
        ("xl/workbook.xml", workbook),
        ("xl/_rels/workbook.xml.rels", relations(&[("worksheet", "worksheets/sheet1.xml")])),
        ("xl/worksheets/sheet1.xml", sheet),
    ])
}

/// `size` in half points, as Word counts.
fn paragraph(body: &mut String, text: &str, size: u32, is_bold: bool) {
    let bold = if is_bold { "<w:b/>" } else { "" };
    body.push_str(&format!(
        r#"<w:p><w:r><w:rPr>{bold}<w:sz w:val="{size}"/></w:rPr><w:t xml:space="preserve">{}</w:t></w:r></w:p>"#,
        escaped(text)
    ));
}

fn types(parts: &[(&str, &str)]) -> String {
    let mut text = format!(
        r#"{HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>"#
    );
    for (part, kind) in parts {
        text.push_str(&format!(r#"<Override PartName="{part}" ContentType="{kind}"/>"#));
    }
    text + "</Types>"
}

fn relations(targets: &[(&str, &str)]) -> String {
    let mut text = format!(
        r#"{HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">"#
    );
    for (number, (kind, target)) in targets.iter().enumerate() {
        let id = number + 1;
        text.push_str(&format!(
            r#"<Relationship Id="r{id}" Type="{RELATION}/{kind}" Target="{target}"/>"#
        ));
    }
    text + "</Relationships>"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn package(parts: &[(&str, String)]) -> Result<Vec<u8>> {
    let doing = "packing an office file";
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).context(doing)?;
        zip.write_all(content.as_bytes()).context(doing)?;
    }
    Ok(zip.finish().context(doing)?.into_inner())
}
