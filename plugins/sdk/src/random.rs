//! Random numbers from the operating system's cryptographic generator, and the ids made of them.

use uuid::{Builder, Uuid};

use crate::host;

/// `count` random bytes, at most 65 536; more ends the invocation.
pub fn bytes(count: u32) -> Vec<u8> {
    host::random_bytes(count)
}

/// A random number, every value as likely.
pub fn number() -> u64 {
    host::random_number()
}

/// A new UUID of version 7 (RFC 9562) as text: 36 characters that sort by the millisecond in which
/// they were made. Cannot be guessed from others: 74 of its bits are random.
pub fn id() -> String {
    uuid_v7(host::now_ms(), number(), number()).to_string()
}

fn uuid_v7(now_ms: u64, first: u64, second: u64) -> Uuid {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&first.to_be_bytes());
    random[8..].copy_from_slice(&second.to_be_bytes()[..2]);
    Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_version_7() {
        let early = uuid_v7(1_700_000_000_000, u64::MAX, u64::MAX);
        let late = uuid_v7(1_700_000_000_001, 0, 0);
        assert!(early.to_string() < late.to_string());
        assert_eq!(late.get_version_num(), 7);
    }

    #[test]
    fn ids_differ_within_a_millisecond() {
        assert_ne!(id(), id());
        assert_eq!(id().len(), 36);
    }
}
