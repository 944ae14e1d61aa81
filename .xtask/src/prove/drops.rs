//! A file is dropped into the plugin folder of a running host: how long until it serves.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

use super::{
    Plan,
    row::{AtMost, Row, replay},
    samples::{number, percentile},
};

/// Small plugins in Rust with something that they answer.
const PLUGINS: [(&str, &str); 3] = [
    ("hello", "/api/hello/Ada"),
    ("upgrade-v1", "/api/upgrade/version"),
    ("constant-json", "/api/constant-json"),
];

const WARM_MS_MAX: f64 = 1_000.0;
const COMPILED_MS_MAX: f64 = 3_000.0;

/// Between two looks, and how long to look.
const LOOK_TIME: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(60);

/// Drops each plugin into hosts that never saw it, takes it away and drops it once more.
pub async fn run(plan: &Plan<'_>) -> Result<Vec<Row>> {
    let begun = Instant::now();
    let rounds = (plan.time.as_secs() / 10).clamp(1, 5);
    let (mut compiled_ms, mut warm_ms) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let place = plan.stage.place(&format!("drops-{round}"))?;
        let server = place.start(&[], &[])?;
        for (plugin, path) in PLUGINS {
            let url = format!("{}{path}", server.url());
            let component = plan.stage.guest(plugin)?;
            for times_ms in [&mut compiled_ms, &mut warm_ms] {
                let dropped = Instant::now();
                place.drop_in(plugin, &component)?;
                until(&url, true).await?;
                times_ms.push(dropped.elapsed().as_secs_f64() * 1_000.0);
                place.take_out(plugin)?;
                until(&url, false).await?;
            }
        }
        server.stop()?;
    }
    let what = "A small plugin in Rust is dropped into the plugin folder of a running host: once compiled \
                before, and once the first time, it serves soon, counted from the moment when the file is \
                there until a request is answered.";
    let row = Row::new("drop-serves", what, replay("drops", plan.seed))
        .told("drops", number(warm_ms.len() + compiled_ms.len()), "")
        .told("compiled before, median", percentile(&warm_ms, 50.0), "ms")
        .held("compiled before, longest", percentile(&warm_ms, 100.0), "ms", AtMost(WARM_MS_MAX))
        .told("compiled now, median", percentile(&compiled_ms, 50.0), "ms")
        .held(
            "compiled now, longest",
            percentile(&compiled_ms, 100.0),
            "ms",
            AtMost(COMPILED_MS_MAX),
        );
    Ok(vec![row.measured(plan.seed, begun.elapsed())])
}

/// Waits until a path is answered well, or is not there any more.
async fn until(url: &str, serves: bool) -> Result<()> {
    let begun = Instant::now();
    let is_so = || ureq::get(url).call().is_ok() == serves;
    while !tokio::task::block_in_place(is_so) {
        if begun.elapsed() > PATIENCE {
            bail!("{url}: after {PATIENCE:?} it is still not so that it serves: {serves}");
        }
        tokio::time::sleep(LOOK_TIME).await;
    }
    Ok(())
}
