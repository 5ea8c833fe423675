//! Files made to harm: each is bounded, each ends in a sentence, none takes the server along.

use std::time::{Duration, Instant};

use appliance::extract::{Extract, ExtractError, Extractor, Format, Limits, Refusal, Wanted};

use super::samples::{
    docx, extractor, extractor_within, file, fixture, limits, lying_extractor, office, page, pdf,
    pdf_with, pdf_with_stream, read, stream_object, text_of, zip,
};

const TEXT_ONLY: Wanted = Wanted { text: true, thumbnail: false, previews_max: 0 };

async fn read_text(
    extractor: &Extractor,
    format: Format,
    bytes: &[u8],
) -> Result<Extract, ExtractError> {
    extractor.extract(file(bytes), format, TEXT_ONLY).await
}

fn blames_us(error: &ExtractError) -> bool {
    matches!(error, ExtractError::Internal(_) | ExtractError::Interrupted)
}

#[tokio::test]
async fn files_cut_short_anywhere_end_in_a_sentence() {
    let names = [
        "report.docx",
        "report.doc",
        "report.odt",
        "report.rtf",
        "report.epub",
        "review.pptx",
        "positions.xlsx",
        "positions.xls",
        "positions.ods",
    ];
    let extractor = extractor();
    let mut files: Vec<(Format, Vec<u8>)> = names
        .iter()
        .map(|name| {
            let bytes = office(name);
            (appliance::extract::recognize(&bytes, name).format, bytes)
        })
        .collect();
    files.push((Format::Pdf, fixture("report.pdf")));
    for (format, bytes) in files {
        for part in 1..12 {
            let cut = &bytes[..bytes.len() * part / 12];
            match read_text(&extractor, format, cut).await {
                Ok(extract) => assert!(!extract.incomplete.is_some_and(|e| blames_us(&e))),
                Err(error) => {
                    assert!(!blames_us(&error) && error.is_final(), "{format:?} {part}: {error}");
                    assert!(error.sentence().ends_with('.'));
                }
            }
        }
    }
}

#[tokio::test]
async fn rubbish_in_every_format_ends_in_a_sentence() {
    // A fixed sequence (xorshift), so that a failure can be repeated.
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut rubbish: Vec<u8> = (0..4_000)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect();
    let extractor = extractor();
    for format in Format::ALL {
        for magic in [
            &b""[..],
            b"%PDF-1.7\n",
            b"PK\x03\x04",
            b"{\\rtf1",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        ] {
            rubbish[..magic.len()].copy_from_slice(magic);
            let read = extractor.extract(file(&rubbish), format, Wanted::default()).await;
            let problem = match read {
                Ok(extract) => extract.incomplete,
                Err(error) => Some(error),
            };
            assert!(!problem.is_some_and(|error| blames_us(&error)), "{format:?}");
        }
    }
}

#[tokio::test]
async fn a_zip_bomb_is_cut_off_and_keeps_its_beginning() {
    let words = "<w:p><w:t>bomb</w:t></w:p>".repeat(40_000);
    let bomb = docx(&words.repeat(100));
    assert!(bomb.len() < 2_000_000);
    let small = Limits { text_bytes_max: 100_000, ..limits() };
    let extract = read_text(&extractor_within(small), Format::Docx, &bomb).await.unwrap();
    assert!(extract.text_truncated);
    assert!(extract.text.starts_with("bomb\nbomb\n"));
    assert!(extract.text.len() <= 100_000);
}

#[tokio::test]
async fn entities_do_not_multiply() {
    let laughs = "<!DOCTYPE d [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;\">]>\
        <w:document xmlns:w='w'><w:p><w:t>x&c;y</w:t></w:p></w:document>";
    let file = zip(&[("word/document.xml", laughs.as_bytes())]);
    assert_eq!(text_of("a.docx", &file).await, "xy");
}

#[tokio::test]
async fn a_container_of_countless_parts_is_refused() {
    let names: Vec<String> = (0..25_000).map(|number| number.to_string()).collect();
    let parts: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let error = read_text(&extractor(), Format::Docx, &zip(&parts)).await.unwrap_err();
    assert_eq!(error.sentence(), "The file is damaged: it contains too many parts.");
}

