use appliance::{
    error::Error,
    web::pages::{
        Choice, ChoiceLink, Difference, FormErrors, HiddenField, Marked, Page, Pager, Place,
        SearchBox, Tone,
        documents::{
            DetailsFields, DocumentCard, FileFace, Status, Visibility, VisibilityFields,
            edit::EditPage,
            library::{
                ActiveFilter, Correction, DateFilter, Facet, LibraryPage, Results, ResultsFragment,
                Statistics,
            },
            link::LinkPage,
            show::{
                ActivityRow, Allowed, DocumentDetails, DocumentPage, PageImage, Preview,
                PreviewFragment, Table, TextState, Trashed, VersionRow,
            },
            upload::{UploadLimits, UploadOutcome, UploadPage},
            visibility::VisibilityPage,
        },
        prose,
    },
};

use super::{super::Exhibit, admin, flash, fragment, minutes_ago, page, reader, stranger};

pub fn all() -> Vec<Exhibit> {
    let library =
        |page: Page, results: Results| LibraryPage { can_upload: page.can_upload(), page, results };
    let undo =
        flash(Tone::Good, "“Board minutes, March” is in the trash.", Some("/documents/d1/restore"));
    let mut exhibits = vec![
        page("library", &library(admin(Place::Library), results())),
        page(
            "library-grid",
            &library(
                Page { flash: undo, ..admin(Place::Library) },
                Results { is_grid: true, ..results() },
            ),
        ),
        page(
            "library-search",
            &library(
                Page {
                    search: SearchBox {
                        text: "covenant".to_owned(),
                        kept: vec![HiddenField::new("category", "Credit")],
                    },
                    ..admin(Place::Library)
                },
                search_results(),
            ),
        ),
        page("library-nothing-found", &library(reader(), nothing_found())),
        page(
            "library-empty",
            &library(
                admin(Place::Library),
                Results {
                    is_library_empty: true,
                    has_archive: true,
                    can_upload: true,
                    ..Results::default()
                },
            ),
        ),
        page(
            "library-empty-for-reader",
            &library(reader(), Results { is_library_empty: true, ..Results::default() }),
        ),
        fragment("results", &ResultsFragment { results: results() }),
    ];
    exhibits.extend(forms());
    exhibits.extend(document_pages());
    exhibits
}

fn forms() -> Vec<Exhibit> {
    let too_large = "This file has 3.1 GB; the limit is 2 GB. Ask an administrator to raise it.";
    vec![
        page(
            "upload",
            &UploadPage {
                page: admin(Place::Upload),
                errors: FormErrors::none(),
                limits: limits(),
                details: details(""),
                status: Status::Published,
                visibility: visibility(Visibility::Organization),
                outcomes: Vec::new(),
            },
        ),
        page(
            "upload-partly-failed",
            &UploadPage {
                page: admin(Place::Upload),
                errors: FormErrors::of(&Error::invalid_field("file", "Choose at least one file.")),
                limits: limits(),
                details: details(""),
                status: Status::Draft,
                visibility: visibility(Visibility::Restricted),
                outcomes: vec![
                    UploadOutcome {
                        filename: "Q3 letter to partners.pdf".to_owned(),
                        href: Some("/documents/d1".to_owned()),
                        message: String::new(),
                    },
                    UploadOutcome {
                        filename: "a-very-long-filename-without-any-spaces-that-somebody-exported-from-a-scanner-2026-11-21.tiff".to_owned(),
                        href: None,
                        message: too_large.to_owned(),
                    },
                ],
            },
        ),
        page(
            "link",
            &LinkPage {
                page: admin(Place::Upload),
                errors: FormErrors::of(&Error::invalid_field(
                    "url",
                    "This is no web address. It starts with https:// or http://.",
                )),
                url: "halden.example/annual".to_owned(),
                details: details("Annual report microsite"),
                status: Status::Published,
                visibility: visibility(Visibility::Public),
            },
        ),
        page(
            "edit",
            &EditPage {
                page: admin(Place::Library),
                errors: FormErrors::of(&Error::conflict(
                    "Somebody else changed this document meanwhile. Look at it again before you save.",
                )),
                id: "d1".to_owned(),
                title: "Annual report 2025".to_owned(),
                details: details("Annual report 2025"),
                url: None,
                etag: "7".to_owned(),
                conflict: vec![Difference {
                    label: "Title",
                    stored: "Annual report 2025, final".to_owned(),
                    own: "Annual report 2025".to_owned(),
                }],
            },
        ),
        page(
            "visibility",
            &VisibilityPage {
                page: admin(Place::Library),
                errors: FormErrors::of(&Error::conflict(
                    "Somebody changed this in the meantime. Nothing of yours is saved yet.",
                )),
                action: "/documents/d1/visibility".to_owned(),
                back_href: "/documents/d1".to_owned(),
                title: "Annual report 2025".to_owned(),
                status: Status::Draft,
                visibility: visibility(Visibility::Restricted),
                carried: Vec::new(),
                conflict: vec![Difference {
                    label: "Who can see it",
                    stored: "Public".to_owned(),
                    own: "Restricted".to_owned(),
                }],
            },
        ),
    ]
}

