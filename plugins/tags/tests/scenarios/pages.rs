//! Pages of lists: limits, cursors, and cursors that were not made here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caplet_testing::json;

use crate::stage::{TAGS, curator, each, entries, host, make, make_below, read, read_all, set};

/// Every list of the plugin, for tags `a` to `e`, below `top`.
const LISTS: [&str; 10] = [
    "?sort=name",
    "?sort=new",
    "?sort=popular",
    "?parent=top",
    "/popular?window=all",
    "/popular?window=month",
    "/items?any=a,b",
    "/top/items?include_children=true",
    "/a/synonyms?",
    "/groups?",
];

async fn populated() -> caplet_testing::TestHost {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "top").await;
    for (place, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        make_below(&ada, "top", name).await;
        for number in 0..=place {
            set(&ada, &format!("{name}/{number}"), &[name, "a"]).await;
        }
        let synonym = format!("{TAGS}/a/synonyms/also-{name}");
        mia.put(&synonym).send().await.expect_status(204);
        let group = mia.put(&format!("{TAGS}/groups/{name}")).json(&json!({ "title": name }));
        group.send().await.expect_status(200);
    }
    host
}

#[tokio::test]
async fn pages_show_everything_once_in_order() {
    let host = populated().await;
    for list in LISTS {
        let path = format!("{TAGS}{list}");
        let whole = read(&host.anonymous(), &format!("{path}&limit=100")).await;
        assert!(entries(&whole).len() >= 5, "{list}");
        for limit in [1, 2, 5] {
            let pages = read_all(&host.anonymous(), &format!("{path}&limit={limit}")).await;
            assert_eq!(pages, entries(&whole), "{list} by {limit}");
        }
    }
}

#[tokio::test]
async fn tags_have_three_orders() {
    let host = populated().await;
    let order = async |list: &str| {
        let page = read(&host.anonymous(), &format!("{TAGS}{list}")).await;
        each(entries(&page), "slug").concat()
    };
    assert_eq!(order("").await, "abcdetop");
    assert_eq!(order("?sort=new").await, "edcbatop");
    assert_eq!(order("?sort=popular").await, "aedcbtop");
    assert_eq!(order("?sort=popular&parent=top").await, "aedcb");
    assert_eq!(order("?parent=a").await, "");
}

#[tokio::test]
async fn limits_outside_of_1_to_100_are_refused_by_every_list() {
    let host = populated().await;
    for list in LISTS {
        for limit in ["0", "101", "abc", "-1", "", "1.5", "99999999999999999999"] {
            let answer = host.get(&format!("{TAGS}{list}&limit={limit}")).send().await;
            assert_eq!(answer.status(), 400, "{list} {limit}: {answer}");
            answer.expect_problem(400, "bad-query");
        }
    }
}

#[tokio::test]
async fn forged_cursors_are_refused_by_every_list() {
    let host = populated().await;
    let keys =
        ["[]", "null", "[null]", "[1.5]", "[[]]", "[{}]", "[\"x\",\"y\",\"z\"]", "[\"\\u0000\"]"];
    let more = ["[\"\\u0000\",1]", "[1,\"x\"]", "[99999999999999999999,1]", "[\"' OR 1=1 --\",{}]"];
    let orders = ["tags-name", "tags-new", "tags-popular", "popular-all", "popular-month", "items"];
    let mut forged: Vec<String> = ["zz", "", "!", "AAAA", "W10"].map(str::to_owned).to_vec();
    for order in orders.into_iter().chain(["synonyms", "groups"]) {
        for keys in keys.iter().chain(&more) {
            // Names and groups of one text are keys that the lists of these would take.
            forged.push(URL_SAFE_NO_PAD.encode(format!("[1,\"{order}\",{keys}]")));
        }
        forged.push(URL_SAFE_NO_PAD.encode(format!("[2,\"{order}\",[1]]")));
    }
    forged.push("A".repeat(5_000));
    for list in LISTS {
        for cursor in &forged {
            let answer = host.get(&format!("{TAGS}{list}&cursor={cursor}")).send().await;
            assert_eq!(answer.status(), 400, "{list} {cursor}: {answer}");
            answer.expect_problem(400, "bad-cursor");
        }
    }
}

#[tokio::test]
async fn a_cursor_is_for_its_own_list() {
    let host = populated().await;
    let page = read(&host.anonymous(), &format!("{TAGS}?sort=name&limit=1")).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    for other in ["?sort=new", "?sort=popular", "/popular?window=week", "/items?any=a"] {
        let answer = host.get(&format!("{TAGS}{other}&cursor={cursor}")).send().await;
        answer.expect_problem(400, "bad-cursor");
    }
}
