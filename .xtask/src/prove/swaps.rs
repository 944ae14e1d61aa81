//! A plugin is upgraded and rolled back under full load, and every answer is held against the versions
//! that may have given it.

use anyhow::Result;
use std::time::{Duration, Instant};

use super::{
    Plan,
    admin::Operator,
    caller::{Caller, Kind, Outcome},
    feed,
    load::{Load, Sample, Traffic},
    plot::{Mark, Plot},
    row::{AtMost, Row, replay},
    samples::{Samples, percentile},
};

const N_SWAPS: u32 = 40;

/// Between two swaps, so that each is seen alone.
const SPACING_MIN: Duration = Duration::from_secs(4);

/// What counts as around a swap, before and after it.
const MARGIN: Duration = Duration::from_millis(500);

/// So long before a swap the last answer is looked for with which a pause may begin.
const BEFORE: Duration = Duration::from_millis(20);

/// The longest time in which nobody may be answered, and how much worse the 99th percentile may be.
const PAUSE_MS_MAX: f64 = 50.0;
const P99_RATIO_MAX: f64 = 2.0;

/// The last version there is.
const VERSION_MAX: u8 = 4;

/// A change of the version, from the moment it was asked for until requests saw it.
#[derive(Debug, Clone, Copy)]
struct Swap {
    from: u8,
    to: u8,
    begun: Duration,
    seen: Duration,
}

impl Swap {
    fn is_around(&self, at: Duration) -> bool {
        at + MARGIN >= self.begun && at <= self.seen + MARGIN
    }
}

/// Runs the swaps, as many as there is time for.
pub async fn run(plan: &Plan<'_>) -> Result<Vec<Row>> {
    let begun = Instant::now();
    let feed = feed::start().await?;
    let place = plan.stage.place("swaps")?;
    place.install(1)?;
    let server = place.start(&settings(&feed), &[])?;
    let operator = Operator::new(plan.stage, &place, server.url()).await?;
    let wanted = steps(operator.can_roll_back());
    let n_swaps = plan.time.as_secs() / SPACING_MIN.as_secs();
    let n_swaps = usize::try_from(n_swaps)?.clamp(1, wanted.len());
    let spacing = (plan.time / u32::try_from(n_swaps + 1)?).min(SPACING_MIN * 3);
    let load = Load::begin(&Caller::new(), server.url(), Traffic::full(plan.seed));
    let mut swaps = Vec::new();
    let mut current = 1;
    for step in &wanted[..n_swaps] {
        tokio::time::sleep(spacing).await;
        let begun = load.now();
        match step {
            Step::Upgrade(to) => operator.upgrade(*to).await?,
            Step::RollBack(_) => operator.roll_back().await?,
        }
        let to = step.version();
        println!("swap {} of {n_swaps}: version {current} to {to}", swaps.len() + 1);
        swaps.push(Swap { from: current, to, begun, seen: load.now() });
        current = to;
    }
    tokio::time::sleep(spacing).await;
    let samples = Samples(load.end().await?);
    server.stop()?;
    Ok(rows(&samples, &swaps, plan)
        .into_iter()
        .map(|row| row.measured(plan.seed, begun.elapsed()))
        .collect())
}

/// Settings under which the host may run as much at once as the load asks for.
pub fn settings(feed: &str) -> [(&'static str, &str); 4] {
    [
        ("CAPLET_SERVICES__FEED__URL", feed),
        ("CAPLET_SERVICES__FEED__ACCESS", "public"),
        ("CAPLET_LIMITS__CONCURRENCY_MAX", "512"),
        ("CAPLET_LIMITS__MEMORY_TOTAL_BYTES_MAX", "2147483648"),
    ]
}

/// One change of the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Upgrade(u8),
    RollBack(u8),
}

impl Step {
    fn version(self) -> u8 {
        match self {
            Self::Upgrade(version) | Self::RollBack(version) => version,
        }
    }
}

/// Up and back between the first two versions, and up to the last one at the end: behind that there
/// is no way back, because it takes away what the ones before need.
fn steps(can_roll_back: bool) -> Vec<Step> {
    let last = (2..=VERSION_MAX).map(Step::Upgrade);
    if !can_roll_back {
        return last.collect();
    }
    let there_and_back = [Step::Upgrade(2), Step::RollBack(1)].into_iter().cycle();
    let n_before = N_SWAPS as usize - last.clone().count();
    // An even number of steps ends where it began.
    there_and_back.take(n_before / 2 * 2).chain(last).collect()
}

