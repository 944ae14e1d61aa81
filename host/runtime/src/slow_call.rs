//! The log line of a call that took long: where its time went, and which statement took most of it.
//! Target `caplet::slow`.

use std::time::Duration;

use crate::generation::Generation;
use crate::spans;
use crate::usage::Usage;
use crate::work::Origin;

/// The longest text of a statement in the line, in bytes.
const STATEMENT_BYTES_MAX: usize = 500;

/// Writes the line and counts the call, when it took as long as the operator wants to be told of.
/// `wall` is the time from the call's turn to its answer; the wait for the turn is in `usage`.
pub(crate) fn report(
    generation: &Generation,
    (operation, origin): (&str, Origin<'_>),
    outcome: &str,
    wall: Duration,
    usage: &Usage,
) {
    let context = &generation.context;
    let took = wall + usage.queue;
    if context.slow_call.is_none_or(|threshold| took < threshold) {
        return;
    }
    context.metrics.slow_calls.inc();
    let (slowest, statement) = match &usage.store.slowest {
        Some((took, text)) => (*took, one_line(&context.redaction.text(text))),
        None => (Duration::ZERO, String::new()),
    };
    tracing::warn!(
        target: "caplet::slow",
        plugin = generation.name(),
        version = generation.version(),
        operation,
        outcome,
        took_ms = milliseconds(took),
        queue_ms = milliseconds(usage.queue),
        cpu_ms = milliseconds(usage.cpu),
        sql_ms = milliseconds(usage.store.time),
        begin_ms = milliseconds(usage.store.begin),
        commit_ms = milliseconds(usage.store.commit),
        sql_statements = usage.store.n_statements,
        slowest_sql_ms = milliseconds(slowest),
        slowest_sql = statement,
        request_id = %origin.request_id,
        trace_id = %origin.trace_id,
        "a slow call"
    );
}

/// Milliseconds with their tenths.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// A statement without its line breaks and indentation, cut.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.len() + word.len() >= STATEMENT_BYTES_MAX {
            let left = STATEMENT_BYTES_MAX.saturating_sub(line.len());
            line.push_str(spans::cut(word, left));
            line.push('…');
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_statement_in_one_line() {
        assert_eq!(one_line("SELECT a,\n       b\n  FROM t\n"), "SELECT a, b FROM t");
        assert_eq!(one_line(""), "");
    }

    #[test]
    fn cuts_a_long_statement() {
        for text in ["x".repeat(2_000), "word ".repeat(500), "ä".repeat(600)] {
            let line = one_line(&text);
            assert!(line.ends_with('…') && line.len() <= STATEMENT_BYTES_MAX + 3, "{line}");
        }
    }

    #[test]
    fn counts_milliseconds_in_tenths() {
        assert!((milliseconds(Duration::from_micros(1_249)) - 1.2).abs() < 1e-9);
    }
}
