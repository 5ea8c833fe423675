//! The formats whose content can be read, and the media type each is served under.

use serde::{Deserialize, Serialize};

/// What a file is, as far as reading it goes. Everything that cannot be read is `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Pdf,
    Docx,
    Xlsx,
    Xlsb,
    Pptx,
    /// Word 97 to 2003.
    Doc,
    /// Excel 97 to 2003.
    Xls,
    /// PowerPoint 97 to 2003.
    Ppt,
    Odt,
    Ods,
    Odp,
    Epub,
    Rtf,
    Html,
    Markdown,
    Csv,
    Text,
    Json,
    Xml,
    /// A drawing that can carry scripts: searched for its words, never rendered.
    Svg,
    /// One e-mail message (RFC 5322).
    Eml,
    /// One message saved by Outlook.
    Msg,
    Jpeg,
    Png,
    Gif,
    Webp,
    Bmp,
    Tiff,
    Ico,
    /// Stored and downloaded, never opened.
    Other,
}

impl Format {
    pub const ALL: [Format; 30] = [
        Format::Pdf,
        Format::Docx,
        Format::Xlsx,
        Format::Xlsb,
        Format::Pptx,
        Format::Doc,
        Format::Xls,
        Format::Ppt,
        Format::Odt,
        Format::Ods,
        Format::Odp,
        Format::Epub,
        Format::Rtf,
        Format::Html,
        Format::Markdown,
        Format::Csv,
        Format::Text,
        Format::Json,
        Format::Xml,
        Format::Svg,
        Format::Eml,
        Format::Msg,
        Format::Jpeg,
        Format::Png,
        Format::Gif,
        Format::Webp,
        Format::Bmp,
        Format::Tiff,
        Format::Ico,
        Format::Other,
    ];

    /// The media type under which such a file is usually served.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Pdf => "application/pdf",
            Format::Docx => {
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
            }
            Format::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Format::Xlsb => "application/vnd.ms-excel.sheet.binary.macroenabled.12",
            Format::Pptx => {
                "application/vnd.openxmlformats-officedocument.presentationml.presentation"
            }
            Format::Doc => "application/msword",
            Format::Xls => "application/vnd.ms-excel",
            Format::Ppt => "application/vnd.ms-powerpoint",
            Format::Odt => "application/vnd.oasis.opendocument.text",
            Format::Ods => "application/vnd.oasis.opendocument.spreadsheet",
            Format::Odp => "application/vnd.oasis.opendocument.presentation",
            Format::Epub => "application/epub+zip",
            Format::Rtf => "application/rtf",
            Format::Html => "text/html",
            Format::Markdown => "text/markdown",
            Format::Csv => "text/csv",
            Format::Text => "text/plain",
            Format::Json => "application/json",
            Format::Xml => "application/xml",
            Format::Svg => "image/svg+xml",
            Format::Eml => "message/rfc822",
            Format::Msg => "application/vnd.ms-outlook",
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
            Format::Gif => "image/gif",
            Format::Webp => "image/webp",
            Format::Bmp => "image/bmp",
            Format::Tiff => "image/tiff",
            Format::Ico => "image/x-icon",
            Format::Other => "application/octet-stream",
        }
    }

    /// Whether words can be found in such a file.
    pub fn has_text(self) -> bool {
        !self.is_image() && self != Format::Other
    }

    /// Whether it is a picture made of pixels, safe to show once decoded and encoded again.
    pub fn is_image(self) -> bool {
        matches!(
            self,
            Format::Jpeg
                | Format::Png
                | Format::Gif
                | Format::Webp
                | Format::Bmp
                | Format::Tiff
                | Format::Ico
        )
    }

    /// Whether page images can be made of it.
    pub fn has_previews(self) -> bool {
        self == Format::Pdf || self.is_image()
    }

    /// Whether reading it can bring anything at all; if not, no job is needed.
    pub fn is_readable(self) -> bool {
        self != Format::Other
    }
}
