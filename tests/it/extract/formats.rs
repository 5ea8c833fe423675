//! What is found in each format.

use appliance::extract::{ExtractError, Format, Refusal, recognize};

use super::samples::{compound, docx, fixture, office, page, pdf, read, text_of, utf_16, zip};

#[tokio::test]
async fn the_same_report_is_found_in_every_word_processor_format() {
    let files = [
        ("report.docx", Format::Docx),
        ("report.doc", Format::Doc),
        ("report.odt", Format::Odt),
        ("report.rtf", Format::Rtf),
        ("report.epub", Format::Epub),
    ];
    for (name, format) in files {
        let bytes = office(name);
        assert_eq!(recognize(&bytes, name).format, format, "{name}");
        let extract = read(name, &bytes).await.unwrap();
        let expected = [
            "Jahresbericht 2025",
            "schloss das Geschäftsjahr mit einer Rendite von 7,4 Prozent ab",
            "Zulieferern in Gdańsk, Łódź und Århus; die größten Rückgänge",
            "Anlageklasse Anteil Veränderung\nAktien 54 % +11 %",
            "zweite Zeile nach dem Tabulator",
            "ruhigeres Umfeld & moderate Zinsen <unter 3 %>.",
        ];
        for words in expected {
            assert!(extract.text.contains(words), "{name}: {words:?} in {:?}", extract.text);
        }
        assert_eq!(extract.language.as_deref(), Some("de"), "{name}");
        assert!(!extract.text_truncated, "{name}");
        assert!(extract.incomplete.is_none(), "{name}: {:?}", extract.incomplete);
        if format != Format::Rtf {
            assert_eq!(
                extract.title.as_deref(),
                Some("Jahresbericht 2025 Nordlicht-Fonds"),
                "{name}"
            );
        }
        // An e-book has no running heads.
        if format != Format::Epub {
            assert!(extract.text.contains("Nordlicht Kapital – vertraulich"), "{name}");
        }
    }
}

#[tokio::test]
async fn slides_come_in_the_order_shown_and_bring_their_notes() {
    for name in ["review.pptx", "review.odp"] {
        let extract = read(name, &office(name)).await.unwrap();
        let slides: Vec<&str> = extract.text.split('\x0c').collect();
        assert_eq!(extract.page_count, Some(3), "{name}");
        assert_eq!(slides.len(), 3, "{name}: {:?}", extract.text);
        assert!(
            slides[0].starts_with("Quarterly review\nResults of the third quarter\n"),
            "{name}"
        );
        assert!(slides[0].contains("Remember to greet the board"), "{name}");
        assert!(slides[1].starts_with("Thank you\n"), "{name}");
        assert!(slides[2].starts_with("Portfolio\nShipping recovers\nSteel stays weak"), "{name}");
    }
}

#[tokio::test]
async fn an_old_presentation_is_read() {
    let text = text_of("review.ppt", &office("review.ppt")).await;
    assert!(text.contains("Shipping recovers"), "{text:?}");
    assert!(text.contains("Stahl bleibt schwach, Größenordnung unklar"), "{text:?}");
    assert!(!text.contains("Click to edit"), "{text:?}");
}

#[tokio::test]
async fn cells_of_a_table_are_found_row_by_row() {
    for name in ["positions.xlsx", "positions.xls", "positions.ods"] {
        let text = text_of(name, &office(name)).await;
        assert!(
            text.contains("Positionen\nInstrument\tQuantity\tPrice\tTrade date\tActive\n"),
            "{name}: {text:?}"
        );
        assert!(text.contains("Aurora Steel\t1200\t17.25\t2025-03-14\tTRUE\n"), "{name}: {text:?}");
        assert!(text.contains("Blåvand Shipping\t350\t204.5\t2025-07-01"), "{name}: {text:?}");
        assert!(text.contains("Notizen\nWeit entfernte Zelle"), "{name}: {text:?}");
        // The old format ends before this cell, in the very last column of the very last row.
        if name != "positions.xls" {
            assert!(text.contains("am Ende der Welt"), "{name}: {text:?}");
        }
    }
}

