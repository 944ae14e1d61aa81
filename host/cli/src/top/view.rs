//! What is on the screen: the rows in their order, how the host is, and what each key does. Nothing
//! here knows a terminal.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::rate::{self, Row};
use super::sample::Sample;

/// The heads of the columns.
pub const COLUMNS: [&str; 10] =
    ["PLUGIN", "REQ/S", "ERR/S", "P50", "P95", "P99", "CPU%", "MEM", "RUN", "LIMITS"];

/// What the rows are sorted by; the most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// Requests a second
    Requests,
    /// Errors a second
    Errors,
    /// The time within which 99 of 100 requests are answered
    Latency,
    /// CPU time
    Cpu,
    /// Memory
    Memory,
    /// The name
    Name,
}

impl Sort {
    /// The column that it is about.
    pub fn column(self) -> usize {
        match self {
            Self::Name => 0,
            Self::Requests => 1,
            Self::Errors => 2,
            Self::Latency => 5,
            Self::Cpu => 6,
            Self::Memory => 7,
        }
    }

    fn compare(self, one: &Row, other: &Row) -> Ordering {
        let most = |value: fn(&Row) -> f64| value(other).total_cmp(&value(one));
        let first = match self {
            Self::Name => Ordering::Equal,
            Self::Requests => most(|row| row.requests_per_second),
            Self::Errors => most(|row| row.errors_per_second),
            Self::Latency => most(|row| row.percentiles.map_or(-1.0, |it| it[2])),
            Self::Cpu => most(|row| row.cpu_percent),
            Self::Memory => most(|row| row.memory_bytes),
        };
        first.then_with(|| one.plugin.cmp(&other.plugin))
    }
}

/// What follows a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The screen is drawn again.
    Draw,
    /// Enough was seen.
    End,
}

/// Everything that is shown.
pub struct View {
    pub address: String,
    pub sort: Sort,
    interval: Duration,
    sample: Option<Sample>,
    rows: Vec<Row>,
    /// Since when the host does not answer, and why.
    pub away: Option<(Instant, String)>,
    is_paused: bool,
}

impl View {
    pub fn new(address: String, sort: Sort, interval: Duration) -> Self {
        let (sample, rows, away) = (None, Vec::new(), None);
        Self { address, sort, interval, sample, rows, away, is_paused: false }
    }

    /// Between two looks.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether nothing new is to be shown.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether nothing can be told yet: that needs two looks.
    pub fn is_new(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows, in their order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Connections that are open.
    pub fn connections(&self) -> f64 {
        self.sample.as_ref().map_or(0.0, |sample| sample.connections)
    }

    /// Takes over what a look has brought. While the host is away the last rows stay.
    pub fn take(&mut self, looked: Result<Sample, String>) {
        match looked {
            Ok(sample) => {
                self.away = None;
                self.rows = match &self.sample {
                    Some(before) => rate::rows(before, &sample),
                    None => Vec::new(),
                };
                self.sample = Some(sample);
                self.arrange();
            }
            Err(reason) => {
                let since = self.away.take().map_or_else(Instant::now, |(since, _)| since);
                self.away = Some((since, reason));
            }
        }
    }

    /// Does what a key asks for.
    pub fn press(&mut self, key: KeyEvent) -> Next {
        let sort = match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Next::End,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Next::End;
            }
            KeyCode::Char(' ' | 'p') => {
                self.is_paused = !self.is_paused;
                None
            }
            KeyCode::Char('r') => Some(Sort::Requests),
            KeyCode::Char('e') => Some(Sort::Errors),
            KeyCode::Char('l') => Some(Sort::Latency),
            KeyCode::Char('c') => Some(Sort::Cpu),
            KeyCode::Char('m') => Some(Sort::Memory),
            KeyCode::Char('n') => Some(Sort::Name),
            _ => None,
        };
        self.sort = sort.unwrap_or(self.sort);
        self.arrange();
        Next::Draw
    }

    fn arrange(&mut self) {
        let sort = self.sort;
        self.rows.sort_by(|one, other| sort.compare(one, other));
    }
}

/// A row in words.
pub fn cells(row: &Row) -> [String; 10] {
    let name = if row.plugin.is_empty() { "(host)" } else { &row.plugin };
    let [p50, p95, p99] = match row.percentiles {
        Some(percentiles) => percentiles.map(time),
        None => ["-", "-", "-"].map(str::to_owned),
    };
    let running = match row.waiting {
        waiting if waiting > 0.0 => format!("{:.0}+{waiting:.0}", row.running),
        _ => format!("{:.0}", row.running),
    };
    [
        name.to_owned(),
        number(row.requests_per_second),
        number(row.errors_per_second),
        p50,
        p95,
        p99,
        number(row.cpu_percent),
        size(row.memory_bytes),
        running,
        format!("{:.0}", row.limit_hits),
    ]
}

/// A number in at most four digits.
pub fn number(value: f64) -> String {
    match value {
        value if value <= 0.0 => "0".to_owned(),
        value if value < 9.95 => format!("{value:.1}"),
        value if value < 99_999.5 => format!("{value:.0}"),
        value => format!("{:.0}k", value / 1_000.0),
    }
}

/// A time with the unit that makes it short.
fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 0.000_999_5 => format!("{:.0}µs", seconds * 1e6),
        seconds if seconds < 0.009_95 => format!("{:.1}ms", seconds * 1e3),
        seconds if seconds < 0.999_5 => format!("{:.0}ms", seconds * 1e3),
        seconds => format!("{seconds:.1}s"),
    }
}

/// Bytes with the unit that makes them short.
pub fn size(bytes: f64) -> String {
    const KIB: f64 = 1_024.0;
    match bytes {
        bytes if bytes <= 0.0 => "-".to_owned(),
        bytes if bytes < KIB * KIB => format!("{:.0}K", bytes / KIB),
        bytes if bytes < 10_000.0 * KIB * KIB => format!("{:.0}M", bytes / KIB / KIB),
        bytes => format!("{:.0}G", bytes / KIB / KIB / KIB),
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
pub mod tests;
