//! How many files this process may have open: each connection takes one.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit that counts now; `None` when there is none.
pub fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// True for what failed because the process, or the system, may open no more files now.
pub fn is_out_of_files(fault: &anyhow::Error) -> bool {
    let codes = fault.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
    codes.into_iter().any(|code| matches!(code, libc::EMFILE | libc::ENFILE))
}

/// Raises the limit to what the system allows this process. It begins low for the sake of old
/// programs that use `select`, which we do not.
pub fn raise_open_files() {
    let limits = getrlimit(Resource::Nofile);
    if limits.current != limits.maximum {
        let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!("raising the limit of open files: {error}");
        }
    }
}
