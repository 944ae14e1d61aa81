//! What plugins write to the log: bounded in length and rate, free of control characters and secrets, and never
//! the payload of a request. The lines go out through `tracing`, with target `caplet::plugin`.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;

use crate::limits::Limits;
use crate::metrics::PluginMetrics;
use crate::redaction::Redaction;

/// Who should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Which invocation a line belongs to.
pub(crate) struct Origin<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) trace_id: &'a str,
}

/// Lets one plugin's lines through, at its rate.
pub(crate) struct LogGate {
    plugin: Arc<str>,
    redaction: Arc<Redaction>,
    line_bytes_max: AtomicUsize,
    bucket: Mutex<Bucket>,
    metrics: Arc<PluginMetrics>,
}

impl LogGate {
    pub(crate) fn new(
        (plugin, redaction): (Arc<str>, Arc<Redaction>),
        limits: &Limits,
        metrics: Arc<PluginMetrics>,
    ) -> Self {
        let bucket = Bucket::new(limits.log_lines_per_second, limits.log_burst_lines);
        let line_bytes_max = limits.log_line_bytes_max.into();
        Self { plugin, redaction, line_bytes_max, bucket: Mutex::new(bucket), metrics }
    }

    /// Holds further lines to these limits.
    pub(crate) fn limit(&self, limits: &Limits) {
        self.line_bytes_max.store(limits.log_line_bytes_max, Relaxed);
        self.bucket.lock().limit(limits.log_lines_per_second, limits.log_burst_lines);
    }

    /// The secrets that no line may show.
    pub(crate) fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// Writes a line, or counts it as dropped. Returns how many bytes of the guest's it held.
    pub(crate) fn write(
        &self,
        level: Level,
        message: &str,
        fields: &[(String, String)],
        origin: Option<Origin<'_>>,
    ) -> usize {
        let bytes = message.len() + fields.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>();
        if !self.bucket.lock().take(Instant::now()) {
            self.metrics.limit_hit("log-rate");
            return bytes;
        }
        let line_bytes_max = self.line_bytes_max.load(Relaxed);
        // Before anything is cut or escaped: a part of a secret would not be known.
        let message = self.redaction.text(message);
        let message = clean(&message, line_bytes_max);
        let left = line_bytes_max.saturating_sub(message.len());
        let fields = fields_text(&self.redaction, fields, left);
        emit(level, &self.plugin, &message, &fields, origin);
        bytes
    }

    /// Counts a line that was not written because its invocation has written enough.
    pub(crate) fn refuse(&self) {
        self.metrics.limit_hit("log-bytes");
    }
}

fn emit(level: Level, plugin: &str, message: &str, fields: &str, origin: Option<Origin<'_>>) {
    let (request_id, trace_id) =
        origin.map_or(("", ""), |origin| (origin.request_id, origin.trace_id));
    macro_rules! at {
        ($level:ident) => {
            tracing::$level!(target: "caplet::plugin", plugin, request_id, trace_id, fields, "{message}")
        };
    }
    match level {
        Level::Trace => at!(trace),
        Level::Debug => at!(debug),
        Level::Info => at!(info),
        Level::Warn => at!(warn),
        Level::Error => at!(error),
    }
}

fn fields_text(redaction: &Redaction, fields: &[(String, String)], bytes_max: usize) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let (name, value) = (redaction.text(name), redaction.text(value));
        let pair = format!("{}={} ", clean(&name, 64), clean(&value, bytes_max));
        if text.len() + pair.len() > bytes_max {
            break;
        }
        text.push_str(&pair);
    }
    text.truncate(text.trim_end().len());
    text
}

/// Cuts a text and escapes what could forge lines or move a terminal's cursor.
fn clean(text: &str, bytes_max: usize) -> Cow<'_, str> {
    let cut = &text[..text.floor_char_boundary(bytes_max)];
    if !cut.chars().any(is_unsafe) {
        return Cow::Borrowed(cut);
    }
    let mut escaped = String::with_capacity(cut.len() + 16);
    for c in cut.chars() {
        if is_unsafe(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped.truncate(escaped.floor_char_boundary(bytes_max));
    Cow::Owned(escaped)
}

/// Control characters, and the separators and direction marks that Unicode adds to them.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A token bucket of lines.
struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new(per_second: u32, burst: u32) -> Self {
        let burst = f64::from(burst);
        Self { per_second: f64::from(per_second), burst, tokens: burst, filled: Instant::now() }
    }

    fn limit(&mut self, per_second: u32, burst: u32) {
        self.per_second = f64::from(per_second);
        self.burst = f64::from(burst);
        self.tokens = self.tokens.min(self.burst);
    }

    fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.burst);
        self.filled = now;
        let allowed = self.tokens >= 1.0;
        if allowed {
            self.tokens -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn escapes_control_characters_and_cuts_at_a_character() {
        assert_eq!(clean("plain", 100), "plain");
        assert_eq!(clean("a\r\nforged", 100), "a\\r\\nforged");
        assert_eq!(clean("\u{1b}[2J", 100), "\\u{1b}[2J");
        assert_eq!(clean("ää", 3), "ä");
        assert!(clean(&"\n".repeat(100), 100).len() <= 100);
    }

    #[test]
    fn bucket_lets_a_burst_through_and_then_the_rate() {
        let mut bucket = Bucket::new(10, 3);
        let now = Instant::now();
        let allowed = (0..10).filter(|_| bucket.take(now)).count();
        assert_eq!(allowed, 3);
        assert!(bucket.take(now + Duration::from_millis(150)));
        assert!(!bucket.take(now + Duration::from_millis(150)));
    }
}