fn document_pages() -> Vec<Exhibit> {
    let show =
        |page: Page, document: DocumentDetails, preview: Preview, allowed: Allowed| DocumentPage {
            page,
            errors: FormErrors::none(),
            versions: versions(),
            activity: activity(),
            more_activity_href: Some("/admin/audit?document=d1".to_owned()),
            is_insider: true,
            document,
            preview,
            allowed,
        };
    let everything = Allowed {
        download: true,
        edit: true,
        change_visibility: true,
        archive: true,
        upload_version: true,
        trash: true,
        ..Allowed::default()
    };
    let reads = Allowed { download: true, ..Allowed::default() };
    let broken = DocumentDetails {
        text: TextState::Failed("The PDF is encrypted.".to_owned()),
        status: Status::Draft,
        is_new: true,
        ..document("Übernahmevertrag – Entwurf (vertraulich)")
    };
    let trashed = DocumentDetails {
        trashed: Some(Trashed {
            by: "Ana María López".to_owned(),
            at: minutes_ago(180),
            gone: minutes_ago(-29 * 24 * 60),
        }),
        ..document("Board minutes, March")
    };
    let link = DocumentDetails {
        link_url: Some("https://www.example.org/research/2026/outlook?lang=en".to_owned()),
        face: FileFace::LINK,
        kind: Some("Link".to_owned()),
        visibility: Visibility::Public,
        ..document("Market outlook 2027")
    };
    let image = Preview::Image {
        url: "/samples/poster.svg".to_owned(),
        alt: "Poster: Late summer".to_owned(),
    };
    vec![
        page(
            "document-pdf",
            &show(
                Page {
                    flash: flash(Tone::Good, "Version 3 is uploaded.", None),
                    ..admin(Place::Library)
                },
                document("Annual report 2025"),
                Preview::Pdf { content_url: "/samples/report.pdf".to_owned(), pages: pages() },
                everything,
            ),
        ),
        page(
            "document-pages",
            &show(
                admin(Place::Library),
                document("Partner meeting"),
                Preview::Pages(pages()),
                reads,
            ),
        ),
        page("document-image", &show(reader(), document("Late summer, 70 × 100"), image, reads)),
        page(
            "document-text-failed",
            &show(
                admin(Place::Library),
                broken,
                Preview::None {
                    reason: "This PDF is encrypted, so there is no preview.".to_owned(),
                },
                Allowed { publish: true, ..everything },
            ),
        ),
        page(
            "document-text",
            &show(
                admin(Place::Library),
                document("notes.md"),
                Preview::Text {
                    text: "# Notes\n\nSome <b>plain</b> text & more.\n\tIndented.\n".repeat(30),
                    is_cut: true,
                },
                everything,
            ),
        ),
        page(
            "document-table",
            &show(
                admin(Place::Library),
                document("performance.csv"),
                Preview::Tables { tables: vec![table("")], is_cut: true },
                reads,
            ),
        ),
        page(
            "document-sheets",
            &show(
                admin(Place::Library),
                document("performance.xlsx"),
                Preview::Tables { tables: vec![table("Results"), table("Plan")], is_cut: false },
                reads,
            ),
        ),
        page(
            "document-prose",
            &DocumentPage {
                is_insider: false,
                ..show(
                    stranger(),
                    document("handbook.md"),
                    Preview::Prose {
                        html: prose::page_of_prose("# Welcome\n\n- one\n- two\n\n> Quoted"),
                        is_cut: false,
                    },
                    reads,
                )
            },
        ),
        page(
            "document-link",
            &show(
                admin(Place::Library),
                link.clone(),
                Preview::Link {
                    url: "https://www.example.org/research/2026/outlook?lang=en".to_owned(),
                    host: "www.example.org".to_owned(),
                },
                everything,
            ),
        ),
        page(
            "document-trashed",
            &show(
                admin(Place::Library),
                trashed,
                Preview::Thumbnail { url: "/samples/report.svg".to_owned() },
                Allowed { restore: true, delete: true, ..Allowed::default() },
            ),
        ),
        page(
            "document-pending",
            &DocumentPage {
                versions: Vec::new(),
                activity: Vec::new(),
                ..show(
                    admin(Place::Library),
                    DocumentDetails {
                        text: TextState::Pending,
                        description: String::new(),
                        ..document("Just uploaded.docx")
                    },
                    Preview::Pending,
                    everything,
                )
            },
        ),
        page(
            "document-partly-read",
            &show(
                reader(),
                DocumentDetails {
                    text: TextState::Partial("Reading the file took too long.".to_owned()),
                    ..document("Minutes of forty years")
                },
                Preview::Thumbnail { url: "/samples/poster.svg".to_owned() },
                reads,
            ),
        ),
        page(
            "document-video",
            &show(
                reader(),
                document("Loom in motion"),
                Preview::Video {
                    url: "/samples/loom.mp4".to_owned(),
                    media_type: "video/mp4".to_owned(),
                    poster_url: Some("/samples/poster.svg".to_owned()),
                },
                reads,
            ),
        ),
        page(
            "document-audio",
            &show(
                reader(),
                document("Interview"),
                Preview::Audio {
                    url: "/samples/a.mp3".to_owned(),
                    media_type: "audio/mpeg".to_owned(),
                },
                reads,
            ),
        ),
        fragment(
            "preview",
            &PreviewFragment {
                document: document("Annual report 2025"),
                preview: Preview::Pages(pages()),
            },
        ),
    ]
}

