//! Ids that are made of names: the same name has the same id, wherever and whenever it is made.

use sha2::{Digest, Sha256};

/// The id of a name of a kind: a UUID of version 7 with a time, and 74 bits of a hash of the name.
/// It sorts among other ids by its time.
pub fn derived_id(kind: &str, name: &str, time_ms: i64) -> String {
    let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(name).finalize();
    let mut random = [0; 10];
    random.copy_from_slice(&hash[..10]);
    let time_ms = u64::try_from(time_ms).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(time_ms, &random).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_has_the_same_id_and_sorts_by_its_time() {
        let id = derived_id("disqus", "1", 1_000);
        assert_eq!(id, derived_id("disqus", "1", 1_000));
        assert!(id < derived_id("disqus", "1", 1_001));
        assert_ne!(id, derived_id("commento", "1", 1_000));
        assert_ne!(id, derived_id("disqus", "2", 1_000));
        assert_eq!(id.len(), 36);
    }
}