fn rows(samples: &Samples, swaps: &[Swap], plan: &Plan<'_>) -> Vec<Row> {
    let is_around = |at: Duration| swaps.iter().any(|swap| swap.is_around(at));
    let around = samples.latencies_ms(Kind::Fast, is_around);
    let steady = samples.latencies_ms(Kind::Fast, |at| !is_around(at));
    let (p99_around, p99_steady) = (percentile(&around, 99.0), percentile(&steady, 99.0));
    let pauses: Vec<f64> = swaps
        .iter()
        .map(|swap| samples.pause_ms(swap.begun.saturating_sub(BEFORE), swap.seen + MARGIN))
        .collect();
    let wrong: Vec<String> =
        samples.0.iter().filter_map(|sample| wrong_version(sample, swaps)).collect();
    let changes: Vec<f64> =
        swaps.iter().map(|swap| (swap.seen - swap.begun).as_secs_f64() * 1_000.0).collect();
    let what = format!(
        "{} swaps of a plugin at 500 requests a second with about 190 under way (fast, slow, uploads, \
         writes, streams): nobody is dropped, every answer is of one version that served at the time.",
        swaps.len()
    );
    let row = Row::new("swap-nothing-dropped", &what, replay("swaps", plan.seed));
    let row = samples.judged(row).none("of a version that did not serve", wrong.len());
    let dropped = wrong.into_iter().take(3).fold(row, Row::note);
    let what = "Around a swap the longest time without an answer is short, and fast requests take \
                hardly longer than at other times.";
    let speed = Row::new("swap-no-pause", what, replay("swaps", plan.seed))
        .held("longest pause", percentile(&pauses, 100.0), "ms", AtMost(PAUSE_MS_MAX))
        .told("longest pause, median of the swaps", percentile(&pauses, 50.0), "ms")
        .told("p99 of fast requests, steady", p99_steady, "ms")
        .told("p99 of fast requests, around swaps", p99_around, "ms")
        .held("p99 around swaps / steady", p99_around / p99_steady, "×", AtMost(P99_RATIO_MAX))
        .told("from the order to the first answer, median", percentile(&changes, 50.0), "ms")
        .told("from the order to the first answer, longest", percentile(&changes, 100.0), "ms");
    let marks: Vec<Mark> = swaps.iter().map(mark).collect();
    let plots = [("Latency of fast requests through all swaps", None)].into_iter().chain(
        worst(swaps, &pauses).map(|swap| ("Around the swap with the longest pause", Some(swap))),
    );
    vec![
        dropped,
        plots.fold(speed, |row, (title, swap)| row.plot(plot(title, samples, &marks, swap))),
    ]
}

fn mark(swap: &Swap) -> Mark {
    let text = format!("{} → {}", swap.from, swap.to);
    Mark { from: swap.begun, to: swap.seen, text }
}

fn worst<'a>(swaps: &'a [Swap], pauses: &[f64]) -> Option<&'a Swap> {
    let pairs = swaps.iter().zip(pauses);
    pairs.max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(swap, _)| swap)
}

fn plot(title: &str, samples: &Samples, marks: &[Mark], around: Option<&Swap>) -> Plot {
    let end = samples.0.last().map_or(Duration::ZERO, |last| last.done);
    let (from, to) = match around {
        Some(swap) => (swap.begun.saturating_sub(MARGIN * 2), swap.seen + MARGIN * 2),
        None => (Duration::ZERO, end),
    };
    Plot::latencies(title, samples, (from, to), marks)
}

/// What is wrong with the version of an answer: it did not serve between sending and answering.
fn wrong_version(sample: &Sample, swaps: &[Swap]) -> Option<String> {
    let Outcome::Good(version) = sample.outcome else { return None };
    if version == 0
        || serving(version, swaps).any(|(from, to)| sample.sent <= to && sample.done >= from)
    {
        return None;
    }
    let at = sample.sent.as_secs_f64();
    Some(format!("{} sent at {at:.3} s: version {version}", sample.kind.name()))
}

/// The times at which a version may have answered.
fn serving(version: u8, swaps: &[Swap]) -> impl Iterator<Item = (Duration, Duration)> {
    let first = swaps.first().filter(|swap| swap.from == version).map(|_| Duration::ZERO);
    let begins = first
        .into_iter()
        .chain(swaps.iter().filter(move |swap| swap.to == version).map(|swap| swap.begun));
    begins.map(move |begun| {
        let end = swaps.iter().filter(|swap| swap.from == version && swap.seen >= begun);
        (begun, end.map(|swap| swap.seen).next().unwrap_or(Duration::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::{Kind, Outcome, Sample, Step, Swap, steps, wrong_version};
    use std::time::Duration;

    fn answer(version: u8, sent_ms: u64, done_ms: u64) -> Sample {
        let at = Duration::from_millis;
        let outcome = Outcome::Good(version);
        Sample { kind: Kind::Fast, due: at(sent_ms), sent: at(sent_ms), done: at(done_ms), outcome }
    }

    #[test]
    fn an_answer_is_of_a_version_that_served_meanwhile() {
        let at = Duration::from_millis;
        let swap = |from, to, begun, seen| Swap { from, to, begun: at(begun), seen: at(seen) };
        let swaps = [swap(1, 2, 100, 110), swap(2, 1, 200, 210), swap(1, 2, 300, 310)];
        for (version, sent, done, is_right) in [
            (1, 50, 60, true),
            (2, 50, 60, false),
            (1, 105, 106, true),
            (2, 105, 106, true),
            (1, 120, 130, false),
            (1, 50, 130, true),
            (2, 250, 260, false),
            (1, 250, 260, true),
            (2, 400, 410, true),
            (1, 400, 410, false),
        ] {
            let found = wrong_version(&answer(version, sent, done), &swaps);
            assert_eq!(found.is_none(), is_right, "{version} from {sent} to {done}");
        }
    }

    #[test]
    fn the_steps_end_at_the_last_version() {
        let all = steps(true);
        assert_eq!(all[..3], [Step::Upgrade(2), Step::RollBack(1), Step::Upgrade(2)]);
        assert_eq!(
            all[all.len() - 4..],
            [Step::RollBack(1), Step::Upgrade(2), Step::Upgrade(3), Step::Upgrade(4)]
        );
        assert!(all.len() >= 38);
        assert_eq!(steps(false).len(), 3);
    }
}
