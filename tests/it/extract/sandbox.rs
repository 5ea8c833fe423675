//! The walls around the worker, tried from inside.

use appliance::extract::{ExtractError, Format, Landlock, Limits, Refusal, Wanted};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::samples::{extractor, extractor_within, file, limits, office};

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

#[tokio::test]
async fn without_seccomp_no_file_is_read_unless_that_is_allowed() {
    forbid_seccomp();
    let text = || file(b"The heron is back.");
    let refused = extractor().extract(text(), Format::Text, Wanted::default()).await.unwrap_err();
    assert!(matches!(refused, ExtractError::Refused(Refusal::Unsandboxed)), "{refused:?}");
    assert!(refused.is_final() && refused.sentence().contains("doctor"));
    assert!(!extractor().sandbox_report().await.unwrap().walls.seccomp);

    let trusting = extractor_within(Limits { allow_unsandboxed: true, ..limits() });
    let extract = trusting.extract(text(), Format::Text, Wanted::default()).await.unwrap();
    assert_eq!(extract.text.trim(), "The heron is back.");
}

/// What this thread starts from here on cannot put up a filter of its own.
fn forbid_seccomp() {
    let asked = libc::PR_SET_SECCOMP as u64;
    let is_asked =
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, asked).unwrap();
    let rules = [(libc::SYS_prctl, vec![SeccompRule::new(vec![is_asked]).unwrap()])];
    let filter = SeccompFilter::new(
        rules.into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
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
