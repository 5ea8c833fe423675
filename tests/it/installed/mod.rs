//! The portal as a service of a machine: bare Debian or Ubuntu with a real systemd, made by
//! `tests/host/host.sh`. Needs root and a few packages; `tests/run.sh` runs these where they are
//! there, and says so where they are not.

mod disk;
mod load;
mod updating;
mod verbs;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    Api,
    host::{Host, client},
    until,
};

const INSTALLED: [&str; 5] = [
    "/usr/local/bin/appliance",
    "/usr/local/share/man/man1/appliance.1",
    "/usr/local/share/bash-completion/completions/appliance",
    "/etc/systemd/system/appliance.socket",
    "/etc/systemd/system/appliance.service",
];
const KEPT: [&str; 3] =
    ["/etc/appliance/appliance.toml", "/etc/appliance/appliance.env", "/var/lib/appliance"];

async fn upload(api: &Api) -> Value {
    let report =
        fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/extract/report.pdf"))
            .expect("a file to upload");
    api.upload("report.pdf", &report, &[("title", "Annual report")]).await
}

async fn finds_its_text(api: &Api) -> bool {
    // The word is on the second page only.
    api.get("/api/documents?q=Verwalter").await["total"] == 1
}

#[tokio::test]
#[ignore = "needs a machine: tests/run.sh"]
async fn a_bare_machine_gets_a_portal_that_finds_the_text_of_a_pdf() {
    let host = Host::boot("bare");
    let dry = host.copied(&["install", "--dry-run"]).expect(0);
    assert!(dry.out.contains("Nothing was changed"), "{dry:?}");
    assert!(INSTALLED.iter().chain(&KEPT).all(|path| !host.has(path)), "and that is true");

    let begin = Instant::now();
    let installed = host.copied(&["install"]).expect(0);
    assert!(begin.elapsed() < Duration::from_secs(60), "took {:?}", begin.elapsed());
    let link =
        installed.out.lines().find_map(|line| line.strip_prefix("Set it up within 30 minutes: "));
    let link = link.expect("a setup link");
    assert!(link.starts_with(&host.url()), "{link} leads to the machine");
    let page = client().get(link).send().await.expect("an answer");
    assert_eq!(page.status(), 200, "{link}");
    let journal = host.run(&["journalctl", "-u", "appliance.service", "--no-pager"]).expect(0).out;
    assert!(journal.contains("the portal is running"), "{journal}");
    let secret = link.rsplit('/').next().expect("a secret");
    assert!(!journal.contains(secret), "the link is for a person only: {journal}");

    let api = host.install(&[]).await;
    upload(&api).await;
    until(async || finds_its_text(&api).await).await;

    // All walls of the sandbox stand under the unit, and the unit itself leaves little open.
    let findings = host.appliance(&["doctor", "--json"]).json();
    let findings = findings["findings"].as_array().expect("a list").clone();
    let sandbox = findings.iter().find(|finding| finding["about"] == "sandbox").expect("a finding");
    assert_eq!(sandbox["level"], "fine", "{sandbox}");
    let problem = findings.iter().find(|finding| finding["level"] == "problem");
    assert_eq!(problem, None);
    host.run(&["systemd-analyze", "security", "--threshold=15", "appliance.service"]).expect(0);
    let verified = host.run(&["systemd-analyze", "verify", "appliance.service"]).expect(0);
    assert_eq!(verified.err, "", "no line of the unit is unknown here");
    let owner = host.run(&["stat", "-c", "%U:%G %a", KEPT[0], KEPT[2]]).expect(0);
    assert_eq!(owner.out, "root:appliance 640\nappliance:appliance 700\n");
}

