use appliance::web::pages::{
    Place, Tone,
    admin::{
        Sidebar,
        dashboard::HealthCheck,
        storage::{
            Cache, CheckShown, Counted, Direction, FaultyRow, LastMigration, LastScrub,
            MigrationShown, ScrubShown, Spool, StoragePage, StorageWork, StorageWorkFragment,
            UnderWay, UsageRow,
        },
    },
};

use super::{super::Exhibit, admin, fragment, minutes_ago, page};

pub fn all() -> Vec<Exhibit> {
    let work = StorageWorkFragment { page: admin(Place::Storage), work: busy() };
    vec![
        page("admin-storage", &degraded()),
        page("admin-storage-disk", &on_disk()),
        fragment("storage-work", &work),
    ]
}

fn counted(files: u64, bytes: u64) -> Counted {
    Counted { files, bytes }
}

fn degraded() -> StoragePage {
    let usage = |name: &str, is_total, files, bytes| UsageRow {
        name: name.to_owned(),
        is_total,
        versions: counted(files, bytes),
    };
    StoragePage {
        page: admin(Place::Storage),
        sidebar: Sidebar { failed_jobs: 3, may_govern: true, may_operate: true },
        degraded: Some(
            "s3://halden-documents/portal does not work since 2026-11-21 09:48:02 UTC; 14 files \
             wait, the first since 2026-11-21 09:48:10 UTC on this machine (2.4 GB). The last error: \
             connection refused."
                .to_owned(),
        ),
        home: "s3://halden-documents/portal".to_owned(),
        is_on_s3: true,
        disowned: Some(
            "The files in s3://documents/portal belong to another portal. Give this portal a prefix \
             of its own."
                .into(),
        ),
        kept: counted(1_204_318, 812_000_000_000),
        spool: Spool {
            waiting: counted(14, 2_400_000_000),
            since: Some(minutes_ago(12)),
            bytes_max: 21_474_836_480,
        },
        remote: Some([
            Direction { name: "Reading", broken_since: None, last_error: None },
            Direction {
                name: "Writing",
                broken_since: Some(minutes_ago(12)),
                last_error: Some((
                    minutes_ago(1),
                    "AccessDenied: User: arn:aws:sts::123456789012:assumed-role/portal/i-0abc is \
                     not authorized to perform: s3:PutObject"
                        .to_owned(),
                )),
            },
        ]),
        cache: Some(Cache { used: counted(210, 1_800_000_000), bytes_max: 2_147_483_648 }),
        check: Some(CheckShown {
            at: minutes_ago(2),
            steps: vec![
                step("Write a file", Tone::Bad, "Grant s3:PutObject on arn:aws:s3:::halden/*."),
                step("Read a file", Tone::Plain, "Not tried, because an earlier step failed."),
                step("Delete a file", Tone::Good, "Works (s3:DeleteObject)."),
            ],
        }),
        usage: vec![
            usage("Halden Capital Partners", true, 1_190_000, 800_000_000_000),
            usage("File", false, 1_100_000, 700_000_000_000),
            usage("Poster", false, 90_000, 100_000_000_000),
            usage("Þórunn Hallgrímsdóttir Textilveröffentlichungsgesellschaft", true, 0, 0),
        ],
        work: busy(),
    }
}

fn step(name: &str, tone: Tone, detail: &str) -> HealthCheck {
    HealthCheck { name: name.to_owned(), tone, detail: detail.to_owned() }
}

fn busy() -> StorageWork {
    let under_way = |percent, waits: Option<&str>| UnderWay {
        job: "j1".to_owned(),
        percent,
        waits: waits.map(str::to_owned),
    };
    StorageWork {
        scrub: ScrubShown {
            under_way: Some(under_way(Some(42), None)),
            last: Some(LastScrub {
                started: minutes_ago(30),
                was_stopped: false,
                read: counted(40_144, 27_000_000_000),
                healed: 1,
                faulty: 1,
            }),
            next: Some(minutes_ago(-600)),
            days: 30,
            faulty: vec![FaultyRow {
                sentence: "“Geprüfter-Jahresabschluss-und-Lagebericht-2025.pdf” is damaged."
                    .to_owned(),
                documents: vec![("/documents/d1".to_owned(), "Annual report 2025".to_owned())],
                found: minutes_ago(9),
            }],
        },
        migration: Some(MigrationShown {
            under_way: Some(under_way(
                None,
                Some("The file storage takes no files at the moment. Try again in a minute."),
            )),
            last: Some(LastMigration {
                started: minutes_ago(90),
                was_stopped: false,
                to: "S3",
                copied: counted(120_431, 81_000_000_000),
                known: counted(12, 1_000_000),
                removed: Some(counted(3, 3_000)),
                faults: vec!["“plan.dwg” was not copied: its copy has the hash 0f3a.".to_owned()],
                faults_unnamed: 3,
            }),
            old_home: "the disk",
            to_home: "s3",
        }),
    }
}

fn on_disk() -> StoragePage {
    StoragePage {
        degraded: None,
        home: "The disk of this machine".to_owned(),
        is_on_s3: false,
        disowned: None,
        spool: Spool { waiting: Counted::default(), since: None, bytes_max: 0 },
        remote: None,
        cache: None,
        check: None,
        work: StorageWork {
            scrub: ScrubShown {
                under_way: None,
                last: None,
                next: None,
                days: 0,
                faulty: Vec::new(),
            },
            migration: None,
        },
        ..degraded()
    }
}
