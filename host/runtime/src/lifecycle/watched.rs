//! What a generation is held against while it is watched, and until when. It is written down before the
//! generation serves, so that a host that starts again goes on judging.

use std::time::Duration;

use caplet_store::{Result, Value};
use serde::Deserialize;

use super::scores::Score;
use crate::generation::Generation;
use crate::runtime::Inner;

/// How long a generation is watched again at least when a host starts, if it was to be watched so long. Its
/// counts begin anew.
const AGAIN_MIN: Duration = Duration::from_secs(30);

const KEEP: &str = "INSERT INTO generation_watches (plugin, number, against, score, until_ms) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (plugin, number) DO UPDATE SET \
    against = excluded.against, score = excluded.score, until_ms = excluded.until_ms";

const FIND: &str = "SELECT against, score AS \"score:json\", until_ms FROM generation_watches \
    WHERE plugin = $1 AND number = $2";

const FORGET: &str = "DELETE FROM generation_watches WHERE plugin = $1 AND number <= $2";

/// What a generation is held against.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    /// The generation that it took the place of.
    pub(super) against: u32,
    /// What that one had done.
    pub(super) before: Score,
    /// How long it is watched.
    pub(super) time: Duration,
}

#[derive(Deserialize)]
struct Row {
    against: u32,
    score: Score,
    until_ms: u64,
}

impl Watched {
    /// `new` is about to take the place of `old`.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn begin(inner: &Inner, new: &Generation, old: &Generation) -> Result<Self> {
        let time = inner.lifecycle.options.watch_time();
        let watched = Self { against: old.number(), before: old.scores.read(), time };
        watched.keep(inner, (new.name(), new.number())).await?;
        Ok(watched)
    }

    /// What a generation was held against when the host ended, or the plugin was disabled; nothing, when its
    /// watch was over.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn resume(inner: &Inner, of: (&str, u32)) -> Result<Option<Self>> {
        let (rows, _): (Vec<Row>, bool) = inner.database.rows((FIND, &key(of))).await?;
        let (now_ms, time) = (inner.clock.now_ms(), inner.lifecycle.options.watch_time());
        Ok(rows.into_iter().next().map(|row| {
            let time = left(row.until_ms, now_ms, time);
            Self { against: row.against, before: row.score, time }
        }))
    }

    /// Writes it down for a generation.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn keep(&self, inner: &Inner, of: (&str, u32)) -> Result<()> {
        let time_ms = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        let until_ms = inner.clock.now_ms().saturating_add(time_ms);
        let score = serde_json::to_value(self.before).unwrap_or_default().to_string();
        let rest = [
            Value::Integer(i64::from(self.against)),
            Value::Text(score),
            Value::Integer(i64::try_from(until_ms).unwrap_or(i64::MAX)),
        ];
        inner.database.change(&[(KEEP, &[&key(of)[..], &rest].concat())]).await.map(drop)
    }
}

/// Forgets what a generation, and those before it, were held against.
///
/// # Errors
/// Those of the store.
pub(super) async fn forget(inner: &Inner, plugin: &str, number: u32) -> Result<()> {
    inner.database.change(&[(FORGET, &key((plugin, number)))]).await.map(drop)
}

fn key((plugin, number): (&str, u32)) -> [Value; 2] {
    [Value::Text(plugin.to_owned()), Value::Integer(i64::from(number))]
}

/// How long a generation is watched again that was to be watched until then.
fn left(until_ms: u64, now_ms: u64, time: Duration) -> Duration {
    let left = Duration::from_millis(until_ms.saturating_sub(now_ms));
    left.clamp(AGAIN_MIN.min(time), time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_goes_on_for_what_is_left_of_it_and_for_half_a_minute_at_least() {
        let seconds = Duration::from_secs;
        for (until_ms, now_ms, time, expected) in [
            (3_600_000, 600_000, seconds(3_600), seconds(3_000)),
            (3_600_000, 3_599_000, seconds(3_600), seconds(30)),
            (3_600_000, 9_000_000, seconds(3_600), seconds(30)),
            (3_600_000, 9_000_000, seconds(5), seconds(5)),
            (9_000_000, 0, seconds(60), seconds(60)),
        ] {
            assert_eq!(left(until_ms, now_ms, time), expected, "{until_ms} at {now_ms}");
        }
    }
}
