//! How much of the allowed time is used, so that an answer is complete before the parent's patience
//! ends. Computing time counts first: on a busy machine the clock runs on while this process waits.

use std::time::{Duration, Instant};

use super::super::protocol::Request;

#[derive(Clone, Copy)]
pub struct Budget {
    started: Instant,
    wall: Duration,
    cpu: Duration,
}

impl Budget {
    pub fn new(request: &Request) -> Self {
        Budget {
            started: Instant::now(),
            wall: Duration::from_millis(request.wall_ms),
            cpu: Duration::from_secs(request.cpu_s),
        }
    }

    /// No further page of text is begun: three fifths of the computing time are used.
    pub fn is_spent_for_text(&self) -> bool {
        computing_time() > self.cpu * 3 / 5 || self.started.elapsed() > self.wall * 3 / 4
    }

    /// No further picture is begun: four fifths are used.
    pub fn is_spent_for_pictures(&self) -> bool {
        computing_time() > self.cpu * 4 / 5 || self.started.elapsed() > self.wall * 4 / 5
    }
}

fn computing_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one whole structure. Should it fail, the time stays zero and the clock on the
    // wall decides alone.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}
