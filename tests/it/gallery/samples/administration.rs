use appliance::{
    error::Error,
    web::pages::{
        Choice, ChoiceLink, FormErrors, Page, Pager, Place, Seen, Tone,
        accent::Accent,
        admin::{
            Sidebar,
            backups::{
                BackupGroup, BackupRow, BackupsPage, BackupsState, BackupsStateFragment, PlanForm,
                RunRow,
            },
            categories::{CategoriesPage, CategoryRow},
            dashboard::{DashboardPage, HealthCheck, Storage, StoragePart},
            documents::{DocumentRow, DocumentsPage},
            events::{EventRow, EventsPage},
            groups::{GroupPage, GroupRow, GroupsPage},
            https::{CertificateRow, HttpsPage},
            jobs::{JobRow, JobRowsFragment, JobState, JobsPage},
            settings::SettingsPage,
            users::{AccountFields, NewUserPage, UserPage, UserRow, UsersPage},
        },
        documents::{FileFace, Status, Visibility},
    },
};

use super::{super::Exhibit, admin, flash, fragment, minutes_ago, page};

const LONG: &str =
    "Ausschuss für Rechnungswesen, Wirtschaftsprüfung und Nachhaltigkeitsberichterstattung";

pub fn all() -> Vec<Exhibit> {
    let mut exhibits = vec![
        page("admin-dashboard", &dashboard()),
        page("admin-jobs", &jobs_page(jobs())),
        page("admin-jobs-empty", &jobs_page(Vec::new())),
        fragment("job-rows", &JobRowsFragment { page: admin(Place::Jobs), jobs: jobs() }),
        page("admin-audit", &audit(activity())),
        page("admin-audit-empty", &EventsPage { is_filtered: true, ..audit(Vec::new()) }),
        page("admin-settings", &settings()),
        page("admin-https", &https()),
        page("admin-backups", &backups(backups_state())),
        page("admin-backups-empty", &backups(BackupsState::default())),
        fragment(
            "backups-state",
            &BackupsStateFragment { page: admin(Place::Backups), state: backups_state() },
        ),
    ];
    exhibits.extend(people());
    exhibits.extend(groups());
    exhibits.extend(categories());
    exhibits.extend(documents());
    exhibits
}

fn sidebar() -> Sidebar {
    Sidebar { failed_jobs: 3, may_govern: true, may_operate: true }
}

fn backups(state: BackupsState) -> BackupsPage {
    let mut errors = FormErrors::none();
    errors.add("at", "A time of day looks like 03:00.");
    BackupsPage {
        page: admin(Place::Backups),
        sidebar: sidebar(),
        errors,
        state,
        plan: PlanForm {
            is_on: "1".to_owned(),
            target: "repository".to_owned(),
            repository: "s3://halden-backups/portal".to_owned(),
            every_hours: "24".to_owned(),
            at: "25:00".to_owned(),
            cron: String::new(),
            keep_last: "3".to_owned(),
            keep_daily: "7".to_owned(),
            keep_weekly: "5".to_owned(),
            keep_monthly: "12".to_owned(),
            encryption: "recipients".to_owned(),
            recipients: "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p".to_owned(),
            ship_every_seconds: "10".to_owned(),
            drill_every_days: "7".to_owned(),
            ..PlanForm::default()
        },
        has_passphrase: true,
    }
}

