//! `GET /popular`: the tags that were used most, ever or of late.
//!
//! A page is read along an index of counts that are kept, so that it costs the same however many
//! taggings there are. Only while a window's horizon is behind, for the first few changes of a day,
//! what is too old is taken off on the way, which costs as much as there are tags in the window.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Reader;
use crate::trend::{Horizon, day_of, horizon};

/// A window of time that ends today, at the midnight of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// All time.
    #[default]
    All,
    /// Today.
    Day,
    /// Seven days.
    Week,
    /// 30 days.
    Month,
    /// 365 days.
    Year,
}

impl Window {
    fn span(self) -> Option<i64> {
        match self {
            Self::All => None,
            Self::Day => Some(1),
            Self::Week => Some(7),
            Self::Month => Some(30),
            Self::Year => Some(365),
        }
    }

    fn order(self) -> &'static str {
        match self {
            Self::All => "popular-all",
            Self::Day => "popular-day",
            Self::Week => "popular-week",
            Self::Month => "popular-month",
            Self::Year => "popular-year",
        }
    }
}

/// Which tags to list.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct PopularFilter {
    /// The window; `all` if not given.
    window: Option<Window>,
}

/// A tag that was used.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(dead_code)]
pub struct PopularTag {
    /// Its name in URLs.
    slug: String,
    /// Its name.
    name: String,
    /// How many items got it in the window and have it still.
    count: u64,
}

/// `GET /popular`
pub fn list_popular(
    Query(filter): Query<PopularFilter>,
    page: Page,
    _reader: Reader,
) -> Result<Listing<PopularTag>, Problem> {
    let window = filter.window.unwrap_or_default();
    let after: Option<(i64, i64)> = page.after(window.order())?;
    let source = Source::of(window)?;
    let tags = sql::bounded_page(page.limit, |limit| source.statement(after, limit))?;
    Ok(Listing::from_json(window.order(), tags))
}

/// Where counts come from.
#[derive(Debug, Clone, Copy)]
enum Source {
    Tags,
    Trends {
        span: i64,
    },
    /// As `Trends`, less what is behind `from` and not behind `due`.
    Corrected {
        from: Horizon,
        due: Horizon,
    },
}

impl Source {
    fn of(window: Window) -> Result<Self, Problem> {
        let Some(span) = window.span() else { return Ok(Self::Tags) };
        let due = Horizon::due(span, day_of(clock::now_ms()));
        match horizon(span)? {
            Some(from) if from.is_behind(&due) && is_any_between(&from, &due)? => {
                Ok(Self::Corrected { from, due })
            }
            _ => Ok(Self::Trends { span }),
        }
    }

    fn statement(self, after: Option<(i64, i64)>, limit: u32) -> Statement {
        let mut statement = match self {
            Self::Tags => Statement::new(
                r#"SELECT c.slug, c.name, c.n_items AS count, c.n_items AS "n:key", c.id AS "id:key"
                   FROM tags c WHERE c.tenant = $tenant AND c.n_items > 0"#,
            ),
            Self::Trends { .. } | Self::Corrected { .. } => Statement::new(
                r#"SELECT t.slug, t.name, c.n AS count, c.n AS "n:key", c.tag AS "tag:key" FROM "#,
            ),
        };
        match self {
            Self::Tags => {
                keyset(&mut statement, after, " AND (c.n_items, c.id) < (");
                statement.push(" ORDER BY c.n_items DESC, c.id DESC LIMIT ");
            }
            Self::Trends { span } => {
                statement.push("trends c JOIN tags t ON t.tenant = $tenant AND t.id = c.tag ");
                statement.push("WHERE c.tenant = $tenant AND c.n > 0 AND c.span = ").bind(span);
                keyset(&mut statement, after, " AND (c.n, c.tag) < (");
                statement.push(" ORDER BY c.n DESC, c.tag DESC LIMIT ");
            }
            Self::Corrected { from, due } => {
                corrected(&mut statement, &from, &due);
                statement.push(" JOIN tags t ON t.tenant = $tenant AND t.id = c.tag WHERE c.n > 0");
                keyset(&mut statement, after, " AND (c.n, c.tag) < (");
                statement.push(" ORDER BY c.n DESC, c.tag DESC LIMIT ");
            }
        }
        statement.bind(limit + 1);
        statement
    }
}

fn keyset(statement: &mut Statement, after: Option<(i64, i64)>, condition: &'static str) {
    if let Some((n, tag)) = after {
        statement.push(condition).bind(n).push(", ").bind(tag).push(")");
    }
}

/// Appends the counts of a window whose horizon is at `from`, as if it was where it is due.
fn corrected(statement: &mut Statement, from: &Horizon, due: &Horizon) {
    statement.push("(SELECT r.tag AS tag, r.n - COALESCE(e.n, 0) AS n FROM trends r LEFT JOIN ");
    // Grouped by a sum, because SQLite would walk through all days of all tags in their order.
    statement.push(
        "(SELECT CAST(d.tag + 0 AS BIGINT) AS tag, CAST(sum(d.n) AS BIGINT) AS n FROM days d ",
    );
    statement.push("WHERE d.tenant = $tenant AND d.day >= ").bind(from.day);
    statement.push(" AND d.day <= ").bind(due.day).push(" AND (d.day, d.tag) > (");
    statement
        .bind(from.day)
        .push(", ")
        .bind(from.tag)
        .push(") GROUP BY CAST(d.tag + 0 AS BIGINT)) e ");
    statement.push("ON e.tag = r.tag WHERE r.tenant = $tenant AND r.span = ").bind(due.span);
    statement.push(") c");
}

fn is_any_between(from: &Horizon, due: &Horizon) -> Result<bool, Problem> {
    let statement = "SELECT day FROM days WHERE tenant = $tenant AND (day, tag) > ($1, $2) \
                     AND day <= $3 ORDER BY day, tag LIMIT 1";
    let day: Option<i64> = sql::query_optional(statement, params![from.day, from.tag, due.day])?;
    Ok(day.is_some())
}
