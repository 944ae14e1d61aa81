//! How the view is drawn: a head, the rows, and the keys; readable in 80 columns and 24 lines.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row as TableRow, Table};

use super::rate::Row;
use super::view::{COLUMNS, View, cells, number, size};

/// How wide the columns are; the first takes what is left.
const WIDTHS: [u16; 9] = [6, 6, 6, 6, 6, 6, 6, 6, 6];

/// The narrowest that the names may be.
const NAME_WIDTH_MIN: u16 = 12;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, view: &View) {
    let areas = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ]);
    let [head, between, rows, keys] = areas.areas(frame.area());
    frame.render_widget(Paragraph::new(vec![host(view), totals(view)]), head);
    if let Some((since, reason)) = &view.away {
        let gone = format!("away for {}: {reason}", shortly(since.elapsed()));
        frame.render_widget(Paragraph::new(gone.red().bold()), between);
    }
    draw_rows(frame, view, rows);
    frame.render_widget(Paragraph::new(keys_line(view)), keys);
}

/// Which host, and how often it is looked at.
fn host(view: &View) -> Line<'static> {
    let mut line = vec!["caplet top ".bold(), Span::raw(view.address.clone()), Span::raw("  ")];
    line.push(if view.is_paused() {
        "paused".yellow()
    } else {
        format!("every {}", shortly(view.interval())).dim()
    });
    Line::from(line)
}

fn shortly(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

/// All plugins together.
fn totals(view: &View) -> Line<'static> {
    let sum = |value: fn(&Row) -> f64| view.rows().iter().map(value).sum::<f64>();
    let n_plugins = view.rows().iter().filter(|row| !row.plugin.is_empty()).count();
    let errors = sum(|row| row.errors_per_second);
    let errors = Span::styled(format!("{} errors/s", number(errors)), warning(errors > 0.0));
    Line::from(vec![
        Span::raw(format!("{n_plugins} plugins  ")),
        Span::raw(format!("{} requests/s  ", number(sum(|row| row.requests_per_second)))),
        errors,
        Span::raw(format!("  CPU {} %", number(sum(|row| row.cpu_percent)))),
        Span::raw(format!("  memory {}", size(sum(|row| row.memory_bytes)))),
        Span::raw(format!("  {:.0} connections", view.connections())),
    ])
}

fn draw_rows(frame: &mut Frame<'_>, view: &View, area: Rect) {
    if view.is_new() {
        let text =
            if view.away.is_some() { "Trying again." } else { "Looking for the first time." };
        frame.render_widget(Paragraph::new(text.dim()), area);
        return;
    }
    let widths = std::iter::once(Constraint::Min(NAME_WIDTH_MIN));
    let widths = widths.chain(WIDTHS.map(Constraint::Length));
    let rows = view.rows().iter().map(|row| table_row(row, view));
    let table = Table::new(rows, widths).header(header(view)).column_spacing(1);
    frame.render_widget(table, area);
}

fn header(view: &View) -> TableRow<'static> {
    let cell = |(index, name): (usize, &&'static str)| {
        let mut style = Style::new().add_modifier(Modifier::BOLD);
        if index == view.sort.column() {
            style = style.fg(Color::Cyan).add_modifier(Modifier::UNDERLINED);
        }
        aligned(index, Span::styled(*name, style))
    };
    TableRow::new(COLUMNS.iter().enumerate().map(cell))
}

fn table_row(row: &Row, view: &View) -> TableRow<'static> {
    let style = |index: usize| match index {
        0 => Style::new().fg(Color::Cyan),
        2 => warning(row.errors_per_second > 0.0),
        9 => warning(row.new_limit_hits > 0.0),
        _ => Style::new(),
    };
    let cells = cells(row).into_iter().enumerate();
    let drawn =
        TableRow::new(cells.map(|(index, text)| aligned(index, Span::styled(text, style(index)))));
    if view.away.is_some() { drawn.dim() } else { drawn }
}

/// Names begin at the left, numbers end at the right.
fn aligned(index: usize, span: Span<'static>) -> Cell<'static> {
    let alignment = if index == 0 { Alignment::Left } else { Alignment::Right };
    Cell::from(Line::from(span).alignment(alignment))
}

fn warning(is_on: bool) -> Style {
    if is_on { Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD) } else { Style::new() }
}

fn keys_line(view: &View) -> Line<'static> {
    let pause = if view.is_paused() { "go on" } else { "pause" };
    let keys = [
        ("q", "quit"),
        ("space", pause),
        ("r", "requests"),
        ("e", "errors"),
        ("l", "latency"),
        ("c", "CPU"),
        ("m", "memory"),
        ("n", "name"),
    ];
    let words = keys.into_iter().flat_map(|(key, meaning)| {
        [Span::raw(key).bold(), Span::raw(format!(" {meaning}  ")).dim()]
    });
    Line::from(words.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::view::tests::view;
    use super::*;

    /// The lines of a screen of 80 columns and 24 lines.
    fn lines(view: &View) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, view)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..24).map(|y| line(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn everything_fits_a_small_terminal() {
        let lines = lines(&view());
        assert_eq!(lines[0], "caplet top http://127.0.0.1:8080/  every 2 s");
        assert!(lines[1].starts_with("2 plugins  421 requests/s  2.0 errors/s  CPU 100 %"));
        assert!(lines[1].ends_with("12 connections"), "{}", lines[1]);
        for column in COLUMNS {
            assert!(lines[3].contains(column), "{column} is not in {}", lines[3]);
        }
        assert!(lines[4].starts_with("comments ") && lines[4].ends_with(" 1"), "{}", lines[4]);
        assert!(lines[4].contains(" 400 ") && lines[4].contains(" 500µs "), "{}", lines[4]);
        assert!(lines[6].starts_with("(host)"), "{}", lines[6]);
        assert!(lines[23].starts_with("q quit") && lines[23].ends_with("n name"), "{}", lines[23]);
    }

    #[test]
    fn says_that_a_host_is_away_and_keeps_its_rows() {
        let mut view = view();
        view.take(Err("nothing listens there; is the host running?".to_owned()));
        let lines = lines(&view);
        let reason = "ms: nothing listens there; is the host running?";
        assert!(lines[2].starts_with("away for ") && lines[2].ends_with(reason), "{}", lines[2]);
        assert!(lines[4].starts_with("comments "), "{}", lines[4]);
    }

    #[test]
    fn nothing_is_made_up_before_the_second_look() {
        let sort = super::super::view::Sort::Name;
        let view = View::new("http://h/".to_owned(), sort, Duration::from_secs(2));
        assert!(lines(&view).contains(&"Looking for the first time.".to_owned()));
    }
}
