//! How a file introduces itself: a short word and a colour, where no picture is at hand.

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
    pub const LINK: FileFace = face("Link", "Link", "blue", "link");

    /// From the media type; the filename decides where the type says little.
    pub fn of(media_type: &str, filename: &str) -> FileFace {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let extension = filename.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
        Self::by_extension(extension.as_deref().unwrap_or_default())
            .or_else(|| Self::by_media_type(essence))
            .unwrap_or(face("File", "File", "gray", "file"))
    }

    fn by_extension(extension: &str) -> Option<FileFace> {
        Some(match extension {
            "pdf" => face("PDF", "PDF document", "red", "file-text"),
            "doc" | "docx" => face("Word", "Word document", "blue", "file-text"),
            "odt" => face("ODT", "OpenDocument text", "blue", "file-text"),
            "rtf" => face("RTF", "Rich text", "blue", "file-text"),
            "xls" | "xlsx" | "xlsb" | "xlsm" => face("Excel", "Excel workbook", "green", "table"),
            "ods" => face("ODS", "OpenDocument spreadsheet", "green", "table"),
            "csv" | "tsv" => face("CSV", "Table", "green", "table"),
            "ppt" | "pptx" => face("Slides", "PowerPoint presentation", "orange", "slides"),
            "odp" => face("Slides", "OpenDocument presentation", "orange", "slides"),
            "md" | "markdown" => face("MD", "Markdown text", "gray", "file-text"),
            "txt" | "log" => face("Text", "Plain text", "gray", "file-text"),
            "htm" | "html" => face("HTML", "Web page", "orange", "code"),
            "eml" | "msg" => face("Mail", "E-mail message", "purple", "mail"),
            "epub" => face("EPUB", "E-book", "purple", "file-text"),
            "zip" | "gz" | "tar" | "7z" | "rar" => face("ZIP", "Archive", "gray", "archive"),
            "ai" | "psd" | "indd" | "eps" | "fig" | "sketch" => {
                face("Design", "Design file", "purple", "image")
            }
            "json" | "xml" | "yaml" | "yml" | "toml" => face("Data", "Data", "gray", "code"),
            _ => return None,
        })
    }

    fn by_media_type(essence: &str) -> Option<FileFace> {
        Some(match essence.split_once('/')? {
            ("image", _) => face("Image", "Image", "purple", "image"),
            ("video", _) => face("Video", "Video", "purple", "video"),
            ("audio", _) => face("Audio", "Audio", "purple", "audio"),
            ("application", "pdf") => face("PDF", "PDF document", "red", "file-text"),
            ("text", "html") => face("HTML", "Web page", "orange", "code"),
            ("text", "csv") => face("CSV", "Table", "green", "table"),
            ("text", _) => face("Text", "Plain text", "gray", "file-text"),
            ("message", "rfc822") => face("Mail", "E-mail message", "purple", "mail"),
            _ => return None,
        })
    }
}

const fn face(
    label: &'static str,
    name: &'static str,
    color: &'static str,
    icon: &'static str,
) -> FileFace {
    FileFace { label, name, color, icon }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_before_the_type() {
        let label = |media_type, filename| FileFace::of(media_type, filename).label;
        assert_eq!(label("application/pdf", "Report.PDF"), "PDF");
        assert_eq!(label("application/pdf", "report"), "PDF");
        assert_eq!(label("text/plain; charset=utf-8", "notes.md"), "MD");
        assert_eq!(label("image/jpeg", "IMG_0001.jpg"), "Image");
        assert_eq!(label("application/octet-stream", "thing.bin"), "File");
        assert_eq!(label("", ""), "File");
    }
}
