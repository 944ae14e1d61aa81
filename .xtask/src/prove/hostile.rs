//! What one plugin may do to the others: runaways end in time, the callers of well-behaved plugins
//! notice little of hostile ones, and all the limits that see to it cost little.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{
    Plan,
    caller::Caller,
    load::{Load, Traffic},
    question::{Kind, Question, Target},
    row::{AtMost, Row, replay},
    samples::{Samples, number, percentile},
};
use crate::{
    command::{cargo, output},
    server::Server,
};

/// Plugins that do harm, each with the path by which it does.
const HOSTILE: [(&str, &str); 8] = [
    ("loop-forever", "/api/loop-forever"),
    ("spin", "/api/spin/8"),
    ("grow-memory", "/api/grow-memory/touch"),
    ("log-flood", "/api/log-flood?lines=2000&bytes=100"),
    ("many-host-calls", "/api/many-host-calls?calls=10000000"),
    ("recurse", "/api/recurse"),
    ("random-flood", "/api/random-flood"),
    ("huge-body", "/api/huge-body?bytes=40000000"),
];
const CALLERS_OF_EACH: u32 = 4;

/// How long one who was refused waits.
const REFUSED_TIME: Duration = Duration::from_millis(1);

/// In quarantine nobody is hostile.
const WITHOUT_QUARANTINE: (&str, &str) = ("CAPLET_LIMITS__FAULTS_MAX", "0");

const NEIGHBOUR_RATE_PER_S: u32 = 250;
const P99_RATIO_MAX: f64 = 2.0;

/// The budget by default, and how late its end may be.
const BUDGET_MS: f64 = 100.0;
const LATE_MS_MAX: f64 = 20.0;
const N_RUNAWAYS: u32 = 50;

const COST_PERCENT_MAX: f64 = 15.0;

/// How many ask at once where the cost of a request is measured.
const N_ASKING: usize = 16;

/// Runs all three, and in a short run not the last, which is nothing but times.
pub async fn run(plan: &Plan<'_>) -> Result<Vec<Row>> {
    let mut rows = vec![neighbours(plan).await?, runaway(plan).await?];
    if !plan.short {
        // What was found until then is told in any case.
        let cost = cost(plan).await;
        rows.push(cost.unwrap_or_else(|error| Row::broken("hostile", &error)));
    }
    Ok(rows)
}

async fn neighbours(plan: &Plan<'_>) -> Result<Row> {
    let begun = Instant::now();
    let phase = (plan.time / 3).clamp(Duration::from_secs(5), Duration::from_secs(40));
    let place = plan.stage.place("neighbours")?;
    let hostile = HOSTILE.map(|(name, _)| name);
    place.install(&[&["comments", "tags"], &hostile[..]].concat())?;
    let server = place.start(&[WITHOUT_QUARANTINE], &[])?;
    let traffic = || Traffic {
        mix: [Target::Comments, Target::Tags]
            .map(|of| (Question { of, kind: Kind::Fast }, 1))
            .into(),
        ..Traffic::of(
            Question { of: Target::Comments, kind: Kind::Fast },
            NEIGHBOUR_RATE_PER_S,
            plan.seed,
        )
    };
    let during = async |load: Load| {
        tokio::time::sleep(phase).await;
        anyhow::Ok(Samples(load.end().await?))
    };
    // The first one makes instances and fills caches.
    during(Load::begin(&Caller::new(), server.url(), traffic())).await?;
    let alone = during(Load::begin(&Caller::new(), server.url(), traffic())).await?;
    let harm = Harm::begin(server.url());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let beside = during(Load::begin(&Caller::new(), server.url(), traffic())).await?;
    let n_harms = harm.end().await?;
    server.stop()?;
    let p99 = |samples: &Samples| percentile(&samples.latencies_ms(Kind::Fast, |_| true), 99.0);
    let what = format!(
        "Eight hostile plugins ({}), called without pause by {CALLERS_OF_EACH} clients each and never \
         put into quarantine, beside the bundled plugins at {NEIGHBOUR_RATE_PER_S} requests a second: \
         nobody who asks the bundled ones is refused or fails, and they wait hardly longer.",
        hostile.join(", ")
    );
    let row = Row::new("neighbours-unharmed", &what, replay("hostile", plan.seed))
        .told("hostile calls that ended meanwhile", number(n_harms), "")
        .told("p99 of the neighbours, alone", p99(&alone), "ms")
        .told("p99 of the neighbours, beside the hostile", p99(&beside), "ms")
        .held("p99 beside / alone", p99(&beside) / p99(&alone), "×", AtMost(P99_RATIO_MAX));
    Ok(beside.judged(row).measured(plan.seed, begun.elapsed()))
}

/// Calls of hostile plugins, without pause.
struct Harm {
    is_over: Arc<AtomicBool>,
    n_ended: Arc<AtomicU64>,
    callers: Vec<tokio::task::JoinHandle<()>>,
}

impl Harm {
    fn begin(url: &str) -> Self {
        let (is_over, n_ended) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let mut harm = Self { is_over, n_ended, callers: Vec::new() };
        for (_, path) in HOSTILE {
            for _ in 0..CALLERS_OF_EACH {
                let (is_over, n_ended) = (harm.is_over.clone(), harm.n_ended.clone());
                let (caller, url) = (Caller::new(), format!("{url}{path}"));
                harm.callers.push(tokio::spawn(async move {
                    while !is_over.load(Relaxed) {
                        match caller.status(&url).await {
                            Some(429 | 503) => tokio::time::sleep(REFUSED_TIME).await,
                            _ => _ = n_ended.fetch_add(1, Relaxed),
                        }
                    }
                }));
            }
        }
        harm
    }