fn backups_state() -> BackupsState {
    let row = |id: &str, is_archive: bool| BackupRow {
        is_strange: !is_archive,
        id: id.to_owned(),
        created: minutes_ago(60 * 9),
        holds: "1,204,311 records, 88,120 files".to_owned(),
        size_bytes: Some(412_000_000_000),
        is_encrypted: id.ends_with(".age"),
        is_archive,
    };
    let run = |what, fault: Option<&str>| RunRow {
        what,
        tone: if fault.is_none() { Tone::Good } else { Tone::Bad },
        place: "s3://halden-backups/portal".to_owned(),
        summary: "1204311 records and 88120 files; 1.2 GB written".to_owned(),
        fault: fault.map(str::to_owned),
        finished: minutes_ago(60 * 9),
        took_ms: 754_000,
    };
    BackupsState {
        signer: "q8mGeYBNcDL2Y6mA3QGrBzFUOCO2pMCYPL5hXW0OPyM=".into(),
        is_on: true,
        is_encrypted: false,
        place: "s3://halden-backups/portal".to_owned(),
        last_success: Some(minutes_ago(60 * 9)),
        next_run: Some(minutes_ago(-60 * 15)),
        last_drill: None,
        faults: vec![format!("The last rehearsal of a restore failed: {LONG}")],
        jobs: jobs(),
        groups: vec![
            BackupGroup { heading: "Snapshots", backups: vec![row("3f9a0c11", false)] },
            BackupGroup {
                heading: "Archives",
                backups: vec![row("appliance-halden-sn-20261121T030000Z.tar.zst.age", true)],
            },
        ],
        snapshots_fault: Some("Nothing answers. Check the network.".to_owned()),
        runs: vec![run("Backup", None), run("Check", Some(LONG))],
    }
}

fn tab(label: &str, count: u64, selected: bool) -> ChoiceLink {
    ChoiceLink {
        label: label.to_owned(),
        href: "/admin/?state=x".to_owned(),
        selected,
        count: Some(count),
    }
}

fn any_and(labels: &[&str]) -> Vec<Choice> {
    let mut choices = vec![Choice::new("", "Any", true)];
    choices.extend(labels.iter().map(|label| Choice::new(*label, *label, false)));
    choices
}

fn dashboard() -> DashboardPage {
    let check = |name: &str, tone, detail: &str| HealthCheck {
        name: name.to_owned(),
        tone,
        detail: detail.to_owned(),
    };
    let part = |label: &str, size_bytes| StoragePart { label: label.to_owned(), size_bytes };
    DashboardPage {
        page: admin(Place::Dashboard),
        sidebar: sidebar(),
        documents: 1_002_318,
        documents_new_this_month: 38,
        people: 214,
        people_active_this_week: 96,
        jobs_waiting: 12,
        jobs_failed: 3,
        storage: Storage {
            used_bytes: 412_000_000_000,
            free_bytes: 88_000_000_000,
            parts: vec![
                part("Files", 398_000_000_000),
                part("Search index", 12_000_000_000),
                part("Records", 2_000_000_000),
            ],
        },
        health: vec![
            check("Records", Tone::Good, "Opened cleanly; the last commit is 2 seconds old."),
            check("Search index", Tone::Good, "Up to date."),
            check(
                "Free space",
                Tone::Warning,
                "18 % left. Uploads stop when less than 1 GB is free: add space or empty the trash.",
            ),
            check(
                "Object store",
                Tone::Bad,
                "Not reachable since 3 minutes. Uploads wait on disk.",
            ),
        ],
        jobs: jobs().into_iter().take(2).collect(),
        activity: activity(),
        version: "0.1.0".to_owned(),
        running_since: minutes_ago(60 * 24 * 6),
    }
}

fn jobs() -> Vec<JobRow> {
    let job = |id: &str, task: &str, subject: &str, state| JobRow {
        id: id.to_owned(),
        task: task.to_owned(),
        subject: subject.to_owned(),
        subject_href: Some("/documents/d1".to_owned()),
        state,
        percent: None,
        attempts: 1,
        error: None,
        created: minutes_ago(4),
        next_try: None,
        duration_ms: None,
        can_cancel: state == JobState::Queued,
    };
    vec![
        JobRow {
            error: Some("The file is damaged: the cross-reference table ends early.".to_owned()),
            attempts: 5,
            duration_ms: Some(1_830),
            ..job("j1", "Read the text", LONG, JobState::Failed)
        },
        JobRow {
            percent: Some(42),
            subject_href: None,
            ..job("j2", "Build the search index anew", "1,002,318 documents", JobState::Running)
        },
        JobRow {
            next_try: Some(minutes_ago(-3)),
            attempts: 2,
            ..job("j3", "Move to the object store", "Annual report 2025", JobState::Queued)
        },
        JobRow {
            duration_ms: Some(96_000),
            ..job("j4", "Make previews", "Late summer, 70 × 100", JobState::Done)
        },
        JobRow { subject: String::new(), ..job("j5", "Empty the trash", "", JobState::Cancelled) },
    ]
}

