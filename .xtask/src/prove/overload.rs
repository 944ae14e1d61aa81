//! More is asked than a host can answer: what it takes is answered in bounded time, what it refuses is
//! told when to come again, and afterwards all is as before.

use anyhow::Result;
use std::time::{Duration, Instant};

use super::{
    Plan,
    caller::{Caller, Outcome},
    load::{Load, Sample, Traffic},
    plot::Plot,
    question::{Kind, Question, Target},
    row::{AtMost, Row, replay},
    samples::{Samples, number, percentile},
};

/// So many requests of a plugin run at once by default; each takes two seconds, so that the host can
/// answer 32 a second, whatever the machine.
const CAPACITY_PER_S: u32 = 32;

/// How much more than that is asked.
const TIMES: u32 = 5;

const P99_RATIO_MAX: f64 = 3.0;
const GROWTH_MIB_MAX: f64 = 256.0;

/// How soon afterwards nobody may be refused any more.
const NORMAL_TIME: Duration = Duration::from_secs(5);

/// Runs at half of what the host can do, at five times of it, and at half again.
pub async fn run(plan: &Plan<'_>) -> Result<Vec<Row>> {
    let begun = Instant::now();
    let phase = (plan.time / 4).clamp(Duration::from_secs(5), Duration::from_secs(60));
    let place = plan.stage.place("overload")?;
    place.install(&["upgrade-v1"])?;
    let server = place.start(&[], &[])?;
    let caller = Caller::new();
    let question = Question { of: Target::Upgrade, kind: Kind::Slow };
    let slow = |rate_per_s| Traffic::of(question, rate_per_s, plan.seed);
    let steady =
        during(Load::begin(&caller, server.url(), slow(CAPACITY_PER_S / 2)), phase).await?;
    let held_before = server.memory()?.anonymous_kib;
    let load = Load::begin(&caller, server.url(), slow(CAPACITY_PER_S * TIMES));
    tokio::time::sleep(phase).await;
    let held_during = server.memory()?.anonymous_kib;
    let over = Samples(load.end().await?);
    tokio::time::sleep(NORMAL_TIME).await;
    let after = during(Load::begin(&caller, server.url(), slow(CAPACITY_PER_S / 2)), phase).await?;
    server.stop()?;
    let p99 = |samples: &Samples| percentile(&samples.latencies_ms(Kind::Slow, |_| true), 99.0);
    let is_failure = |it: &Outcome| !matches!(it, Outcome::Good(_) | Outcome::Refused);
    // Both are far below what a float holds exactly.
    #[allow(clippy::cast_precision_loss)]
    let growth_mib = held_during.saturating_sub(held_before) as f64 / 1_024.0;
    let what = format!(
        "A host with its default settings, that can answer {CAPACITY_PER_S} requests a second (64 at \
         once, two seconds each), is asked {TIMES} times as many: what it takes is answered, what it \
         refuses is told when to come again, and {NORMAL_TIME:?} later all is as before."
    );
    let end = over.0.last().map_or(Duration::ZERO, |last: &Sample| last.done);
    let row = Row::new("overload-bounded", &what, replay("overload", plan.seed))
        .told("answered", number(over.count(|it| matches!(it, Outcome::Good(_)))), "")
        .told("refused, with Retry-After", number(over.count(|it| *it == Outcome::Refused)), "")
        .none("neither answered nor refused properly", over.count(is_failure))
        .told("p99 of what was answered, steady", p99(&steady), "ms")
        .held("p99 overloaded / steady", p99(&over) / p99(&steady), "×", AtMost(P99_RATIO_MAX))
        .held("memory that it took more", growth_mib, "MiB", AtMost(GROWTH_MIB_MAX))
        .none("refused or failed afterwards", after.count(|it| !matches!(it, Outcome::Good(_))))
        .held("p99 afterwards / steady", p99(&after) / p99(&steady), "×", AtMost(1.5))
        .plot(Plot::of(
            Kind::Slow,
            "Latency of what was answered",
            &over,
            (Duration::ZERO, end),
            &[],
        ));
    Ok(vec![row.measured(plan.seed, begun.elapsed())])
}

async fn during(load: Load, time: Duration) -> Result<Samples> {
    tokio::time::sleep(time).await;
    Ok(Samples(load.end().await?))
}
