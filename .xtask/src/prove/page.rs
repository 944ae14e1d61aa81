//! The report as one page for people: it needs no network and no script, and reads well in light, in
//! dark, on paper, and read out aloud.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    report::Report,
    row::{AtMost, Figure, Row, Verdict},
};

/// The page.
pub fn page(report: &Report) -> Markup {
    let n_failed = report.n_failed();
    let n_slow = report.rows.iter().filter(|row| row.verdict() == Verdict::Slow).count();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Caplet: what was proved" }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header {
                    h1 { "Caplet: what was proved" }
                    @if n_failed == 0 && n_slow == 0 {
                        p.verdict.good { "✓ All " (report.rows.len()) " rows hold." }
                    } @else if n_failed == 0 {
                        p.verdict { "✓ Nothing went wrong in " (report.rows.len()) " rows; in " (n_slow)
                            " of them a figure missed its bar, which does not count in a short run." }
                    } @else {
                        p.verdict.bad { "✗ " (n_failed) " of " (report.rows.len()) " rows do not hold." }
                    }
                    (machine(report))
                }
                main {
                    h2 id="rows" { "At a glance" }
                    (overview(&report.rows))
                    h2 { "In full" }
                    @for row in report.rows.iter().filter(|row| has_more(row)) { (section(row)) }
                }
            }
        }
    }
}

fn machine(report: &Report) -> Markup {
    let machine = &report.machine;
    html! {
        p.soft {
            (machine.date) ", revision " code { (machine.revision) } ", " (report.build) ", seed "
            (report.seed) ", " @if report.short { "a short run. " } @else { (report.minutes) " minutes. " } (machine.n_processors) " × "
            (machine.processor) ", " (machine.memory_kib / 1_048_576) " GiB, Linux " (machine.kernel)
            ". The load came from the same machine."
        }
    }
}

fn overview(rows: &[Row]) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr { th scope="col" { "Row" } th scope="col" { "Holds" } th scope="col" { "What it is, or its figures with a bar" } }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @if has_more(row) {
                                td { a href={ "#" (row.id) } { (row.id) } }
                            } @else {
                                td { (row.id) }
                            }
                            td.word { (verdict(row.verdict())) }
                            td { @if has_more(row) { (bars(row)) } @else { (row.what) } }
                        }
                    }
                }
            }
        }
    }
}

/// Whether there is more to a row than its sentence and that it holds.
fn has_more(row: &Row) -> bool {
    !row.passed || !row.figures.is_empty() || !row.notes.is_empty()
}

/// The figures that decide, in one line; those that must be zero and are say nothing.
fn bars(row: &Row) -> String {
    let decide = row.figures.iter().filter(|figure| {
        figure.at_most.is_some()
            && !(figure.at_most == Some(AtMost(0.0)) && figure.met == Some(true))
    });
    let texts: Vec<String> = decide
        .map(|figure| {
            let bar = figure.at_most.map_or_else(String::new, AtMost::text);
            format!("{}: {} ({bar})", figure.name, value(figure))
        })
        .collect();
    match texts.is_empty() {
        true if row.passed && !row.figures.is_empty() => "nothing failed".to_owned(),
        _ => texts.join("; "),
    }
}

fn section(row: &Row) -> Markup {
    html! {
        section.row id=(row.id) aria-labelledby={ (row.id) "-title" } {
            header {
                h3 id={ (row.id) "-title" } { (row.id) }
                (verdict(row.verdict()))
                @if row.duration_s > 0.0 { span.soft { (format!("{:.0} s", row.duration_s)) } }
            }
            p { (row.what) }
            @if !row.figures.is_empty() { (figures(&row.figures)) }
            @if !row.notes.is_empty() {
                ul.notes { @for note in &row.notes { li { (note) } } }
            }
            @for plot in &row.plots { (plot.markup()) }
            p.soft { "Again: " code { (row.replay) } }
        }
    }
}

fn figures(figures: &[Figure]) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "Figure" } th.number scope="col" { "Measured" }
                        th.number scope="col" { "Bar" } th scope="col" { "Met" }
                    }
                }
                tbody {
                    @for figure in figures {
                        tr {
                            td { (figure.name) }
                            td.number { (value(figure)) }
                            td.number { @if let Some(bar) = figure.at_most { (bar.text()) } }
                            td.word { @if let Some(met) = figure.met { (verdict(if met { Verdict::Holds } else { Verdict::Fails })) } }
                        }
                    }
                }
            }
        }
    }
}

fn verdict(verdict: Verdict) -> Markup {
    match verdict {
        Verdict::Holds => html! { span.good { "✓ yes" } },
        Verdict::Slow => html! { span.bad { "✗ too slow" } },
        Verdict::Fails => html! { span.bad { "✗ no" } },
    }
}

fn value(figure: &Figure) -> String {
    let digits = match figure.value.abs() {
        whole if whole.fract() == 0.0 => 0,
        large if large >= 100.0 => 0,
        _ => 2,
    };
    format!("{:.digits$} {}", figure.value, figure.unit).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{bars, overview, section};
    use crate::prove::row::{AtMost, Row};

    #[test]
    fn what_a_plugin_said_is_no_markup() {
        let row = Row::new("a", "b", String::new()).failed("<script>alert(1)</script>".to_owned());
        let page = section(&row).into_string();
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
    }

    #[test]
    fn a_row_without_figures_is_said_where_it_stands() {
        let rows = [Row::new("A1", "It ends.", String::new())];
        let table = overview(&rows).into_string();
        assert!(table.contains("It ends.") && !table.contains("#A1"), "{table}");
        let [row] = rows;
        let table = overview(&[row.failed("It did not.".to_owned())]).into_string();
        assert!(table.contains("#A1"), "{table}");
    }

    #[test]
    fn the_overview_says_what_decides() {
        let row = Row::new("a", "b", String::new()).none("dropped", 0);
        assert_eq!(bars(&row), "nothing failed");
        let row = row.held("pause", 12.345, "ms", AtMost(50.0)).none("refused", 3);
        assert_eq!(bars(&row), "pause: 12.35 ms (≤ 50); refused: 3 (≤ 0)");
    }
}
