//! Pages of lists: limits, cursors, and an order that holds while comments are added.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caplet_testing::{Caller, TestHost, json};

use crate::stage::{
    below, bodies, host, items, next, path, read, read_all, reply, write, write_many,
};

/// The lists of comments of [`crate::stage::TARGET`].
const LISTS: [&str; 6] = [
    "/api/comments?target=post:1&sort=new",
    "/api/comments?target=post:1&sort=old",
    "/api/comments?target=post:1&sort=best",
    "/api/comments?target=post:1&view=tree&sort=new",
    "/api/comments?target=post:1&view=tree&sort=old",
    "/api/comments?target=post:1&view=tree&sort=best",
];

/// Every list of the plugin, for a comment with three replies and three edits, and `ada`, its author.
async fn every_list(ada: &Caller<'_>) -> Vec<String> {
    let top = write(ada, "top").await;
    for number in 1..4 {
        reply(ada, &top, "reply").await;
        let edit = json!({ "body": number.to_string() });
        ada.patch(&path(&top)).json(&edit).send().await.expect_status(200);
        write(ada, "another").await;
    }
    let mut lists: Vec<String> = LISTS.map(str::to_owned).to_vec();
    for sort in ["new", "old", "best"] {
        lists.push(below(&top, &format!("replies?sort={sort}")));
    }
    lists.push(below(&top, "history?"));
    lists
}

#[tokio::test]
async fn the_order_is_that_of_creation_also_within_a_millisecond() {
    let host = host().await;
    let written = write_many(&host.user("ada"), 30).await;
    let mut order = bodies(&written);
    let anybody = host.anonymous();
    let old = read(&anybody, "/api/comments?target=post:1&sort=old&limit=100").await;
    assert_eq!(bodies(items(&old)), order);
    order.reverse();
    let new = read(&anybody, "/api/comments?target=post:1&limit=100").await;
    assert_eq!(bodies(items(&new)), order);
    let best = read(&anybody, "/api/comments?target=post:1&sort=best&limit=100").await;
    assert_eq!(bodies(items(&best)), order, "the newest come first among equals");
}

#[tokio::test]
async fn a_page_has_25_items_and_at_most_100() {
    let host = host().await;
    write_many(&host.user("ada"), 102).await;
    for list in LISTS {
        for (limit, n_items) in [("", 25), ("&limit=1", 1), ("&limit=100", 100)] {
            let page = read(&host.anonymous(), &format!("{list}{limit}")).await;
            assert_eq!(items(&page).len(), n_items, "{list}{limit}");
            assert!(page["next_cursor"].is_string());
        }
    }
}

#[tokio::test]
async fn limits_outside_of_1_to_100_are_refused_by_every_list() {
    let host = host().await;
    let ada = host.user("ada");
    for list in every_list(&ada).await {
        for limit in ["0", "101", "abc", "-1", "", "1.5", "99999999999999999999"] {
            let answer = ada.get(&format!("{list}&limit={limit}")).send().await;
            assert_eq!(answer.status(), 400, "{list} {limit}: {answer}");
            answer.expect_problem(400, "bad-query");
        }
        let twice = ada.get(&format!("{list}&limit=1&limit=2")).send().await;
        assert_eq!(twice.status(), 400, "{list}: {twice}");
    }
}

#[tokio::test]
async fn the_last_page_says_so_also_when_it_is_full() {
    let host = host().await;
    write_many(&host.user("ada"), 6).await;
    for list in LISTS {
        let first = format!("{list}&limit=3");
        let page = read(&host.anonymous(), &first).await;
        let second = next(&first, &page).expect("there are more");
        let page = read(&host.anonymous(), &second).await;
        assert_eq!((items(&page).len(), next(&first, &page)), (3, None), "{list}");
    }
}

#[tokio::test]
async fn every_list_is_read_page_by_page_without_gaps() {
    let host = host().await;
    let ada = host.user("ada");
    for list in every_list(&ada).await {
        let whole = read(&ada, &list).await;
        let pages = read_all(&ada, &format!("{list}&limit=1"), async |_| {}).await;
        assert_eq!(pages, items(&whole), "{list}");
        assert!(pages.len() >= 3, "{list}");
    }
}