fn jobs_page(jobs: Vec<JobRow>) -> JobsPage {
    JobsPage {
        page: admin(Place::Jobs),
        sidebar: sidebar(),
        states: vec![
            tab("All", 5, true),
            tab("Running", 1, false),
            tab("Waiting", 1, false),
            tab("Failed", 1, false),
            tab("Done", 1_204_318, false),
        ],
        can_retry_failed: !jobs.is_empty(),
        jobs,
        rows_href: "/admin/jobs/rows".to_owned(),
        pager: Pager { first_href: None, next_href: Some("/admin/jobs?after=x".to_owned()) },
    }
}

fn activity() -> Vec<EventRow> {
    let entry = |who: &str, what: &str, subject: &str, minutes| EventRow {
        at: minutes_ago(minutes),
        who: who.to_owned(),
        what: what.to_owned(),
        subject: subject.to_owned(),
        subject_href: (!subject.is_empty()).then(|| "/documents/d1".to_owned()),
        address: "192.0.2.17".to_owned(),
    };
    vec![
        entry("Ana María López", "published", "Annual report 2025", 3),
        entry("Somebody", "failed to sign in as", "jonas", 14),
        entry("Þórunn Hallgrímsdóttir-Fernández de la Vega", "changed who can see", LONG, 200),
        EventRow { address: String::new(), ..entry("The system", "emptied the trash", "", 3000) },
    ]
}

fn audit(entries: Vec<EventRow>) -> EventsPage {
    EventsPage {
        page: admin(Place::Audit),
        sidebar: sidebar(),
        people: any_and(&["Ana María López", "Jonas Berg"]),
        actions: any_and(&["Signed in", "Uploaded", "Published"]),
        from: "2026-11-01".to_owned(),
        to: String::new(),
        document: Some(("d1".to_owned(), "Annual report 2025".to_owned())),
        is_filtered: true,
        entries,
        pager: Pager::default(),
    }
}

fn settings() -> SettingsPage {
    let mut errors = FormErrors::of(&Error::invalid("Nothing was saved yet: see below."));
    errors.add("cors_origins", "“app.example.org” lacks https:// at its start.");
    SettingsPage {
        page: admin(Place::Settings),
        sidebar: sidebar(),
        errors,
        name: "Halden & Søn Capital".to_owned(),
        accent: Accent::DEFAULT,
        uses_default_accent: true,
        upload_limit_mb: "2000".to_owned(),
        session_days: "30".to_owned(),
        cors_origins: "app.example.org".to_owned(),
    }
}

fn https() -> HttpsPage {
    let row = |domain: &str, tone, state| CertificateRow {
        domain: domain.to_owned(),
        tone,
        state,
        issuer: Some("Let's Encrypt (E7)".to_owned()),
        until: Some(minutes_ago(0)),
        next_attempt: Some(minutes_ago(0)),
        fault: None,
    };
    HttpsPage {
        page: admin(Place::Https),
        sidebar: sidebar(),
        errors: FormErrors::of(&Error::invalid("Nothing was saved yet: see below.")),
        domains: "docs.halden.example\nwww.halden.example".to_owned(),
        email: "ops@halden.example".to_owned(),
        configured_domains: "docs.halden.example".to_owned(),
        summary: "A certificate could not be fetched. The portal goes on with what it has."
            .to_owned(),
        tone: Tone::Bad,
        certificates: vec![
            row("docs.halden.example", Tone::Good, "Valid"),
            CertificateRow {
                issuer: None,
                until: None,
                fault: Some((
                    format!("The certificate authority does not reach this machine: {LONG}."),
                    "Open port 443 for everybody (security group, firewall).".to_owned(),
                )),
                ..row("a-very-long-name-of-a-portal.intranet.halden.example", Tone::Bad, "Failed")
            },
        ],
        can_fetch: true,
    }
}