    async fn end(self) -> Result<usize> {
        self.is_over.store(true, Relaxed);
        for caller in self.callers {
            caller.await?;
        }
        Ok(usize::try_from(self.n_ended.load(Relaxed))?)
    }
}

async fn runaway(plan: &Plan<'_>) -> Result<Row> {
    let begun = Instant::now();
    let place = plan.stage.place("runaway")?;
    place.install(&["loop-forever"])?;
    let server = place.start(&[WITHOUT_QUARANTINE], &[])?;
    let caller = Caller::new();
    let url = format!("{}/api/loop-forever", server.url());
    let mut times_ms = Vec::new();
    let mut n_others = 0;
    for _ in 0..N_RUNAWAYS {
        let sent = Instant::now();
        match caller.status(&url).await {
            Some(504) => times_ms.push(sent.elapsed().as_secs_f64() * 1_000.0),
            _ => n_others += 1,
        }
    }
    server.stop()?;
    let late_ms = percentile(&times_ms, 100.0) - BUDGET_MS;
    let what = format!(
        "{N_RUNAWAYS} calls of a handler that never ends, one after the other: each is ended at its \
         budget of {BUDGET_MS} ms of processor time, measured by its caller, HTTP included."
    );
    Ok(Row::new("runaway-ended", &what, replay("hostile", plan.seed))
        .told("answered after, median", percentile(&times_ms, 50.0), "ms")
        .held("later than the budget, longest", late_ms, "ms", AtMost(LATE_MS_MAX))
        .none("not answered 504", n_others)
        .measured(plan.seed, begun.elapsed()))
}

/// What the benchmark of limits prints, in microseconds.
#[derive(Debug, Deserialize)]
struct Times {
    limited_us: f64,
    bare_us: f64,
    code_limited_us: f64,
    code_bare_us: f64,
}

async fn cost(plan: &Plan<'_>) -> Result<Row> {
    let begun = Instant::now();
    let times = times(plan)?;
    let place = plan.stage.place("cost")?;
    place.install(&["trap"])?;
    let server = place.start(&[], &[])?;
    let request_us = processor_time_us(&server, plan.time / 6).await?;
    server.stop()?;
    let call_us = times.limited_us - times.bare_us;
    let code_percent = (1.0 - times.code_bare_us / times.code_limited_us) * 100.0;
    let what = "A call by the runtime against the same call of the same component by an engine without \
                any limit, both in turns in one process: the difference is put beside the processor \
                time of a whole request over HTTP, which is what bounds throughput. It is more than the \
                price of the limits, because counters and checks of answers are in it as well. And what \
                being asked for the time costs code that computes (a plugin that describes itself).";
    Ok(Row::new("limits-cost-little", what, replay("hostile", plan.seed))
        .told("call with limits", times.limited_us, "µs")
        .told("call without any", times.bare_us, "µs")
        .told("processor time of a request", request_us, "µs")
        .held(
            "limits' part of a request",
            call_us / request_us * 100.0,
            "%",
            AtMost(COST_PERCENT_MAX),
        )
        .held("throughput lost by code that computes", code_percent, "%", AtMost(COST_PERCENT_MAX))
        .measured(plan.seed, begun.elapsed()))
}

/// Runs the benchmark. `--workspace` chooses the features as for the host's program: with the package
/// alone the engine would be compiled again.
fn times(plan: &Plan<'_>) -> Result<Times> {
    let mut command = cargo();
    command.args(["bench", "--quiet", "--workspace", "--bench", "limits"]);
    if plan.is_development {
        command.args(["--profile", "dev"]);
    }
    let text = output(command.env("CAPLET_GUESTS", plan.workspace.guests_folder()))?;
    let line = text.lines().rfind(|line| line.starts_with('{'));
    let line = line.with_context(|| format!("the benchmark of limits said: {text}"))?;
    serde_json::from_str(line).with_context(|| format!("the benchmark of limits said {line}"))
}

/// How much processor time the host uses for a request when it has as many as it can answer.
async fn processor_time_us(server: &Server, time: Duration) -> Result<f64> {
    let time = time.clamp(Duration::from_secs(2), Duration::from_secs(15));
    let url = format!("{}/api/trap/ok", server.url());
    let n_answers = Arc::new(AtomicU64::new(0));
    let until = Instant::now() + time;
    let before = server.processor_time()?;
    let asking = (0..N_ASKING).map(|_| {
        let (caller, url, n_answers) = (Caller::new(), url.clone(), n_answers.clone());
        tokio::spawn(async move {
            while Instant::now() < until {
                if caller.status(&url).await == Some(200) {
                    n_answers.fetch_add(1, Relaxed);
                }
            }
        })
    });
    for asking in asking.collect::<Vec<_>>() {
        asking.await?;
    }
    let used = server.processor_time()? - before;
    Ok(used.as_secs_f64() * 1e6 / number(usize::try_from(n_answers.load(Relaxed))?))
}
