//! What the C library keeps of memory that was given back.
//!
//! glibc has arenas, each for some threads, up to eight for each core, and keeps in each what was used
//! there once. Indexing has many threads, one after the other: without a limit each takes its 15 MiB to
//! an arena of its own, until a portal that did nothing but small uploads holds 240 MiB.

/// Lets all threads share one arena for each core. Called before the first thread is started.
pub fn limit_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let arenas = i32::try_from(cores.max(2)).unwrap_or(i32::MAX);
        // SAFETY: no other thread runs yet, and any number is allowed; a refusal changes nothing.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, arenas) };
    }
}

/// Hands what nobody uses back to the system.
pub fn release() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
