//! Which machine this is, and how it is: without /proc/meminfo and its like, which a service in a
//! sandbox does not see.

use std::{ffi::CStr, fs, mem, thread};

use crate::hash::Digest;

/// A fixed point number of the kernel: so many make one.
const LOAD_UNIT: f64 = 65_536.0;

/// What does not change, and how busy it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    pub name: String,
    /// Such as `Linux 6.1.0-28-amd64, x86_64`.
    pub system: String,
    pub cores: u64,
    pub memory_bytes: u64,
    /// Processes that run or wait for the disk, on average in the last 1, 5 and 15 minutes.
    pub load: [f64; 3],
    pub up_seconds: u64,
}

pub fn look() -> Machine {
    let mut machine = Machine {
        cores: thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
        ..Machine::default()
    };
    // SAFETY: both are structures of plain numbers and letters, for which zeros are valid, and the
    // calls only write them.
    unsafe {
        let mut info: libc::sysinfo = mem::zeroed();
        if libc::sysinfo(&mut info) == 0 {
            machine.memory_bytes = (info.totalram as u64).saturating_mul(info.mem_unit.into());
            machine.load = info.loads.map(|load| load as f64 / LOAD_UNIT);
            machine.up_seconds = u64::try_from(info.uptime).unwrap_or(0);
        }
        let mut name: libc::utsname = mem::zeroed();
        if libc::uname(&mut name) == 0 {
            // Each ends with a zero, or uname would have failed.
            let text = |field: &[libc::c_char; 65]| {
                CStr::from_ptr(field.as_ptr()).to_string_lossy().into_owned()
            };
            machine.name = text(&name.nodename);
            let (system, release) = (text(&name.sysname), text(&name.release));
            machine.system = format!("{system} {release}, {}", text(&name.machine));
        }
    }
    machine
}

/// A name of this machine that no other one has and that stays over restarts: the hash of its id in
/// `/etc/machine-id`, which itself must not leave it (machine-id(5)). Empty where there is none, such
/// as in some containers: they are then all the same one.
pub fn id() -> String {
    match fs::read_to_string("/etc/machine-id") {
        Ok(id) => Digest::of(id.trim().as_bytes()).to_string(),
        Err(_) => String::new(),
    }
}
