//! What is measured of the host alone: how soon it answers after its start, and what a plugin holds
//! that nobody calls.

use super::{
    benchmarks::LIST,
    data::Data,
    load::{Request, ask},
    report::{Bar, Report, Unit, median},
    stage::{COMMENTS, Stage, TAGS},
};
use crate::memory::Memory;
use anyhow::{Result, bail};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How often the host is started.
const STARTS: usize = 15;

/// How often a host that starts is asked.
const POLL_TIME: Duration = Duration::from_millis(1);

/// How long a host may take to its first answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// After this many milliseconds a warm instance is dropped, and a little later it is gone.
const IDLE_MS_MAX: u64 = 500;
const REST: Duration = Duration::from_secs(4);

/// Each plugin with something that it answers.
const PLUGINS: [(&str, &str); 2] = [(COMMENTS, LIST), (TAGS, "/api/tags")];

/// From the start of the program to the first list of comments, with the plugins' code in the cache.
pub fn start(stage: &Stage, report: &mut Report) -> Result<()> {
    let data = Data::make(stage)?;
    data.restore()?;
    let times_ms = with_plugins(stage, &PLUGINS.map(|(name, _)| name), || {
        let times = (0..=STARTS).map(|_| first_answer(stage));
        // The first one fills the caches of the system.
        times.skip(1).map(|time| Ok(time?.as_secs_f64() * 1e3)).collect::<Result<Vec<_>>>()
    })?;
    let worst_ms = times_ms.iter().copied().fold(0.0, f64::max);
    let bar = Some(Bar::AtMost(300.0));
    report.add("start to first answer", median(&times_ms), Unit::Milliseconds, bar);
    report.add("start to first answer, slowest", worst_ms, Unit::Milliseconds, None);
    Ok(())
}

fn first_answer(stage: &Stage) -> Result<Duration> {
    let began = Instant::now();
    let server = stage.start_host(&[])?;
    let url = format!("{}{LIST}", server.url());
    while ureq::get(&url).call().is_err() {
        if began.elapsed() > PATIENCE {
            bail!("the host did not answer {LIST} within {PATIENCE:?}");
        }
        thread::sleep(POLL_TIME);
    }
    let time = began.elapsed();
    server.stop()?;
    Ok(time)
}

/// What the host holds more for each plugin that was called once and then left alone, beside the
/// compiled code.
pub fn idle(stage: &Stage, report: &mut Report) -> Result<()> {
    let without = with_plugins(stage, &[], || at_rest(stage, &[]))?;
    let with = with_plugins(stage, &PLUGINS.map(|(name, _)| name), || {
        // What compiling leaves behind is not what is asked for: the code is in the cache then.
        at_rest(stage, &PLUGINS)?;
        at_rest(stage, &PLUGINS)
    })?;
    let more_kib = with.anonymous_kib.saturating_sub(without.anonymous_kib);
    let code_bytes = code_bytes(&data(stage).join("cache"))?;
    let over_code_mib = (more_kib as f64 / 1024.0) - (code_bytes as f64 / f64::from(1 << 20));
    let each_mib = over_code_mib / PLUGINS.len() as f64;
    let mebibytes = |kib: u64| kib as f64 / 1024.0;
    let unit = Unit::Mebibytes;
    report.add("idle plugin, over its code", each_mib, unit, Some(Bar::AtMost(1.0)));
    report.add("host without plugins", mebibytes(without.proportional_kib), unit, None);
    report.add("host with idle plugins", mebibytes(with.proportional_kib), unit, None);
    Ok(())
}

/// The host's memory once each plugin has answered and its instances are gone.
fn at_rest(stage: &Stage, plugins: &[(&str, &str)]) -> Result<Memory> {
    let (data, idle_ms_max) = (data(stage), IDLE_MS_MAX.to_string());
    let settings = [
        ("CAPLET_LIMITS__IDLE_MS_MAX", OsStr::new(&idle_ms_max)),
        ("CAPLET_DATA", data.as_os_str()),
    ];
    let mut server = stage.start_host(&settings)?;
    server.wait_until_ready()?;
    let agent = ureq::Agent::new_with_defaults();
    for (name, path) in plugins {
        let answer = ask(&agent, server.url(), &Request::get(path))?;
        if answer.status != 200 {
            bail!("{name} answers {path} with {answer:?}");
        }
    }
    thread::sleep(REST);
    let memory = server.memory()?;
    server.stop()?;
    Ok(memory)
}

/// Runs `work` with these plugins and no others installed.
fn with_plugins<T>(stage: &Stage, names: &[&str], work: impl FnOnce() -> Result<T>) -> Result<T> {
    stage.install(names)?;
    let result = work();
    stage.install_all()?;
    result
}

/// A folder of data whose cache has the compiled code of [`PLUGINS`] and nothing else.
fn data(stage: &Stage) -> PathBuf {
    stage.folder.join("idle")
}

/// The size of the compiled code in a cache.
fn code_bytes(cache: &Path) -> Result<u64> {
    let (mut n_entries, mut sum) = (0, 0);
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "cwasm") {
            n_entries += 1;
            sum += entry.metadata()?.len();
        }
    }
    if n_entries != PLUGINS.len() {
        bail!("{} has {n_entries} entries of compiled code", cache.display());
    }
    Ok(sum)
}
