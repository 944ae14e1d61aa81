//! Where log lines go and how they look: to the standard error; readable on a terminal, one JSON
//! object a line elsewhere. `CAPLET_LOG` says which.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::arguments::Command;
use crate::failure::Failure;

/// Begins to log.
///
/// # Errors
/// When `CAPLET_LOG` is no filter.
pub fn start(command: &Command) -> Result<(), Failure> {
    let default = if matches!(command, Command::Serve(_)) { "info" } else { "warn" };
    let filter = match std::env::var("CAPLET_LOG") {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text).map_err(|reason| {
            Failure::usage(format!(
                "CAPLET_LOG: `{text}` is no filter: {reason}; expected a level (error, warn, info, \
                 debug, trace) or parts such as info,caplet::access=debug"
            ))
        })?,
        _ => EnvFilter::new(default),
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        lines.compact().init();
    } else {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    }
    Ok(())
}
