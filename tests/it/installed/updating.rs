//! Updates of the installed portal: under load, with versions that are no good, with records that the
//! version before cannot read, and cut off in the middle.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{load::Load, upload};
use crate::support::{Api, host::Host, program::Ended, releases, until};

const OWN: &str = env!("CARGO_PKG_VERSION");
const NEXT: &str = "9.9.9";
const JOURNAL: &str = "/usr/local/lib/appliance/changeover.json";
const LINE: &str = "/etc/systemd/system/appliance.service.d/changeover.conf";

/// For an impostor: tells systemd that it is ready (sd_notify(3)), and hangs.
const SAYS_READY: &str = r#"
    struct sockaddr_un to = { AF_UNIX };
    strncpy(to.sun_path, getenv("NOTIFY_SOCKET"), sizeof to.sun_path - 1);
    if (to.sun_path[0] == '@') to.sun_path[0] = 0;
    socklen_t length = 2 + strlen(getenv("NOTIFY_SOCKET"));
    int s = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (sendto(s, "READY=1", 7, 0, (struct sockaddr *)&to, length) < 0) return 3;
    for (;;) pause();
"#;

/// A machine with a small program: it is copied and compared many times.
fn boot(name: &str) -> Host {
    let host = Host::boot(name);
    fs::write(host.path("/root/appliance"), releases::program(OWN, 1)).expect("a program");
    host
}

/// Puts a signed release on a machine that believes its key; its path there.
fn bring(host: &Host, program: &[u8]) -> String {
    let key = releases::publish(&host.path("/root/releases"), NEXT, program);
    host.appliance(&["config", "set", "update.public_key", &key]).expect(0);
    format!("/root/releases/{}", releases::archive_name(NEXT))
}

/// A release that does something else on one verb.
fn bring_impostor(host: &Host, records: u32, verb: &str, instead: &str) -> String {
    let real = "/opt/next/appliance";
    fs::create_dir_all(host.path("/opt/next")).expect("a folder");
    fs::write(host.path(real), releases::program(NEXT, records)).expect("a program");
    let everybody = fs::Permissions::from_mode(0o755);
    for path in ["/opt/next", real] {
        fs::set_permissions(host.path(path), everybody.clone()).expect("rights");
    }
    bring(host, &releases::impostor(verb, instead, real))
}

fn version(host: &Host) -> String {
    let status = host.appliance(&["status", "--json"]).expect(0).json();
    status["version"].as_str().expect("a version").to_owned()
}

/// Whether the next version is among those that can come back.
fn is_kept(host: &Host) -> bool {
    let versions = fs::read_dir(host.path("/usr/local/lib/appliance/versions"));
    let mut names =
        versions.into_iter().flatten().map(|entry| entry.expect("a version").file_name());
    names.any(|name| name.to_string_lossy().starts_with(NEXT))
}

async fn titles(api: &Api) -> Vec<String> {
    let mut titles = Vec::new();
    let mut after = String::new();
    loop {
        let page = api.get(&format!("/api/documents?limit=100{after}")).await;
        let documents = page["documents"].as_array().expect("a list");
        let title = |document: &Value| document["title"].as_str().expect("a title").to_owned();
        titles.extend(documents.iter().map(title));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return titles,
        }
    }
}