#[tokio::test]
async fn pages_of_a_pdf_are_separated_by_form_feeds() {
    let extract = read("report.pdf", &fixture("report.pdf")).await.unwrap();
    let pages: Vec<&str> = extract.text.split('\x0c').collect();
    assert_eq!(extract.page_count, Some(2));
    assert_eq!(pages.len(), 2);
    assert!(pages[0].contains("Anlageklasse Anteil Veränderung\nAktien 54 % +11 %"), "{pages:?}");
    assert!(pages[1].contains("Für das kommende Jahr erwarten die Verwalter"), "{pages:?}");
    assert_eq!(extract.title.as_deref(), Some("Jahresbericht 2025 Nordlicht-Fonds"));
    assert_eq!(extract.language.as_deref(), Some("de"));
    assert!(extract.incomplete.is_none());
}

#[tokio::test]
async fn words_of_a_pdf_are_put_together_from_their_places() {
    // Kerning inside a word, a gap without a blank, a line below, a column to the right.
    let content = b"BT /F 10 Tf 20 300 Td [(Ke) 80 (rn) -20 (ed)-400(words)] TJ \
        0 -14 Td (are divi-) Tj 0 -14 Td (ded here) Tj 150 28 Td (second column) Tj ET";
    let text = text_of("a.pdf", &pdf(&[content])).await;
    assert_eq!(text, "Kerned words\nare divided\nhere\nsecond column");
}

#[tokio::test]
async fn bold_that_is_drawn_twice_is_read_once() {
    let content = b"BT /F 10 Tf 20 300 Td (Total) Tj ET BT /F 10 Tf 20.2 300 Td (Total) Tj ET \
        BT /F 10 Tf 20 200 Td (Total) Tj ET";
    assert_eq!(text_of("a.pdf", &pdf(&[content])).await, "Total\nTotal");
}

#[tokio::test]
async fn text_that_a_scanner_hid_under_its_image_is_found() {
    let content = b"BT 3 Tr /F 10 Tf 20 300 Td (recognized words) Tj ET";
    assert_eq!(text_of("scan.pdf", &pdf(&[content])).await, "recognized words");
}

#[tokio::test]
async fn a_pdf_is_read_from_right_to_left_where_people_do() {
    let text = text_of("scripts.pdf", &fixture("scripts.pdf")).await;
    for words in [
        "Ετήσια έκθεση του αμοιβαίου κεφαλαίου για το έτος 2025.",
        "Годовой отчёт фонда за 2025 год и прогноз.",
        "דוח שנתי של הקרן לשנת",
        "English words בפנים.",
        "التقرير السنوي للصندوق لعام",
    ] {
        assert!(text.contains(words), "{words:?} in {text:?}");
    }
}

#[tokio::test]
async fn a_pdf_that_only_restricts_printing_is_read() {
    let text = text_of("restricted.pdf", &fixture("restricted.pdf")).await;
    assert_eq!(text, "The minutes are confidential.\x0cSecond page of the minutes.");
}

#[tokio::test]
async fn protected_files_say_so() {
    let protected_docx = compound(&[("/EncryptionInfo", b"x"), ("/EncryptedPackage", b"x")]);
    let manifest =
        b"<m:manifest xmlns:m='m'><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>";
    let mimetype: (&str, &[u8]) = ("mimetype", b"application/vnd.oasis.opendocument.text");
    let protected_odt =
        zip(&[mimetype, ("META-INF/manifest.xml", manifest), ("content.xml", b"\x01")]);
    let files = [
        ("password.pdf", fixture("password.pdf")),
        ("contract.docx", protected_docx),
        ("contract.odt", protected_odt),
    ];
    for (name, bytes) in files {
        let error = read(name, &bytes).await.unwrap_err();
        assert!(matches!(error, ExtractError::Refused(Refusal::Encrypted)), "{name}: {error:?}");
        assert_eq!(error.sentence(), "The file is protected with a password.");
        assert!(error.is_final());
    }
}

