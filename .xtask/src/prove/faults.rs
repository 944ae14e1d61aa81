//! Hosts are killed, stopped and replaced while they are asked.

use anyhow::{Context, Result, bail};
use std::time::{Duration, Instant};

use super::{
    Plan,
    caller::{Caller, Outcome},
    feed,
    load::{Load, Traffic},
    plot::{Mark, Plot},
    question::{Kind, Question, Target},
    row::{AtMost, Row, replay},
    samples::{Samples, number, percentile},
    swaps::settings,
};
use crate::server::Server;

const ROUNDS_MAX: u32 = 20;

/// About what a round takes.
const ROUND_TIME: Duration = Duration::from_secs(5);

/// How long a host is asked before something is done to it.
const STEADY_TIME: Duration = Duration::from_millis(1_500);

/// How long a host may take after it was killed.
const READY_MS_MAX: f64 = 2_000.0;

/// How long a host may take to end after it was told to.
const END_TIME_MAX: Duration = Duration::from_secs(40);

/// Runs all of them, each with a third of the time.
pub async fn run(plan: &Plan<'_>) -> Result<Vec<Row>> {
    let rounds = plan.time.as_secs() / 3 / ROUND_TIME.as_secs();
    let rounds = u32::try_from(rounds)?.clamp(1, ROUNDS_MAX);
    Ok(vec![
        kill(plan, rounds).await?,
        terminate(plan, rounds).await?,
        take_over(plan, rounds).await?,
    ])
}

/// Requests of which none takes long, so that rounds are short.
fn traffic(seed: u64) -> Traffic {
    let mix = [(Kind::Fast, 6), (Kind::Upload, 2), (Kind::Write, 2)];
    let mix = mix.map(|(kind, part)| (Question { of: Target::Upgrade, kind }, part));
    Traffic { rate_per_s: 500, in_flight_max: 200, seed, mix: mix.into() }
}

async fn kill(plan: &Plan<'_>, rounds: u32) -> Result<Row> {
    let begun = Instant::now();
    let feed = feed::start().await?;
    let place = plan.stage.place("kill")?;
    place.install(&["upgrade-v1"])?;
    let mut times_ms = Vec::new();
    let mut server = place.start(&settings(&feed), &[])?;
    for round in 0..rounds {
        let load = Load::begin(&Caller::new(), server.url(), traffic(plan.seed + u64::from(round)));
        tokio::time::sleep(STEADY_TIME).await;
        server.kill()?;
        // What was under way is lost to its callers, as it is with any power cut.
        load.end().await?;
        let killed = Instant::now();
        server = place.start(&settings(&feed), &[])?;
        times_ms.push(killed.elapsed().as_secs_f64() * 1_000.0);
        println!(
            "kill {} of {rounds}: ready after {:.0} ms",
            round + 1,
            times_ms[times_ms.len() - 1]
        );
    }
    server.stop()?;
    let what = format!(
        "{rounds} times a host under 500 requests a second is ended by SIGKILL: the next one on its \
         data is ready soon, counted from the start of its process, without anybody's help."
    );
    Ok(Row::new("kill-ready", &what, replay("faults", plan.seed))
        .told("ready after, median", percentile(&times_ms, 50.0), "ms")
        .held("ready after, longest", percentile(&times_ms, 100.0), "ms", AtMost(READY_MS_MAX))
        .measured(plan.seed, begun.elapsed()))
}

async fn terminate(plan: &Plan<'_>, rounds: u32) -> Result<Row> {
    let begun = Instant::now();
    let feed = feed::start().await?;
    let place = plan.stage.place("terminate")?;
    place.install(&["upgrade-v1"])?;
    let mut answered = 0;
    let mut all = Vec::new();
    let mut times_ms = Vec::new();
    for round in 0..rounds {
        let server = place.start(&settings(&feed), &[])?;
        let load = Load::begin(&Caller::new(), server.url(), traffic(plan.seed + u64::from(round)));
        tokio::time::sleep(STEADY_TIME).await;
        server.tell_to_stop()?;
        let told = Instant::now();
        let code = ended(server).await?;
        times_ms.push(told.elapsed().as_secs_f64() * 1_000.0);
        if code != Some(0) {
            bail!("round {round}: the host ended with {code:?}");
        }
        let samples = load.end().await?;
        answered += samples.iter().filter(|it| matches!(it.outcome, Outcome::Good(_))).count();
        // A host that is not there any more takes no connections, and nothing was sent to it.
        all.extend(samples.into_iter().filter(|it| !matches!(it.outcome, Outcome::Unreached(_))));
        println!("stop {} of {rounds}", round + 1);
    }
    let what = format!(
        "{rounds} times a host under 500 requests a second is ended by SIGTERM: every request that it \
         took is answered, and nobody is reset; who comes later is refused."
    );
    let row = Row::new("terminate-nothing-reset", &what, replay("faults", plan.seed))
        .told("answered", number(answered), "")
        .told("from the signal to the end, longest", percentile(&times_ms, 100.0), "ms");
    Ok(Samples(all).judged(row).measured(plan.seed, begun.elapsed()))
}

async fn take_over(plan: &Plan<'_>, rounds: u32) -> Result<Row> {
    let begun = Instant::now();
    let feed = feed::start().await?;
    let place = plan.stage.place("take-over")?;
    place.install(&["upgrade-v1"])?;
    let mut server = place.start(&settings(&feed), &[])?;
    let load = Load::begin(&Caller::new(), server.url(), traffic(plan.seed));
    let mut marks = Vec::new();
    for round in 0..rounds {
        tokio::time::sleep(STEADY_TIME).await;
        let from = load.now();
        let successor =
            tokio::task::block_in_place(|| place.start(&settings(&feed), &["--takeover"]))?;
        marks.push(Mark { from, to: load.now(), text: format!("takeover {}", round + 1) });
        if successor.url() != server.url() {
            bail!("the new host listens on {}, the old one on {}", successor.url(), server.url());
        }
        let code = ended(std::mem::replace(&mut server, successor)).await?;
        if code != Some(0) {
            bail!("round {round}: the old host ended with {code:?}");
        }
        println!("takeover {} of {rounds}", round + 1);
    }
    tokio::time::sleep(STEADY_TIME).await;
    let samples = Samples(load.end().await?);
    server.stop()?;
    let pauses: Vec<f64> =
        marks.iter().map(|mark| samples.pause(mark.from, mark.to).ms()).collect();
    let what = format!(
        "{rounds} times a new host takes over the socket of one under 500 requests a second: nobody is \
         refused or reset; requests wait until the new host has the databases."
    );
    let end = samples.0.last().map_or(Duration::ZERO, |last| last.done);
    let plot = Plot::latencies(
        "Latency of fast requests through all takeovers",
        &samples,
        (Duration::ZERO, end),
        &marks,
    );
    let row = Row::new("takeover-nothing-dropped", &what, replay("faults", plan.seed))
        .told("longest time without an answer", percentile(&pauses, 100.0), "ms")
        .told("the same, median", percentile(&pauses, 50.0), "ms");
    Ok(samples.judged(row).plot(plot).measured(plan.seed, begun.elapsed()))
}

/// Waits until a host has ended; its exit code.
async fn ended(server: Server) -> Result<Option<i32>> {
    let waiting = tokio::task::spawn_blocking(move || server.wait());
    let code = tokio::time::timeout(END_TIME_MAX, waiting).await;
    code.with_context(|| format!("the host did not end within {END_TIME_MAX:?}"))??
}
