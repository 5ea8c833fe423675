//! The walls around the worker, tried from inside.

use appliance::extract::{Landlock, Wanted};

use super::samples::{extractor, file, office};

#[tokio::test]
async fn nothing_that_a_parser_must_not_do_can_be_done() {
    let report = extractor().sandbox_report().await.unwrap();
    let open: Vec<&str> = report
        .attempts
        .iter()
        .filter(|attempt| !attempt.refused)
        .map(|attempt| attempt.what.as_str())
        .collect();
    assert!(open.is_empty(), "the worker could {}", open.join(", "));
    assert_eq!(report.attempts.len(), 13);
    assert!(report.holds());
}

#[tokio::test]
async fn the_walls_this_kernel_offers_are_up() {
    let report = extractor().sandbox_report().await.unwrap();
    assert!(report.walls.resource_limits);
    assert!(report.walls.no_new_privileges);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    assert_eq!(report.walls.seccomp, status.contains("\nSeccomp:"));
    // Asks for the version of the interface, and creates nothing (landlock_create_ruleset(2)).
    // SAFETY: a null pointer with a size of zero is what this question is asked with.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0usize, 1u32)
    };
    assert_eq!(report.walls.landlock != Landlock::None, version > 0);
}

#[tokio::test]
async fn every_answer_tells_which_walls_stood() {
    let docx = file(&office("report.docx"));
    let format = appliance::extract::Format::Docx;
    let extract = extractor().extract(docx, format, Wanted::default()).await.unwrap();
    assert_eq!(extract.walls, extractor().sandbox_report().await.unwrap().walls);
}

#[test]
fn the_hidden_verb_explains_itself_to_a_curious_person() {
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_appliance")).arg("worker").output().unwrap();
    assert_eq!(output.status.code(), Some(96));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("for the program itself"), "{words}");
    assert!(output.stdout.is_empty());
}