#[tokio::test]
#[ignore = "needs a machine: tests/run.sh"]
async fn what_was_saved_survives_whatever_ends_the_portal() {
    let host = Host::boot("ended");
    let api = host.install(&[]).await;
    let document = upload(&api).await;
    // A job that each of these ends interrupts is put off longer each time; this is not about that.
    until(async || finds_its_text(&api).await).await;
    let path = format!("/api/documents/{}", document["id"].as_str().expect("an id"));
    let is_there = async || {
        host.wait_until_ready().await;
        api.get(&path).await["title"] == "Annual report"
    };

    host.cut_power();
    assert!(is_there().await);
    host.reboot();
    assert!(is_there().await);

    let before = host.pid();
    host.run(&["systemctl", "kill", "--signal=KILL", "appliance.service"]).expect(0);
    host.wait("another process", || !matches!(host.pid().trim(), "0" | "") && host.pid() != before);
    assert!(is_there().await);

    // Who hangs is found out by the watchdog, which need not take half a minute here.
    let folder = "/etc/systemd/system/appliance.service.d";
    fs::create_dir(host.path(folder)).expect("a folder for changes");
    host.write(&format!("{folder}/test.conf"), "[Service]\nWatchdogSec=2s\n");
    host.run(&["systemctl", "daemon-reload"]).expect(0);
    host.appliance(&["restart"]).expect(0);
    let before = host.pid();
    host.run(&["kill", "-STOP", before.trim()]).expect(0);
    host.wait("the watchdog", || !matches!(host.pid().trim(), "0" | "") && host.pid() != before);
    assert!(is_there().await);
    let errors = host.appliance(&["errors"]).expect(3);
    assert!(errors.out.contains("Watchdog timeout"), "{errors:?}");
    until(async || finds_its_text(&api).await).await;
    host.appliance(&["check", "--deep"]).expect(0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine: tests/run.sh"]
async fn a_restart_loses_no_request() {
    let host = Host::boot("restart");
    let api = host.install(&[]).await;
    let (goes_on, answered) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (goes_on, answered) = (goes_on.clone(), answered.clone());
            // Each request on a connection of its own, as of a new visitor.
            let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build();
            let (client, url) = (client.expect("a client"), format!("{}/sign-in", host.url()));
            tokio::spawn(async move {
                while goes_on.load(Ordering::Relaxed) {
                    let answer = client.get(&url).send().await.expect("an answer");
                    assert_eq!(answer.status(), 200);
                    answer.bytes().await.expect("all of it");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut before = 0;
    for _ in 0..3 {
        host.wait("some answers", || answered.load(Ordering::Relaxed) > before + 50);
        before = answered.load(Ordering::Relaxed);
        host.appliance(&["restart"]).expect(0);
    }
    host.wait("some answers", || answered.load(Ordering::Relaxed) > before + 50);
    goes_on.store(false, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no request failed");
    }
    assert_eq!(api.get("/api/users/me").await["username"], "ada");
}

#[tokio::test]
#[ignore = "needs a machine: tests/run.sh"]
async fn installing_twice_changes_nothing_and_uninstalling_leaves_the_data() {
    let host = Host::boot("twice");
    let api = host.install(&[]).await;
    upload(&api).await;
    let pid = host.pid();
    let again = host.appliance(&["install"]).expect(0);
    assert!(!again.out.contains("  + "), "{again:?}");
    assert_eq!(host.pid(), pid, "it went on");

    let gone = host.appliance(&["uninstall"]).expect(0);
    assert!(gone.out.contains("/var/lib/appliance"), "{gone:?}");
    for path in INSTALLED {
        assert!(!host.has(path), "{path}");
    }
    for path in KEPT {
        assert!(host.has(path), "{path}");
    }
    assert!(client().get(host.url()).send().await.is_err(), "nobody listens any more");
    let nothing = host.copied(&["uninstall"]).expect(0);
    assert!(nothing.out.contains("Nothing of Appliance"), "{nothing:?}");

    let api = host.install(&[]).await;
    until(async || finds_its_text(&api).await).await;
    let changes = "/etc/systemd/system/appliance.service.d";
    fs::create_dir(host.path(changes)).expect("a folder for changes");
    host.write(&format!("{changes}/override.conf"), "[Service]\nNice=1\n");
    let refused = host.copied(&["uninstall", "--purge"]).expect(2);
    assert!(refused.err.contains("--yes") && host.has(INSTALLED[0]), "{refused:?}");
    host.copied(&["uninstall", "--purge", "--yes"]).expect(0);
    for path in INSTALLED.iter().chain(&KEPT).chain(&[changes]) {
        assert!(!host.has(path), "{path}");
    }
    host.run(&["id", "appliance"]).expect(1);
    host.run(&["systemctl", "cat", "appliance.service"]).expect(1);
}

#[tokio::test]
#[ignore = "needs a machine: tests/run.sh"]
async fn what_is_not_right_is_said_in_a_sentence_and_nothing_is_half_done() {
    let host = Host::boot("refused");
    let untouched = |host: &Host| {
        assert!(INSTALLED.iter().all(|path| !host.has(path)));
        assert!(!host.has("/var/lib/appliance"));
        host.run(&["id", "appliance"]).expect(1);
    };
    fs::copy(host.path("/root/appliance"), host.path("/opt/appliance")).expect("a copy");
    let stranger = host.run(&["runuser", "-u", "nobody", "--", "/opt/appliance", "install"]);
    assert!(stranger.expect(2).err.contains("Only root can do this"));

    host.write("/etc/hosts", "127.0.0.1 localhost\n203.0.113.9 elsewhere.example.com\n");
    // Only a machine that the world reaches knows that a name leads elsewhere.
    host.run(&["ip", "address", "add", "198.51.100.7/32", "dev", "lo"]).expect(0);
    let install = |domain| ["install", "--domain", domain, "--email", "ops@example.com"];
    let elsewhere = host.copied(&install("elsewhere.example.com")).expect(1);
    assert!(elsewhere.err.contains("leads to 203.0.113.9"), "{elsewhere:?}");
    let missing = host.copied(&install("missing.invalid")).expect(1);
    assert!(missing.err.contains("does not exist in the DNS"), "{missing:?}");
    host.copied(&install("https://docs.example.com")).expect(2);
    host.copied(&["install", "--restore", "/nowhere"]).expect(10);
    host.copied(&["install", "--email", "a@b.example", "--admin-password-file", "/nowhere"])
        .expect(2);

    let squat =
        ["systemd-run", "--unit=squatter", "systemd-socket-activate", "-l", "80", "/bin/cat"];
    host.run(&squat).expect(0);
    host.wait("the port", || host.run(&["ss", "-Hltn", "sport = :80"]).out.contains("LISTEN"));
    let in_use = host.copied(&["install"]).expect(11);
    assert!(in_use.err.contains("Port 80 is in use by systemd-socket"), "{in_use:?}");
    host.run(&["systemctl", "stop", "squatter"]).expect(0);
    untouched(&host);

    // A step in the middle fails: everything before it is undone, and what was there is kept.
    fs::create_dir(host.path("/etc/appliance")).expect("a folder");
    host.write("/etc/appliance/appliance.toml", "data = \"/var/lib/appliance\"\nlisen = 1\n");
    let failed = host.copied(&["install"]).expect(1);
    assert!(failed.err.contains("Did you mean “listen”?"), "{failed:?}");
    assert!(failed.err.contains("undone"), "{failed:?}");
    untouched(&host);
    assert!(host.read("/etc/appliance/appliance.toml").contains("lisen"));
    assert!(!host.has("/etc/appliance/appliance.env"));
    host.run(&["systemctl", "cat", "appliance.service"]).expect(1);

    // Another data folder than the service may write to, somebody else's user, and a folder that a
    // failed restore would empty.
    host.write("/etc/appliance/appliance.toml", "data = \"/srv/portal\"\n");
    let elsewhere = host.copied(&["install"]).expect(1);
    assert!(elsewhere.err.contains("names /srv/portal as the data folder"), "{elsewhere:?}");
    fs::remove_dir_all(host.path("/etc/appliance")).expect("no folder");
    host.run(&["useradd", "--home-dir", "/home/appliance", "appliance"]).expect(0);
    let person = host.copied(&["install"]).expect(1);
    assert!(person.err.contains("with the home /home/appliance"), "{person:?}");
    host.run(&["userdel", "appliance"]).expect(0);
    fs::create_dir_all(host.path("/var/lib/appliance/backups")).expect("a folder");
    host.write("/root/portal.tar.zst", "never read");
    let full = host.copied(&["install", "--restore", "/root/portal.tar.zst"]).expect(1);
    assert!(full.err.contains("is not empty: it holds backups"), "{full:?}");
    assert!(host.has("/var/lib/appliance/backups"));
    fs::remove_dir_all(host.path("/var/lib/appliance")).expect("no folder");
    untouched(&host);

    // A file that is there is kept, and gets what the service cannot do without.
    fs::create_dir(host.path("/etc/appliance")).expect("a folder");
    host.write("/etc/appliance/appliance.toml", "# ours\nlog.level = \"debug\"\n");
    host.copied(&["install"]).expect(0);
    let configuration = host.read("/etc/appliance/appliance.toml");
    assert!(configuration.contains("# ours\nlog.level"), "{configuration}");
    assert!(configuration.contains("data = \"/var/lib/appliance\""), "{configuration}");

    // What worked before goes on when a change of it fails.
    let before = host.read("/etc/systemd/system/appliance.service");
    host.write("/etc/systemd/system/appliance.service", &before.replace("30s", "31s"));
    host.write("/etc/appliance/appliance.env", "APPLIANCE_LISEN=1\n");
    let failed = host.copied(&["install"]).expect(1);
    assert!(failed.err.contains("APPLIANCE_LISEN"), "{failed:?}");
    assert!(host.read("/etc/systemd/system/appliance.service").contains("31s"), "as it was");
    // A verb at a shell has the variables of the service, with their faults.
    let checked = host.appliance(&["config", "check"]).expect(2);
    assert!(checked.out.contains("APPLIANCE_LISEN"), "{checked:?}");
}

#[tokio::test]
#[ignore = "needs a machine: tests/run.sh"]
async fn an_installation_that_was_killed_is_finished_by_the_next() {
    let host = Host::boot("killed");
    // What somebody laid there before becomes the portal's to read; a group that stayed is taken.
    host.run(&["groupadd", "--system", "appliance"]).expect(0);
    host.run(&["install", "-d", "-m", "700", "/etc/appliance"]).expect(0);
    host.write(KEPT[0], "https.acme = \"off\"\n");
    host.run(&["chmod", "600", KEPT[0]]).expect(0);
    host.copied(&["install"]).expect(0);
    let modes = host.run(&["stat", "-c", "%U:%G %a", "/etc/appliance", KEPT[0]]).expect(0);
    assert_eq!(modes.out, "root:appliance 750\nroot:appliance 640\n");

    // A firewall, found though the shell does not look there, that kills whoever opens a port.
    let firewall = "/usr/sbin/ufw";
    let script = "[ \"$1\" = status ] && exec echo 'Status: active'\nkill -KILL $PPID\n";
    host.write(firewall, &format!("#!/bin/sh\n{script}"));
    host.run(&["chmod", "755", firewall]).expect(0);
    let path = ["env", "PATH=/usr/bin:/bin"];
    let install = ["/root/appliance", "install", "--domain", "docs.example.com", "--any-address"];
    let install = [&path[..], &install].concat();
    let pid = host.pid();
    assert_ne!(host.run(&install).code, 0, "it was killed");
    assert_eq!(host.pid(), pid);
    assert!(host.read(KEPT[0]).contains("docs.example.com"));
    fs::remove_file(host.path(firewall)).expect("a program");

    host.run(&install).expect(0);
    let after = host.pid();
    assert_ne!(after, pid, "with what had changed");
    let status = host.appliance(&["status", "--json"]).expect(0).json();
    assert_eq!(status["https"]["domains"], serde_json::json!(["docs.example.com"]), "{status}");
    host.run(&install).expect(0);
    assert_eq!(host.pid(), after, "once is enough");
}

#[tokio::test]
#[ignore = "needs a machine: tests/run.sh"]
async fn a_domain_can_come_later_and_brings_https() {
    let host = Host::boot("domain");
    host.copied(&["install"]).expect(0);
    // No certificate authority is within reach: the portal vouches for itself.
    host.appliance(&["config", "set", "https.acme", "off"]).expect(0);
    let install = ["install", "--domain", "docs.example.com", "--email", "ops@example.com"];
    host.appliance(&install).expect(1);
    host.appliance(&[&install[..], &["--any-address"]].concat()).expect(0);
    let file = host.read(KEPT[0]);
    assert!(file.contains("\ndomains = [\"docs.example.com\"]\n"), "{file}");
    assert!(file.contains("# "), "the comments are still there");
    let address = host.address().parse().expect("an address");
    let client = reqwest::Client::builder()
        .no_proxy()
        .danger_accept_invalid_certs(true)
        .resolve("docs.example.com", std::net::SocketAddr::new(address, 443))
        .build()
        .expect("a client");
    let answer = client.get("https://docs.example.com/sign-in").send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let status = host.appliance(&["status", "--json"]).expect(0).json();
    assert_eq!(status["https"]["domains"][0], "docs.example.com", "{status}");

    // What was said last counts, also over what was set while the portal ran.
    host.appliance(&["config", "set", "domain", "old.example.com"]).expect(0);
    let again = host.appliance(&[&install[..], &["--any-address"]].concat()).expect(0);
    assert!(again.out.contains("old.example.com, set before, gives way."), "{again:?}");
    let status = host.appliance(&["status", "--json"]).expect(0).json();
    assert_eq!(status["https"]["domains"], serde_json::json!(["docs.example.com"]), "{status}");
}

#[tokio::test]
#[ignore = "needs a machine: tests/run.sh"]
async fn a_backup_brings_a_new_machine_up() {
    let host = Host::boot("backup");
    let api = host.install(&[]).await;
    upload(&api).await;
    until(async || finds_its_text(&api).await).await;
    host.appliance(&["config", "set", "domain", "docs.example.com", "--no-wait"]).expect(0);
    host.appliance(&["backup", "/root/portal.tar.zst"]).expect(0);
    let archive = fs::read(host.path("/root/portal.tar.zst")).expect("the archive");
    drop(host);

    let host = Host::boot("restored");
    fs::write(host.path("/root/portal.tar.zst"), archive).expect("the archive");
    // A trial under another name, without an authority that would issue a certificate for it.
    let another = ["--domain", "test.example.com", "--any-address"];
    let restore = ["install", "--restore", "/root/portal.tar.zst"];
    let installed = host.copied(&[&restore[..], &another].concat()).expect(3);
    let status = host.appliance(&["status", "--json"]).expect(0).json();
    assert_eq!(status["https"]["domains"], serde_json::json!(["test.example.com"]), "{status}");
    assert!(!installed.out.contains("/setup/"), "{installed:?}");
    let api = host.sign_in().await;
    until(async || finds_its_text(&api).await).await;
    // Nobody reaches that name from outside, and nothing else is wrong.
    let checked = host.appliance(&["check", "--deep"]).expect(3);
    assert_eq!(checked.out.matches("problem ").count(), 1, "{checked:?}");
    assert!(checked.out.contains("http://test.example.com cannot be reached"), "{checked:?}");
    assert!(checked.out.contains("Everything is whole."), "{checked:?}");
    let again = host.copied(&["install", "--restore", "/root/portal.tar.zst"]).expect(1);
    assert!(again.err.contains("There is a portal in /var/lib/appliance already"), "{again:?}");
}

/// Else it would hang the tests behind it, and nobody would know why.
#[test]
#[ignore = "needs a machine: tests/run.sh"]
fn what_hangs_on_a_machine_is_ended_and_its_journal_is_shown() {
    let host = Host::boot("hangs");
    host.run(&["logger", "a sign of life"]).expect(0);
    host.wait("the journal", || host.log().contains("a sign of life"));
    let begin = Instant::now();
    let limit = Duration::from_secs(2);
    let hung = host.run_within(limit, &["sleep", "600"]).expect_err("it hangs");
    assert!(hung.contains("sleep") && hung.contains("a sign of life"), "{hung}");
    // One that leaves a process behind, which holds its outputs.
    let left = host.run_within(limit * 10, &["sh", "-c", "echo out; setsid sleep 600 & exit 0"]);
    assert_eq!(left.expect("it ended").out, "out\n");
    assert!(begin.elapsed() < Duration::from_secs(30), "took {:?}", begin.elapsed());
}