fn wrong_names() -> FormErrors {
    let mut errors = FormErrors::none();
    errors.add("username", "The username “ann” is taken.");
    errors.add("email", "This is not an e-mail address. It looks like name@example.com.");
    errors.add("role", "A role is one of viewer, editor, manager or admin.");
    errors.add("groups", "One of the groups does not exist.");
    errors.add("password", "The password has at least 8 characters.");
    errors
}

fn account(groups: usize) -> AccountFields {
    let role = |value: &str, label: &str, detail: &str| Choice {
        value: value.to_owned(),
        label: label.to_owned(),
        detail: detail.to_owned(),
        selected: value == "editor",
    };
    AccountFields {
        username: "jonas.berg".to_owned(),
        email: "jonas.berg@halden.example".to_owned(),
        full_name: "Jonas Berg".to_owned(),
        roles: vec![
            role("viewer", "Viewer", "Reads and downloads."),
            role("editor", "Editor", "Also uploads, and edits what they added."),
            role("manager", "Manager", "Also edits every document, categories and groups."),
            role("admin", "Admin", "Also people, settings and the audit log."),
        ],
        groups: (0..groups)
            .map(|index| Choice {
                value: format!("g{index}"),
                label: format!("Group {index}"),
                detail: "6 members".to_owned(),
                selected: index == 0,
            })
            .collect(),
        seen: Seen::default(),
        is_instance_admin: false,
        may_set_instance_admin: true,
    }
}

fn people() -> Vec<Exhibit> {
    let row = |id: &str, name: &str, role: &str| UserRow {
        id: id.to_owned(),
        name: name.to_owned(),
        username: id.to_owned(),
        email: format!("{id}@halden.example"),
        role: role.to_owned(),
        is_instance_admin: id == "ana",
        is_disabled: id == "old",
        last_seen: (id != "new").then(|| minutes_ago(8)),
        documents: 1204,
    };
    let list = UsersPage {
        page: admin(Place::People),
        sidebar: sidebar(),
        query: String::new(),
        states: vec![tab("All", 214, true), tab("Active", 210, false), tab("Disabled", 4, false)],
        roles: any_and(&["Viewer", "Editor"]),
        users: vec![
            row("ana", "Ana María López", "Admin"),
            row(
                "thorunn.hallgrimsdottir",
                "Þórunn Hallgrímsdóttir-Fernández de la Vega",
                "Manager",
            ),
            row("old", "Jonas Berg", "Editor"),
            row("new", "李伟", "Viewer"),
        ],
        total: 214,
        pager: Pager { first_href: None, next_href: Some("/admin/people?after=x".to_owned()) },
    };
    let person = UserPage {
        page: Page { flash: flash(Tone::Good, "Saved.", None), ..admin(Place::People) },
        sidebar: sidebar(),
        errors: FormErrors::none(),
        id: "u2".to_owned(),
        name: "Jonas Berg".to_owned(),
        account: account(12),
        conflict: Vec::new(),
        is_disabled: false,
        is_oneself: false,
        is_last_administrator: false,
        documents: 48,
        sessions: 2,
        tokens: 1,
        created: minutes_ago(60 * 24 * 400),
        last_seen: Some(minutes_ago(8)),
        new_password: Some("gate-lantern-mosaic-71".to_owned()),
        heirs: vec![Choice::new("u1", "Ana María López", true)],
    };
    vec![
        page("admin-people", &list),
        page(
            "admin-people-none",
            &UsersPage { users: Vec::new(), query: "zzz".to_owned(), ..list },
        ),
        page(
            "admin-person-new",
            &NewUserPage {
                page: admin(Place::People),
                sidebar: sidebar(),
                errors: wrong_names(),
                account: account(0),
            },
        ),
        page("admin-person", &person),
        page(
            "admin-person-last",
            &UserPage {
                is_oneself: true,
                is_last_administrator: true,
                is_disabled: true,
                new_password: None,
                sessions: 0,
                tokens: 0,
                last_seen: None,
                ..person
            },
        ),
    ]
}