fn table(name: &str) -> Table {
    let rows = [["Quarter", "Result", "Note"], ["Q1 2026", "1,204.50", "<b> & co"]];
    Table::new(name, rows.map(|row| row.map(str::to_owned).to_vec()).to_vec())
}

fn limits() -> UploadLimits {
    UploadLimits { file_size_bytes_max: 2_000_000_000, files_max: 100 }
}

fn option(label: &str, count: u64, selected: bool) -> ChoiceLink {
    ChoiceLink {
        label: label.to_owned(),
        href: "/documents?filter=1".to_owned(),
        selected,
        count: Some(count),
    }
}

fn facets(chosen: bool) -> Vec<Facet> {
    let facet = |name: &str, title: &str, options: Vec<ChoiceLink>, more: Vec<ChoiceLink>| Facet {
        name: name.to_owned(),
        title: title.to_owned(),
        options,
        more,
    };
    vec![
        facet(
            "category",
            "Category",
            vec![
                option("Annual reports", 214, false),
                option("Credit", 187, chosen),
                option("Rechtsgutachten und Stellungnahmen der Aufsicht", 96, false),
                option("Investor letters", 64, false),
                option("理事会", 12, false),
            ],
            vec![option("Templates", 9, false), option("Archive 1998–2004", 1, false)],
        ),
        facet(
            "kind",
            "Kind",
            vec![
                option("Document", 1022, false),
                option("Link", 98, false),
                option("Poster", 84, false),
            ],
            Vec::new(),
        ),
        facet(
            "tag",
            "Tag",
            vec![option("q3", 40, false), option("confidential", 31, false)],
            Vec::new(),
        ),
        facet("person", "Person", vec![option("Ana María López", 400, false)], Vec::new()),
        facet(
            "status",
            "Status",
            vec![option("Draft", 4, false), option("Archived", 51, false)],
            Vec::new(),
        ),
    ]
}

