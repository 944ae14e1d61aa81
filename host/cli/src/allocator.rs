//! How the system's allocator gives memory back. By itself it raises the size from which a block is
//! mapped on its own, up to 32 MiB, each time such a block is freed: after the first component has been
//! read, the buffers of all later ones are cut from the heap and stay with the process.

/// Blocks from this size on are mapped on their own, and given back when they are freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES_MIN: libc::c_int = 256 << 10;

/// As much at the end of the heap is kept for the next request.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES_MAX: libc::c_int = 1 << 20;

/// Keeps both sizes where they are. Call it before threads are started.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back_what_is_free() {
    #[expect(unsafe_code, reason = "the C library has no safe way to say it")]
    // SAFETY: both calls take integers and change nothing but the allocator's own parameters; no
    // other thread runs yet. A parameter that is refused stays as it was, which is safe as well.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES_MAX);
    }
}

/// Other allocators have their own ways.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back_what_is_free() {}
