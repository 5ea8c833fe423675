//! Whether the machine's clock is kept right by somebody.

/// True when the kernel was told that the clock follows a reference, false when it was told that it
/// does not; `None` when it does not say.
pub fn is_synchronized() -> Option<bool> {
    // SAFETY: `timex` is plain numbers, for which zero is valid; with `modes` 0 the call only reads
    // (adjtimex(2)), into memory that is ours.
    let (state, status) = unsafe {
        let mut report: libc::timex = std::mem::zeroed();
        let state = libc::adjtimex(&mut report);
        (state, report.status)
    };
    (state >= 0).then_some(status & libc::STA_UNSYNC == 0)
}