/// Reads a list while a comment is added after each of its first pages, and returns what was shown of
/// those that were there at first.
async fn read_while_adding(host: &TestHost, list: &str) -> Vec<String> {
    let ada = host.user("ada");
    let list = format!("{list}&limit=3");
    let shown = read_all(&ada, &list, async |n_pages| {
        if n_pages <= 4 {
            write(&ada, "added").await;
        }
    })
    .await;
    let numbers = shown.iter().filter_map(|comment| comment["body"].as_str());
    numbers.filter(|body| *body != "added").map(str::to_owned).collect()
}

#[tokio::test]
async fn nothing_is_left_out_or_shown_twice_while_comments_are_added() {
    for list in LISTS {
        let host = host().await;
        let written = write_many(&host.user("ada"), 10).await;
        let mut order: Vec<String> = bodies(&written).into_iter().map(str::to_owned).collect();
        if !list.ends_with("old") {
            order.reverse();
        }
        assert_eq!(read_while_adding(&host, list).await, order, "{list}");
    }
}

#[tokio::test]
async fn a_page_begins_behind_a_comment_that_was_deleted_since() {
    let host = host().await;
    let ada = host.user("ada");
    let written = write_many(&ada, 4).await;
    let list = "/api/comments?target=post:1&sort=old&limit=2";
    let page = read(&ada, list).await;
    ada.delete(&path(&written[1])).send().await.expect_status(204);
    let rest = read(&ada, &next(list, &page).unwrap()).await;
    assert_eq!(bodies(items(&rest)), ["2", "3"]);
}

#[tokio::test]
async fn a_cursor_belongs_to_one_list() {
    let host = host().await;
    let ada = host.user("ada");
    let lists = every_list(&ada).await;
    for (made_for, list) in lists.iter().enumerate() {
        let page = read(&ada, &format!("{list}&limit=1")).await;
        let cursor = page["next_cursor"].as_str().expect("there are more").to_owned();
        for (used_for, other) in lists.iter().enumerate() {
            let answer = ada.get(&format!("{other}&cursor={cursor}")).send().await;
            if made_for == used_for {
                assert_eq!(answer.status(), 200, "{other}: {answer}");
            } else {
                assert_eq!(answer.status(), 400, "{list} {other}: {answer}");
                answer.expect_problem(400, "bad-cursor");
            }
        }
    }
}

#[tokio::test]
async fn forged_cursors_are_refused_by_every_list() {
    let host = host().await;
    let ada = host.user("ada");
    let of = |keys: &str, order: &str, version: u8| {
        URL_SAFE_NO_PAD.encode(format!("[{version},\"{order}\",{keys}]"))
    };
    let orders = ["new", "old", "best", "tree-new", "tree-old", "tree-best", "replies-new"];
    let more = ["replies-old", "replies-best", "history"];
    let keys = [
        "[]",
        "{}",
        "null",
        "[null]",
        "[1.5]",
        "[[]]",
        "[1,2]",
        "[\"x\"]",
        "[1,\"x\"]",
        "[{}]",
        "[\"\\u0000\"]",
        "[1,\"a\\u0000\"]",
        "[99999999999999999999]",
        "[\"' OR 1=1 --\"]",
    ];
    let mut forged: Vec<String> =
        ["zz", "", "!", "AAAA", "W10", "null"].map(str::to_owned).to_vec();
    for order in orders.into_iter().chain(more) {
        forged.extend(keys.iter().map(|keys| of(keys, order, 1)));
        forged.push(of("[5]", order, 2));
        forged.push(of("[\"018bcfe5-6800-7000-8000-000000000000\"]", order, 0));
    }
    forged.push(URL_SAFE_NO_PAD.encode("[".repeat(700)));
    forged.push("A".repeat(5_000));
    for list in every_list(&ada).await {
        for cursor in &forged {
            let answer = ada.get(&format!("{list}&cursor={cursor}")).send().await;
            assert_eq!(answer.status(), 400, "{list} {cursor}: {answer}");
            answer.expect_problem(400, "bad-cursor");
        }
    }
}

#[tokio::test]
async fn a_page_of_very_long_comments_is_cut_and_none_is_lost() {
    let host = host().await;
    let ada = host.user("ada");
    let long = "<".repeat(10_000);
    for _ in 0..60 {
        write(&ada, &long).await;
    }
    for list in
        ["/api/comments?target=post:1&limit=100", "/api/comments?target=post:1&view=tree&limit=100"]
    {
        let page = read(&ada, list).await;
        assert!(items(&page).len() < 60, "a page is bounded");
        assert_eq!(read_all(&ada, list, async |_| {}).await.len(), 60, "{list}");
    }
}
