//! `caplet serve`: a host until a signal ends it.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use caplet_server::{Error, Host, secret};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::arguments::Serve;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::settings::{Listen, Settings};
use crate::telemetry::Exporter;
use crate::{environment, list, logging};

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
    let stop = stop_signal()?;
    let listener = bind(&settings.listen).await?;
    let grace = Duration::from_millis(settings.http.shutdown_grace_ms);
    let named: Vec<String> = settings.plugin.keys().cloned().collect();
    let host = Host::builder()
        .data(&settings.data)
        .plugins(&settings.plugins)
        .config(settings.config())
        .build()
        .await
        .map_err(|error| cannot_start(&error))?;
    if let Some(exporter) = &mut exporter {
        exporter.attach(&host)?;
    }
    announce(listener.local_addr())?;
    tokio::spawn(show_loading(host.clone(), progress));
    tokio::spawn(warn_of_absent(host.clone(), named));
    let mut stopping = Instant::now();
    let stopped = async {
        // The sender is gone only when the process ends.
        let _ = stop.await;
        stopping = Instant::now();
        tracing::info!(
            "stopping once requests in flight are answered; a second signal stops at once"
        );
    };
    caplet_server::serve(listener, host.clone(), stopped).await;
    let is_drained = host.shutdown(grace.saturating_sub(stopping.elapsed())).await;
    if let Some(exporter) = exporter {
        exporter.finish().await;
    }
    if is_drained {
        tracing::info!("stopped");
        Ok(())
    } else {
        Err(Failure::run_time("some calls outlasted the grace time and were given up"))
    }
}

async fn bind(listen: &Listen) -> Result<TcpListener, Failure> {
    TcpListener::bind(&listen.0).await.map_err(|reason| {
        let remedy = match reason.kind() {
            std::io::ErrorKind::AddrInUse => "; another program listens there: choose another port",
            std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
            _ => "",
        };
        Failure::run_time(format!("cannot listen on {}: {reason}{remedy}", listen.0))
    })
}

/// The one line on the standard output; programs read the address from it.
fn announce(address: std::io::Result<SocketAddr>) -> Result<(), Failure> {
    let address = address
        .map_err(|reason| Failure::run_time(format!("the socket has no address: {reason}")))?;
    let mut output = std::io::stdout().lock();
    // Nobody has to listen to what is said here.
    let _ = writeln!(output, "caplet listens on http://{address}").and_then(|()| output.flush());
    tracing::info!(%address, "listening");
    Ok(())
}

fn cannot_start(error: &Error) -> Failure {
    match error {
        Error::Service(_)
        | Error::Setting(_)
        | Error::Secret(secret::Error::TooShort { .. } | secret::Error::Twice) => {
            Failure::usage(error.to_string())
        }
        _ => Failure::run_time(error.to_string()),
    }
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
    host.ready().await;
    for plugin in named {
        if host.runtime().table().get(&plugin).is_none() {
            tracing::warn!("`plugin.{plugin}` is set, but no plugin of that name is loaded");
        }
    }
}

/// Ready at the first SIGTERM or SIGINT; the second one ends the process.
fn stop_signal() -> Result<oneshot::Receiver<()>, Failure> {
    let listen = |kind| {
        signal(kind).map_err(|reason| Failure::run_time(format!("cannot watch signals: {reason}")))
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        // The receiver is gone when the host could not start: then the process is ending already.
        let _ = stop.send(());
        either(&mut terminate, &mut interrupt).await;
        std::process::exit(1);
    });
    Ok(stopped)
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
