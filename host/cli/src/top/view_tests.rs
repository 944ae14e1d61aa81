//! What the keys do, in which order the rows are, and how numbers are written.

use std::collections::BTreeMap;

use super::super::sample::Counts;
use super::*;

/// A look at two plugins and the host itself, `seconds` after the first one.
pub fn sample(seconds: u64) -> Sample {
    let passed = seconds as f64;
    let counts = |requests: f64, cpu_seconds: f64| Counts {
        requests: requests * passed,
        errors: passed,
        buckets: vec![(0.001, requests * passed), (f64::INFINITY, requests * passed)],
        cpu_seconds: cpu_seconds * passed,
        memory_bytes: requests * 1_048_576.0,
        running: 3.0,
        waiting: 0.0,
        limit_hits: passed,
    };
    Sample {
        at: Instant::now() + Duration::from_secs(seconds),
        connections: 12.0,
        plugins: BTreeMap::from([
            (String::new(), Counts { requests: passed, ..Counts::default() }),
            ("comments".to_owned(), counts(400.0, 0.1)),
            ("tags".to_owned(), counts(20.0, 0.9)),
        ]),
    }
}

/// A view that has looked twice.
pub fn view() -> View {
    let mut view =
        View::new("http://127.0.0.1:8080/".to_owned(), Sort::Requests, Duration::from_secs(2));
    view.take(Ok(sample(0)));
    view.take(Ok(sample(1)));
    view
}

fn press(view: &mut View, key: char) -> Next {
    view.press(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE))
}

fn names(view: &View) -> Vec<&str> {
    view.rows().iter().map(|row| row.plugin.as_str()).collect()
}

#[test]
fn keys_sort_pause_and_end() {
    let mut view = view();
    assert_eq!(names(&view), ["comments", "tags", ""]);
    for (key, first) in [('c', "tags"), ('m', "comments"), ('l', "comments"), ('n', "")] {
        assert_eq!(press(&mut view, key), Next::Draw);
        assert_eq!(names(&view)[0], first, "{key}");
    }
    assert_eq!(press(&mut view, ' '), Next::Draw);
    assert!(view.is_paused());
    assert_eq!(press(&mut view, 'q'), Next::End);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(view.press(interrupt), Next::End);
}

#[test]
fn a_host_that_is_away_keeps_its_rows_and_says_why() {
    let mut view = view();
    view.take(Err("nothing listens there".to_owned()));
    let since = view.away.clone().unwrap().0;
    view.take(Err("no answer".to_owned()));
    assert_eq!(view.away, Some((since, "no answer".to_owned())));
    assert_eq!(view.rows().len(), 3);
    view.take(Ok(sample(2)));
    assert_eq!(view.away, None);
}

#[test]
fn a_row_is_words_of_few_letters() {
    let view = view();
    let row = cells(&view.rows()[0]);
    assert_eq!(row[0], "comments");
    assert_eq!(&row[3..6], ["500µs", "950µs", "990µs"]);
    assert_eq!(&row[7..], ["400M", "3", "1"]);
    assert_eq!(cells(&view.rows()[2])[0], "(host)");
}

#[test]
fn numbers_are_short() {
    let numbers = [0.0, 0.04, 9.9, 9.97, 1_234.4, 123_456.0].map(number);
    assert_eq!(numbers, ["0", "0.0", "9.9", "10", "1234", "123k"]);
    assert_eq!([0.000_05, 0.001_5, 0.25, 12.0].map(time), ["50µs", "1.5ms", "250ms", "12.0s"]);
    assert_eq!([0.0, 2_048.0, 3e6, 2e10].map(size), ["-", "2K", "3M", "19G"]);
}
