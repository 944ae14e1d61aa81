//! How much one caller may do in a minute.

use caplet_sdk::prelude::*;

const MINUTE_MS: i64 = 60_000;

/// What is counted together.
#[derive(Debug, Clone, Copy)]
pub enum Deed {
    Comment,
    /// Reactions and votes, given and taken back.
    Reaction,
}

impl Deed {
    fn name(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Reaction => "reaction",
        }
    }
}

/// Counts a deed of a caller's, if it is within what a minute allows; 0 allows any number.
///
/// A minute begins with the first deed in it. What is refused does not count.
///
/// # Errors
/// 429 with the seconds until the next minute begins.
pub fn count(deed: Deed, subject: &str, per_minute_max: u32) -> Result<(), Problem> {
    if per_minute_max == 0 {
        return Ok(());
    }
    let now_ms = clock::now_ms();
    let statement = "INSERT INTO paces (tenant, subject, deed, since_ms, n_done) \
                     VALUES ($tenant, $1, $2, $3, 1) ON CONFLICT (tenant, subject, deed) \
                     DO UPDATE SET n_done = \
                     CASE WHEN paces.since_ms <= $4 THEN 1 ELSE paces.n_done + 1 END, \
                     since_ms = CASE WHEN paces.since_ms <= $4 THEN $3 ELSE paces.since_ms END \
                     RETURNING n_done, since_ms";
    let parameters = params![subject, deed.name(), now_ms, now_ms - MINUTE_MS];
    let (n_done, since_ms): (i64, i64) = sql::query_one(statement, parameters)?;
    if n_done <= i64::from(per_minute_max) {
        return Ok(());
    }
    let detail = format!("There may be {per_minute_max} of these in a minute.");
    Err(Problem::too_many_requests(detail, wait_s(since_ms, now_ms)))
}

/// The whole seconds until the minute is over.
fn wait_s(since_ms: i64, now_ms: i64) -> u32 {
    let left_ms = (since_ms + MINUTE_MS - now_ms).clamp(1, MINUTE_MS);
    u32::try_from((left_ms + 999) / 1_000).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_ends_with_the_minute() {
        assert_eq!(wait_s(0, 0), 60);
        assert_eq!(wait_s(0, 59_001), 1);
        assert_eq!(wait_s(0, 30_500), 30);
        // A clock that was set back keeps nobody waiting for longer than a minute.
        assert_eq!(wait_s(1_000_000, 0), 60);
    }
}