fn results() -> Results {
    Results {
        total: 1204,
        statistics: Statistics {
            documents: 1204,
            new_this_month: 38,
            categories: 14,
            updated: Some(minutes_ago(12)),
        },
        documents: cards(),
        sorts: [("Newest first", true), ("Title", false), ("Largest first", false)]
            .map(|(label, selected)| ChoiceLink {
                label: label.to_owned(),
                href: "/documents?sort=title".to_owned(),
                selected,
                count: None,
            })
            .to_vec(),
        list_href: "/documents?view=list".to_owned(),
        grid_href: "/documents?view=grid".to_owned(),
        clear_href: "/documents".to_owned(),
        facets: facets(false),
        dates: DateFilter {
            presets: vec![
                option("Past 7 days", 12, false),
                option("Past 30 days", 38, false),
                option("This year", 512, false),
            ],
            ..DateFilter::default()
        },
        pager: Pager {
            first_href: Some("/documents".to_owned()),
            next_href: Some("/documents?after=abc".to_owned()),
        },
        can_upload: true,
        ..Results::default()
    }
}

fn search_results() -> Results {
    let mut documents = cards();
    for card in &mut documents {
        card.snippet = Marked::ranges(
            "… the borrower shall maintain each financial covenant set out in Schedule 4, and any \
             breach of a covenant must be notified within ten business days …",
            &[45..53, 97..105],
        );
    }
    Results {
        query: "covenant".to_owned(),
        total: 3,
        documents: documents.into_iter().take(3).collect(),
        correction: Some(Correction::DidYouMean {
            text: "covenants".to_owned(),
            href: "/documents?q=covenants".to_owned(),
        }),
        active: vec![
            ActiveFilter {
                name: "Category".to_owned(),
                value: "Credit".to_owned(),
                remove_href: "/documents?q=covenant".to_owned(),
            },
            ActiveFilter {
                name: "From".to_owned(),
                value: "since 1 Jan 2026".to_owned(),
                remove_href: "/documents?q=covenant".to_owned(),
            },
        ],
        facets: facets(true),
        pager: Pager::default(),
        dates: DateFilter {
            from: "2026-01-01".to_owned(),
            kept: vec![HiddenField::new("q", "covenant")],
            ..results().dates
        },
        ..results()
    }
}

fn nothing_found() -> Results {
    Results {
        query: "lärm & \"stille\" <b>".to_owned(),
        total: 0,
        documents: Vec::new(),
        correction: Some(Correction::ShowingInstead { shown: "larm".to_owned() }),
        active: vec![ActiveFilter {
            name: "Person".to_owned(),
            value: "Þórunn Hallgrímsdóttir-Fernández de la Vega".to_owned(),
            remove_href: "/documents".to_owned(),
        }],
        pager: Pager::default(),
        ..results()
    }
}

fn cards() -> Vec<DocumentCard> {
    let card = |id: &str, title: &str, filename: &str, media_type: &str| DocumentCard {
        id: id.to_owned(),
        title: Marked::plain(title),
        snippet: Marked::default(),
        category: Some(option("Annual reports", 214, false)),
        tags: Vec::new(),
        face: FileFace::of(media_type, filename),
        thumbnail_url: None,
        size_bytes: Some(2_412_000),
        host: None,
        owner: "Ana María López".to_owned(),
        updated: minutes_ago(3),
        is_new: false,
        status: Status::Published,
        visibility: Visibility::Organization,
    };
    vec![
        DocumentCard {
            thumbnail_url: Some("/samples/report.svg".to_owned()),
            is_new: true,
            tags: vec![option("q3", 40, false), option("confidential", 31, false)],
            ..card("d1", "Annual report 2025", "annual.pdf", "application/pdf")
        },
        DocumentCard {
            thumbnail_url: Some("/samples/chart.svg".to_owned()),
            visibility: Visibility::Restricted,
            updated: minutes_ago(55),
            ..card("d2", "Q3 letter to our partners", "q3.pdf", "application/pdf")
        },
        DocumentCard {
            status: Status::Draft,
            updated: minutes_ago(60 * 26),
            size_bytes: Some(48_120),
            ..card(
                "d3",
                "Loan agreement between Halden & Søn Capital and the Municipality of \
                 Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch, third amended version",
                "loan.docx",
                "",
            )
        },
        DocumentCard {
            size_bytes: Some(712_000),
            category: None,
            updated: minutes_ago(60 * 24 * 5),
            ..card("d4", "Portfolio model, base case", "model.xlsx", "")
        },
        DocumentCard {
            face: FileFace::LINK,
            size_bytes: None,
            host: Some("www.example.org".to_owned()),
            visibility: Visibility::Public,
            category: Some(option("Research", 3, false)),
            updated: minutes_ago(60 * 24 * 9),
            ..card("d5", "Market outlook 2027", "", "")
        },
        DocumentCard {
            thumbnail_url: Some("/samples/poster.svg".to_owned()),
            size_bytes: Some(31_000_000),
            updated: minutes_ago(60 * 24 * 40),
            ..card("d6", "Late summer, 70 × 100", "late.png", "image/png")
        },
        DocumentCard {
            status: Status::Archived,
            updated: minutes_ago(60 * 24 * 400),
            ..card("d7", "投資委員会 議事録 2024年", "minutes.txt", "text/plain")
        },
        card("d8", "Investor day slides", "day.pptx", ""),
        card("d9", "Re: Term sheet", "mail.eml", ""),
    ]
}

