//! What reading costs in a tenant with many tags: 100 000 of them and a million taggings of sixty days,
//! written through the real component in a real host, without a socket. Prints the median and the 99th
//! percentile of each kind of request in milliseconds, and its bar.
//!
//! `cargo bench --workspace --profile dev --bench scale`, after `cargo xtask plugins`. A number behind
//! `--` divides the sizes, for a quick look.

use std::time::{Duration, Instant};

use caplet_testing::{Caller, TestHost, json};
use futures::future::join_all;

const TAGS: usize = 100_000;
const TAGGINGS: usize = 1_000_000;
const TAGS_PER_ITEM: usize = 50;
/// How many requests write at once.
const WRITERS: usize = 32;
const DAYS: usize = 60;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How many requests of a kind are measured.
const REQUESTS: usize = 500;

const SYLLABLES: [&str; 24] = [
    "ka", "ro", "mi", "ten", "sul", "va", "pre", "dor", "li", "gan", "bes", "tu", "no", "fer",
    "ax", "qui", "zor", "ham", "yl", "wes", "jo", "cin", "eth", "ur",
];

fn main() {
    let divisor = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(run(divisor));
}

async fn run(divisor: usize) {
    let host = TestHost::with_plugin("tags").await;
    let caller = host.user("ada");
    let began = Instant::now();
    make_tags(&caller, TAGS / divisor).await;
    println!("made {} tags in {:.1} s", TAGS / divisor, began.elapsed().as_secs_f64());
    let began = Instant::now();
    make_taggings(&host, &caller, TAGS / divisor, TAGGINGS / divisor).await;
    println!("made {} taggings in {:.1} s", TAGGINGS / divisor, began.elapsed().as_secs_f64());
    measure_all(&caller).await;
    // Nobody writes after midnight: lists take off what is too old.
    host.clock().advance(DAY);
    measure(&caller, "popular of a month, horizon behind", 100.0, &["/popular?window=month"]).await;
}

async fn measure_all(caller: &Caller<'_>) {
    let typed = ["ka", "mi", "topic", "topic ka", "to", "tensul", "kar", "q", "topic 9", ""];
    let typed = typed.map(|text| format!("/suggest?q={}", text.replace(' ', "+")));
    let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
    measure(caller, "suggestions for a beginning", 50.0, &typed).await;
    let wrong = ["kraomi", "tpoic+karo", "sulvva", "topci", "miketn", "quizro"];
    let wrong = wrong.map(|text| format!("/suggest?q={text}"));
    let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
    measure(caller, "suggestions with typing errors", 50.0, &wrong).await;
    for window in ["all", "day", "week", "month", "year"] {
        let path = format!("/popular?window={window}");
        measure(caller, &format!("popular, {window}"), 100.0, &[&path]).await;
    }
    measure(caller, "items of the most used tag", 100.0, &["/karo/items", "/items/post/7"]).await;
}

/// A name for a number; a fifth of all begin alike.
fn name(number: usize) -> String {
    let mut name = if number % 5 == 4 { "topic ".to_owned() } else { String::new() };
    let mut rest = number + SYLLABLES.len();
    while rest > 0 {
        name.push_str(SYLLABLES[rest % SYLLABLES.len()]);
        rest /= SYLLABLES.len();
    }
    name
}

async fn put(caller: &Caller<'_>, item: usize, names: Vec<String>) {
    let request = caller.put(&format!("/api/tags/items/post/{item}"));
    request.json(&json!({ "tags": names })).send().await.expect_status(200);
}

/// Makes tags by giving them to items, and takes them off again.
async fn make_tags(caller: &Caller<'_>, n_tags: usize) {
    let items: Vec<usize> = (0..n_tags.div_ceil(TAGS_PER_ITEM)).collect();
    for items in items.chunks(WRITERS) {
        join_all(items.iter().map(async |&item| {
            let numbers = item * TAGS_PER_ITEM..((item + 1) * TAGS_PER_ITEM).min(n_tags);
            put(caller, item, numbers.map(name).collect()).await;
            put(caller, item, Vec::new()).await;
        }))
        .await;
    }
}

/// Tags items, some tags far more often than others, on one day after another.
async fn make_taggings(host: &TestHost, caller: &Caller<'_>, n_tags: usize, n_taggings: usize) {
    let items: Vec<usize> = (0..n_taggings / TAGS_PER_ITEM).collect();
    let mut state = 1_u64;
    for today in items.chunks(items.len().div_ceil(DAYS).max(1)) {
        host.clock().advance(DAY);
        for items in today.chunks(WRITERS) {
            let chosen: Vec<(usize, Vec<String>)> =
                items.iter().map(|&item| (item, names(&mut state, n_tags))).collect();
            join_all(chosen.into_iter().map(|(item, names)| put(caller, item, names))).await;
        }
    }
}

/// As many names as an item has, the first tags far more often than the last.
fn names(state: &mut u64, n_tags: usize) -> Vec<String> {
    let mut chosen = std::collections::BTreeSet::new();
    while chosen.len() < TAGS_PER_ITEM {
        // An xorshift generator: the same in every run.
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        let share = (*state >> 11) as f64 / (1_u64 << 53) as f64;
        chosen.insert((share.powi(3) * n_tags as f64) as usize);
    }
    chosen.into_iter().map(name).collect()
}

async fn measure(caller: &Caller<'_>, what: &str, bar_ms: f64, paths: &[&str]) {
    let mut times = Vec::with_capacity(REQUESTS);
    for path in paths.iter().cycle().take(REQUESTS) {
        let path = format!("/api/tags{path}");
        let began = Instant::now();
        caller.get(&path).send().await.expect_status(200);
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let verdict = if at(0.99) <= bar_ms { "ok" } else { "missed" };
    println!("{what}: p50 {:.2} ms, p99 {:.2} ms, bar {bar_ms} ms: {verdict}", at(0.5), at(0.99));
}
