//! A disk that fills up below an installed portal, to its reserve and to its last byte.

use std::{thread, time::Duration};

use serde_json::json;

use super::{finds_its_text, upload};
use crate::support::{host::Host, until};

const DATA: &str = "/var/lib/appliance";
const BALLAST: &str = "/var/lib/appliance/ballast";

/// Takes room until about so many mebibytes are left.
fn leave_free(host: &Host, mebibytes: u64) {
    let free = host.run(&["df", "--output=avail", "-B1", DATA]).expect(0).out;
    let free: u64 = free.lines().last().and_then(|line| line.trim().parse().ok()).expect("a size");
    let taken = free.saturating_sub(mebibytes << 20);
    // Behind what it took before, which stays.
    let held = host.run(&["stat", "-c", "%s", BALLAST]).out.trim().parse().unwrap_or(0_u64);
    let length = (held + taken).to_string();
    host.run(&["fallocate", "-l", &length, BALLAST]).expect(0);
}

#[tokio::test]
#[ignore = "needs a machine: tests/run.sh"]
async fn a_full_disk_is_said_ends_nothing_and_mends_by_itself() {
    let host = Host::boot("full");
    host.run(&["mkdir", "-p", DATA]).expect(0);
    let mount = ["mount", "-t", "tmpfs", "-o", "size=240m,mode=0700", "tmpfs", DATA];
    host.run(&mount).expect(0);
    let api = host.install(&[]).await;
    let document = upload(&api).await;
    until(async || finds_its_text(&api).await).await;
    let path = format!("/api/documents/{}", document["id"].as_str().expect("an id"));
    let described =
        async |text: &str| api.status("PATCH", &path, Some(json!({ "description": text }))).await;
    let pid = host.pid();

    // A tenth of 240 MiB is kept, and this is less than half of that.
    leave_free(&host, 8);
    let refused = api.try_upload("late.txt", b"late", &[("title", "Late")]).await;
    assert_eq!(refused.status(), 507);
    assert_eq!(described("late").await, 507);
    assert_eq!(api.get(&path).await["title"], "Annual report");
    host.sign_in().await;
    assert_eq!(api.status("POST", &format!("{path}/trash"), None).await, 200);
    let doctor = host.appliance(&["doctor"]).expect(3).out;
    assert!(doctor.contains("Make room on the disk"), "{doctor}");

    // To the last byte, and ended on top of it.
    leave_free(&host, 0);
    assert_eq!(api.get(&path).await["title"], "Annual report");
    assert_eq!(host.pid(), pid, "it went on all the time");
    host.run(&["systemctl", "kill", "--signal=KILL", "appliance.service"]).expect(0);
    host.wait("another process", || !matches!(host.pid().trim(), "0" | "") && host.pid() != pid);
    host.wait_until_ready().await;
    let pid = host.pid();
    assert_eq!(api.get(&path).await["title"], "Annual report");
    // Longer than it takes to begin again: it does not end over and over.
    thread::sleep(Duration::from_secs(3));
    assert_eq!(host.pid(), pid, "it stays");

    host.run(&["rm", BALLAST]).expect(0);
    assert_eq!(api.status("POST", &format!("{path}/restore"), None).await, 200);
    assert_eq!(described("there is room").await, 200);
    until(async || finds_its_text(&api).await).await;
    api.upload("late.txt", b"late but there", &[("title", "Late")]).await;
    assert_eq!(host.pid(), pid, "nobody had to start it again");
    host.appliance(&["check", "--deep"]).expect(0);
}
