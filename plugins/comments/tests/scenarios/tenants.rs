//! Tenants never meet: whatever a caller of one asks for, nothing of another is shown or changed.

use caplet_testing::{Answer, Caller, Person, TestHost, json};
use serde_json::Value;

use crate::examples::{CANARY, World, examples, operations};
use crate::stage::{
    COMMENTS, MODERATE, TARGET, TRANSFER, below, bodies, host, items, path, read, send, stored,
    write,
};

/// What a caller of another tenant must be answered.
enum Seen {
    /// As if there was no such comment.
    NotFound,
    /// As if there was no comment of the id at this place of the body.
    NoSuchComment(&'static str),
    /// As if nothing had ever been written.
    Exactly(Value),
    /// What the caller makes in their own tenant.
    Own,
}

/// For each route, what others see of [`World`]. A route that is not here fails the test.
fn seen_by_others(operation: &str) -> Seen {
    match operation {
        "list_comments" | "list_reports" | "list_hidden" | "list_subscriptions" => {
            Seen::Exactly(json!({ "items": [], "next_cursor": null }))
        }
        "count_comments" => Seen::Exactly(json!({ "counts": { TARGET: 0 } })),
        "read_thread" => Seen::Exactly(json!({
            "target": TARGET, "locked": false, "posting": "everyone", "pinned": null,
            "updated_at": null,
        })),
        // What a caller subscribes to, exports, imports and follows is of their own tenant.
        "subscribe" | "unsubscribe" | "export_comments" | "import_comments" | "read_atom"
        | "read_rss" => Seen::Own,
        "create_comment" => Seen::NoSuchComment("/parent"),
        "write_thread" => Seen::NoSuchComment("/pinned"),
        "read_comment" | "list_replies" | "list_revisions" | "edit_comment" | "delete_comment"
        | "add_reaction" | "remove_reaction" | "cast_vote" | "withdraw_vote" | "report_comment"
        | "withdraw_report" | "resolve_reports" | "decide_state" | "read_subscription" => {
            Seen::NotFound
        }
        other => panic!("say what callers of other tenants see of {other}"),
    }
}

fn assert_sees(operation: &str, answer: Answer) {
    assert!(!answer.text().contains(CANARY), "{operation} leaks: {answer}");
    match seen_by_others(operation) {
        Seen::Own => assert!((200..300).contains(&answer.status()), "{operation}: {answer}"),
        Seen::NotFound => answer.expect_problem(404, "not-found"),
        Seen::NoSuchComment(pointer) => {
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{operation}: {answer}");
            answer.expect_problem(422, "unprocessable");
        }
        Seen::Exactly(expected) => {
            assert_eq!(answer.expect_status(200).json(), expected, "{operation}");
        }
    }
}

/// Callers of other tenants, under the names of those who wrote, and with every right there is.
fn outsiders(host: &TestHost) -> Vec<Caller<'_>> {
    let mut all = Vec::new();
    for tenant in ["globex", "ACME", "default"] {
        for subject in ["ada", "bob", "mia"] {
            let caller = host.user(subject).tenant(tenant);
            all.push(caller.permission(MODERATE).permission(TRANSFER).role("admin").team("acme"));
        }
    }
    all
}

#[tokio::test]
async fn no_route_shows_or_changes_what_is_another_tenants() {
    let host = host().await;
    let world = World::populate(&host, "acme").await;
    for operation in operations(&host) {
        seen_by_others(&operation);
    }
    let examples = examples(&world);
    let before = stored(&host, "acme").await;
    for outsider in outsiders(&host) {
        for example in &examples {
            assert_sees(example.operation, example.send(&outsider).await);
        }
    }
    for tenant in ["globex", "ACME", "default"] {
        for table in stored(&host, tenant).await {
            assert!(table.values.is_empty(), "{tenant} has {table:?}");
        }
    }
    assert_eq!(stored(&host, "acme").await, before);

    // The very same requests succeed in their own tenant.
    for example in &examples {
        let answer = example.send(&example.who.caller(&host, "acme")).await;
        assert!((200..300).contains(&answer.status()), "{example:?}: {answer}");
    }
}

#[tokio::test]
async fn who_has_no_token_sees_the_default_tenant_only() {
    let host = host().await;
    let world = World::populate(&host, "acme").await;
    let mut n_public = 0;
    for example in examples(&world) {
        let answer = example.send(&host.anonymous()).await;
        if answer.status() != 401 {
            n_public += 1;
            assert_sees(example.operation, answer);
        }
    }
    assert!(n_public >= 5, "reading is public");
}

#[tokio::test]
async fn tenants_use_the_same_target_without_noticing() {
    let host = host().await;
    let acme = host.user("ada").tenant("acme").permission(MODERATE);
    let globex = host.user("ada").tenant("globex").permission(MODERATE);
    let thread = format!("{COMMENTS}/threads/{TARGET}");
    let of_acme = write(&acme, "acme").await;
    acme.put(&thread).json(&json!({ "locked": true })).send().await.expect_status(200);
    let of_globex = write(&globex, "globex").await;
    globex.put(&below(&of_globex, "reactions/like")).send().await.expect_status(200);

    for (caller, body, locked) in [(&acme, "acme", true), (&globex, "globex", false)] {
        let page = read(caller, "/api/comments?target=post:1").await;
        assert_eq!(bodies(items(&page)), [body]);
        let counts = read(caller, "/api/comments/counts?targets=post:1").await;
        assert_eq!(counts["counts"][TARGET], 1);
        assert_eq!(read(caller, &thread).await["locked"], locked);
    }
    assert_eq!(read(&acme, &path(&of_acme)).await["reactions"], json!({}));
}

#[tokio::test]
async fn a_cursor_leads_into_the_tenant_of_who_uses_it() {
    let host = host().await;
    let (acme, globex) = (host.user("ada").tenant("acme"), host.user("ada").tenant("globex"));
    for number in 0..3 {
        write(&globex, &format!("globex {number}")).await;
        write(&acme, &format!("acme {number}")).await;
    }
    let first = read(&acme, "/api/comments?target=post:1&sort=old&limit=1").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let list = format!("/api/comments?target=post:1&sort=old&cursor={cursor}");
    let page = read(&globex, &list).await;
    assert!(bodies(items(&page)).iter().all(|body| body.starts_with("globex")));
}

#[tokio::test]
async fn tenant_and_author_come_from_the_token_only() {
    let host = host().await;
    let ada = host.user("ada").tenant("acme");
    for (name, value) in [
        ("tenant", "globex"),
        ("author", "bob"),
        ("subject", "bob"),
        ("id", "mine"),
        ("depth", "1"),
    ] {
        let comment = json!({ "target": TARGET, "body": "a", name: value });
        let answer = send(&ada, comment).await;
        assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{name}"), "{answer}");
        answer.expect_problem(422, "unprocessable");
    }
    let comment = json!({ "target": TARGET, "body": "a" });
    let request = ada.post("/api/comments?tenant=globex").json(&comment);
    request.send().await.expect_problem(400, "unknown-parameter");
    let mut request = ada.post(COMMENTS).json(&comment);
    for name in ["x-tenant", "x-tenant-id", "tenant", "x-user", "x-forwarded-user"] {
        request = request.header(name, "globex");
    }
    let written = request.send().await.expect_status(201).json();
    assert_eq!(written["author"], "ada");
    assert_eq!(host.count("comments", "acme", "comments").await, 1);
    assert_eq!(host.count("comments", "globex", "comments").await, 0);
}
