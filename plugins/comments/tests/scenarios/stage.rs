//! What scenarios share: the host, its people, and short words for what they do most.

use std::time::Duration;

use caplet_testing::{Answer, Caller, Rows, TestHost, json};
use serde_json::Value;

pub const COMMENTS: &str = "/api/comments";
pub const TARGET: &str = "post:1";
pub const MODERATE: &str = "comments.moderate";
pub const TRANSFER: &str = "comments.transfer";

/// The tables of the plugin, and the columns that make their order.
const TABLES: [(&str, &str); 8] = [
    ("threads", "target"),
    ("comments", "id"),
    ("revisions", "comment, number"),
    ("reactions", "comment, reactor, kind"),
    ("votes", "comment, voter"),
    ("reports", "comment, reporter"),
    ("subscriptions", "subscriber, target"),
    ("paces", "subject, deed"),
];

/// A host with the plugin and its default settings.
pub async fn host() -> TestHost {
    TestHost::with_plugin("comments").await
}

/// A host with the plugin and these settings.
pub async fn host_with(settings: Value) -> TestHost {
    TestHost::builder().plugin("comments").settings("comments", settings).start().await
}

/// Somebody who may moderate.
pub fn moderator(host: &TestHost) -> Caller<'_> {
    host.user("mia").permission(MODERATE)
}

/// Lets a millisecond pass.
pub fn tick(host: &TestHost) {
    host.clock().advance(Duration::from_millis(1));
}

/// Sends a new comment, whatever comes of it.
pub async fn send(caller: &Caller<'_>, comment: Value) -> Answer {
    caller.post(COMMENTS).json(&comment).send().await
}

/// Writes a comment on [`TARGET`].
pub async fn write(caller: &Caller<'_>, body: &str) -> Value {
    write_on(caller, TARGET, body).await
}

/// Writes a comment on a target.
pub async fn write_on(caller: &Caller<'_>, target: &str, body: &str) -> Value {
    let comment = json!({ "target": target, "body": body });
    send(caller, comment).await.expect_status(201).json()
}

/// Writes a reply.
pub async fn reply(caller: &Caller<'_>, parent: &Value, body: &str) -> Value {
    let comment = json!({ "target": parent["target"], "body": body, "parent": parent["id"] });
    send(caller, comment).await.expect_status(201).json()
}

/// Writes `n_comments` comments on [`TARGET`] whose bodies are their numbers, from 0.
pub async fn write_many(caller: &Caller<'_>, n_comments: usize) -> Vec<Value> {
    let mut written = Vec::new();
    for number in 0..n_comments {
        written.push(write(caller, &number.to_string()).await);
    }
    written
}

/// The path of a comment.
pub fn path(comment: &Value) -> String {
    format!("{COMMENTS}/{}", comment["id"].as_str().expect("a comment has an id"))
}

/// A path below a comment.
pub fn below(comment: &Value, rest: &str) -> String {
    format!("{}/{rest}", path(comment))
}

/// Reads what must be there.
pub async fn read(caller: &Caller<'_>, path: &str) -> Value {
    caller.get(path).send().await.expect_status(200).json()
}

/// A comment as it is now, to somebody without a token.
pub async fn now(host: &TestHost, comment: &Value) -> Value {
    read(&host.anonymous(), &path(comment)).await
}

/// The items of a page.
pub fn items(page: &Value) -> &[Value] {
    page["items"].as_array().expect("a page has items")
}

/// The bodies of comments, in their order.
pub fn bodies(comments: &[Value]) -> Vec<&str> {
    comments.iter().map(|comment| comment["body"].as_str().unwrap_or("-")).collect()
}

/// The path of the page after `page`, or none after the last one.
pub fn next(path: &str, page: &Value) -> Option<String> {
    let cursor = page["next_cursor"].as_str()?;
    let join = if path.contains('?') { '&' } else { '?' };
    Some(format!("{path}{join}cursor={cursor}"))
}

/// Reads all pages of a list and calls `between` after each.
pub async fn read_all(
    caller: &Caller<'_>,
    path: &str,
    mut between: impl AsyncFnMut(usize),
) -> Vec<Value> {
    let mut all = Vec::new();
    let mut wanted = Some(path.to_owned());
    for n_pages in 1.. {
        let Some(page_path) = wanted else { break };
        let page = read(caller, &page_path).await;
        assert!(n_pages <= 1_000, "{path} has no end");
        all.extend_from_slice(items(&page));
        wanted = next(path, &page);
        between(n_pages).await;
    }
    all
}

/// Everything that the plugin keeps of a tenant.
pub async fn stored(host: &TestHost, tenant: &str) -> Vec<Rows> {
    let mut tables = Vec::new();
    for (table, order) in TABLES {
        let statement = format!("SELECT * FROM {table} WHERE tenant = $tenant ORDER BY {order}");
        tables.push(host.rows("comments", tenant, &statement, &[]).await);
    }
    tables
}

/// How many rows a table has for the default tenant.
pub async fn count(host: &TestHost, table: &str) -> i64 {
    host.count("comments", "default", table).await
}
