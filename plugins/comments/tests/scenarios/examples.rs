//! One good request for each route, in a small world of comments. Whoever adds a route adds its
//! example here: `contract` fails for a route without one.

use caplet_testing::{Caller, Method, Person, TestHost, json};
use serde_json::Value;

use crate::stage::{COMMENTS, MODERATE, TARGET, TRANSFER, below, path, reply, write};

/// What stands in every text of a world, so that it is noticed where it must not be.
pub const CANARY: &str = "canary-7f3a";

/// Comments of one tenant: `ada` wrote `top` and edited it, `bob` answered, voted, reacted, reported
/// and subscribed.
pub struct World {
    pub top: Value,
    pub answer: Value,
}

impl World {
    pub async fn populate(host: &TestHost, tenant: &str) -> Self {
        let ada = host.user("ada").tenant(tenant);
        let bob = host.user("bob").tenant(tenant);
        let top = write(&ada, &format!("{CANARY} top")).await;
        let answer = reply(&bob, &top, &format!("{CANARY} answer")).await;
        let edit = json!({ "body": format!("{CANARY} edited") });
        let thread = json!({ "pinned": top["id"] });
        for request in [
            ada.patch(&path(&top)).json(&edit),
            bob.put(&below(&top, "vote")).json(&json!({ "value": 1 })),
            bob.put(&below(&top, "reactions/heart")),
            bob.put(&below(&top, "report")).json(&json!({ "reason": "other", "note": CANARY })),
            bob.put(&subscription_path()).json(&json!({ "level": "watching" })),
            moderator(host, tenant).put(&thread_path()).json(&thread),
        ] {
            request.send().await.expect_status(200);
        }
        Self { top, answer }
    }
}

fn moderator<'a>(host: &'a TestHost, tenant: &str) -> Caller<'a> {
    host.user("mia").tenant(tenant).permission(MODERATE)
}

fn thread_path() -> String {
    format!("{COMMENTS}/threads/{TARGET}")
}

fn subscription_path() -> String {
    format!("{}/subscription", thread_path())
}

/// Who may make a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Anybody,
    /// `ada`, the author of `top`.
    Author,
    /// `bob`, the author of `answer`.
    Answerer,
    Moderator,
    /// Who may export and import.
    Operator,
}

impl Person for Who {
    fn caller<'a>(self, host: &'a TestHost, tenant: &str) -> Caller<'a> {
        match self {
            Self::Anybody => host.user("zoe").tenant(tenant),
            Self::Author => host.user("ada").tenant(tenant),
            Self::Answerer => host.user("bob").tenant(tenant),
            Self::Moderator => moderator(host, tenant),
            Self::Operator => host.user("olga").tenant(tenant).permission(TRANSFER),
        }
    }
}

pub type Example = caplet_testing::Example<Who>;

/// An example for each route, in an order in which all succeed.
pub fn examples(world: &World) -> Vec<Example> {
    let mut all = reading(world);
    all.extend(reacting(world));
    all.extend(moderating(world));
    all.extend(subscribing());
    all.extend(transferring());
    all.extend(writing(world));
    all
}

fn example(operation: &'static str, who: Who, method: Method, target: String) -> Example {
    Example::new(operation, who, method, target)
}

fn reading(World { top, .. }: &World) -> Vec<Example> {
    let get = |operation, target| example(operation, Who::Anybody, Method::GET, target);
    vec![
        get("list_comments", format!("{COMMENTS}?target={TARGET}")),
        get("list_comments", format!("{COMMENTS}?target={TARGET}&view=tree")),
        get("list_comments", format!("{COMMENTS}?target={TARGET}&sort=best&limit=1")),
        get("read_comment", path(top)),
        get("list_replies", below(top, "replies")),
        get("count_comments", format!("{COMMENTS}/counts?targets={TARGET}")),
        get("read_thread", thread_path()),
        Example { who: Who::Author, ..get("list_revisions", below(top, "history")) },
    ]
}

fn reacting(World { top, .. }: &World) -> Vec<Example> {
    let make =
        |operation, method, rest| example(operation, Who::Answerer, method, below(top, rest));
    let vote = Some(json!({ "value": -1 }));
    vec![
        make("add_reaction", Method::PUT, "reactions/like"),
        make("remove_reaction", Method::DELETE, "reactions/heart"),
        Example { body: vote, ..make("cast_vote", Method::PUT, "vote") },
        make("withdraw_vote", Method::DELETE, "vote"),
    ]
}

fn moderating(World { top, answer }: &World) -> Vec<Example> {
    let make = |operation, method, target| example(operation, Who::Moderator, method, target);
    let with = |example: Example, body: Value| Example { body: Some(body), ..example };
    let report = json!({ "reason": "off-topic", "note": null });
    let report_of = |comment| below(comment, "report");
    let held = json!({ "state": "held" });
    vec![
        with(make("report_comment", Method::PUT, report_of(answer)), report),
        make("withdraw_report", Method::DELETE, report_of(answer)),
        make("list_reports", Method::GET, format!("{COMMENTS}/reports")),
        with(
            make("resolve_reports", Method::PUT, below(top, "reports/resolution")),
            json!({ "outcome": "dismissed" }),
        ),
        with(make("decide_state", Method::PUT, below(answer, "state")), held),
        make("list_hidden", Method::GET, format!("{COMMENTS}/moderation")),
        with(
            make("decide_state", Method::PUT, below(answer, "state")),
            json!({ "state": "approved" }),
        ),
    ]
}

fn transferring() -> Vec<Example> {
    let make = |operation, method, target| example(operation, Who::Operator, method, target);
    vec![
        make("export_comments", Method::GET, format!("{COMMENTS}/export")),
        // A file without comments is one.
        make("import_comments", Method::POST, format!("{COMMENTS}/import?format=archive")),
        make("read_atom", Method::GET, format!("{}/atom", thread_path())),
        make("read_rss", Method::GET, format!("{}/rss", thread_path())),
    ]
}

fn subscribing() -> Vec<Example> {
    let make = |operation, method| example(operation, Who::Answerer, method, subscription_path());
    let muted = Some(json!({ "level": "muted" }));
    let list = format!("{COMMENTS}/subscriptions?level=watching");
    vec![
        make("read_subscription", Method::GET),
        Example { target: list, ..make("list_subscriptions", Method::GET) },
        Example { body: muted, ..make("subscribe", Method::PUT) },
        make("unsubscribe", Method::DELETE),
    ]
}

fn writing(World { top, answer }: &World) -> Vec<Example> {
    let comment = json!({ "target": TARGET, "body": "example", "parent": top["id"] });
    let thread = json!({ "locked": false, "posting": "everyone", "pinned": top["id"] });
    let with = |example: Example, body: Value| Example { body: Some(body), ..example };
    vec![
        with(example("create_comment", Who::Anybody, Method::POST, COMMENTS.to_owned()), comment),
        with(
            example("edit_comment", Who::Author, Method::PATCH, path(top)),
            json!({ "body": "example" }),
        ),
        with(example("write_thread", Who::Moderator, Method::PUT, thread_path()), thread),
        example("delete_comment", Who::Answerer, Method::DELETE, path(answer)),
    ]
}

/// The operations of the plugin's routes, in order.
pub fn operations(host: &TestHost) -> Vec<String> {
    caplet_testing::operations(host, "comments")
}
