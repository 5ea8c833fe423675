//! What a parser must never be able to do, tried from inside the walls.
//!
//! `appliance doctor` runs this, and so do the tests: it proves the sandbox as it stands on this
//! very machine, instead of believing that a call to the kernel that succeeded also had an effect.

use std::ffi::CStr;

use super::super::protocol::Attempt;

/// Tries each forbidden thing once. Nothing lasting happens even where one succeeds.
pub fn attempts() -> Vec<Attempt> {
    let tried = [
        ("read a file", open(c"/etc/passwd", libc::O_RDONLY)),
        ("list a folder", open(c"/", libc::O_RDONLY | libc::O_DIRECTORY)),
        ("create a file", open(c"/tmp", libc::O_TMPFILE | libc::O_WRONLY)),
        ("write to the input", write_to_input()),
        ("open an internet socket", socket(libc::AF_INET)),
        ("open a local socket", socket(libc::AF_UNIX)),
        ("open a kernel socket", socket(libc::AF_NETLINK)),
        ("start a program", start_program()),
        ("start a thread", std::thread::Builder::new().spawn(|| ()).is_ok()),
        ("fork", fork()),
        // Signal 0 to the own group only asks whether a signal could be sent.
        // SAFETY: no memory is involved.
        ("send a signal", unsafe { libc::kill(0, 0) } == 0),
        ("make memory executable", executable_memory()),
        ("raise a limit", raise_limit()),
    ];
    tried
        .into_iter()
        .map(|(what, succeeded)| Attempt { what: what.to_owned(), refused: !succeeded })
        .collect()
}

fn open(path: &CStr, flags: i32) -> bool {
    // SAFETY: the path ends in a zero byte; a descriptor that is returned leaks until the exit.
    unsafe { libc::open(path.as_ptr(), flags, 0o600) >= 0 }
}

fn write_to_input() -> bool {
    // SAFETY: one readable byte.
    unsafe { libc::write(0, b"x".as_ptr().cast(), 1) == 1 }
}

fn socket(family: i32) -> bool {
    // SAFETY: no memory is involved.
    unsafe { libc::socket(family, libc::SOCK_DGRAM, 0) >= 0 }
}

fn start_program() -> bool {
    let mut program = std::process::Command::new("/bin/true");
    program.spawn().and_then(|mut child| child.wait()).is_ok()
}

fn fork() -> bool {
    // SAFETY: this process has one thread, and a child leaves without running any handler.
    match unsafe { libc::fork() } {
        0 => unsafe { libc::_exit(0) },
        pid => pid > 0,
    }
}

fn executable_memory() -> bool {
    let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a fresh anonymous page that nothing refers to.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    page != libc::MAP_FAILED
}

fn raise_limit() -> bool {
    let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
    // SAFETY: reads one whole structure.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0 }
}
