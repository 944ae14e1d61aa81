//! The order in which rows are written: by time, and parents before those who answer them.

use std::collections::HashMap;

use super::row::{Contents, Refusal, Row};

/// A file's contents in the order in which they are written.
pub struct Ordered {
    /// What could not be read, or can have no place, by lines.
    pub refused: Vec<Refusal>,
    /// Parents stand before those who answer them.
    pub rows: Vec<Planned>,
}

/// A row with what is known of its place from the file alone.
pub struct Planned {
    pub row: Row,
    /// The id of the comment it answers.
    pub parent: Option<String>,
    /// Whether a reply to it is shown, so that its place must be as well.
    pub has_shown_reply: bool,
}

/// Orders the contents of a file. `own_id` tells the id of a comment that is not in the file.
pub fn ordered(contents: Contents, own_id: impl Fn(&str) -> Option<String>) -> Ordered {
    let Contents { rows, mut refused } = contents;
    let rows = without_doubles(rows, &mut refused);
    let places: HashMap<&str, usize> =
        rows.iter().enumerate().map(|(place, row)| (row.key.as_str(), place)).collect();
    let mut times = vec![Time::Unknown; rows.len()];
    for place in 0..rows.len() {
        settle(place, &rows, &places, &mut times);
    }
    let (mut order, circular): (Vec<usize>, Vec<usize>) =
        (0..rows.len()).partition(|&place| times[place] != Time::Circular);
    order.sort_by_key(|&place| (times[place], place));
    for place in circular {
        let reason = "it answers itself, or one that does";
        refused.push(Refusal::new(rows[place].line, Some(&rows[place].key), reason));
    }
    let shown = shown_below(&rows, &places, &order);
    let ids: HashMap<String, String> =
        rows.iter().map(|row| (row.key.clone(), row.id.clone())).collect();
    let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    let mut planned = Vec::with_capacity(order.len());
    for place in order {
        let Some(row) = rows[place].take() else { continue };
        let parent = row.parent.as_ref().map(|key| ids.get(key).cloned().or_else(|| own_id(key)));
        match parent {
            Some(None) => {
                let reason = "the comment it answers is not among those that can be read";
                refused.push(Refusal::new(row.line, Some(&row.key), reason));
            }
            parent => planned.push(Planned {
                parent: parent.flatten(),
                row,
                has_shown_reply: shown[place],
            }),
        }
    }
    Ordered { refused, rows: planned }
}

fn without_doubles(rows: Vec<Row>, refused: &mut Vec<Refusal>) -> Vec<Row> {
    let mut lines: HashMap<String, usize> = HashMap::with_capacity(rows.len());
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(line) = lines.get(&row.key) {
            let reason = format!("the comment of line {line} has the same id");
            refused.push(Refusal::new(row.line, Some(&row.key), reason));
        } else {
            lines.insert(row.key.clone(), row.line);
            kept.push(row);
        }
    }
    kept
}

/// What a row sorts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Time {
    Unknown,
    /// It answers itself, or one that does.
    Circular,
    /// Its time, or that of what it answers if that is later, and its level.
    At(i64, usize),
}

/// Finds the times of a row and of all it answers. Each row is looked at once, whatever the file.
fn settle(place: usize, rows: &[Row], places: &HashMap<&str, usize>, times: &mut [Time]) {
    let parent =
        |place: usize| rows[place].parent.as_deref().and_then(|key| places.get(key)).copied();
    if times[place] != Time::Unknown {
        return;
    }
    let mut line = vec![place];
    let mut above = Time::Unknown;
    while let Some(next) = parent(line[line.len() - 1]) {
        above = if line.len() > rows.len() { Time::Circular } else { times[next] };
        if above != Time::Unknown {
            break;
        }
        line.push(next);
    }
    for &place in line.iter().rev() {
        let own_ms = rows[place].created_ms;
        above = match above {
            Time::Unknown => Time::At(own_ms, 0),
            Time::Circular => Time::Circular,
            Time::At(above_ms, level) => Time::At(own_ms.max(above_ms), level + 1),
        };
        times[place] = above;
    }
}

/// For each row, whether something below it is shown.
fn shown_below(rows: &[Row], places: &HashMap<&str, usize>, order: &[usize]) -> Vec<bool> {
    let mut shown = vec![false; rows.len()];
    for &place in order.iter().rev() {
        let is_shown = shown[place] || rows[place].is_shown();
        let parent = rows[place].parent.as_deref().and_then(|key| places.get(key));
        if let Some(&parent) = parent {
            shown[parent] |= is_shown;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::transfer::row::Body;
    use caplet_sdk::Target;

    fn row(key: &str, parent: Option<&str>, created_ms: i64, state: State) -> Row {
        Row {
            line: 1,
            key: key.to_owned(),
            parent: parent.map(str::to_owned),
            id: format!("id-{key}"),
            target: Target::parse("post:1").unwrap(),
            author: Some("ada".to_owned()),
            author_name: None,
            body: Body::Markdown("a".to_owned()),
            state,
            deleted: false,
            created_ms,
            edited_ms: None,
        }
    }

    fn order(rows: Vec<Row>) -> (Vec<(String, bool)>, usize) {
        let contents = Contents { rows, refused: Vec::new() };
        let ordered = ordered(contents, |key| (key == "elsewhere").then(|| "id-x".to_owned()));
        let rows = ordered.rows.iter().map(|it| (it.row.key.clone(), it.has_shown_reply));
        (rows.collect(), ordered.refused.len())
    }

    #[test]
    fn parents_come_first_whatever_their_times() {
        let rows = vec![
            row("late-reply", Some("top"), 9, State::Approved),
            row("early-reply", Some("top"), 1, State::Approved),
            row("top", None, 5, State::Spam),
            row("other", None, 3, State::Approved),
            row("elsewhere-reply", Some("elsewhere"), 4, State::Held),
        ];
        let (order, n_refused) = order(rows);
        let keys: Vec<&str> = order.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["other", "elsewhere-reply", "top", "early-reply", "late-reply"]);
        assert!(order[2].1, "a spam comment with shown replies keeps its place");
        assert_eq!(n_refused, 0);
    }

    #[test]
    fn circles_doubles_and_orphans_are_refused() {
        let rows = vec![
            row("a", Some("b"), 1, State::Approved),
            row("b", Some("a"), 2, State::Approved),
            row("c", Some("a"), 3, State::Approved),
            row("self", Some("self"), 3, State::Approved),
            row("d", None, 4, State::Approved),
            row("d", None, 5, State::Approved),
            row("e", Some("nowhere"), 6, State::Approved),
        ];
        let (order, n_refused) = order(rows);
        assert_eq!(order.len(), 1);
        assert_eq!(n_refused, 6);
    }

    #[test]
    fn a_long_line_of_replies_is_settled() {
        let rows = (0..2_000).map(|number: i64| {
            let parent = (number < 1_999).then(|| (number + 1).to_string());
            row(&number.to_string(), parent.as_deref(), number, State::Approved)
        });
        let (order, n_refused) = order(rows.collect());
        assert_eq!((order.len(), n_refused), (2_000, 0));
        assert_eq!(order[0].0, "1999");
    }
}