#[tokio::test]
async fn deleted_and_repeated_text_is_left_out() {
    let body = "<w:p><w:r><w:t>kept</w:t></w:r><w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>\
        <w:r><mc:AlternateContent xmlns:mc='m'><mc:Choice><w:t> once</w:t></mc:Choice>\
        <mc:Fallback><w:t> twice</w:t></mc:Fallback></mc:AlternateContent></w:r></w:p>";
    assert_eq!(text_of("a.docx", &docx(body)).await, "kept once");
}

#[tokio::test]
async fn parts_in_utf_16_are_read() {
    let mut document = b"\xff\xfe".to_vec();
    document.extend(utf_16(
        "<w:document xmlns:w='w'><w:p><w:t>Größe &amp; Länge</w:t></w:p></w:document>",
    ));
    let file = zip(&[("word/document.xml", &document)]);
    assert_eq!(text_of("a.docx", &file).await, "Größe & Länge");
}

#[tokio::test]
async fn a_container_is_read_by_its_parts_and_not_by_its_name() {
    let extract = read("renamed.docx", &office("positions.xlsx")).await.unwrap();
    assert!(extract.text.contains("Aurora Steel"));
    let extract = read("renamed.docx", &office("report.doc")).await.unwrap();
    assert!(extract.text.contains("Anlageklasse"));
}

#[tokio::test]
async fn html_gives_its_words_title_and_language() {
    let page = br#"<!DOCTYPE html><html lang="fr-CA"><head><title>Le titre &amp; plus</title>
        <style>p { color: red }</style><script>var hidden = "<p>no</p>";</script></head>
        <body><!-- not this --><h1>Caf&eacute;</h1><p>Un &#8364; et&nbsp;un
        saut<br>de ligne</p><table><tr><td><p>a</p></td><td>b</td></tr></table>
        <img src=x alt='une image'><pre>deux
lignes</pre><template>cach</template><a title="a > b" href=x>lien</a></body></html>"#;
    let extract = read("page.html", page).await.unwrap();
    assert_eq!(extract.title.as_deref(), Some("Le titre & plus"));
    assert_eq!(extract.language.as_deref(), Some("fr"));
    assert_eq!(
        extract.text.trim(),
        "Café\n\nUn € et un saut\nde ligne\n\na b\nune image\ndeux\nlignes\nlien"
    );
}

#[tokio::test]
async fn html_in_an_old_encoding_is_read_as_it_declares() {
    let page = b"<html><meta charset=\"windows-1251\"><p>\xcf\xf0\xe8\xe2\xe5\xf2</p>";
    assert_eq!(text_of("page.html", page).await.trim(), "Привет");
}

#[tokio::test]
async fn markdown_is_read_without_its_marks() {
    let source = b"---\ndraft: true\n---\n# The *whole* title\n\nSome **bold** and `code`, a [link](https://x.example).\n\n* one\n* two\n\n| a | b |\n|---|---|\n| c | d |\n\n<div>inside</div>\n";
    let extract = read("notes.md", source).await.unwrap();
    assert_eq!(extract.title.as_deref(), Some("The whole title"));
    let expected = "The whole title\nSome bold and code, a link.\n\none\ntwo\na b\nc d\n\ninside";
    assert!(extract.text.trim().ends_with(expected), "{:?}", extract.text);
}

