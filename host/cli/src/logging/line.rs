//! A log line for people: the time of day (UTC), the level, what happened, and then its fields.

use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::terminal::{self, Style};

/// The form of a line.
pub struct Line {
    has_colours: bool,
}

impl Line {
    pub fn new(has_colours: bool) -> Self {
        Self { has_colours }
    }

    fn paint<'a>(&self, style: Style, text: &'a str) -> impl fmt::Display + use<'a> {
        terminal::paint(style, text, self.has_colours)
    }

    fn write(
        &self,
        writer: &mut dyn Write,
        metadata: &Metadata<'_>,
        fields: &Fields,
    ) -> fmt::Result {
        let time = time_of_day(SystemTime::now());
        write!(writer, "{} ", self.paint(Style::Faint, &time))?;
        let (style, level) = level(*metadata.level());
        write!(writer, "{} ", self.paint(style, level))?;
        let target = metadata.target();
        if !target.starts_with("caplet") {
            write!(writer, "{} ", self.paint(Style::Faint, target))?;
        }
        if let Some(plugin) = fields.plugin.as_deref().filter(|plugin| !plugin.is_empty()) {
            write!(writer, "{} ", self.paint(Style::Name, plugin))?;
        }
        write!(writer, "{}", fields.message)?;
        // The ids are long, and looked at last.
        for (name, value) in fields.others.iter().chain(&fields.ids) {
            let name = format!("{name}=");
            write!(writer, " {}{value}", self.paint(Style::Faint, &name))?;
        }
        writeln!(writer)
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.write(&mut writer, event.metadata(), &fields)
    }
}

/// The fields of an event, as they are written.
#[derive(Default)]
struct Fields {
    message: String,
    plugin: Option<String>,
    others: Vec<(&'static str, String)>,
    ids: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let value = clean(value);
        match field.name() {
            "message" => self.message = value,
            "plugin" => self.plugin = Some(value),
            // What a plugin wrote is a list of pairs already.
            "fields" if !value.is_empty() => self.message += &format!(" {value}"),
            _ if value.is_empty() => {}
            // What a line about a request is about.
            "method" | "path" | "status" => {
                let gap = if self.message.is_empty() { "" } else { " " };
                self.message += &format!("{gap}{value}");
            }
            name @ ("request_id" | "trace_id") => self.ids.push((name, value)),
            name => self.others.push((name, quoted(value))),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// A value in which a reader sees where it ends.
fn quoted(value: String) -> String {
    if value.contains([' ', '"', '=']) { format!("{value:?}") } else { value }
}

/// A text that cannot move the cursor or begin another line.
fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { cleaned.extend(c.escape_default()) } else { cleaned.push(c) }
    }
    cleaned
}

fn level(level: Level) -> (Style, &'static str) {
    match level {
        Level::ERROR => (Style::Bad, "ERROR"),
        Level::WARN => (Style::Doubtful, "WARN "),
        Level::INFO => (Style::Good, "INFO "),
        Level::DEBUG => (Style::Faint, "DEBUG"),
        Level::TRACE => (Style::Faint, "TRACE"),
    }
}

/// `18:31:02.123`, in UTC.
fn time_of_day(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs() % 86_400;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What is written while `log` runs, without the time.
    fn written(has_colours: bool, log: impl FnOnce()) -> String {
        let text = Arc::new(Mutex::new(Vec::new()));
        let writer = text.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(Line::new(has_colours))
            .with_writer(move || Sink(writer.clone()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
        text.split_once(' ').map(|(_, rest)| rest.to_owned()).unwrap_or_default()
    }

    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn writes_what_happened_and_then_its_fields() {
        let line = written(false, || {
            tracing::warn!(target: "caplet::slow", plugin = "comments", took_ms = 12.5, sql = "SELECT 1", trace_id = "", "a slow call");
        });
        assert_eq!(line, "WARN  comments a slow call took_ms=12.5 sql=\"SELECT 1\"\n");
    }

    #[test]
    fn a_line_about_a_request_begins_with_it_and_ends_with_its_ids() {
        let line = written(false, || {
            tracing::debug!(target: "caplet::access", request_id = "r", method = "GET", path = "/a", status = 200, took_us = 9);
        });
        assert_eq!(line, "DEBUG GET /a 200 took_us=9 request_id=r\n");
    }

    #[test]
    fn a_line_of_a_plugin_shows_its_pairs_as_they_are() {
        let line = written(false, || {
            tracing::info!(target: "caplet::plugin", plugin = "notes", fields = "a=1 b=2", "saved");
        });
        assert_eq!(line, "INFO  notes saved a=1 b=2\n");
    }

    #[test]
    fn nothing_in_a_line_can_forge_another_or_paint_the_terminal() {
        let line = written(false, || {
            tracing::info!(target: "caplet", file = "\u{1b}[2Ja\nINFO forged", "x\ry");
        });
        assert_eq!(line.lines().count(), 1);
        assert!(!line.contains('\u{1b}') && line.starts_with("INFO  x\\ry file="), "{line}");
    }

    #[test]
    fn colours_only_when_they_are_wanted() {
        let log = || tracing::error!(target: "caplet", "broken");
        assert!(written(true, log).contains("\u{1b}["));
        assert_eq!(written(false, log), "ERROR broken\n");
    }

    #[test]
    fn names_the_origin_of_what_is_not_the_hosts() {
        let line = written(false, || tracing::info!(target: "hyper::client", "x"));
        assert_eq!(line, "INFO  hyper::client x\n");
    }

    #[test]
    fn tells_the_time_of_day() {
        let time = UNIX_EPOCH + Duration::from_millis(86_400_000 * 3 + 45_296_007);
        assert_eq!(time_of_day(time), "12:34:56.007");
    }
}
