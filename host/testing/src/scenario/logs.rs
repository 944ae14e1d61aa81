//! What plugins log while scenarios run, by the request that they answer.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The target of the lines that are a plugin's.
const TARGET: &str = "caplet::plugin";

/// The most lines that are kept between two requests.
const LINES_MAX: usize = 1_000;

/// A line of a plugin's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logged {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// The message.
    pub message: String,
    /// The named values, as `name=value` with spaces between.
    pub fields: String,
    request_id: String,
}

impl fmt::Display for Logged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.level, self.message, self.fields)
    }
}

/// Hears what plugins log. Copies hear the same.
#[derive(Debug, Clone, Default)]
pub struct Logs(Arc<Mutex<Vec<Logged>>>);

impl Logs {
    /// Hears it from now on in the whole process; where somebody hears already, nothing is heard.
    #[must_use]
    pub fn install() -> Self {
        let logs = Self::default();
        let layer = logs.clone().with_filter(
            tracing_subscriber::filter::Targets::new().with_target(TARGET, tracing::Level::TRACE),
        );
        // A second test of one process keeps the first one's: its own lines are not looked at then.
        let _ = tracing_subscriber::registry().with(layer).try_init();
        logs
    }

    /// The lines of a request. All that was heard until now is forgotten.
    #[must_use]
    pub fn take(&self, request_id: &str) -> Vec<Logged> {
        let lines = std::mem::take(&mut *self.0.lock());
        lines.into_iter().filter(|line| line.request_id == request_id).collect()
    }
}

impl<S: Subscriber> Layer<S> for Logs {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        let mut line = Logged { level, ..Logged::default() };
        event.record(&mut line);
        let mut lines = self.0.lock();
        if lines.len() < LINES_MAX {
            lines.push(line);
        }
    }
}

impl Visit for Logged {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "request_id" => value.clone_into(&mut self.request_id),
            "fields" => value.clone_into(&mut self.fields),
            "message" => value.clone_into(&mut self.message),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}
