//! The spans of an invocation, named and described as OpenTelemetry's conventions ask. A subscriber
//! exports them or does not; without one that wants them, each costs one comparison.
//!
//! A statement is shown by its text, in which values are parameters; the parameters themselves are
//! never shown.

use std::fmt;
use std::time::Duration;

use tracing::Span;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;

use crate::fault::Fault;
use crate::guest::Context;
use crate::usage::Usage;
use crate::work::Origin;

/// The longest text of a statement in a span, in bytes.
const STATEMENT_BYTES_MAX: usize = 4 << 10;

/// One call into a plugin.
pub(crate) fn invocation(context: &Context, operation: &str, origin: Origin<'_>) -> Span {
    tracing::debug_span!(
        target: "caplet::invocation",
        "invocation",
        otel.name = %Pair(&context.plugin, ".", operation),
        caplet.plugin = %context.plugin,
        caplet.operation = operation,
        caplet.request_id = %origin.request_id,
        caplet.tenant = %origin.tenant,
        caplet.cpu_us = Empty,
        caplet.queue_us = Empty,
        caplet.sql_statements = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    )
}

/// One statement.
pub(crate) fn statement(context: &Context, text: &str) -> Span {
    tracing::debug_span!(
        target: "caplet::sql",
        "sql",
        otel.name = %Pair(&verb(text), " ", &context.plugin),
        otel.kind = "client",
        db.system.name = system(context),
        db.namespace = %context.plugin,
        db.operation.name = %verb(text),
        db.query.text = cut(&context.redaction.text(text), STATEMENT_BYTES_MAX),
        db.response.returned_rows = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    )
}

/// The begin or the commit of the invocation's transaction: waits for a turn, or for the disk.
pub(crate) fn transaction(context: &Context, verb: &'static str) -> Span {
    tracing::debug_span!(
        target: "caplet::sql",
        "sql",
        otel.name = %Pair(verb, " ", &context.plugin),
        otel.kind = "client",
        db.system.name = system(context),
        db.namespace = %context.plugin,
        db.operation.name = verb,
        error.type = Empty,
        otel.status_code = Empty,
    )
}

/// Notes why a store call failed.
pub(crate) fn failed(span: &Span, error: &caplet_store::Error) {
    span.record("error.type", error.code()).record("otel.status_code", "ERROR");
}

/// Notes why there is no answer.
pub(crate) fn faulted(span: &Span, fault: &Fault) {
    span.record("error.type", fault.code()).record("otel.status_code", "ERROR");
}

/// Notes in the current span, which is the invocation's, what it took.
pub(crate) fn finished(usage: &Usage) {
    if LevelFilter::current() < LevelFilter::DEBUG {
        return;
    }
    let span = Span::current();
    let microseconds = |time: Duration| number(time.as_micros());
    span.record("caplet.cpu_us", microseconds(usage.cpu))
        .record("caplet.queue_us", microseconds(usage.queue))
        .record("caplet.sql_statements", i64::from(usage.store.n_statements));
}

/// A count as the signed number that attributes are: others are exported as texts.
pub(crate) fn number(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

fn system(context: &Context) -> &'static str {
    context.database.as_ref().map_or("other_sql", |database| database.system())
}

/// The first word of a statement, in capitals.
fn verb(text: &str) -> String {
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty());
    word.unwrap_or("SQL").to_ascii_uppercase()
}

/// The beginning of a text, cut between characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Two words and what stands between them, put together only when somebody reads it.
struct Pair<'a>(&'a str, &'static str, &'a str);

impl fmt::Display for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_a_statement_by_its_first_word() {
        assert_eq!(verb("\n  select 1"), "SELECT");
        assert_eq!(verb("WITH a AS (SELECT 1) SELECT * FROM a"), "WITH");
        assert_eq!(verb(""), "SQL");
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut("aä", 2), "a");
        assert_eq!(cut("aä", 3), "aä");
        assert_eq!(cut("a", 9), "a");
    }
}
