//! How a file introduces itself: a short word and a colour, where no picture is at hand.

use crate::domain::file_type::FileType;

/// The word on a file's tile (`PDF`) and what it is in plain language (`PDF document`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFace {
    pub label: &'static str,
    pub name: &'static str,
    /// The end of the class name: `face--red`.
    pub color: &'static str,
    pub icon: &'static str,
}

impl FileFace {
    pub const LINK: FileFace = FileFace::of_type(FileType::Link);

    /// From the media type and the filename, as [`FileType::of`].
    pub fn of(media_type: &str, filename: &str) -> FileFace {
        FileFace::of_type(FileType::of(media_type, filename))
    }

    pub const fn of_type(file_type: FileType) -> FileFace {
        let (name, color, icon) = match file_type {
            FileType::Pdf => ("PDF document", "red", "file-text"),
            FileType::Word => ("Word document", "blue", "file-text"),
            FileType::Odt => ("OpenDocument text", "blue", "file-text"),
            FileType::Rtf => ("Rich text", "blue", "file-text"),
            FileType::Excel => ("Excel workbook", "green", "table"),
            FileType::Ods => ("OpenDocument spreadsheet", "green", "table"),
            FileType::Csv => ("Table", "green", "table"),
            FileType::Slides => ("Presentation", "orange", "slides"),
            FileType::Markdown => ("Markdown text", "gray", "file-text"),
            FileType::Text => ("Plain text", "gray", "file-text"),
            FileType::WebPage => ("Web page", "orange", "code"),
            FileType::Mail => ("E-mail message", "purple", "mail"),
            FileType::Epub => ("E-book", "purple", "file-text"),
            FileType::Archive => ("Archive", "gray", "archive"),
            FileType::Design => ("Design file", "purple", "image"),
            FileType::Data => ("Data", "gray", "code"),
            FileType::Image => ("Image", "purple", "image"),
            FileType::Video => ("Video", "purple", "video"),
            FileType::Audio => ("Audio", "purple", "audio"),
            FileType::Link => ("Link", "blue", "link"),
            FileType::Other => ("File", "gray", "file"),
        };
        FileFace { label: file_type.label(), name, color, icon }
    }
}