/// Nothing is left that only an update needs.
fn is_settled(host: &Host) {
    for path in
        [JOURNAL, LINE, "/usr/local/lib/appliance/updater", "/usr/local/bin/.appliance.next"]
    {
        assert!(!host.has(path), "{path}");
    }
    let left = fs::read_dir(host.path("/var/lib/appliance/update"));
    for entry in left.into_iter().flatten() {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        assert!(name.starts_with("before-leaving-") || name == "earlier", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine: tests/run.sh"]
async fn an_update_and_a_rollback_under_load_fail_no_request() {
    let host = boot("update");
    let api = host.install(&[]).await;
    let release = bring(&host, &releases::program(NEXT, 1));
    let dry = host.appliance(&["update", "--dry-run", &release]).expect(0);
    assert!(dry.out.contains("Nothing was changed"), "{dry:?}");
    assert_eq!(version(&host), OWN);
    assert!(!is_kept(&host), "and that is true");

    let load = Load::begin(&host, &api);
    load.wait_for(500).await;
    let updated = tokio::task::block_in_place(|| host.appliance(&["update", &release])).expect(0);
    for word in ["Rehearsed", "Backed up", "Version 9.9.9 runs"] {
        assert!(updated.out.contains(word), "{word}: {updated:?}");
    }
    load.wait_for(500).await;
    assert_eq!(version(&host), NEXT);
    is_settled(&host);
    let older = tokio::task::block_in_place(|| host.copied(&["install"])).expect(1);
    assert!(older.err.contains("appliance update --allow-older"), "{older:?}");
    assert_eq!(version(&host), NEXT, "and nothing was done");
    assert!(host.has(&format!("/var/lib/appliance/update/before-leaving-{OWN}.tar.zst")));
    let status = host.appliance(&["status"]).expect(0).out;
    assert!(status.contains(&format!("{OWN}: appliance rollback")), "{status}");

    let back = tokio::task::block_in_place(|| host.appliance(&["rollback"])).expect(0);
    assert!(back.out.contains("All data stay as they are"), "{back:?}");
    load.wait_for(500).await;
    let (answered, saved) = load.end().await;
    assert_eq!(version(&host), OWN);
    is_settled(&host);
    assert!(answered > 1_500 && saved.len() > 20, "{answered} answers, {} saved", saved.len());
    until(async || api.get("/api/documents").await["total"] == saved.len()).await;
    let kept = titles(&api).await;
    assert!(saved.iter().all(|title| kept.contains(title)), "{saved:?} {kept:?}");
    host.appliance(&["check", "--deep"]).expect(0);

    // The same again, and what is older, is refused.
    let same = host.appliance(&["update", "--unsigned", "/usr/local/bin/appliance"]).expect(1);
    assert!(same.err.contains("is installed already"), "{same:?}");
    fs::write(host.path("/root/old"), releases::program("0.0.1", 1)).expect("a program");
    let older = host.appliance(&["update", "--unsigned", "/root/old"]).expect(1);
    assert!(older.err.contains("--allow-older"), "{older:?}");
    let none = host.appliance(&["rollback", "--to", "7.7.7"]).expect(10);
    assert!(none.err.contains(&format!("Kept on this machine: {NEXT}")), "{none:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine: tests/run.sh"]
async fn a_version_that_is_no_good_changes_nothing() {
    let host = boot("nogood");
    let api = host.install(&[]).await;
    let document = upload(&api).await;
    let path = format!("/api/documents/{}", document["id"].as_str().expect("an id"));
    let unharmed = async |refused: &Ended, word: &str| {
        assert!(refused.err.contains(word), "{word}: {refused:?}");
        host.wait_until_ready().await;
        assert_eq!(version(&host), OWN);
        is_settled(&host);
        assert!(!is_kept(&host), "it is not kept");
        assert_eq!(api.get(&path).await["title"], "Annual report");
        api.upload("more.txt", refused.err.as_bytes(), &[("title", word)]).await;
    };
    let update = |release: &str| host.appliance(&["update", release]).expect(1);

    fs::create_dir_all(host.path("/root/releases")).expect("a folder");
    let foreign = [&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0"[..], &[0; 100]].concat();
    let refused = update(&bring(&host, &foreign));
    unharmed(&refused, "a program for riscv64").await;

    let pid = host.pid();
    let complains = "fputs(\"error: the dog ate the records\\n\", stderr); return 1;";
    let refused = update(&bring_impostor(&host, 1, "rehearse", complains));
    assert!(refused.err.contains("the dog ate the records"), "{refused:?}");
    unharmed(&refused, "The rehearsal failed").await;
    assert_eq!(host.pid(), pid, "it was never stopped");

    let refused = update(&bring_impostor(&host, 1, "serve", "return 1;"));
    unharmed(&refused, "did not become ready, it ended").await;

    // It has changed the records already, so that the version before cannot read them any more.
    let converts = "if (system(\"/opt/next/appliance changeover rehearse --data \
                    /var/lib/appliance >&2\")) return 2; return 1;";
    let refused = update(&bring_impostor(&host, 2, "serve", converts));
    unharmed(&refused, "runs again, with everything as it was").await;

    // It says that it is ready, and answers nobody.
    let begin = Instant::now();
    let refused = update(&bring_impostor(&host, 1, "serve", SAYS_READY));
    unharmed(&refused, "did not become ready").await;
    assert!(begin.elapsed() < Duration::from_secs(150), "took {:?}", begin.elapsed());
    host.appliance(&["check", "--deep"]).expect(0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine: tests/run.sh"]
async fn records_that_the_version_before_cannot_read_are_put_aside_when_somebody_says_so() {
    let host = boot("records");
    let api = host.install(&[]).await;
    upload(&api).await;
    let release = bring(&host, &releases::program(NEXT, 2));
    host.appliance(&["update", "--no-backup", &release]).expect(0);
    assert_eq!(version(&host), NEXT);
    api.upload("new.txt", b"new", &[("title", "Later")]).await;
    // The program before refuses what it would misread.
    host.appliance(&["stop"]).expect(0);
    let refused = host.copied(&["user", "list"]).expect(1);
    assert!(refused.err.contains("belong to a later version"), "{refused:?}");
    host.appliance(&["start"]).expect(0);
    host.wait_until_ready().await;

    let refused = host.appliance(&["rollback"]).expect(1);
    assert!(refused.err.contains("cannot read the records of now"), "{refused:?}");
    assert!(refused.err.contains("--records"), "{refused:?}");
    let asked = host.appliance(&["rollback", "--records"]).expect(2);
    assert!(asked.err.contains("--yes") && asked.err.contains("is gone"), "{asked:?}");
    assert_eq!(version(&host), NEXT);
    let back = host.appliance(&["rollback", "--records", "--yes"]).expect(0);
    assert_eq!(version(&host), OWN);
    is_settled(&host);
    let put_aside = back.out.split("put aside in ").last().and_then(|rest| rest.split(". ").next());
    let put_aside = put_aside.expect("where the records are").to_owned();
    assert!(put_aside.contains("/9.9.9-") && host.has(&put_aside), "{back:?}");
    assert_eq!(titles(&api).await, ["Annual report"]);
    until(async || api.get("/api/documents?q=Verwalter").await["total"] == 1).await;
    api.upload("between.txt", b"between", &[("title", "Between")]).await;

    host.appliance(&["rollback", "--to", NEXT, "--records", "--yes"]).expect(0);
    assert_eq!(version(&host), NEXT);
    let mut back = titles(&api).await;
    back.sort();
    assert_eq!(back, ["Annual report", "Later"]);
    until(async || api.get("/api/documents?q=Later").await["total"] == 1).await;
    host.appliance(&["rollback", "--records", "--yes"]).expect(0);
    let mut before = titles(&api).await;
    before.sort();
    assert_eq!(before, ["Annual report", "Between"]);
    assert!(host.has(&put_aside), "what was put aside stays");
    host.appliance(&["check", "--deep"]).expect(0);
}

/// What a version sees before anybody knows what it does; the last line is told to whoever updates.
const SPY: &str = r#"
seen=
for path in /var/lib/appliance/appliance.redb /var/lib/appliance/control.sock   /var/lib/appliance/update/trial.json /run/dbus/system_bus_socket /run/systemd/private; do
  [ -r $path ] && [ ! -c $path ] && seen="$seen $path"
done
written=
for path in /usr/local/lib/appliance /var/lib/appliance/update /var/lib/appliance /etc /run /srv /root; do
  touch $path/spy 2>/dev/null && written="$written $path"
done
touch /var/lib/appliance/update/rehearsal/spy && mkdir /var/lib/appliance/update/rehearsal/deep &&
  touch /var/lib/appliance/update/rehearsal/deep/spy || written="$written NOT-THE-COPY"
ln -s /etc /var/lib/appliance/update/rehearsal/deep/link
kill -0 PID 2>/dev/null && seen="$seen the-portal"
nets=$(sed -n "3,\$s/:.*//p" /proc/self/net/dev | tr -d "\n" | tr -s " ")
me=$(id -u)
[ "$me" = 0 ] || [ "$me" = PORTAL ] && seen="$seen as-$me"
[ -n "$SECRET_OF_THE_LEADER" ] && seen="$seen the-environment"
for fd in /proc/self/fd/*; do
  case $(readlink $fd) in pipe:*|/dev/null|/proc/*|/opt/next/spy|"") ;; *) seen="$seen $(readlink $fd)" ;; esac
done
echo "error: seen[$seen] written[$written] nets[$nets]" >&2
exit 1
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine: tests/run.sh"]
async fn a_version_that_rehearses_sees_a_copy_and_nothing_else() {
    let host = boot("rehearsal");
    host.install(&[]).await;
    let instead = "execl(\"/bin/sh\", \"sh\", \"/opt/next/spy\", (char *)0);";
    let release = bring_impostor(&host, 1, "rehearse", instead);
    let portal = host.run(&["id", "-u", "appliance"]).expect(0).out;
    let spy = SPY.replace("PID", host.pid().trim()).replace("PORTAL", portal.trim());
    host.write("/opt/next/spy", &spy);
    fs::set_permissions(host.path("/opt/next/spy"), fs::Permissions::from_mode(0o755))
        .expect("rights");
    let refused =
        host.run(&["env", "SECRET_OF_THE_LEADER=1", "appliance", "update", &release]).expect(1);
    assert!(refused.err.contains("seen[] written[] nets[ lo]"), "{refused:?}");
    is_settled(&host);
    assert!(host.has("/etc/passwd"), "what a link led to is still there");
    assert_eq!(version(&host), OWN);
}

/// Ends an update when it has come so far.
fn cut_off(host: &Host, release: &str, stage: &str, cut: impl FnOnce()) {
    let journal = host.path(JOURNAL);
    let written = || fs::metadata(&journal).and_then(|found| found.modified()).ok();
    let before = written();
    thread::scope(|scope| {
        let update = scope.spawn(|| host.appliance(&["update", "--no-backup", release]));
        let wanted = format!("\"stage\": \"{stage}\"");
        host.wait(stage, || {
            assert!(!update.is_finished(), "it was over before it was {stage}");
            let text = fs::read_to_string(&journal).unwrap_or_default();
            // One that was cut off before may have left the same.
            written() != before && text.contains(&wanted)
        });
        cut();
        assert_ne!(update.join().expect("its end").code, 0, "it was cut off");
    });
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a machine: tests/run.sh"]
async fn an_update_that_is_cut_off_leaves_a_portal_that_starts() {
    let host = boot("cutoff");
    let api = host.install(&[]).await;
    let document = upload(&api).await;
    let path = format!("/api/documents/{}", document["id"].as_str().expect("an id"));
    // Slow to begin, so that there is time to cut it off in each stage.
    let slow = "if (count == 2) sleep(3);";
    let release = bring_impostor(&host, 2, "serve", slow);
    let kill = || {
        let leader = host.run(&["cat", "/run/appliance-lead.lock"]).expect(0).out;
        host.run(&["kill", "-KILL", leader.trim()]);
    };
    for stage in ["preparing", "ready", "exchanged"] {
        for is_power in [true, false] {
            tokio::task::block_in_place(|| {
                cut_off(&host, &release, stage, || match is_power {
                    true => host.cut_power(),
                    false => kill(),
                });
            });
            if stage == "preparing" && !is_power {
                let shown = host.appliance(&["update", "--dry-run", &release]).expect(1);
                assert!(shown.err.contains("was cut off"), "it settles nothing: {shown:?}");
            }
            host.wait_until_ready().await;
            assert_eq!(api.get(&path).await["title"], "Annual report", "{stage} {is_power}");
            assert_eq!(version(&host), OWN, "{stage} {is_power}: on trial nobody was answered");
            api.upload("more.txt", stage.as_bytes(), &[("title", stage)]).await;
        }
    }
    // While it goes back.
    let broken = bring_impostor(&host, 2, "serve", "return 1;");
    for is_power in [true, false] {
        tokio::task::block_in_place(|| {
            cut_off(&host, &broken, "back", || match is_power {
                true => host.cut_power(),
                false => kill(),
            });
        });
        host.wait_until_ready().await;
        assert_eq!(version(&host), OWN, "back {is_power}");
        assert_eq!(api.get(&path).await["title"], "Annual report", "back {is_power}");
    }
    let second = tokio::task::block_in_place(|| {
        let release = bring(&host, &releases::program(NEXT, 2));
        thread::scope(|scope| {
            let first = scope.spawn(|| host.appliance(&["update", "--no-backup", &release]));
            host.wait("the first", || Path::new(&host.path(JOURNAL)).exists());
            let second = host.appliance(&["update", &release]);
            let install = host.copied(&["install"]);
            assert!(first.is_finished() || install.code == 11, "{install:?}");
            first.join().expect("its end").expect(0);
            second
        })
    });
    assert!(second.expect(11).err.contains("Another update or installation is under way"));
    assert_eq!(version(&host), NEXT);
    assert_eq!(api.get(&path).await["title"], "Annual report");
    is_settled(&host);
    host.appliance(&["check", "--deep"]).expect(0);
}
