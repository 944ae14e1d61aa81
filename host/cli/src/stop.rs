//! The signals that end a host: the first SIGTERM or SIGINT asks for it, the second one does it.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::failure::Failure;

/// Whether the host was told to stop. Clones are told alike.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Watches the signals from now on.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn watch() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|reason| Failure::run_time(format!("cannot watch signals: {reason}")))
        };
        let mut terminate = listen(SignalKind::terminate())?;
        let mut interrupt = listen(SignalKind::interrupt())?;
        let (told, stop) = watch::channel(false);
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            told.send_replace(true);
            either(&mut terminate, &mut interrupt).await;
            std::process::exit(1);
        });
        Ok(Self(stop))
    }

    /// Waits for the first signal.
    pub async fn told(&self) {
        // The sender is gone only when the process ends.
        let _ = self.0.clone().wait_for(|is_told| *is_told).await;
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
