//! What the C library keeps of memory that was given back.

/// Allocations from here on get pages of their own, which go back to the system at once.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BYTES: i32 = 512 << 10;
/// So much stays at the end of a heap for the next one who asks.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: i32 = 8 << 20;

/// Fixes what glibc would raise by itself: after the first large allocation is given back, it keeps
/// all of that size, for each of up to eight arenas a core. Indexing takes 15 MiB by the mebibyte on
/// threads of its own: a portal on two cores that saw some small uploads held 240 MiB, and now 12.
///
/// Called before the first thread is started.
pub fn keep_little() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: no other thread runs yet, and any number is allowed; a refusal changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
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
