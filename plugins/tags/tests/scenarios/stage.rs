//! What scenarios share: the host, its people, and short words for what they do most.

use caplet_testing::{Answer, Caller, Rows, TestHost, Value as Stored, json};
use serde_json::Value;

pub const TAGS: &str = "/api/tags";
pub const CURATE: &str = "tags.curate";

/// The tables of the plugin, and the columns that make their order.
const TABLES: [(&str, &str); 11] = [
    ("tags", "id"),
    ("names", "folded"),
    ("slugs", "slug"),
    ("grams", "gram, tag"),
    ("items", "id"),
    ("taggings", "item, tag"),
    ("days", "day, tag"),
    ("trends", "span, tag"),
    ("horizons", "span"),
    ("tag_groups", "id"),
    ("group_members", "group_id, tag"),
];

/// A host with the plugin and its default settings.
pub async fn host() -> TestHost {
    TestHost::with_plugin("tags").await
}

/// A host with the plugin and these settings.
pub async fn host_with(settings: Value) -> TestHost {
    TestHost::builder().plugin("tags").settings("tags", settings).start().await
}

/// Somebody who may curate.
pub fn curator(host: &TestHost) -> Caller<'_> {
    host.user("mia").permission(CURATE)
}

/// The path of an item, such as `post/1`.
pub fn item_path(item: &str) -> String {
    format!("{TAGS}/items/{item}")
}

/// Asks for an item to have these tags and no others, whatever comes of it.
pub async fn put(caller: &Caller<'_>, item: &str, tags: &[&str]) -> Answer {
    caller.put(&item_path(item)).json(&json!({ "tags": tags })).send().await
}

/// Gives an item these tags and no others.
pub async fn set(caller: &Caller<'_>, item: &str, tags: &[&str]) -> Value {
    put(caller, item, tags).await.expect_status(200).json()
}

/// Makes a tag.
pub async fn make(caller: &Caller<'_>, name: &str) -> Value {
    send(caller, json!({ "name": name })).await.expect_status(201).json()
}

/// Makes a tag below another.
pub async fn make_below(caller: &Caller<'_>, parent: &str, name: &str) -> Value {
    let tag = json!({ "name": name, "parent": parent });
    send(caller, tag).await.expect_status(201).json()
}

/// Sends a new tag, whatever comes of it.
pub async fn send(caller: &Caller<'_>, tag: Value) -> Answer {
    caller.post(TAGS).json(&tag).send().await
}

/// Changes a tag, whatever comes of it.
pub async fn edit(caller: &Caller<'_>, slug: &str, change: Value) -> Answer {
    caller.patch(&format!("{TAGS}/{slug}")).json(&change).send().await
}

/// Merges a tag into another, whatever comes of it.
pub async fn merge(caller: &Caller<'_>, from: &str, into: &str) -> Answer {
    caller.post(&format!("{TAGS}/{from}/merge")).json(&json!({ "into": into })).send().await
}

/// Reads what must be there.
pub async fn read(caller: &Caller<'_>, path: &str) -> Value {
    caller.get(path).send().await.expect_status(200).json()
}

/// A tag as it is now.
pub async fn tag(host: &TestHost, slug: &str) -> Value {
    read(&host.anonymous(), &format!("{TAGS}/{slug}")).await
}

/// The items of a page.
pub fn entries(page: &Value) -> &[Value] {
    page["items"].as_array().expect("a page has items")
}

/// A member of each of some objects.
pub fn each<'a>(objects: &'a [Value], member: &str) -> Vec<&'a str> {
    objects.iter().map(|object| object[member].as_str().unwrap_or("-")).collect()
}

/// The slugs of an item's tags.
pub async fn slugs(host: &TestHost, item: &str) -> Vec<String> {
    let item = read(&host.anonymous(), &item_path(item)).await;
    let tags = item["tags"].as_array().expect("an item has tags");
    each(tags, "slug").into_iter().map(str::to_owned).collect()
}

/// The targets that a list of items has.
pub async fn targets(host: &TestHost, path: &str) -> Vec<String> {
    let page = read(&host.anonymous(), &format!("{TAGS}{path}")).await;
    each(entries(&page), "target").into_iter().map(str::to_owned).collect()
}

