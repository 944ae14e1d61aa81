//! A language's row in the table that compares them.

use super::place::{Asked, Place};
use crate::bench::report::median;
use serde::Serialize;
use std::fs;

/// What was measured of a language.
#[derive(Debug, Serialize)]
pub struct Row {
    pub language: &'static str,
    pub component_bytes: u64,
    /// `caplet new` and `caplet build`, with the tools installed.
    pub build_s: f64,
    /// `caplet check`, which compiles the component.
    pub compile_s: f64,
    /// Building, and then a new host to the first answer of the plugin.
    pub zero_s: f64,
    /// From an edit to the answer that shows it.
    pub edit_s: f64,
    /// Medians of the rounds, from here on.
    pub call_us: f64,
    pub lists_per_s: f64,
    pub list_p99_ms: f64,
    pub instance_mib: f64,
}

/// The head of the table.
pub const HEAD: &str = "| language | component | built in | compiled in | from zero | edit to serving | warm call | list of 20 | p99 | instance |\n\
    |---|---|---|---|---|---|---|---|---|---|\n";

impl Row {
    /// The row of a language.
    pub fn new(place: &Place<'_>, edit_s: f64, asked: &[Asked]) -> Self {
        let made = place.made;
        let middle =
            |value: fn(&Asked) -> f64| median(&asked.iter().map(value).collect::<Vec<_>>());
        let build_s = made.build_time.as_secs_f64();
        Self {
            language: made.language.title,
            component_bytes: fs::metadata(&made.notes).map_or(0, |file| file.len()),
            build_s,
            compile_s: made.compile_time.as_secs_f64(),
            zero_s: build_s + place.first_answer_s,
            edit_s,
            call_us: middle(|it| it.call_us),
            lists_per_s: middle(|it| it.lists_per_s),
            list_p99_ms: middle(|it| it.list_p99_ms),
            instance_mib: middle(|it| it.instance_bytes) / f64::from(1 << 20),
        }
    }

    /// The row in Markdown; `first` is the language that the others are compared with.
    pub fn text(&self, first: &Self) -> String {
        format!(
            "| {} | {} | {:.1} s | {:.1} s | {:.1} s | {:.1} s | {:.1} µs, {:.2} × | {:.0}/s, {:.2} × | {:.2} ms | {:.2} MiB |\n",
            self.language,
            size(self.component_bytes),
            self.build_s,
            self.compile_s,
            self.zero_s,
            self.edit_s,
            self.call_us,
            self.call_us / first.call_us,
            self.lists_per_s,
            self.lists_per_s / first.lists_per_s,
            self.list_p99_ms,
            self.instance_mib,
        )
    }
}

fn size(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::Row;

    #[test]
    fn a_row_says_its_share_of_the_first() {
        let row = |call_us, lists_per_s| Row {
            language: "C",
            component_bytes: 64 << 10,
            build_s: 1.0,
            compile_s: 0.1,
            zero_s: 1.2,
            edit_s: 0.7,
            call_us,
            lists_per_s,
            list_p99_ms: 2.0,
            instance_mib: 0.25,
        };
        let text = row(6.0, 9_000.0).text(&row(5.0, 10_000.0));
        let expected = "| C | 0.06 MiB | 1.0 s | 0.1 s | 1.2 s | 0.7 s | 6.0 µs, 1.20 × | 9000/s, 0.90 × | 2.00 ms | 0.25 MiB |\n";
        assert_eq!(text, expected);
    }
}