fn details(title: &str) -> DetailsFields {
    DetailsFields {
        title: title.to_owned(),
        description: "The audited report.\n\nWith the notes & tables.".to_owned(),
        category: "Annual reports".to_owned(),
        categories: vec!["Annual reports".to_owned(), "Credit".to_owned()],
        tags: "q3, confidential".to_owned(),
        known_tags: vec!["q3".to_owned()],
        kinds: vec![Choice::new("file", "Document", true), Choice::new("poster", "Poster", false)],
    }
}

fn visibility(chosen: Visibility) -> VisibilityFields {
    let person = |index: u32| Choice {
        value: format!("u{index}"),
        label: format!("Person number {index}"),
        detail: format!("person{index}@halden.example"),
        selected: index == 2,
    };
    VisibilityFields {
        chosen,
        groups: vec![Choice {
            value: "g1".to_owned(),
            label: "Investment committee".to_owned(),
            detail: "6 members".to_owned(),
            selected: true,
        }],
        people: (1..=14).map(person).collect(),
    }
}

fn document(title: &str) -> DocumentDetails {
    DocumentDetails {
        id: "d1".to_owned(),
        title: title.to_owned(),
        description: "The audited annual report with notes.\n\nApproved by the board in March."
            .to_owned(),
        category: Some(option("Annual reports", 214, false)),
        tags: vec![option("q3", 40, false), option("confidential", 31, false)],
        kind: None,
        face: FileFace::of("application/pdf", "annual-report-2025-final.pdf"),
        filename: "annual-report-2025-final.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        size_bytes: 2_412_000,
        link_url: None,
        pages: Some(48),
        owner: "Ana María López".to_owned(),
        created: minutes_ago(60 * 24 * 8),
        updated: minutes_ago(3),
        is_new: false,
        status: Status::Published,
        visibility: Visibility::Restricted,
        seen_by: vec!["Investment committee".to_owned(), "Jonas Berg".to_owned()],
        trashed: None,
        text: TextState::Ready,
    }
}

fn pages() -> Vec<PageImage> {
    let page = |(number, name): (u32, &str)| PageImage {
        number,
        url: format!("/samples/{name}.svg"),
        width: 1000,
        height: 1400,
    };
    [(1, "report"), (2, "chart"), (3, "report")].map(page).to_vec()
}

fn versions() -> Vec<VersionRow> {
    let version = |number: u32, minutes: i64| VersionRow {
        id: format!("v{number}"),
        number,
        filename: "annual-report-2025-final.pdf".to_owned(),
        size_bytes: 2_412_000 - u64::from(number) * 300_000,
        by: "Ana María López".to_owned(),
        at: minutes_ago(minutes),
        is_current: number == 3,
    };
    vec![version(3, 3), version(2, 60 * 30), version(1, 60 * 24 * 8)]
}

fn activity() -> Vec<ActivityRow> {
    let entry = |who: &str, what: &str, minutes, icon| ActivityRow {
        who: who.to_owned(),
        what: what.to_owned(),
        at: minutes_ago(minutes),
        icon,
    };
    vec![
        entry("Ana María López", "uploaded version 3", 3, "upload"),
        entry("Jonas Berg", "downloaded it", 50, "download"),
        entry("Ana María López", "shared it with Investment committee", 60 * 30, "eye"),
    ]
}
