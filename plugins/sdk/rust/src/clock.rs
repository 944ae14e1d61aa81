//! Time, in whole milliseconds. The host coarsens it on purpose; see `wit/clock.wit`.

use crate::host;

/// Unix time in milliseconds. May jump when the machine's clock is set.
///
/// Signed, because that is how the database keeps times.
pub fn now_ms() -> i64 {
    // The host's clock stays below 2^63 for the next 292 million years.
    i64::try_from(host::now_ms()).unwrap_or(i64::MAX)
}

/// Milliseconds since the invocation began. Never runs backwards.
pub fn elapsed_ms() -> u64 {
    host::elapsed_ms()
}

/// Milliseconds left until the host ends the invocation.
pub fn remaining_ms() -> u64 {
    host::remaining_ms()
}
