//! Prometheus' text format, as far as a reader of one host's metrics needs it: names, labels, values.
//! Lines that do not fit are left out: one bad line must not hide the others.

/// One number with its name and labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

impl Series {
    /// The value of a label; empty when there is none.
    pub fn label(&self, name: &str) -> &str {
        let found = self.labels.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// All numbers in a text.
pub fn parse(text: &str) -> Vec<Series> {
    text.lines().filter_map(series).collect()
}

fn series(line: &str) -> Option<Series> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Series { name: name.to_owned(), labels, value })
}

/// The labels up to the closing bracket, and what follows it.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.push((name.trim().to_owned(), value));
        rest = after;
    }
}

/// A value up to its closing quote, with its escapes undone, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, c)) = characters.next() {
        match c {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_names_labels_and_values() {
        let text = "# HELP a Help.\n# TYPE a counter\n\
                    a{class=\"2xx\",plugin=\"comments\"} 12\n\
                    b 1.5\n\
                    c_bucket{plugin=\"\",le=\"+Inf\"} 3\n";
        let all = parse(text);
        assert_eq!(all.len(), 3);
        assert_eq!((all[0].label("plugin"), all[0].value), ("comments", 12.0));
        assert_eq!((all[1].name.as_str(), all[1].labels.len()), ("b", 0));
        assert_eq!((all[2].label("le"), all[2].label("other")), ("+Inf", ""));
    }

    #[test]
    fn undoes_escapes() {
        let all = parse("a{x=\"q\\\"b\\\\c\\nd}\"} 1");
        assert_eq!(all[0].label("x"), "q\"b\\c\nd}");
    }

    #[test]
    fn leaves_out_what_does_not_fit() {
        for line in ["a{x=\"1} 2", "a{x} 1", "a", "a b", "{} 1 2 {", "a{x=\"1\\"] {
            let found = parse(&format!("{line}\nok 1"));
            assert_eq!(found.last().unwrap().name, "ok", "{line}");
            assert!(found.len() <= 2, "{line}");
        }
    }

    proptest! {
        #[test]
        fn reads_any_text(text in ".{0,200}") {
            parse(&text);
        }
    }
}
