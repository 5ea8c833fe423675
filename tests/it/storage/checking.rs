//! The check of a bucket, and settings that are wrong.

use std::{fs, path::PathBuf};

use appliance::{
    blobs::{Blobs, CheckStep, Folders, Limits, Outcome},
    clock::Clock,
    config::StorageConfig,
};
use uuid::Uuid;

use super::{Site, open};
use crate::support::s3::Disturbance;

fn failing(steps: &[CheckStep]) -> Vec<(String, String)> {
    let failed = steps.iter().filter_map(|step| match &step.outcome {
        Outcome::Fails { advice, .. } => Some((step.what.to_string(), advice.clone())),
        _ => None,
    });
    failed.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_a_good_storage_finds_everything_working() {
    let site = Site::new();
    let steps = site.blobs.check_remote().await;
    assert_eq!(steps.len(), 9);
    assert_eq!(failing(&steps), []);
    let missing: Vec<_> =
        steps.iter().filter(|step| step.outcome != Outcome::Works).map(|step| &step.what).collect();
    assert_eq!(missing, ["List unfinished uploads"], "this server cannot");
    site.assert_tidy(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_what_is_missing() {
    let site = Site::new();
    let refuse =
        |method| Disturbance::Only(method, Box::new(Disturbance::Answer(403, "AccessDenied")));
    let expired = Disturbance::Answer(403, "Request has expired");
    for (disturbance, what, advice) in [
        (
            refuse("PUT"),
            "Write a file",
            "Grant s3:PutObject on arn:aws:s3:::documents/portal/files/*",
        ),
        (refuse("DELETE"), "Delete a file", "Grant s3:DeleteObject on"),
        (
            Disturbance::ForbidMissing,
            "Tell a missing file",
            "Grant s3:ListBucket on arn:aws:s3:::documents.",
        ),
        (
            Disturbance::About("?uploads=".into(), Box::new(refuse("POST"))),
            "Upload in parts",
            "Grant s3:PutObject on",
        ),
        (
            Disturbance::About("uploadId=".into(), Box::new(refuse("DELETE"))),
            "Upload in parts",
            "Grant s3:AbortMultipartUpload on",
        ),
        (
            Disturbance::About("X-Amz-Signature=".into(), Box::new(expired)),
            "Download by a link",
            "clock",
        ),
        (refuse("GET"), "Read a file", "Grant s3:GetObject on"),
        (Disturbance::Refuse, "Write a file", "storage.s3.endpoint"),
        (
            Disturbance::Answer(403, "SignatureDoesNotMatch"),
            "Write a file",
            "storage.s3.secret_access_key",
        ),
        (Disturbance::Answer(403, "RequestTimeTooSkewed"), "Write a file", "clock"),
        (
            Disturbance::Answer(400, "AuthorizationHeaderMalformed"),
            "Write a file",
            "storage.s3.region",
        ),
        (Disturbance::Answer(404, "NoSuchBucket"), "Write a file", "storage.s3.bucket"),
        (Disturbance::Corrupt, "Read a file", "Other bytes"),
    ] {
        site.proxy.disturb(disturbance.clone());
        let steps = site.blobs.check_remote().await;
        let failed = failing(&steps);
        let step = failed.iter().find(|(step, _)| *step == what);
        let step = step.unwrap_or_else(|| panic!("{disturbance:?}: {failed:?}"));
        assert!(step.1.contains(advice), "{disturbance:?}: {step:?}");
    }
    // Nothing else is blamed for it, and what is refused hides nothing.
    site.proxy.disturb(Disturbance::ForbidMissing);
    let failed = failing(&site.blobs.check_remote().await);
    assert_eq!(failed.len(), 1, "{failed:?}");
    site.proxy.disturb(refuse("PUT"));
    let steps = site.blobs.check_remote().await;
    assert!(steps.iter().any(|step| step.what == "List files" && step.outcome == Outcome::Works));
    site.proxy.disturb(Disturbance::None);
    let wrong = |configure: fn(&mut StorageConfig)| {
        let mut storage = site.storage.clone();
        configure(&mut storage);
        let blobs = open(&site.folder, &storage, &site.clock);
        async move { failing(&blobs.check_remote().await).remove(0).1 }
    };
    let advice = wrong(|storage| storage.s3.secret_access_key = "another".into()).await;
    assert!(advice.contains("storage.s3.secret_access_key"), "{advice}");
    let advice = wrong(|storage| storage.s3.access_key_id = "AKIANOBODY".into()).await;
    assert!(advice.contains("storage.s3.access_key_id"), "{advice}");
}

#[tokio::test]
async fn a_wrong_setting_stops_the_start_and_an_absent_s3_does_not() {
    let site = Site::new();
    let folders = || Folders {
        spool: site.folder.path().join("spool"),
        objects: site.folder.path().join("objects"),
        cache: site.folder.path().join("cache"),
    };
    let try_open = |storage: &StorageConfig| {
        Blobs::at(folders(), storage, Uuid::nil(), Limits::default(), Clock::system()).map(drop)
    };
    let mut storage = site.storage.clone();
    storage.s3.ca_file = "/nowhere/ca.pem".into();
    let refused = try_open(&storage).unwrap_err();
    assert!(refused.to_string().starts_with("storage.s3.ca_file: /nowhere/ca.pem"), "{refused}");
    let no_pem = site.folder.path().join("ca.pem");
    fs::write(&no_pem, "not a certificate").unwrap();
    storage.s3.ca_file = no_pem;
    let refused = try_open(&storage).unwrap_err();
    assert!(refused.to_string().contains("does not hold certificates"), "{refused}");
    storage.s3.ca_file = PathBuf::new();
    storage.s3.endpoint = "http://127.0.0.1:1".into();
    try_open(&storage).unwrap();
}
