//! The clocks of the machine: how long it runs, and whether somebody keeps the time right.

use std::time::Duration;

/// How long the machine runs, as systemd counts it (CLOCK_MONOTONIC).
pub fn since_boot() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours, and the call only writes it. It cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

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