/// Reads all pages of a list.
pub async fn read_all(caller: &Caller<'_>, path: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    for n_pages in 0.. {
        assert!(n_pages < 1_000, "{path} has no end");
        let join = if path.contains('?') { '&' } else { '?' };
        let page = match &cursor {
            None => read(caller, path).await,
            Some(cursor) => read(caller, &format!("{path}{join}cursor={cursor}")).await,
        };
        all.extend_from_slice(entries(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    all
}

/// Everything that the plugin keeps of a tenant.
pub async fn stored(host: &TestHost, tenant: &str) -> Vec<Rows> {
    let mut tables = Vec::new();
    for (table, order) in TABLES {
        let statement =
            format!("SELECT * FROM {table} WHERE tenant = $tenant ORDER BY {order} LIMIT 1000");
        tables.push(host.rows("tags", tenant, &statement, &[]).await);
    }
    tables
}

/// How many rows a table has for the default tenant.
pub async fn count(host: &TestHost, table: &str) -> i64 {
    host.count("tags", "default", table).await
}

/// What a count of rows must be nothing of: counts that are not what there is.
pub async fn assert_counts_are_exact(host: &TestHost, tenant: &str) {
    for (what, statement) in [
        (
            "items of a tag",
            "SELECT t.id FROM tags t WHERE t.tenant = $tenant AND t.n_items <> (SELECT count(*) \
             FROM taggings r WHERE r.tenant = $tenant AND r.tag = t.id)",
        ),
        (
            "tags of an item",
            "SELECT i.id FROM items i WHERE i.tenant = $tenant AND i.n_tags <> (SELECT count(*) \
             FROM taggings r WHERE r.tenant = $tenant AND r.item = i.id)",
        ),
        (
            "taggings of a day",
            "SELECT d.tag FROM days d WHERE d.tenant = $tenant AND d.n <> (SELECT count(*) FROM \
             taggings r WHERE r.tenant = $tenant AND r.tag = d.tag \
             AND r.tagged_ms / 86400000 = d.day)",
        ),
        (
            "taggings of a window",
            "SELECT w.tag FROM trends w JOIN horizons h ON h.tenant = $tenant AND h.span = w.span \
             WHERE w.tenant = $tenant AND w.n <> (SELECT count(*) FROM taggings r \
             WHERE r.tenant = $tenant AND r.tag = w.tag \
             AND (r.tagged_ms / 86400000, r.tag) > (h.day, h.tag))",
        ),
        (
            "taggings of no tag or item",
            "SELECT r.tag FROM taggings r WHERE r.tenant = $tenant AND (NOT EXISTS (SELECT 1 FROM \
             tags t WHERE t.tenant = $tenant AND t.id = r.tag) OR NOT EXISTS (SELECT 1 FROM items i \
             WHERE i.tenant = $tenant AND i.id = r.item))",
        ),
        (
            "names and slugs of no tag",
            "SELECT n.tag FROM names n WHERE n.tenant = $tenant AND NOT EXISTS (SELECT 1 FROM tags \
             t WHERE t.tenant = $tenant AND t.id = n.tag) UNION ALL SELECT s.tag FROM slugs s \
             WHERE s.tenant = $tenant AND NOT EXISTS (SELECT 1 FROM tags t \
             WHERE t.tenant = $tenant AND t.id = s.tag) UNION ALL SELECT g.tag FROM grams g \
             WHERE g.tenant = $tenant AND NOT EXISTS (SELECT 1 FROM tags t \
             WHERE t.tenant = $tenant AND t.id = g.tag)",
        ),
        (
            "levels of tags",
            "SELECT t.id FROM tags t LEFT JOIN tags p ON p.tenant = $tenant AND p.id = t.parent \
             WHERE t.tenant = $tenant AND (t.depth <> COALESCE(p.depth, 0) + 1 OR t.depth > 8)",
        ),
    ] {
        let rows: Vec<Stored> = host.rows("tags", tenant, statement, &[]).await.values;
        assert!(rows.is_empty(), "{what}: {rows:?}");
    }
}
