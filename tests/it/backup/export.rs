//! The library as folders and files.

use std::{collections::BTreeMap, fs};

use appliance::{
    app::Reporter,
    domain::{access::Role, documents},
    error::Error,
};

use super::upload;
use crate::support::{SmallDisk, Still, TestApp};

#[tokio::test]
async fn the_library_is_exported_as_people_think_of_it() {
    let still = Still::open();
    let folder = tempfile::tempdir().expect("a folder");
    upload(&still, "Budget: 2026/27", b"numbers".to_vec()).await;
    upload(&still, "budget_ 2026_27", b"other numbers".to_vec()).await;
    upload(&still, "../../etc/passwd", b"harmless".to_vec()).await;
    upload(&still, "=HYPERLINK(\"x\")", b"formula".to_vec()).await;
    let trashed = upload(&still, "Trashed", b"gone".to_vec()).await;
    still.write(move |tx, ada| documents::trash(tx, ada, trashed));
    still.add_link("Calendar", "");
    let out = folder.path().join("out");
    let exported = still.app.export(&out, None, &Reporter::unheard()).await.expect("an export");
    assert_eq!((exported.documents, exported.files, exported.damages.len()), (5, 4, 0));
    let plans = out.join("Northlight/Plans");
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&plans).expect("a category").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, fs::read_to_string(entry.path()).expect("text"));
    }
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "=HYPERLINK(_x_).txt",
            "Budget_ 2026_27.txt",
            "_.._etc_passwd.txt",
            "budget_ 2026_27 (2).txt"
        ]
    );
    assert_eq!(files["Budget_ 2026_27.txt"], "numbers");
    let csv = fs::read_to_string(out.join("details.csv")).expect("a table");
    assert_eq!(csv.lines().count(), 6);
    assert!(csv.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{csv}");
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join("details.json")).expect("JSON"))
            .expect("JSON");
    let links: Vec<_> =
        json.as_array().expect("a list").iter().filter(|one| one["kind"] == "link").collect();
    assert_eq!(links[0]["link"], "https://www.example.com/");
    let again = still.app.export(&out, None, &Reporter::unheard()).await;
    assert!(matches!(again, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn long_names_fit_onto_any_disk() {
    let app = TestApp::spawn().await;
    let ada = app.signed_in("ada").await;
    let name = format!("Minutes of the 12. meeting {}", "of the committee ".repeat(10));
    let title = "ü".repeat(190);
    ada.upload(&name, b"minutes", &[("title", &title)]).await;
    ada.upload(&name, b"more minutes", &[("title", &title)]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let exported = app.app.export(&out, None, &Reporter::unheard()).await.expect("an export");
    assert_eq!((exported.files, exported.damages), (2, Vec::new()));
    app.stop().await;
}

#[tokio::test]
async fn an_export_for_somebody_holds_what_they_see() {
    let app = TestApp::spawn().await;
    app.add_user("bob", Role::Viewer).await;
    let ada = app.signed_in("ada").await;
    ada.upload("open.txt", b"for all", &[("title", "Open")]).await;
    let hidden = [("title", "Hidden"), ("visibility", "restricted")];
    ada.upload("hidden.txt", b"for ada", &hidden).await;
    let folder = tempfile::tempdir().expect("a folder");
    for (login, count) in [(Some("bob"), 1), (Some("ada"), 2), (None, 2)] {
        let out = folder.path().join(format!("{login:?}"));
        let login = login.map(String::from);
        let exported = app.app.export(&out, login, &Reporter::unheard()).await.expect("an export");
        assert_eq!(exported.documents, count);
    }
    let nobody =
        app.app.export(&folder.path().join("x"), Some("nobody".into()), &Reporter::unheard()).await;
    assert!(matches!(nobody, Err(Error::NotFound(_))));
    app.stop().await;
}

#[tokio::test]
async fn an_export_onto_a_full_disk_ends_and_leaves_whole_files() {
    let Some(disk) = SmallDisk::mount("size=1m") else { return };
    let still = Still::open();
    let sizes = [300 << 10, 300 << 10, 600 << 10];
    for (number, size) in sizes.into_iter().enumerate() {
        upload(&still, &format!("Plan {number}"), vec![number as u8 + 1; size]).await;
    }
    let out = disk.folder.join("out");
    let fault = still.app.export(&out, None, &Reporter::unheard()).await.expect_err("no room");
    let Error::Internal(chain) = fault else { panic!("{fault:?}") };
    assert!(format!("{chain:#}").contains("writing"), "{chain:#}");
    let files = fs::read_dir(out.join("Northlight/Plans")).expect("a category").flatten();
    let lengths: Vec<_> = files.map(|file| file.metadata().expect("its size").len()).collect();
    assert!(
        !lengths.is_empty() && lengths.iter().all(|length| *length == 300 << 10),
        "{lengths:?}"
    );
}