#[tokio::test]
async fn bottomless_nesting_is_survived() {
    let deep = 300_000;
    let files = [
        (Format::Docx, docx(&"<w:p>".repeat(deep))),
        (Format::Html, "<div>".repeat(deep).into_bytes()),
        (Format::Rtf, format!("{{\\rtf1 {}", "{".repeat(deep)).into_bytes()),
        (Format::Markdown, ">".repeat(deep).into_bytes()),
        (Format::Json, "[".repeat(deep).into_bytes()),
        (Format::Pdf, pdf(&["[".repeat(deep).as_bytes()])),
        (Format::Pdf, pdf_with(&[b""], &"[".repeat(deep), &[])),
        (Format::Pdf, pdf_with(&[b""], &"<</A".repeat(deep), &[])),
        (Format::Eml, "From: a\nTo: b\nContent-Type: message/rfc822\n\n".repeat(3000).into_bytes()),
    ];
    for (format, bytes) in files {
        match read_text(&extractor(), format, &bytes).await {
            Ok(extract) => {
                assert!(!extract.incomplete.is_some_and(|e| blames_us(&e)), "{format:?}")
            }
            Err(error) => assert!(!blames_us(&error), "{format:?}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_page_that_contains_itself_ends() {
    let itself = stream_object(
        "/Type/XObject/Subtype/Form/BBox[0 0 300 400]/Resources<</XObject<</X0 6 0 R>>>>",
        b"/X0 Do /X0 Do",
    );
    let bytes =
        pdf_with(&[b"/X0 Do BT /F 9 Tf 9 9 Td (outside) Tj ET"], "[0 0 300 400]", &[itself]);
    let extract = read("a.pdf", &bytes).await.unwrap();
    assert!(extract.text.contains("outside"), "{:?}", extract.text);
}

#[tokio::test]
async fn an_endless_page_keeps_what_was_read_in_time() {
    // Thirty forms, each drawing the next one twice: a thousand million lines.
    let forms: Vec<Vec<u8>> = (0..30)
        .map(|level| {
            let next = 7 + level;
            let resources = format!("/Resources<</XObject<</N {next} 0 R>>>>");
            let entries = format!("/Type/XObject/Subtype/Form/BBox[0 0 300 400]{resources}");
            stream_object(&entries, b"/N Do /N Do 0 0 m 9 9 l S")
        })
        .collect();
    let content = b"BT /F 9 Tf 9 9 Td (before the end of time) Tj ET /X0 Do";
    let bytes = pdf_with(&[content], "[0 0 300 400]", &forms);
    let short = Limits { cpu_s: 2, ..limits() };
    let extract = read_text(&extractor_within(short), Format::Pdf, &bytes).await.unwrap();
    assert_eq!(extract.text, "before the end of time");
    assert!(extract.text_truncated);
}

#[tokio::test]
async fn too_much_computing_ends_in_a_sentence_and_keeps_the_text() {
    let heavy = "0 0 m 300 400 l 9 9 l 70 300 l h f ".repeat(2_000_000);
    let bytes = pdf(&[&page("words first"), heavy.as_bytes()]);
    let short = Limits { cpu_s: 1, ..limits() };
    let wanted = Wanted { text: true, thumbnail: true, previews_max: 2 };
    let read = extractor_within(short).extract(file(&bytes), Format::Pdf, wanted).await;
    let extract = read.unwrap();
    assert!(extract.text.starts_with("words first"), "{:?}", extract.text);
    assert!(extract.text_truncated || extract.incomplete.is_some());
}

#[tokio::test]
async fn too_much_memory_ends_in_a_sentence() {
    // Thirty million blanks in hexadecimal, in a worker that may use little beyond its own code.
    let blanks = stream_object("/Filter/ASCIIHexDecode", "20".repeat(30_000_000).as_bytes());
    let bytes = pdf_with_stream(blanks);
    let small = Limits { memory_bytes: 40 * 1024 * 1024, cpu_s: 60, ..limits() };
    let extract = read_text(&extractor_within(small), Format::Pdf, &bytes).await.unwrap();
    assert_eq!(extract.page_count, Some(1));
    let problem = extract.incomplete.unwrap();
    assert!(matches!(problem, ExtractError::OutOfMemory), "{problem:?}");
    assert_eq!(problem.sentence(), "Reading the file takes too much memory.");
    assert!(problem.is_final());
}

#[tokio::test]
async fn a_file_above_the_limit_is_not_opened() {
    let small = Limits { input_bytes_max: 1024 * 1024, ..limits() };
    let bytes = vec![b'a'; 1024 * 1024 + 1];
    let error = read_text(&extractor_within(small), Format::Text, &bytes).await.unwrap_err();
    assert_eq!(error.sentence(), "Files above 1 MB are stored, but not read for their text.");
    assert!(matches!(error, ExtractError::Refused(Refusal::TooLarge(_))));
}

#[tokio::test]
async fn long_text_is_cut_between_characters() {
    let text = "ä".repeat(100_000);
    let small = Limits { text_bytes_max: 1001, ..limits() };
    let extract = read_text(&extractor_within(small), Format::Text, text.as_bytes()).await.unwrap();
    assert_eq!(extract.text, "ä".repeat(500));
    assert!(extract.text_truncated);
    let extract = read_text(&extractor(), Format::Text, text.as_bytes()).await.unwrap();
    assert_eq!(extract.text, text);
    assert!(!extract.text_truncated);
}

#[tokio::test]
async fn a_lying_worker_is_not_believed() {
    let lies = ["rubbish\n", "endless\n", "not-utf-8\n", "web-page\n", "exits\n", "shouts\n"];
    for lie in lies {
        let read = read_text(&lying_extractor(limits()), Format::Text, lie.as_bytes()).await;
        let error = read.unwrap_err();
        assert!(matches!(error, ExtractError::Crashed(_)), "{lie}: {error:?}");
        assert_eq!(error.sentence(), "The file could not be read; it may be damaged.");
        assert!(error.to_string().len() < 4096, "{lie}");
    }
}

#[tokio::test]
async fn what_a_worker_said_before_it_died_is_kept() {
    for (lie, text) in [("half\n", "half"), ("no-end\n", "text")] {
        let read = read_text(&lying_extractor(limits()), Format::Text, lie.as_bytes()).await;
        let extract = read.unwrap();
        assert_eq!(extract.text, text, "{lie}");
        assert!(matches!(extract.incomplete, Some(ExtractError::Crashed(_))), "{lie}");
    }
}

#[tokio::test]
async fn a_worker_killed_from_outside_is_worth_another_try() {
    let read = read_text(&lying_extractor(limits()), Format::Text, b"killed\n").await;
    let error = read.unwrap_err();
    assert!(matches!(error, ExtractError::Interrupted), "{error:?}");
    assert!(!error.is_final());
}

#[tokio::test]
async fn a_worker_that_cannot_be_started_is_worth_another_try() {
    let nowhere = Extractor::with_executable(limits(), 1, "/nonexistent/appliance".into());
    let error = read_text(&nowhere, Format::Text, b"x").await.unwrap_err();
    assert!(matches!(error, ExtractError::Internal(_)), "{error:?}");
    assert!(!error.is_final());
    assert_eq!(error.sentence(), "The file could not be read because of a fault on our side.");
}

#[tokio::test]
async fn a_worker_that_sleeps_is_ended_by_the_clock() {
    let marker = tempfile::NamedTempFile::new().unwrap();
    let order = format!("sleeps {}\n", marker.path().display());
    let short = Limits { wall: Duration::from_millis(500), ..limits() };
    let started = Instant::now();
    let error =
        read_text(&lying_extractor(short), Format::Text, order.as_bytes()).await.unwrap_err();
    assert!(matches!(error, ExtractError::TimedOut { cpu: false }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(is_gone(marker.path()).await);
}

#[tokio::test]
async fn giving_up_the_question_ends_the_worker() {
    let marker = tempfile::NamedTempFile::new().unwrap();
    let order = format!("sleeps {}\n", marker.path().display());
    let extractor = lying_extractor(limits());
    let question = read_text(&extractor, Format::Text, order.as_bytes());
    let given_up = tokio::time::timeout(Duration::from_millis(700), question).await;
    assert!(given_up.is_err());
    assert!(is_gone(marker.path()).await);
}

/// Whether the process whose number is in the file ends within a few seconds.
async fn is_gone(marker: &std::path::Path) -> bool {
    let pid = std::fs::read_to_string(marker).unwrap();
    assert!(!pid.trim().is_empty(), "the worker did not get as far as sleeping");
    for _ in 0..100 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim()));
        // A zombie only waits for the runtime to fetch its status.
        if status.map_or(true, |status| status.contains("State:\tZ")) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn many_files_at_once_are_read_two_at_a_time() {
    let extractor = extractor();
    let bytes = office("report.docx");
    let questions = (0..12).map(|_| read_text(&extractor, Format::Docx, &bytes));
    let answers = futures_util::future::join_all(questions).await;
    for answer in answers {
        assert!(answer.unwrap().text.contains("Jahresbericht"));
    }
}
