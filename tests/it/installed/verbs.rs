//! The verbs for the service of a machine: what they show, and what they do.

use super::{KEPT, upload};
use crate::support::host::{Host, client};

#[tokio::test]
#[ignore = "needs a machine: tests/run.sh"]
async fn the_verbs_show_and_steer_the_service() {
    let host = Host::boot("verbs");
    for verb in ["logs", "errors", "start", "restart"] {
        let refused = host.copied(&[verb]).expect(10);
        assert!(refused.err.contains("appliance install"), "{refused:?}");
    }
    let api = host.install(&[]).await;
    upload(&api).await;
    host.appliance(&["errors"]).expect(0);
    let status = host.appliance(&["status", "--json"]).expect(0).json();
    assert_eq!(status["service"]["state"], "active", "{status}");
    assert_eq!(status["service"]["is_enabled"], true, "{status}");
    let time = |value: &serde_json::Value| value.as_str()?.parse::<jiff::Timestamp>().ok();
    let since = time(&status["service"]["since"]).expect("a time");
    let started_at = time(&status["started_at"]).expect("a time");
    let lag_s = since.duration_since(started_at).as_secs();
    assert!((-2..60).contains(&lag_s), "active since it was ready: {status}");
    assert!(status["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{status}");
    assert!(status["disk_free_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{status}");
    let text = host.appliance(&["status"]).expect(0).out;
    assert!(text.lines().count() <= 24, "one screen:\n{text}");

    let log = host.appliance(&["logs", "--grep", "PORTAL IS"]).expect(0).out;
    assert!(log.contains("the portal is running  https=[::]:443  listens_on=[::]:80"), "{log}");
    assert!(!log.contains('{'), "no JSON for people: {log}");
    let json = host.appliance(&["logs", "--json", "-n", "1"]).expect(0).json();
    assert!(json["level"].is_string() && json["message"].is_string(), "{json}");
    let none = host.appliance(&["logs", "--since", "2030-01-01"]).expect(0).out;
    assert_eq!(none, "Nothing of that kind is in the log.\n");
    for verb in ["logs", "errors"] {
        let nonsense = host.appliance(&[verb, "--since", "nonsense"]).expect(1);
        assert!(nonsense.err.contains("nonsense"), "{nonsense:?}");
    }

    let checked = host.appliance(&["check", "--json"]).expect(0).json();
    for probe in ["web server", "records", "file storage", "search"] {
        let probes = checked["probes"].as_array().expect("a list");
        let found = probes.iter().find(|found| found["about"] == probe);
        assert_eq!(found.expect(probe)["level"], "fine", "{checked}");
    }

    let pid = host.pid();
    host.appliance(&["start"]).expect(0);
    assert_eq!(host.pid(), pid, "it ran already");
    host.appliance(&["restart"]).expect(0);
    assert_ne!(host.pid(), pid);
    host.appliance(&["stop"]).expect(0);
    assert!(client().get(host.url()).send().await.is_err(), "the socket is closed too");
    let stopped = host.appliance(&["status"]).expect(10);
    assert!(stopped.err.contains("appliance start"), "{stopped:?}");
    host.appliance(&["start"]).expect(0);
    host.wait_until_ready().await;

    let unknown = host.appliance(&["config", "set", "https.domain", "docs.example.com"]).expect(2);
    assert!(unknown.err.contains("Did you mean “https.domains”?"), "{unknown:?}");
    host.appliance(&["config", "set", "log.level", "verbose"]).expect(2);
    host.appliance(&["config", "set", "log.level", "debug"]).expect(0);
    assert!(host.read("/etc/appliance/appliance.toml").contains("\nlevel = \"debug\"\n"));
    let owner = host.run(&["stat", "-c", "%U:%G %a", KEPT[0]]).expect(0);
    assert_eq!(owner.out, "root:appliance 640\n");
    host.appliance(&["config", "check"]).expect(0);

    // The service does the work, and its sandbox does not let it write everywhere.
    let hidden = host.appliance(&["export", "/root/library"]).expect(2);
    assert!(hidden.err.contains("/srv"), "{hidden:?}");
    host.run(&["install", "-d", "-o", "appliance", "/srv/library"]).expect(0);
    host.appliance(&["export", "/srv/library"]).expect(0);
    assert!(host.has("/srv/library/details.csv"));

    // A configuration that makes no sense: the sentence that mends it, not "see systemctl status".
    let file = "/etc/appliance/appliance.toml";
    let good = host.read(file);
    host.write(file, &format!("lisen = 1\n{good}"));
    let failed = host.run(&["appliance", "restart"]);
    assert!(failed.code != 0 && failed.err.contains("lisen"), "{failed:?}");
    // What ends or shows it works all the same.
    assert_eq!(host.appliance(&["status", "--json"]).expect(0).json()["running"], true);
    let stopped = host.appliance(&["stop"]).expect(0);
    assert!(stopped.err.contains("lisen"), "{stopped:?}");
    let status = host.appliance(&["status", "--json"]).expect(10).json();
    assert_eq!(
        (&status["running"], &status["service"]["state"]),
        (&false.into(), &"inactive".into())
    );
    host.write(file, &good);
    host.appliance(&["start"]).expect(0);
}
