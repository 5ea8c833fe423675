//! Which process has something open, as /proc tells (proc(5)). Of the processes of other users it
//! tells only root.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

/// The file of the program that runs now, also when somebody has replaced it meanwhile.
pub const OWN_PROGRAM: &str = "/proc/self/exe";
/// A machine with more processes is looked at in part.
const PROCESSES_MAX: usize = 50_000;

/// A process as a person would look for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// The name of its program.
    pub name: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// A process, other than this one, that has a file open.
pub fn with_file(path: &Path) -> Option<Process> {
    let path = fs::canonicalize(path).ok()?;
    with_open(|target| target == path, Some(std::process::id()))
}

/// The process that holds one of these sockets, named by their inodes.
pub(super) fn with_socket(inodes: &[String]) -> Option<Process> {
    let names: Vec<PathBuf> =
        inodes.iter().map(|inode| PathBuf::from(format!("socket:[{inode}]"))).collect();
    with_open(|target| names.iter().any(|name| name == target), None)
}

/// Whether a process has not ended yet; one whose parent has not asked for its end has (proc(5)).
pub fn is_running(pid: u32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name in parentheses may hold anything; the state follows the last of them.
    let state = status.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// Whether somebody wants this process to end, which goes on until it asks. Programs that it starts end
/// as ever.
pub struct Interruption {
    /// Those that end this process otherwise. What somebody had it pass over, as `nohup` does, it still does.
    signals: Vec<libc::c_int>,
}

/// Set by a signal, which knows nothing else.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

impl Interruption {
    pub fn note() -> Self {
        extern "C" fn note(_: libc::c_int) {
            INTERRUPTED.store(true, Ordering::SeqCst);
        }
        let handler: extern "C" fn(libc::c_int) = note;
        let mut signals = vec![libc::SIGHUP, libc::SIGINT, libc::SIGTERM];
        signals.retain(|signal| {
            // SAFETY: the handler does what is allowed in one (signal-safety(7)): a store.
            let before = unsafe { libc::signal(*signal, handler as libc::sighandler_t) };
            if before == libc::SIG_IGN {
                // SAFETY: no handler of ours is called.
                unsafe { libc::signal(*signal, libc::SIG_IGN) };
            }
            before != libc::SIG_IGN
        });
        Interruption { signals }
    }

    pub fn has_come(&self) -> bool {
        INTERRUPTED.load(Ordering::SeqCst)
    }
}

/// From then on it ends as ever.
impl Drop for Interruption {
    fn drop(&mut self) {
        for signal in &self.signals {
            // SAFETY: no handler of ours is called.
            unsafe { libc::signal(*signal, libc::SIG_DFL) };
        }
    }
}

/// From here on this process goes on when its terminal goes away or somebody presses Ctrl-C, and so do
/// those that it starts.
pub fn outlive_terminal() {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
        // SAFETY: no handler of ours is called; the signal is passed over.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// The memory that this process has in use; 0 where the system does not tell.
pub fn own_memory_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = resident.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) << 10
}

/// How many files and connections this process has open.
pub fn own_open_files() -> u64 {
    fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64)
}

/// The processor time that this process has used.
pub fn own_processor_seconds() -> f64 {
    let mut spent = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours, and the call only writes it.
    let told = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut spent) };
    if told == 0 { spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9 } else { 0.0 }
}

fn with_open(is_it: impl Fn(&Path) -> bool, except: Option<u32>) -> Option<Process> {
    let processes = fs::read_dir("/proc").ok()?.flatten().take(PROCESSES_MAX);
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| Some(*pid) != except)
        .find(|pid| {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            files
                .into_iter()
                .any(|file| fs::read_link(file.path()).is_ok_and(|target| is_it(&target)))
        })
        .map(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            Process { pid, name: name.trim().to_owned() }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_interrupted_goes_on_until_it_asks() {
        let interruption = Interruption::note();
        assert!(!interruption.has_come());
        // SAFETY: sends this process a signal, for which there is a handler.
        assert_eq!(unsafe { libc::raise(libc::SIGTERM) }, 0);
        assert!(interruption.has_come());
    }
}