fn groups() -> Vec<Exhibit> {
    let list = GroupsPage {
        page: admin(Place::Groups),
        sidebar: sidebar(),
        errors: FormErrors::none(),
        name: String::new(),
        description: String::new(),
        groups: vec![
            GroupRow {
                id: "g1".to_owned(),
                name: "Investment committee".to_owned(),
                description: "Meets on Tuesdays.".to_owned(),
                members: 6,
                documents: 214,
            },
            GroupRow {
                id: "g2".to_owned(),
                name: LONG.to_owned(),
                description: String::new(),
                members: 1,
                documents: 0,
            },
        ],
    };
    let people = (1..=20)
        .map(|index| Choice {
            value: format!("u{index}"),
            label: format!("Person number {index}"),
            detail: format!("person{index}@halden.example"),
            selected: index <= 6,
        })
        .collect();
    vec![
        page("admin-groups-empty", &GroupsPage { groups: Vec::new(), ..list.clone() }),
        page("admin-groups", &list),
        page(
            "admin-group",
            &GroupPage {
                page: admin(Place::Groups),
                sidebar: sidebar(),
                errors: FormErrors::none(),
                id: "g1".to_owned(),
                title: "Investment committee".to_owned(),
                name: "Investment committee".to_owned(),
                description: "Meets on Tuesdays.".to_owned(),
                people,
                seen: Seen::default(),
                members: 6,
                documents: 214,
            },
        ),
    ]
}

fn categories() -> Vec<Exhibit> {
    let category = |id: &str, name: &str, documents| CategoryRow {
        id: id.to_owned(),
        name: name.to_owned(),
        documents,
        href: "/documents?category=Credit".to_owned(),
    };
    let list = CategoriesPage {
        page: admin(Place::Categories),
        sidebar: sidebar(),
        errors: FormErrors::of(&Error::conflict("There is a category called “Credit” already.")),
        name: "Credit".to_owned(),
        categories: vec![
            category("c1", "Annual reports", 214),
            category("c2", "Credit", 1),
            category("c3", "Rechtsgutachten und Stellungnahmen der Aufsicht", 0),
        ],
    };
    vec![
        page(
            "admin-categories-empty",
            &CategoriesPage { categories: Vec::new(), errors: FormErrors::none(), ..list.clone() },
        ),
        page("admin-categories", &list),
    ]
}

fn documents() -> Vec<Exhibit> {
    let row = |id: &str, title: &str, status| DocumentRow {
        id: id.to_owned(),
        title: title.to_owned(),
        face: FileFace::of("application/pdf", "x.pdf"),
        category: if id == "d3" { String::new() } else { "Annual reports".to_owned() },
        owner: "Ana María López".to_owned(),
        size_bytes: (id != "d2").then_some(2_412_000),
        updated: minutes_ago(3),
        status,
        visibility: Visibility::Restricted,
    };
    let list = DocumentsPage {
        page: admin(Place::Documents),
        sidebar: sidebar(),
        query: String::new(),
        statuses: vec![
            tab("All", 1204, true),
            tab("Published", 1100, false),
            tab("Drafts", 53, false),
            tab("Archived", 51, false),
        ],
        visibilities: any_and(&["Everyone here", "Restricted", "Public"]),
        categories: any_and(&["Annual reports", "Credit"]),
        targets: vec![
            Choice::new("", "No category", true),
            Choice::new("c1", "Annual reports", false),
        ],
        documents: vec![
            row("d1", "Annual report 2025", Status::Published),
            row("d2", LONG, Status::Draft),
            row("d3", "Q3 letter to our partners", Status::Archived),
        ],
        total: 1204,
        pager: Pager { first_href: None, next_href: Some("/admin/documents?after=x".to_owned()) },
    };
    vec![
        page("admin-documents", &list),
        page("admin-documents-none", &DocumentsPage { documents: Vec::new(), total: 0, ..list }),
    ]
}
