//! Threads of low priority, on which the guests run that run long or whose plugin runs much. The system
//! takes the processor from them as soon as anybody else needs it, so that whoever needs little does not
//! wait for their next tick.
//!
//! When a call moves here is said in [`crate::detached`]. Only Linux has priorities of threads; on other
//! systems these are threads like all others, and [`crate::turns`] leave a processor free.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Whether the system knows priorities of threads.
pub(crate) const HAS_PRIORITIES: bool = cfg!(target_os = "linux");

/// What the threads give way by. Not the most that there is: a lock that such a thread holds is waited
/// for by others.
#[cfg(target_os = "linux")]
const NICENESS: libc::c_int = 10;

/// The threads. They end, with what runs on them, when this is dropped.
pub(crate) struct BackRow {
    /// None while it is dropped.
    threads: Option<Runtime>,
}

impl BackRow {
    /// Starts as many threads as there are processors.
    pub(crate) fn start() -> std::io::Result<Arc<Self>> {
        let n_processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = Builder::new_multi_thread()
            .worker_threads(n_processors)
            .thread_name("caplet-back-row")
            .on_thread_start(give_way)
            .enable_all()
            .build()?;
        Ok(Arc::new(Self { threads: Some(threads) }))
    }

    /// Runs a call to its end, and outlives it.
    pub(crate) fn run<T: Send + 'static>(
        self: Arc<Self>,
        call: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let threads = self.threads.as_ref().expect("there are threads until this is dropped");
        let handle = threads.handle().clone();
        handle.spawn(async move {
            let outcome = call.await;
            drop(self);
            outcome
        })
    }
}

impl Drop for BackRow {
    fn drop(&mut self) {
        // Waiting for the threads is not allowed here: this may be dropped by a task.
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

#[cfg(target_os = "linux")]
fn give_way() {
    #[expect(unsafe_code, reason = "the standard library has no priorities")]
    // SAFETY: the function takes plain numbers; on Linux it changes nothing but this thread's priority.
    let set = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
    if set != 0 {
        let error = std::io::Error::last_os_error();
        tracing::warn!(%error, "a thread for guests that run long has no lower priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_outlives_whoever_has_its_threads() {
        let back_row = BackRow::start().unwrap();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let running = back_row.run(async move {
            gone.await.unwrap();
            std::thread::current().name().map(str::to_owned)
        });
        go.send(()).unwrap();
        assert_eq!(running.await.unwrap().as_deref(), Some("caplet-back-row"));
    }
}
