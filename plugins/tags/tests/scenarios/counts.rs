//! Counts are what there is, after any changes in any order, by anybody at once, over many days.

use std::time::Duration;

use caplet_testing::{Method, TestHost, json};
use futures::future::join_all;

use crate::stage::{TAGS, assert_counts_are_exact, curator, host, item_path, set};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Numbers that look random and are the same in every run (Lehmer's generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0 * 48_271 % 0x7fff_ffff;
        self.0 % bound
    }

    fn name(&mut self) -> String {
        format!("name {}", self.below(12))
    }
}

/// Makes one change, whatever comes of it: some are refused.
async fn change(host: &TestHost, numbers: &mut Numbers) {
    let mia = curator(host);
    let item = item_path(&format!("post/{}", numbers.below(8)));
    let slug = numbers.name().replace(' ', "-");
    let tag = format!("{TAGS}/{slug}");
    let (method, path, body) = match numbers.below(12) {
        0..=3 => {
            let names: Vec<String> = (0..numbers.below(6)).map(|_| numbers.name()).collect();
            (Method::PUT, item, Some(json!({ "tags": names })))
        }
        4..=6 => (Method::POST, item, Some(json!({ "tag": numbers.name() }))),
        7 => (Method::DELETE, format!("{item}/{slug}"), None),
        8 => (Method::DELETE, tag, None),
        9 => {
            let into = numbers.name().replace(' ', "-");
            (Method::POST, format!("{tag}/merge"), Some(json!({ "into": into })))
        }
        10 => (Method::PATCH, tag, Some(json!({ "name": numbers.name() }))),
        _ => {
            let parent = numbers.name().replace(' ', "-");
            (Method::PATCH, tag, Some(json!({ "parent": parent })))
        }
    };
    let request = mia.request(method, &path);
    let answer = match body {
        Some(body) => request.json(&body).send().await,
        None => request.send().await,
    };
    assert!(answer.status() < 500, "{answer}");
}

#[tokio::test]
async fn counts_are_exact_after_any_changes() {
    for seed in [7, 1234, 98_765] {
        let host = host().await;
        let mut numbers = Numbers(seed);
        for number in 0..120 {
            change(&host, &mut numbers).await;
            if number % 10 == 9 {
                let days = u32::try_from(numbers.below(20)).unwrap();
                host.clock().advance(DAY * days);
                assert_counts_are_exact(&host, "default").await;
            }
        }
    }
}

#[tokio::test]
async fn counts_are_exact_when_many_change_at_once() {
    let host = host().await;
    let ada = host.user("ada");
    let items: Vec<String> = (0..10).map(|number| format!("post/{number}")).collect();
    for round in 0..3_usize {
        let names: Vec<String> = (0..5).map(|place| format!("name {}", place + round)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        join_all(items.iter().cycle().take(30).map(|item| set(&ada, item, &names))).await;
    }
    assert_counts_are_exact(&host, "default").await;
}
