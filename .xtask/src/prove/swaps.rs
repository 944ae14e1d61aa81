//! Plugins are upgraded and rolled back under full load: the bundled ones, with a migration in each
//! upgrade, and the fixture that says its version in each answer. Every answer is held against the
//! versions that may have given it.

use anyhow::Result;
use std::time::{Duration, Instant};

use super::{
    Plan,
    admin::{Operator, Steps},
    caller::Caller,
    feed,
    load::{Load, Traffic},
    plot::{Mark, Plot},
    question::{BUNDLED, Kind, Target},
    row::{AtMost, Row, replay},
    samples::{Pause, Samples, number, percentile},
    stage::{Place, Stage},
    versions::{MARGIN, Swap, wrong_version},
};

/// An upgrade and a rollback of each plugin.
const ROUNDS_MAX: u8 = 20;

/// Before and after a swap, so that each is seen alone.
const SPACING: Duration = Duration::from_millis(1_500);

/// How long the load goes on before the first swap and after the last.
const STEADY_TIME: Duration = Duration::from_secs(8);

/// So long before a swap a pause may begin.
const BEFORE: Duration = Duration::from_millis(20);

/// How long the windows are in which pauses are looked for where nothing was swapped.
const WINDOW: Duration = Duration::from_millis(700);

/// The longest time in which nobody may be answered, and how much worse the 99th percentile may be.
const PAUSE_MS_MAX: f64 = 50.0;
const P99_RATIO_MAX: f64 = 2.0;

/// The plugins that are swapped.
const SWAPPED: [Target; 3] = [Target::Comments, Target::Tags, Target::Upgrade];

/// The version of the fixture that the one before can go back from, and those behind which there is no
/// way back, because the first of them takes away what the ones before need.
const FIXTURE_NEXT: u8 = 2;
const FIXTURE_LAST: [u8; 2] = [3, 4];

/// One who swaps plugins while a load goes on.
struct Round<'a> {
    stage: &'a Stage,
    operator: Operator,
    load: &'a Load,
    swaps: Vec<Swap>,
}

/// Runs the swaps, as many as there is time for.
pub async fn run(plan: &Plan<'_>) -> Result<Vec<Row>> {
    let begun = Instant::now();
    let feed = feed::start().await?;
    let place = plan.stage.place("swaps")?;
    place.install(&["comments", "tags", "upgrade-v1"])?;
    let server = place.start(&settings(&feed), &[])?;
    let operator = Operator::new(&place, server.url())?;
    let load = Load::begin(&author(&place)?, server.url(), Traffic::full(plan.seed));
    tokio::time::sleep(STEADY_TIME).await;
    let mut round = Round { stage: plan.stage, operator, load: &load, swaps: Vec::new() };
    for number in 0..ROUNDS_MAX {
        if number > 0 && begun.elapsed() > plan.time {
            break;
        }
        round.up_and_back(number).await?;
        println!("round {} of {ROUNDS_MAX}: each plugin up and back", number + 1);
    }
    for version in [&[FIXTURE_NEXT], &FIXTURE_LAST[..]].concat() {
        round.upgrade(Target::Upgrade, version).await?;
        // The host holds each version against the one before, which must have answered slow requests.
        tokio::time::sleep(STEADY_TIME).await;
    }
    let swaps = round.swaps;
    let samples = Samples(load.end().await?);
    server.stop()?;
    let rows = rows(&samples, &swaps, plan).into_iter();
    Ok(rows.map(|row| row.measured(plan.seed, begun.elapsed())).collect())
}

/// Where the events come from. All else is as it is by default.
pub fn settings(feed: &str) -> [(&'static str, &str); 2] {
    [("CAPLET_SERVICES__FEED__URL", feed), ("CAPLET_SERVICES__FEED__ACCESS", "public")]
}

/// Clients who may write comments and tags.
pub fn author(place: &Place<'_>) -> Result<Caller> {
    Ok(Caller::with_token(&place.token("author", &[])?))
}

impl Round<'_> {
    async fn up_and_back(&mut self, number: u8) -> Result<()> {
        for of in SWAPPED {
            let version = if of == Target::Upgrade { FIXTURE_NEXT } else { BUNDLED + 1 + number };
            self.upgrade(of, version).await?;
        }
        for of in SWAPPED {
            let begun = self.load.now();
            let steps = self.operator.roll_back(of).await?;
            self.seen((of, BUNDLED), begun, steps).await;
        }
        Ok(())
    }

    async fn upgrade(&mut self, of: Target, to: u8) -> Result<()> {
        let component = match of {
            Target::Upgrade => self.stage.guest(&format!("upgrade-v{to}"))?,
            _ => self.stage.revision(of.name(), to)?,
        };
        let begun = self.load.now();
        let steps = self.operator.upgrade(component).await?;
        self.seen((of, to), begun, steps).await;
        Ok(())
    }

    async fn seen(&mut self, (of, to): (Target, u8), begun: Duration, steps: Steps) {
        let seen = self.load.now();
        let last = self.swaps.iter().rfind(|swap| swap.of == of);
        let from = last.map_or(BUNDLED, |swap| swap.to);
        self.swaps.push(Swap { of, from, to, begun, seen, steps });
        tokio::time::sleep(SPACING).await;
    }
}

