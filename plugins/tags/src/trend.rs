//! How often tags were used of late: exact counts in sliding windows that end today.
//!
//! Each tagging is counted on its day, `days`, and in each window that its day is in, `trends`, so that
//! the tags most used in a window are read along an index. A window's horizon says which rows of
//! `days` it has left behind: all up to a day and a tag. With every change of taggings each window
//! moves its horizon on over at most [`STEP_ROWS`] rows that are too old; whoever reads meanwhile takes
//! off what is too old and still counted, see [`popular`](crate::popular).
//!
//! Invariant: a trend is the sum of its tag's `days` behind the horizon. A row of `days` that the longest
//! window has left is removed.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use serde::Deserialize;

/// The windows, in days. A day is one of UTC; a window of one day is today.
pub const SPANS: [i64; 4] = [1, 7, 30, 365];
/// How many rows a horizon moves over with one change.
const STEP_ROWS: i64 = 1_000;
/// How many rows one statement inserts: three or four parameters each, at most 999.
const ROWS_MAX: usize = 200;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// One more or one less tagging of a tag that was made on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub tag: i64,
    pub day: i64,
    /// 1 or -1.
    pub by: i64,
}

/// Where a window begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Horizon {
    pub span: i64,
    pub day: i64,
    pub tag: i64,
}

impl Horizon {
    /// Where the window should begin today.
    pub fn due(span: i64, today: i64) -> Self {
        Self { span, day: today - span, tag: i64::MAX }
    }

    /// Whether a tagging of that day is counted.
    fn counts(&self, change: &Change) -> bool {
        (change.day, change.tag) > (self.day, self.tag)
    }

    /// Whether rows may be counted that are too old.
    pub fn is_behind(&self, due: &Self) -> bool {
        (self.day, self.tag) < (due.day, due.tag)
    }
}

/// The day of a time.
pub fn day_of(time_ms: i64) -> i64 {
    time_ms.div_euclid(DAY_MS)
}

/// Counts changes of taggings.
///
/// # Errors
/// Those of the store.
pub fn record(changes: &[Change]) -> Result<(), Problem> {
    if changes.is_empty() {
        return Ok(());
    }
    let horizons = advance(day_of(clock::now_ms()))?;
    let mut days = Vec::new();
    let mut trends = Vec::new();
    for change in changes {
        let windows = horizons.iter().filter(|horizon| horizon.counts(change));
        trends.extend(windows.map(|horizon| (horizon.span, change.tag, change.by)));
        if horizons.iter().any(|horizon| horizon.counts(change)) {
            days.push((change.day, change.tag, change.by));
        }
    }
    add("INSERT INTO days (tenant, day, tag, n) VALUES ", &days, DAYS_CONFLICT)?;
    add("INSERT INTO trends (tenant, span, tag, n) VALUES ", &trends, TRENDS_CONFLICT)
}

const DAYS_CONFLICT: &str = " ON CONFLICT (tenant, day, tag) DO UPDATE SET n = days.n + excluded.n";
const TRENDS_CONFLICT: &str =
    " ON CONFLICT (tenant, span, tag) DO UPDATE SET n = trends.n + excluded.n";

fn add(
    insert: &'static str,
    rows: &[(i64, i64, i64)],
    conflict: &'static str,
) -> Result<(), Problem> {
    for rows in rows.chunks(ROWS_MAX) {
        let mut statement = Statement::new(insert);
        for (place, (first, second, by)) in rows.iter().enumerate() {
            statement.push(if place == 0 { "($tenant, " } else { ", ($tenant, " });
            statement.bind(*first).push(", ").bind(*second).push(", ").bind(*by).push(")");
        }
        statement.push(conflict).execute()?;
    }
    Ok(())
}

/// The horizon of a window, or none when nothing was ever tagged.
///
/// # Errors
/// Those of the store.
pub fn horizon(span: i64) -> Result<Option<Horizon>, Problem> {
    let statement = "SELECT span, day, tag FROM horizons WHERE tenant = $tenant AND span = $1";
    Ok(sql::query_optional(statement, params![span])?)
}

/// Moves each horizon on by one step, where it is behind.
fn advance(today: i64) -> Result<Vec<Horizon>, Problem> {
    let statement = "SELECT span, day, tag FROM horizons WHERE tenant = $tenant";
    let mut horizons: Vec<Horizon> = sql::query(statement, params![])?;
    for span in SPANS {
        let due = Horizon::due(span, today);
        match horizons.iter_mut().find(|horizon| horizon.span == span) {
            None => {
                begin(&due)?;
                horizons.push(due);
            }
            Some(horizon) if horizon.is_behind(&due) => *horizon = step(horizon, &due)?,
            Some(_) => {}
        }
    }
    Ok(horizons)
}

fn begin(horizon: &Horizon) -> Result<(), Problem> {
    let statement = "INSERT INTO horizons (tenant, span, day, tag) VALUES ($tenant, $1, $2, $3)";
    sql::execute(statement, params![horizon.span, horizon.day, horizon.tag])?;
    Ok(())
}

