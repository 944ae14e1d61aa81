//! Subscriptions: which threads a caller watches or has muted. Nothing is sent from here.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use caplet_sdk::Target;

/// The most threads a caller watches and mutes, so that nobody fills the database.
const SUBSCRIPTIONS_MAX: i64 = 10_000;

/// What a caller wants to hear of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every new comment.
    Watching,
    /// Nothing, whatever else would tell of it.
    Muted,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Watching => "watching",
            Self::Muted => "muted",
        }
    }
}

/// A caller's subscription to a thread.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Subscription {
    /// The thread's target, `type:id`.
    target: String,
    /// What the caller wants to hear.
    level: Level,
    /// Since when, RFC 3339.
    since: String,
}

/// A new subscription.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct NewSubscription {
    /// What to hear.
    level: Level,
}

const COLUMNS: &str = r#"SELECT target, level, since_ms AS "since:time", target AS "target:key"
FROM subscriptions WHERE tenant = $tenant AND subscriber = "#;

const NO_SUBSCRIPTION: &str = "The thread is neither watched nor muted.";

/// `GET /threads/{target}/subscription`
pub fn read_subscription(
    Path(target): Path<Target>,
    caller: Caller,
) -> Result<JsonBytes<Subscription>, Problem> {
    find(&caller.subject, &target)?.ok_or_else(|| Problem::not_found(NO_SUBSCRIPTION))
}

/// `PUT /threads/{target}/subscription`
pub fn subscribe(
    Path(target): Path<Target>,
    caller: Caller,
    Json(subscription): Json<NewSubscription>,
) -> Result<JsonBytes<Subscription>, Problem> {
    let statement = "INSERT INTO subscriptions (tenant, subscriber, target, level, since_ms) \
                     VALUES ($tenant, $1, $2, $3, $4) ON CONFLICT (tenant, subscriber, target) \
                     DO UPDATE SET level = excluded.level, since_ms = excluded.since_ms \
                     WHERE subscriptions.level <> excluded.level";
    let (level, now_ms) = (subscription.level.name(), clock::now_ms());
    sql::execute(statement, params![&caller.subject, target.as_str(), level, now_ms])?;
    require_room(&caller.subject)?;
    find(&caller.subject, &target)?.ok_or_else(Problem::internal)
}

fn require_room(subscriber: &str) -> Result<(), Problem> {
    let statement = "SELECT count(*) FROM subscriptions \
                     WHERE tenant = $tenant AND subscriber = $1";
    let n_subscriptions: i64 = sql::query_one(statement, params![subscriber])?;
    if n_subscriptions <= SUBSCRIPTIONS_MAX {
        return Ok(());
    }
    let detail = format!("There are {SUBSCRIPTIONS_MAX} subscriptions already; end some first.");
    Err(Problem::conflict(detail).with_code("too-many-subscriptions"))
}

/// `DELETE /threads/{target}/subscription`
pub fn unsubscribe(Path(target): Path<Target>, caller: Caller) -> Result<NoContent, Problem> {
    let statement = "DELETE FROM subscriptions \
                     WHERE tenant = $tenant AND subscriber = $1 AND target = $2";
    sql::execute(statement, params![&caller.subject, target.as_str()])?;
    Ok(NoContent)
}

fn find(subscriber: &str, target: &Target) -> Result<Option<JsonBytes<Subscription>>, Problem> {
    let statement = format!("{COLUMNS}$1 AND target = $2");
    let found = sql::query_json_optional(&statement, params![subscriber, target.as_str()])?;
    Ok(found.map(|(subscription, _)| JsonBytes::new(subscription)))
}

/// Which subscriptions to list.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct Filter {
    /// Those of this level; all if not given.
    level: Option<Level>,
}

/// `GET /subscriptions`
pub fn list_subscriptions(
    Query(filter): Query<Filter>,
    page: Page,
    caller: Caller,
) -> Result<Listing<Subscription>, Problem> {
    let order = filter.level.map_or("subscriptions", Level::name);
    let after = page.after::<(Target,)>(order)?;
    let mut statement = Statement::new(COLUMNS);
    statement.bind(caller.subject);
    if let Some(level) = filter.level {
        statement.push(" AND level = ").bind(level.name());
    }
    if let Some((target,)) = after {
        statement.push(" AND target > ").bind(target.as_str());
    }
    statement.push(" ORDER BY target LIMIT ").bind(page.limit + 1);
    Ok(Listing::from_json(order, statement.query_json(page.limit)?))
}