fn rows(samples: &Samples, swaps: &[Swap], plan: &Plan<'_>) -> Vec<Row> {
    let mut rows = vec![dropped(samples, swaps, plan)];
    rows.extend(SWAPPED.map(|of| paused(of, samples, swaps, plan)));
    rows
}

fn dropped(samples: &Samples, swaps: &[Swap], plan: &Plan<'_>) -> Row {
    let wrong: Vec<String> =
        samples.0.iter().filter_map(|sample| wrong_version(sample, swaps)).collect();
    let what = format!(
        "{} swaps of two bundled plugins and of the fixture at 500 requests a second with about 200 \
         under way (fast, slow, uploads, writes, streams), each upgrade of a bundled plugin with a \
         migration: nobody is dropped, every answer is of one version that served at the time.",
        swaps.len()
    );
    let row = Row::new("swap-nothing-dropped", &what, replay("swaps", plan.seed));
    let row = samples.judged(row).none("of a version that did not serve", wrong.len());
    wrong.into_iter().take(3).fold(row, Row::note)
}

fn paused(of: Target, samples: &Samples, swaps: &[Swap], plan: &Plan<'_>) -> Row {
    let own = samples.of(of);
    let swapped: Vec<Swap> = swaps.iter().filter(|swap| swap.of == of).cloned().collect();
    let around = own.latencies_ms(Kind::Fast, |at| swapped.iter().any(|it| it.is_around(at)));
    let steady = own.latencies_ms(Kind::Fast, |at| !swaps.iter().any(|it| it.is_around(at)));
    let (p99_around, p99_steady) = (percentile(&around, 99.0), percentile(&steady, 99.0));
    let pause = |swap: &Swap| own.pause(swap.begun.saturating_sub(BEFORE), swap.seen + MARGIN);
    let pauses: Vec<Pause> = swapped.iter().map(pause).collect();
    let worst = swapped.iter().zip(&pauses).max_by_key(|(_, pause)| pause.length);
    let pauses: Vec<f64> = pauses.iter().map(Pause::ms).collect();
    let steady_pauses: Vec<f64> =
        quiet(samples, swaps).map(|(from, to)| own.pause(from, to).ms()).collect();
    let changes: Vec<f64> =
        swapped.iter().map(|swap| (swap.seen - swap.begun).as_secs_f64() * 1_000.0).collect();
    let what = format!(
        "Around the {} swaps of {} the longest time in which somebody waited and nobody was \
         answered is short, and fast requests take hardly longer than at other times.",
        swapped.len(),
        of.name()
    );
    let row = Row::new(&format!("swap-no-pause-{}", of.name()), &what, replay("swaps", plan.seed))
        .held("longest pause", percentile(&pauses, 100.0), "ms", AtMost(PAUSE_MS_MAX))
        .told("longest pause, median of the swaps", percentile(&pauses, 50.0), "ms")
        .told("longest pause where nothing was swapped", percentile(&steady_pauses, 100.0), "ms")
        .told("that of such windows", number(steady_pauses.len()), "")
        .told("p99 of fast requests, steady", p99_steady, "ms")
        .told("p99 of fast requests, around swaps", p99_around, "ms")
        .held("p99 around swaps / steady", p99_around / p99_steady, "×", AtMost(P99_RATIO_MAX))
        .told("from the order to the first answer, median", percentile(&changes, 50.0), "ms")
        .told("from the order to the first answer, longest", percentile(&changes, 100.0), "ms");
    let marks: Vec<Mark> = swapped.iter().map(Swap::mark).collect();
    let end = samples.0.last().map_or(Duration::ZERO, |last| last.done);
    let through = Plot::latencies(
        "Latency of fast requests through all swaps",
        &own,
        (Duration::ZERO, end),
        &marks,
    );
    let row = row.plot(through);
    match worst {
        None => row,
        Some((swap, pause)) => {
            let row = row.note(when(swap, pause));
            let times = (swap.begun.saturating_sub(MARGIN * 2), swap.seen + MARGIN * 2);
            let title = "Around the swap with the longest pause";
            row.plot(Plot::latencies(title, &own, times, &marks))
        }
    }
}

/// Windows like those that a pause is looked for in, at times when nothing was swapped.
fn quiet(samples: &Samples, swaps: &[Swap]) -> impl Iterator<Item = (Duration, Duration)> {
    let end = samples.0.last().map_or(Duration::ZERO, |last| last.done);
    let windows = (1..).map(|n| (WINDOW * n, WINDOW * (n + 1))).take_while(move |it| it.1 < end);
    windows.filter(|(from, to)| !swaps.iter().any(|it| it.is_around(*from) || it.is_around(*to)))
}

fn when(swap: &Swap, pause: &Pause) -> String {
    let (begun, length) = (pause.begun.as_secs_f64(), pause.ms());
    let after_ms = (begun - swap.begun.as_secs_f64()) * 1_000.0;
    let Swap { from, to, steps, .. } = swap;
    format!(
        "the longest pause, of {length:.1} ms, began {after_ms:.1} ms after the order of {from} → \
         {to}, whose steps took (ms): {steps}"
    )
}
