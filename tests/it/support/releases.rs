//! Releases for tests: this very program with another version written into it, signed with a key of
//! the test.

use std::{fs, io::Write, path::Path, process::Command};

use appliance::{
    clock::Clock,
    hash::Digest,
    release::{self, MACHINE, SecretKey},
};
use flate2::{Compression, write::GzEncoder};

/// What the program says of itself, in one line of its file.
const LINE: &str = concat!("Appliance release ", env!("CARGO_PKG_VERSION"), " with records 1");

/// This program, as another version, which numbers its records so.
pub fn program(version: &str, records: u32) -> Vec<u8> {
    let line = format!("Appliance release {version} with records {records}");
    assert_eq!(line.len(), LINE.len(), "one text takes the place of the other");
    let mut program = stripped();
    let mut found = 0;
    let mut from = 0;
    while let Some(at) = find(&program[from..], LINE.as_bytes()) {
        program[from + at..from + at + line.len()].copy_from_slice(line.as_bytes());
        from += at + line.len();
        found += 1;
    }
    assert!(found > 0, "the program says its version");
    program
}

/// Without what only debuggers read: a quarter of the size, and of the time.
fn stripped() -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(file.path()).arg(env!("CARGO_BIN_EXE_appliance"));
    let strip = strip.output().expect("strip");
    assert!(strip.status.success(), "{}", String::from_utf8_lossy(&strip.stderr));
    fs::read(file.path()).expect("the program")
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].iter().position(|byte| *byte == wanted[0])?;
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// A program that does something else on one verb, and on all others what the one at `real` does.
pub fn impostor(verb: &str, instead: &str, real: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, program) = (folder.path().join("impostor.c"), folder.path().join("impostor"));
    let text = format!(
        "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n\
         #include <sys/socket.h>\n#include <sys/un.h>\n\
         int main(int count, char **words) {{\n\
         for (int i = 1; i < count; i++) if (!strcmp(words[i], \"{verb}\")) {{ {instead} }}\n\
         execv(\"{real}\", words);\nreturn 127;\n}}\n"
    );
    fs::write(&source, text).expect("writing a program");
    let built = Command::new("gcc").arg("-o").arg(&program).arg(&source).output().expect("gcc");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    fs::read(program).expect("a program")
}

pub fn archive_name(version: &str) -> String {
    format!("appliance-{version}-{MACHINE}-linux.tar.gz")
}

/// As `.ci/release` makes it, but for the compression, which takes long.
pub fn archive(version: &str, program: &[u8]) -> Vec<u8> {
    let folder = format!("appliance-{version}-{MACHINE}-linux");
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    for (name, content, mode) in [("LICENSE", &b"free"[..], 0o644), ("appliance", program, 0o755)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        tar.append_data(&mut header, format!("{folder}/{name}"), content).expect("an entry");
    }
    let mut gzip = tar.into_inner().expect("an archive");
    gzip.flush().expect("an archive");
    gzip.finish().expect("an archive")
}

/// Puts a release into a folder, as who publishes does. The answer is its public key.
pub fn publish(folder: &Path, version: &str, program: &[u8]) -> String {
    fs::create_dir_all(folder).expect("a folder");
    let (name, archive) = (archive_name(version), archive(version, program));
    fs::write(folder.join(&name), &archive).expect("a release");
    fs::write(folder.join(release::SUMS), format!("{}  {name}\n", Digest::of(&archive)))
        .expect("its list");
    let key = SecretKey::generate().expect("a key");
    release::sign(folder, &key, Clock::system().now()).expect("a signature");
    key.public_key().to_text()
}