#[tokio::test]
async fn plain_text_is_read_in_any_encoding() {
    let words = "Größe und Maß über alles, schöne Grüße";
    let latin: Vec<u8> = words.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let mut marked = b"\xff\xfe".to_vec();
    marked.extend(utf_16(words));
    for bytes in [words.as_bytes(), &latin, &marked] {
        assert_eq!(text_of("a.txt", bytes).await, words);
    }
    assert_eq!(text_of("a.csv", b"name;city\r\nAda;London\r\n").await, "name;city\nAda;London");
    assert_eq!(text_of("a.json", br#"{"city": "London"}"#).await, r#"{"city": "London"}"#);
    assert!(text_of("a.xml", b"<?xml version='1.0'?><a>London</a>").await.contains("London"));
}

#[tokio::test]
async fn mail_gives_headers_body_and_attachment_names() {
    let mail = b"From: Ada Lovelace <ada@example.org>\r\nTo: bob@example.org\r\n\
        Subject: =?utf-8?q?Vertr=C3=A4ge?=\r\nDate: Mon, 6 Oct 2025 10:00:00 +0200\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\
        Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        <title>no</title><p>Sch=F6ne Gr=FC=DFe</p>\r\n--x\r\n\
        Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"lease.pdf\"\r\n\r\n\
        JVBERi0=\r\n--x--\r\n";
    let extract = read("saved.eml", mail).await.unwrap();
    assert_eq!(extract.title.as_deref(), Some("Verträge"));
    for words in [
        "Subject: Verträge\n",
        "From: Ada Lovelace ada@example.org\n",
        "To: bob@example.org\n",
        "Schöne Grüße",
        "Attachment: lease.pdf",
    ] {
        assert!(extract.text.contains(words), "{words:?} in {:?}", extract.text);
    }
}

#[tokio::test]
async fn outlook_messages_are_read() {
    let (subject, body, name) = (utf_16("Größe"), utf_16("Dear all"), utf_16("lease.pdf"));
    let message = compound(&[
        ("/__properties_version1.0", b""),
        ("/__substg1.0_0037001F", &subject),
        ("/__substg1.0_0C1A001E", b"Ada"),
        ("/__substg1.0_1000001F", &body),
        ("/__attach_version1.0_#00000000/__substg1.0_3707001F", &name),
    ]);
    assert_eq!(recognize(&message, "a.msg").format, Format::Msg);
    let text = text_of("a.msg", &message).await;
    assert_eq!(text, "Subject: Größe\nFrom: Ada\n\nDear all\nAttachment: lease.pdf");
}

#[tokio::test]
async fn rich_text_skips_tables_of_fonts_and_reads_unicode() {
    let source = br"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\*\generator X;}\uc1
        Gr\'f6\'dfe \u8364?\u-10179?\u-8704? 100\par {\pict 00ff}a\{b\}\tab c}";
    assert_eq!(text_of("a.rtf", source).await, "Größe €😀 100\na{b} c");
}

#[tokio::test]
async fn svg_is_searched_but_never_drawn() {
    let drawing = b"<svg xmlns='http://www.w3.org/2000/svg'><title>Plan</title><style>a{}</style>\
        <script>alert(1)</script><text x='1'>Ground floor</text></svg>";
    let extract = read("plan.svg", drawing).await.unwrap();
    assert_eq!(extract.text.trim(), "Ground floor");
    assert_eq!(extract.title.as_deref(), Some("Plan"));
    assert!(extract.thumbnail.is_none() && extract.previews.is_empty());
}

#[tokio::test]
async fn what_nobody_can_read_is_refused_without_a_child() {
    let error = read("a.bin", b"\0\x01\x02\x03").await.unwrap_err();
    assert!(matches!(error, ExtractError::Refused(Refusal::Unsupported)));
    let error = read("a.txt", b"").await.unwrap_err();
    assert_eq!(error.sentence(), "Files of this kind are stored, but cannot be read.");
}

#[tokio::test]
async fn an_empty_file_says_so() {
    let extractor = super::samples::extractor();
    let empty = super::samples::file(b"");
    let error = extractor.extract(empty, Format::Pdf, Default::default()).await.unwrap_err();
    assert_eq!(error.sentence(), "The file is empty.");
}

#[tokio::test]
async fn only_what_is_wanted_is_made() {
    use appliance::extract::Wanted;
    let extractor = super::samples::extractor();
    let bytes = pdf(&[&page("one"), &page("two")]);
    let wanted = Wanted { text: false, thumbnail: true, previews_max: 0 };
    let file = super::samples::file(&bytes);
    let extract = extractor.extract(file, Format::Pdf, wanted).await.unwrap();
    assert!(extract.text.is_empty() && extract.thumbnail.is_some() && extract.previews.is_empty());
    let wanted = Wanted { text: true, thumbnail: false, previews_max: 1 };
    let file = super::samples::file(&bytes);
    let extract = extractor.extract(file, Format::Pdf, wanted).await.unwrap();
    assert_eq!(extract.text, "one\x0ctwo");
    assert!(extract.thumbnail.is_none());
    assert_eq!(extract.previews.len(), 1);
}
