//! One host on its data directory, from its start to its end: until it is told to stop, or until
//! another process has taken its place. The order in which it gives up what it holds is in
//! [`crate::takeover`].

use std::sync::Arc;
use std::time::Duration;

use caplet_runtime::{Compiler, Generation};
use caplet_server::host::DATABASES;
use caplet_server::{Error, Host, Listener, Server, secret};
use caplet_store::sqlite::Sqlite;
use tokio::time::Instant;

use crate::compiler;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::takeover::{Greeting, Offer, Successor};

/// How long the directory may stay locked after its last host has ended.
const UNLOCK_TIME_MAX: Duration = Duration::from_secs(10);

/// How long streams without an end may take to say goodbye, once the grace time is over.
const GOODBYE_TIME_MAX: Duration = Duration::from_secs(1);

/// A host that has its databases.
pub struct Term {
    host: Host,
    settings: Settings,
}

/// How a term ended.
pub enum End {
    /// A signal ended it.
    Stopped {
        /// Whether all that was asked was answered.
        is_complete: bool,
    },
    /// Another process serves.
    Replaced,
    /// Another process was to serve and is gone: somebody must serve on this socket.
    NotReplaced(Listener),
}

/// Why the host takes no more connections.
enum Cause {
    Stop,
    Successor(Successor),
}

impl Term {
    /// Waits until the data directory is free, which a host that has said so, or has died, leaves
    /// within a moment.
    ///
    /// # Errors
    /// When it is not.
    pub async fn wait_until_free(settings: &Settings) -> Result<(), Failure> {
        let databases = settings.data.join(DATABASES);
        let free = Sqlite::wait_until_free(&databases);
        match tokio::time::timeout(UNLOCK_TIME_MAX, free).await {
            Ok(free) => free.map_err(|error| Failure::run_time(error.to_string())),
            Err(_) => {
                let databases = databases.display();
                Err(Failure::run_time(format!("{databases} is still in use by another host")))
            }
        }
    }

    /// Takes the data directory, and starts a host on it.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn begin(settings: &Settings) -> Result<Self, Failure> {
        Self::begin_with(settings, compiler::own()?).await
    }

    /// As [`Self::begin`], with components compiled by `compiler`.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn begin_with(settings: &Settings, compiler: Compiler) -> Result<Self, Failure> {
        let host = Host::builder()
            .data(&settings.data)
            .plugins(&settings.plugins)
            .compiler(compiler)
            .config(settings.clone().config())
            .build()
            .await
            .map_err(|error| cannot_start(&error))?;
        Ok(Self { host, settings: settings.clone() })
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Serves on `listener` until the end.
    pub async fn run(self, listener: Listener, stop: &Stop) -> End {
        let server = Server::new(listener, &self.host);
        let offer = self.offer();
        loop {
            match server.accept_until(self.cause(&server, offer.as_ref(), stop)).await {
                Cause::Stop => return self.stop(server).await,
                Cause::Successor(mut successor) => {
                    let deadline = self.deadline();
                    tracing::info!("a new host takes over; answering what was asked");
                    tokio::select! {
                        _ = server.all_asked(deadline) => {
                            drop(offer);
                            return self.hand_over(server, successor, deadline, stop).await;
                        }
                        () = successor.gone() => {
                            tracing::error!("the new host ended before it served; this one serves on");
                        }
                    }
                }
            }
        }
    }

    /// Waits for a reason to end.
    async fn cause(&self, server: &Server, offer: Option<&Offer>, stop: &Stop) -> Cause {
        let successor = async {
            match offer {
                Some(offer) => {
                    let greeting = || self.greeting(server.listener());
                    offer.successor(server.listener(), greeting, || self.busy()).await
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.told() => Cause::Stop,
            successor = successor => Cause::Successor(successor),
        }
    }

    /// The place where a new host can ask. Without one this host can be stopped, and not replaced.
    fn offer(&self) -> Option<Offer> {
        Offer::open(&self.settings.data)
            .inspect_err(|reason| {
                tracing::warn!(%reason, "no new host can take over with `caplet serve --takeover`");
            })
            .ok()
    }

    fn greeting(&self, listener: &Listener) -> Greeting {
        let table = self.host.runtime().table();
        let components = |stable: &Arc<Generation>| {
            let candidate = table.rollout(stable.name()).map(|it| it.candidate().digest());
            let both = std::iter::once(stable.digest()).chain(candidate);
            both.map(|digest| digest.to_string()).collect::<Vec<_>>()
        };
        Greeting {
            grace_ms: self.settings.http.shutdown_grace_ms,
            is_shared: listener.is_shared(),
            plugins: table.iter().map(|generation| generation.name().to_owned()).collect(),
            components: table.iter().flat_map(components).collect(),
        }
    }

    /// Why the databases cannot be given away now.
    fn busy(&self) -> Option<String> {
        let plugin = self.host.runtime().migrating()?;
        Some(format!("the data of `{plugin}` are being migrated; take over when that has ended"))
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.settings.http.shutdown_grace()
    }

    async fn stop(self, server: Server) -> End {
        let deadline = self.deadline();
        tracing::info!(
            "stopping once requests in flight are answered; a second signal stops at once"
        );
        self.host.begin_draining();
        server.close().await.all_end(deadline).await;
        let is_complete = self.host.shutdown(left(deadline)).await;
        End::Stopped { is_complete }
    }

    /// Gives the databases to a successor, and the socket once it serves.
    async fn hand_over(
        self,
        server: Server,
        mut successor: Successor,
        deadline: Instant,
        stop: &Stop,
    ) -> End {
        if !self.host.release(left(deadline)).await {
            tracing::warn!("some calls outlasted the grace time and were given up");
        }
        successor.released().await;
        let (listener, ending) = server.into_parts();
        let is_replaced = tokio::select! {
            serves = successor.serves() => serves,
            () = stop.told() => true,
        };
        if !is_replaced {
            tokio::spawn(ending.all_end(deadline));
            return End::NotReplaced(listener);
        }
        drop(listener);
        tracing::info!("the new host serves; sending what is still being sent");
        if !ending.ended(deadline).await {
            // What has no end of its own is ended now, so that it looks like an end.
            self.host.begin_draining();
            ending.all_end(Instant::now() + GOODBYE_TIME_MAX).await;
        }
        // A component may go on for a moment when its caller has gone.
        self.host.runtime().streams_ended(left(deadline)).await;
        End::Replaced
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// The exit code of a host that cannot start: 2 where the settings are the reason.
pub fn cannot_start(error: &Error) -> Failure {
    match error {
        Error::Service(_)
        | Error::Setting(_)
        | Error::Secret(secret::Error::TooShort { .. } | secret::Error::Twice) => {
            Failure::usage(error.to_string())
        }
        _ => Failure::run_time(error.to_string()),
    }
}
