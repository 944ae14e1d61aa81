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

/// Like [`id`], and sorts after `earlier`, which [`id`] or this function made.
///
/// The ids of a list stay in the order in which they were made, also within one millisecond and when
/// the clock was set back (RFC 9562, section 6.2): where the time alone does not decide, the time and
/// the twelve bits below it count on from `earlier`. At least 62 bits are random. An `earlier` that
/// is no UUID is ignored.
pub fn id_after(earlier: &str) -> String {
    let fresh = uuid_v7(host::now_ms(), number(), number());
    let id = Uuid::parse_str(earlier).map_or(fresh, |earlier| after(earlier, fresh));
    id.to_string()
}

/// `fresh` if it is after `earlier`, or else the next one after `earlier` with its random half.
fn after(earlier: Uuid, fresh: Uuid) -> Uuid {
    if fresh > earlier {
        return fresh;
    }
    let (high, _) = earlier.as_u64_pair();
    // The version stands between the time and the twelve bits below it.
    let counted = (((high >> 16) << 12) | (high & 0xfff)) + 1;
    let (_, random) = fresh.as_u64_pair();
    Uuid::from_u64_pair(((counted >> 12) << 16) | 0x7000 | (counted & 0xfff), random)
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

    #[test]
    fn ids_count_on_within_a_millisecond() {
        // More than twelve bits can count, so that the time is carried into.
        let mut earlier = id();
        for _ in 0..5_000 {
            let next = id_after(&earlier);
            assert!(next > earlier, "{next} does not sort after {earlier}");
            assert_eq!(Uuid::parse_str(&next).unwrap().get_version_num(), 7);
            earlier = next;
        }
    }

    #[test]
    fn ids_count_on_when_the_clock_was_set_back() {
        let late = uuid_v7(1_700_000_000_001, u64::MAX, u64::MAX);
        let early = uuid_v7(1_700_000_000_000, 0, 0);
        assert_eq!(after(early, late), late);
        let counted = after(late, early);
        assert!(counted > late);
        assert_eq!(counted.to_string(), "018bcfe5-6802-7000-8000-000000000000");
    }

    #[test]
    fn what_is_no_id_decides_nothing() {
        assert_eq!(id_after("zzz").len(), 36);
    }
}
