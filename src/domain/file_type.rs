//! What a file is to people: the type they would name, coarser than a media type.

macro_rules! file_types {
    ($($one:ident $name:literal $label:literal,)*) => {
        /// Types of files, and links. The name stands in addresses and in the search index.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FileType { $($one,)* }

        impl FileType {
            pub const ALL: &[FileType] = &[$(FileType::$one,)*];

            pub const fn name(self) -> &'static str {
                match self { $(FileType::$one => $name,)* }
            }

            /// A word, for a tile or a filter.
            pub const fn label(self) -> &'static str {
                match self { $(FileType::$one => $label,)* }
            }
        }
    };
}

file_types! {
    Pdf "pdf" "PDF",
    Word "word" "Word",
    Odt "odt" "ODT",
    Rtf "rtf" "RTF",
    Excel "excel" "Excel",
    Ods "ods" "ODS",
    Csv "csv" "CSV",
    Slides "slides" "Slides",
    Markdown "markdown" "MD",
    Text "text" "Text",
    WebPage "html" "HTML",
    Mail "mail" "Mail",
    Epub "epub" "EPUB",
    Archive "archive" "ZIP",
    Design "design" "Design",
    Data "data" "Data",
    Image "image" "Image",
    Video "video" "Video",
    Audio "audio" "Audio",
    Link "link" "Link",
    Other "other" "File",
}

impl FileType {
    pub fn from_name(name: &str) -> Option<FileType> {
        FileType::ALL.iter().copied().find(|one| one.name() == name)
    }

    /// From the filename; the media type decides where the name says little.
    pub fn of(media_type: &str, filename: &str) -> FileType {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let extension = filename.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
        FileType::by_extension(extension.as_deref().unwrap_or_default())
            .or_else(|| FileType::by_media_type(essence))
            .unwrap_or(FileType::Other)
    }

    fn by_extension(extension: &str) -> Option<FileType> {
        Some(match extension {
            "pdf" => FileType::Pdf,
            "doc" | "docx" => FileType::Word,
            "odt" => FileType::Odt,
            "rtf" => FileType::Rtf,
            "xls" | "xlsx" | "xlsb" | "xlsm" => FileType::Excel,
            "ods" => FileType::Ods,
            "csv" | "tsv" => FileType::Csv,
            "ppt" | "pptx" | "odp" => FileType::Slides,
            "md" | "markdown" => FileType::Markdown,
            "txt" | "log" => FileType::Text,
            "htm" | "html" => FileType::WebPage,
            "eml" | "msg" => FileType::Mail,
            "epub" => FileType::Epub,
            "zip" | "gz" | "tar" | "7z" | "rar" => FileType::Archive,
            "ai" | "psd" | "indd" | "eps" | "fig" | "sketch" => FileType::Design,
            "json" | "xml" | "yaml" | "yml" | "toml" => FileType::Data,
            _ => return None,
        })
    }

    fn by_media_type(essence: &str) -> Option<FileType> {
        Some(match essence.split_once('/')? {
            ("image", _) => FileType::Image,
            ("video", _) => FileType::Video,
            ("audio", _) => FileType::Audio,
            ("application", "pdf") => FileType::Pdf,
            ("text", "html") => FileType::WebPage,
            ("text", "csv") => FileType::Csv,
            ("text", _) => FileType::Text,
            ("message", "rfc822") => FileType::Mail,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_before_the_type() {
        assert_eq!(FileType::of("application/pdf", "Report.PDF"), FileType::Pdf);
        assert_eq!(FileType::of("application/pdf", "report"), FileType::Pdf);
        assert_eq!(FileType::of("text/plain; charset=utf-8", "notes.md"), FileType::Markdown);
        assert_eq!(FileType::of("image/jpeg", "IMG_0001.jpg"), FileType::Image);
        assert_eq!(FileType::of("application/octet-stream", "thing.bin"), FileType::Other);
        assert_eq!(FileType::of("", ""), FileType::Other);
    }

    #[test]
    fn every_type_is_found_by_its_name() {
        for one in FileType::ALL {
            assert_eq!(FileType::from_name(one.name()), Some(*one));
        }
    }
}
