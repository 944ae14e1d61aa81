//! The gate before the store: every text is judged in bounded time, and what may run is one statement
//! that names nothing of the host's.

use caplet_store::{Limits, gate};
use std::time::{Duration, Instant};

/// How long judging may take. The parser cannot be interrupted, so that the gate bounds what it is given.
const TIME_MAX: Duration = Duration::from_secs(5);

/// What a statement that is let through may not have, wherever it stands outside of texts.
const HOSTS: [&str; 4] = ["caplet_", "sqlite_", "pragma_", "pg_"];

/// Judges a text as a statement, a migration and a backfill.
///
/// # Panics
/// It took too long, or what passed could do harm.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let limits = Limits::default();
    let begun = Instant::now();
    let statement = gate::check(text, &limits);
    let migration = gate::check_migration(text, &limits);
    let backfill = gate::check_backfill(text, &limits);
    assert!(begun.elapsed() < TIME_MAX, "judged for {:?}", begun.elapsed());
    if let Ok(checked) = &statement {
        assert!(checked.writes != checked.selects, "{text:?}: {checked:?}");
        assert!(checked.n_parameters <= 999, "{text:?}: {checked:?}");
    }
    if backfill.is_ok() {
        assert_eq!(migration.as_ref().ok(), Some(&1), "{text:?} is one statement");
    }
    if statement.is_ok() || migration.is_ok() {
        assert!(!names_the_host(text), "{text:?} names what is the host's");
    }
}

/// Whether a name of the host's is there, beyond texts and comments. Where a text has quotes of any kind
/// nothing is said: telling names from texts is the gate's own art.
fn names_the_host(text: &str) -> bool {
    let lower = text.to_lowercase();
    let is_plain = !lower.contains(['\'', '"', '-', '/', '$', '`', '[', '#']);
    let is_begin = |place: usize| {
        !lower[..place].ends_with(|before: char| before.is_alphanumeric() || before == '_')
    };
    is_plain && HOSTS.iter().any(|name| lower.match_indices(name).any(|(at, _)| is_begin(at)))
}
