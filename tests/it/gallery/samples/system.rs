use appliance::web::pages::{
    Choice, Place, Tone,
    admin::{
        Sidebar,
        dashboard::HealthCheck,
        system::{Disk, Fact, FactGroup, LogRow, SystemPage},
    },
};

use super::{super::Exhibit, admin, minutes_ago, page};

pub fn all() -> Vec<Exhibit> {
    vec![
        page("admin-system", &system()),
        page(
            "admin-system-quiet",
            &SystemPage {
                lines: Vec::new(),
                is_filtered: true,
                text: "kettle".to_owned(),
                ..system()
            },
        ),
    ]
}

fn system() -> SystemPage {
    let check = |name: &str, tone, detail: &str| HealthCheck {
        name: name.to_owned(),
        tone,
        detail: detail.to_owned(),
    };
    let text = |text: &str| Fact::Text(text.to_owned());
    let line = |tone, level, target: &str, text: &str| LogRow {
        day: "21 Nov 2026".to_owned(),
        clock: "11:57:03".to_owned(),
        tone,
        level,
        target: target.to_owned(),
        text: text.to_owned(),
    };
    SystemPage {
        page: admin(Place::System),
        sidebar: Sidebar { failed_jobs: 3, may_govern: true, may_operate: true },
        parts: vec![
            check(
                "Disk",
                Tone::Bad,
                "The disk is nearly full: uploads, backups and previews wait. Empty the trash, remove \
                 old backups (appliance backup prune), enlarge the disk, or let files move to S3: \
                 [storage] in the configuration.",
            ),
            check("Records", Tone::Good, "1,204,332 commits since the start, none failed."),
            check("Search index", Tone::Good, "Up to date."),
            check("Jobs", Tone::Warning, "2 running, 14 waiting, 3 failed: see “Jobs”."),
            check("Certificate", Tone::Plain, "The first one is on its way."),
        ],
        facts: vec![
            FactGroup {
                id: "program",
                title: "Program",
                facts: vec![
                    ("Version", text("0.1.0")),
                    ("Running since", Fact::At(minutes_ago(4_320))),
                    ("Memory", text("84 MB")),
                    ("Open files", text("122 of at most 65,536")),
                ],
            },
            FactGroup {
                id: "machine",
                title: "Machine",
                facts: vec![
                    ("Name", text("ip-10-0-12-117.eu-central-1.compute.internal.halden.example")),
                    ("System", text("Linux 6.1.0-28-cloud-amd64, x86_64")),
                    ("Load, 1, 5 and 15 minutes", text("0.12, 0.20, 0.18")),
                ],
            },
            FactGroup {
                id: "data",
                title: "Data",
                facts: vec![("Records", text("1.2 GB")), ("Search index", text("412 MB"))],
            },
        ],
        disk: Disk {
            used_bytes: 19_600_000_000,
            free_bytes: 400_000_000,
            reserve_bytes: 500_000_000,
            total_bytes: 20_000_000_000,
            high_bytes: 19_500_000_000,
            critical_bytes: 19_750_000_000,
        },
        levels: vec![
            Choice::new("", "Everything", true),
            Choice::new("warn", "Warnings", false),
            Choice::new("error", "Errors only", false),
        ],
        text: String::new(),
        is_filtered: false,
        lines: vec![
            line(
                Tone::Bad,
                "error",
                "appliance::store::writer",
                "a commit failed: committing to the database: No space left on device (os error 28)",
            ),
            line(
                Tone::Warning,
                "warn",
                "appliance::blobs::remote::guarding",
                "s3://halden-documents/portal takes no files; they wait on this machine: \
                 https://s3.eu-central-1.amazonaws.com/halden-documents/portal/0f/0f3a9b…: timed out",
            ),
            line(
                Tone::Plain,
                "info",
                "request",
                "id=57fc2c1dd1bd1a4c method=GET path=/documents status=200 ms=3.2 \
                 user=01999999-0000-7000-8000-000000000001",
            ),
        ],
    }
}
