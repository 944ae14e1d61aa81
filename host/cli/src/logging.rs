//! Where log lines go and how they look: to the standard error; readable on a terminal, one JSON
//! object a line elsewhere, or as `[log]` says. Spans go through the same subscriber, to whoever
//! exports them.

mod line;
mod writer;

use serde::Deserialize;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::failure::Failure;
use crate::progress::Progress;
use crate::telemetry::Exporter;
use crate::terminal;

use line::Line;
use writer::Writer;

/// What the log has, and how it looks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged; the variable `CAPLET_LOG` wins over it.
    pub filter: String,
    /// How the lines look.
    pub format: Format,
    /// A call that takes as long, in milliseconds, is told in a line of its own; 0 tells of none.
    pub slow_call_ms: u64,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// Text.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        let slow_call_ms = caplet_server::config::Log::default().slow_call_ms;
        Self { filter: "info".to_owned(), format: Format::Auto, slow_call_ms }
    }
}

/// Begins to log for a command that does not serve: warnings only.
///
/// # Errors
/// When `CAPLET_LOG` is no filter.
pub fn start_quietly() -> Result<(), Failure> {
    let log = Log { filter: "warn".to_owned(), ..Log::default() };
    start(&log, &Progress::none(), None)
}

/// Begins to log, and to hand spans to the exporter. Lines do not disturb what shows progress.
///
/// # Errors
/// When `CAPLET_LOG` or the setting is no filter.
pub fn start(log: &Log, progress: &Progress, exporter: Option<&Exporter>) -> Result<(), Failure> {
    let writer = Writer::new(progress);
    let is_text = match log.format {
        Format::Auto => terminal::is_shown(),
        Format::Text => true,
        Format::Json => false,
    };
    let lines = if is_text {
        let line = Line::new(terminal::has_colours());
        fmt::layer().event_format(line).with_writer(writer).boxed()
    } else {
        let lines = fmt::layer().json().flatten_event(true);
        lines.with_current_span(false).with_span_list(false).with_writer(writer).boxed()
    };
    let lines: Box<dyn Layer<Registry> + Send + Sync> = lines;
    let lines = lines.with_filter(filter(log)?);
    let spans = exporter.and_then(Exporter::layer);
    tracing_subscriber::registry().with(lines).with(spans).init();
    Ok(())
}

fn filter(log: &Log) -> Result<EnvFilter, Failure> {
    let variable = std::env::var("CAPLET_LOG").ok().filter(|text| !text.is_empty());
    let (place, text) = match &variable {
        Some(text) => ("CAPLET_LOG", text),
        None => ("log.filter", &log.filter),
    };
    let filter = EnvFilter::try_new(text).map_err(|reason| {
        Failure::usage(format!(
            "{place}: `{text}` is no filter: {reason}; expected a level (error, warn, info, debug, \
             trace) or parts such as info,caplet::access=debug"
        ))
    })?;
    // The parser of statements tells of every literal, and those are plugins' data and secrets.
    Ok(filter.add_directive("sqlparser=off".parse().expect("a directive")))
}