/// Takes at most [`STEP_ROWS`] rows out of a window, and returns how far it came.
fn step(from: &Horizon, due: &Horizon) -> Result<Horizon, Problem> {
    let statement = "SELECT day, tag FROM days \
                     WHERE tenant = $tenant AND (day, tag) > ($1, $2) AND day <= $3 \
                     ORDER BY day, tag LIMIT 1 OFFSET $4";
    let reached: Option<(i64, i64)> =
        sql::query_optional(statement, params![from.day, from.tag, due.day, STEP_ROWS - 1])?;
    let to = reached.map_or(*due, |(day, tag)| Horizon { day, tag, ..*due });
    let range = params![from.day, from.tag, to.day, to.tag, to.span];
    sql::execute(
        // Grouped by a sum, because SQLite would walk through all days of all tags in their order.
        "UPDATE trends SET n = trends.n - gone.n FROM (SELECT CAST(d.tag + 0 AS BIGINT) AS tag, \
         CAST(sum(d.n) AS BIGINT) AS n FROM days d WHERE d.tenant = $tenant \
         AND d.day >= $1 AND d.day <= $3 AND (d.day, d.tag) > ($1, $2) \
         AND (d.day, d.tag) <= ($3, $4) GROUP BY CAST(d.tag + 0 AS BIGINT)) AS gone \
         WHERE trends.tenant = $tenant AND trends.span = $5 AND trends.tag = gone.tag",
        range,
    )?;
    sql::execute(
        "DELETE FROM trends WHERE tenant = $tenant AND span = $1 AND n <= 0",
        params![to.span],
    )?;
    if SPANS.iter().all(|&span| span <= to.span) {
        sql::execute(
            "DELETE FROM days WHERE tenant = $tenant AND (day, tag) <= ($1, $2)",
            params![to.day, to.tag],
        )?;
    }
    let statement = "UPDATE horizons SET day = $2, tag = $3 WHERE tenant = $tenant AND span = $1";
    sql::execute(statement, params![to.span, to.day, to.tag])?;
    Ok(to)
}

/// Counts a tag's taggings anew, in all windows, from the taggings themselves.
///
/// # Errors
/// Those of the store.
pub fn recount(tag: i64) -> Result<(), Problem> {
    forget(tag)?;
    let horizons = advance(day_of(clock::now_ms()))?;
    let Some(oldest) = horizons.iter().min_by_key(|horizon| (horizon.day, horizon.tag)) else {
        return Ok(());
    };
    sql::execute(
        "INSERT INTO days (tenant, day, tag, n) SELECT $tenant, r.tagged_ms / 86400000, r.tag, \
         count(*) FROM taggings r WHERE r.tenant = $tenant AND r.tag = $1 \
         AND (r.tagged_ms / 86400000, r.tag) > ($2, $3) GROUP BY r.tagged_ms / 86400000, r.tag",
        params![tag, oldest.day, oldest.tag],
    )?;
    for horizon in &horizons {
        sql::execute(
            "INSERT INTO trends (tenant, span, tag, n) SELECT $tenant, $1, d.tag, \
             CAST(sum(d.n) AS BIGINT) FROM days d WHERE d.tenant = $tenant AND d.tag = $2 \
             AND (d.day, d.tag) > ($3, $4) GROUP BY d.tag",
            params![horizon.span, tag, horizon.day, horizon.tag],
        )?;
    }
    Ok(())
}

/// Removes all counts of a tag.
///
/// # Errors
/// Those of the store.
pub fn forget(tag: i64) -> Result<(), Problem> {
    for statement in [
        "DELETE FROM days WHERE tenant = $tenant AND tag = $1",
        "DELETE FROM trends WHERE tenant = $tenant AND tag = $1",
    ] {
        sql::execute(statement, params![tag])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_also_before_1970() {
        assert_eq!(day_of(0), 0);
        assert_eq!(day_of(DAY_MS - 1), 0);
        assert_eq!(day_of(-1), -1);
    }

    #[test]
    fn a_window_has_as_many_days_as_its_span() {
        let horizon = Horizon::due(7, 100);
        let on = |day| Change { tag: 5, day, by: 1 };
        let counted = (80..=100).filter(|&day| horizon.counts(&on(day))).count();
        assert_eq!(counted, 7);
        assert!(horizon.counts(&on(100)) && !horizon.counts(&on(93)));
    }

    #[test]
    fn a_horizon_in_the_midst_of_a_day_parts_its_tags() {
        let horizon = Horizon { span: 7, day: 93, tag: 5 };
        let of = |tag| Change { tag, day: 93, by: 1 };
        assert!(!horizon.counts(&of(5)) && horizon.counts(&of(6)));
        assert!(horizon.is_behind(&Horizon::due(7, 100)));
        assert!(!Horizon::due(7, 100).is_behind(&Horizon::due(7, 100)));
        // A clock that was set back.
        assert!(!Horizon::due(7, 100).is_behind(&Horizon::due(7, 99)));
    }
}
