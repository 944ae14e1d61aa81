//! `caplet serve`: a host until a signal ends it, or another host replaces it. What the steps of a
//! takeover are is in [`crate::takeover`]; one host from start to end is in [`crate::term`].

use std::io::Write;
use std::time::Duration;

use caplet_server::{Host, Listener};

use crate::arguments::Serve;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::takeover::{Predecessor, claim};
use crate::telemetry::Exporter;
use crate::term::{End, Term};
use crate::{environment, list, logging, rehearsal, socket};

/// Runs a host until it is told to stop.
///
/// # Errors
/// Why it could not start, or that calls outlasted the grace time.
pub async fn run(options: Serve) -> Result<(), Failure> {
    let settings = Settings::load(&options.common, options.listen.as_deref())?;
    let mut exporter = Exporter::start(&settings.telemetry)?;
    let progress = Progress::steps(list::n_files(&settings.plugins), "plugins are loaded");
    logging::start(&settings.log, &progress, exporter.as_ref())?;
    environment::warn_of_unknown();
    let stop = Stop::watch()?;
    let (listener, predecessor) = open(&settings, options.takeover).await?;
    let is_complete =
        serve(settings, (listener, predecessor), &stop, &mut exporter, progress).await;
    if let Some(exporter) = exporter {
        exporter.finish().await;
    }
    if is_complete? {
        tracing::info!("stopped");
        Ok(())
    } else {
        Err(Failure::run_time("some calls outlasted the grace time and were given up"))
    }
}

/// The socket, and the host that it was taken from and that is still to be replaced.
async fn open(
    settings: &Settings,
    takeover: bool,
) -> Result<(Listener, Option<Predecessor>), Failure> {
    if takeover {
        rehearsal::rehearse(settings).await?;
        if let Some(predecessor) = claim(&settings.data).await? {
            let listener = socket::taken_over(&predecessor, &settings.listen).await?;
            return Ok((listener, Some(predecessor)));
        }
        tracing::info!("no host runs on this data directory; there is nothing to take over");
    }
    match socket::given()? {
        Some(listener) => Ok((listener, None)),
        None => Ok((socket::bound(&settings.listen).await?, None)),
    }
}

/// Serves until the end, over and over where a successor fails. Returns whether all calls ended well.
async fn serve(
    settings: Settings,
    (mut listener, mut predecessor): (Listener, Option<Predecessor>),
    stop: &Stop,
    exporter: &mut Option<Exporter>,
    progress: Progress,
) -> Result<bool, Failure> {
    let mut progress = Some(progress);
    let mut is_resumed = false;
    if let Some(predecessor) = &mut predecessor {
        replace(predecessor, stop).await?;
        Term::wait_until_free(&settings).await?;
    }
    loop {
        let term = Term::begin(&settings).await?;
        if let Some(exporter) = exporter {
            exporter.attach(term.host())?;
        }
        // Who waits in the queue of a socket that was passed on, or served before, is to find what was
        // there before.
        if predecessor.is_some() || is_resumed {
            term.host().loaded().await;
        } else if listener.is_shared() {
            term.host().ready().await;
        }
        if let Some(predecessor) = predecessor.take() {
            missing(&predecessor, term.host())?;
            predecessor.serving().await;
        }
        announce(&listener)?;
        if let Some(progress) = progress.take() {
            tokio::spawn(show_loading(term.host().clone(), progress));
        }
        let named = settings.plugin.keys().cloned().collect();
        tokio::spawn(warn_of_absent(term.host().clone(), named));
        match term.run(listener, stop).await {
            End::Stopped { is_complete } => return Ok(is_complete),
            End::Replaced => return Ok(true),
            End::NotReplaced(kept) => {
                tracing::error!("the new host ended before it served; this one serves on");
                listener = kept;
                is_resumed = true;
                Term::wait_until_free(&settings).await?;
            }
        }
    }
}

/// Has the running host end, and waits until it has closed its databases.
async fn replace(predecessor: &mut Predecessor, stop: &Stop) -> Result<(), Failure> {
    let given_up = |reason: &str| {
        Failure::run_time(format!("the running host was not replaced and serves on: {reason}"))
    };
    tracing::info!(address = %predecessor.address(), "taking over from the running host");
    predecessor.ready().await.map_err(|reason| given_up(&reason.to_string()))?;
    tokio::select! {
        is_in_time = predecessor.released() => match is_in_time {
            true => Ok(()),
            false => Err(given_up("it did not close its databases in its grace time")),
        },
        () = stop.told() => Err(given_up("this process was told to stop")),
    }
}

/// What the running host served has to be served by this one.
fn missing(predecessor: &Predecessor, host: &Host) -> Result<(), Failure> {
    let table = host.runtime().table();
    let served = predecessor.greeting().plugins.iter();
    let missing: Vec<&str> =
        served.filter(|name| table.get(name).is_none()).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::run_time(format!(
        "the running host serves plugins that this one cannot load: {}; the log says why, and \
         `caplet check FILE` does; the running host serves on",
        missing.join(", ")
    )))
}

/// The one line on the standard output; programs read the address from it. Returns it.
///
/// # Errors
/// When the socket has no address.
pub fn announce(listener: &Listener) -> Result<String, Failure> {
    let address = listener.socket().local_addr();
    let address = address
        .map_err(|reason| Failure::run_time(format!("the socket has no address: {reason}")))?;
    let mut output = std::io::stdout().lock();
    // Nobody has to listen to what is said here.
    let _ = writeln!(output, "caplet listens on http://{address}").and_then(|()| output.flush());
    tracing::info!(%address, "listening");
    Ok(format!("http://{address}"))
}

/// Shows how many plugins are loaded, while the first look at the folder takes long.
async fn show_loading(host: Host, progress: Progress) {
    const PERIOD: Duration = Duration::from_millis(100);
    let loading = async {
        let mut ready = std::pin::pin!(host.ready());
        while tokio::time::timeout(PERIOD, ready.as_mut()).await.is_err() {
            let n_loaded = host.runtime().table().iter().count();
            progress.tell(n_loaded, "plugins are loaded");
        }
    };
    progress.during(loading).await;
}

/// A name in the settings that no plugin has is nearly always a slip of the pen.
async fn warn_of_absent(host: Host, named: Vec<String>) {
    host.loaded().await;
    for plugin in named {
        if host.runtime().table().get(&plugin).is_none() {
            tracing::warn!("`plugin.{plugin}` is set, but no plugin of that name is loaded");
        }
    }
}
