//! Popular tags: ever and in sliding windows, whatever goes again, however time passes.

use std::time::Duration;

use caplet_testing::{TestHost, json};
use serde_json::Value;

use crate::stage::{TAGS, assert_counts_are_exact, count, entries, host, read, read_all, set};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn popular(host: &TestHost, window: &str) -> Value {
    let page = read(&host.anonymous(), &format!("{TAGS}/popular?window={window}")).await;
    let short = |tag: &Value| json!([tag["slug"], tag["count"]]);
    entries(&page).iter().map(short).collect()
}

#[tokio::test]
async fn the_most_used_come_first_and_unused_ones_not_at_all() {
    let host = host().await;
    let ada = host.user("ada");
    set(&ada, "post/1", &["a", "b", "c"]).await;
    set(&ada, "post/2", &["b", "c"]).await;
    set(&ada, "post/3", &["c", "d"]).await;
    set(&ada, "post/3", &["c"]).await;
    for window in ["all", "day", "week", "month", "year"] {
        assert_eq!(popular(&host, window).await, json!([["c", 3], ["b", 2], ["a", 1]]), "{window}");
    }
    assert_eq!(read(&ada, &format!("{TAGS}/popular")).await["items"][0]["count"], 3);
}

#[tokio::test]
async fn windows_slide_also_when_nobody_tags() {
    let host = host().await;
    let ada = host.user("ada");
    set(&ada, "post/1", &["old"]).await;
    host.clock().advance(DAY * 3);
    set(&ada, "post/2", &["old", "new"]).await;
    set(&ada, "post/3", &["new"]).await;
    assert_eq!(popular(&host, "day").await, json!([["new", 2], ["old", 1]]));
    assert_eq!(popular(&host, "week").await, json!([["new", 2], ["old", 2]]));
    // Nothing is written meanwhile: what is too old is left out all the same.
    host.clock().advance(DAY * 4);
    assert_eq!(popular(&host, "day").await, json!([]));
    assert_eq!(popular(&host, "week").await, json!([["new", 2], ["old", 1]]));
    host.clock().advance(DAY * 3);
    assert_eq!(popular(&host, "week").await, json!([]));
    assert_eq!(popular(&host, "month").await, json!([["new", 2], ["old", 2]]));
    host.clock().advance(DAY * 400);
    assert_eq!(popular(&host, "year").await, json!([]));
    assert_eq!(popular(&host, "all").await, json!([["new", 2], ["old", 2]]));
    // The next change moves the horizons, and removes what no window needs any more.
    set(&ada, "post/4", &["newest"]).await;
    assert_eq!(popular(&host, "year").await, json!([["newest", 1]]));
    assert_eq!((count(&host, "days").await, count(&host, "trends").await), (1, 4));
    assert_counts_are_exact(&host, "default").await;
}

#[tokio::test]
async fn what_is_taken_back_is_taken_off_where_it_was_counted() {
    let host = host().await;
    let ada = host.user("ada");
    set(&ada, "post/1", &["a"]).await;
    set(&ada, "post/2", &["a"]).await;
    host.clock().advance(DAY * 10);
    set(&ada, "post/3", &["a"]).await;
    set(&ada, "post/1", &[]).await;
    assert_eq!(popular(&host, "week").await, json!([["a", 1]]));
    assert_eq!(popular(&host, "month").await, json!([["a", 2]]));
    set(&ada, "post/3", &[]).await;
    assert_eq!(popular(&host, "week").await, json!([]));
    assert_eq!(popular(&host, "month").await, json!([["a", 1]]));
    assert_counts_are_exact(&host, "default").await;
}

#[tokio::test]
async fn pages_go_on_while_a_window_slides() {
    let host = host().await;
    let ada = host.user("ada");
    for number in 0..30 {
        let names: Vec<String> = (0..=number % 6).map(|place| format!("name {place}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        set(&ada, &format!("post/{number}"), &names).await;
        host.clock().advance(DAY / 4);
    }
    for window in ["all", "week", "month"] {
        let path = format!("{TAGS}/popular?window={window}");
        let whole = read(&ada, &format!("{path}&limit=100")).await;
        assert_eq!(read_all(&ada, &format!("{path}&limit=1")).await, entries(&whole), "{window}");
        assert_eq!(entries(&whole).len(), 6, "{window}");
    }
}
