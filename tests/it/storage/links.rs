//! Links that lead a plain client to S3.

use std::time::Duration;

use appliance::{hash::Digest, web::content::content_disposition};

use super::Site;
use crate::blobs::{content, is_missing, upload};

#[tokio::test(flavor = "multi_thread")]
async fn a_link_gives_a_plain_client_the_right_bytes_name_and_type() {
    let site = Site::new();
    let bytes = content(830, 10_000);
    let hash = upload(&site.blobs, &bytes).await.unwrap().hash;
    let minute = Duration::from_secs(60);
    let name = content_disposition("attachment", "a.pdf");
    assert_eq!(site.blobs.link(hash, &name, "application/pdf", minute).await.unwrap(), None);
    site.blobs.store(hash).await.unwrap();
    for filename in [
        "Annual report 2026.pdf",
        "Zürich – Straße é.pdf",
        "වාර්ෂික වාර්තාව.pdf",
        "التقرير السنوي.pdf",
        "年度报告.pdf",
        "a \"quoted\"; name=x, 100% & more+less.pdf",
        "back\\slash '/ and ~tilde.pdf",
    ] {
        let name = content_disposition("attachment", filename);
        let link = site.blobs.link(hash, &name, "application/pdf", minute).await.unwrap().unwrap();
        let answer = reqwest::get(&link).await.unwrap();
        assert_eq!(answer.status(), 200, "{filename}");
        assert_eq!(answer.headers()["content-type"], "application/pdf");
        let told = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert_eq!(told, name);
        assert_eq!(name_in(&told), filename);
        assert_eq!(answer.bytes().await.unwrap(), bytes);
        let part = reqwest::Client::new().get(&link).header("range", "bytes=100-199");
        assert_eq!(part.send().await.unwrap().bytes().await.unwrap(), bytes[100..200]);
        let other = link.replace("application%2Fpdf", "text%2Fhtml");
        assert_eq!(reqwest::get(other).await.unwrap().status(), 403, "it is signed");
    }
    let nowhere = Digest::of(b"nowhere");
    let missing = site.blobs.link(nowhere, &name, "application/pdf", minute).await.unwrap_err();
    assert!(is_missing(&missing, nowhere));
}

/// The name in full (RFC 8187), as a browser decodes it.
fn name_in(disposition: &str) -> String {
    let (_, encoded) = disposition.split_once("filename*=UTF-8''").unwrap();
    let mut bytes = Vec::new();
    let mut rest = encoded.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let digits = std::str::from_utf8(&rest[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
