//! Office, OpenDocument and e-book files: ZIP containers with XML (or, in one case, binary) parts.

mod container;
mod epub;
mod opendocument;
pub mod sheets;
mod slides;
mod word;
mod xml;

use super::super::error::Refusal;
use super::super::format::Format;
use super::super::protocol::Request;
use super::Pictures;
use super::image;
use super::legacy;
use super::output::{Output, Stop};
use container::Container;

/// Reads a container by what is in it; the expected format only settles what its parts leave open.
pub fn extract(
    bytes: &[u8],
    expected: Format,
    pictures: &Pictures,
    request: &Request,
    output: &mut Output,
) -> Result<(), Stop> {
    if legacy::is_compound_file(bytes) {
        // Encrypted, or an old file under a new name.
        return legacy::extract(bytes, output);
    }
    let mut container = Container::open(bytes)?;
    let format = container.format().unwrap_or(expected);
    if output.want_text {
        match format {
            Format::Docx => word::extract(&mut container, output)?,
            Format::Pptx => slides::extract(&mut container, output)?,
            Format::Xlsx | Format::Xlsb => {
                container.check_declared_size()?;
                office_title(&mut container, output)?;
                sheets::extract(bytes, format, output)?;
            }
            Format::Odt | Format::Ods | Format::Odp => {
                opendocument::extract(&mut container, format, output)?;
            }
            Format::Epub => epub::extract(&mut container, output)?,
            _ => return Err(Refusal::Unsupported.into()),
        }
        output.finish_text()?;
    }
    if pictures.thumbnail
        && let Some(part) = thumbnail_part(&mut container, format)
        && let Some(bytes) = container.read(&part)?
        && let Some(thumbnail) = image::thumbnail_of(&bytes, request)
    {
        output.picture(None, &thumbnail)?;
    }
    Ok(())
}

/// Title and page count of an Office Open XML file (ECMA-376 part 2, 11; part 1, 22.2).
fn office_title(container: &mut Container<'_>, output: &mut Output) -> Result<(), Stop> {
    if let Some(core) = container.read("docProps/core.xml")? {
        for (name, value) in xml::leaves(&core) {
            match name.as_str() {
                "title" => output.title(&value)?,
                "language" => output.declare_language(&value),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The picture of itself that the author's program left in the file.
fn thumbnail_part(container: &mut Container<'_>, format: Format) -> Option<String> {
    if format == Format::Epub {
        return epub::cover(container);
    }
    ["docProps/thumbnail.jpeg", "docProps/thumbnail.png", "Thumbnails/thumbnail.png"]
        .into_iter()
        .find(|name| container.contains(name))
        .map(str::to_owned)
}
