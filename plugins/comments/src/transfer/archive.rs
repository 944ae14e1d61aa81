//! Reads the archive that `export` writes: one JSON object a line. Lines that are no such object are
//! refused one by one.

use caplet_sdk::Target;
use serde::Deserialize;

use super::row::{Body, Contents, Refusal, Row, checked_body, is_own_id, name, subject, time};
use crate::derived::derived_id;
use crate::state::State;

/// A line. Members that only tell how a comment was received are not read.
#[derive(Deserialize)]
struct Line {
    id: String,
    target: Target,
    /// The comment it answers.
    reply_to: Option<String>,
    author: Option<String>,
    author_name: Option<String>,
    body: Option<String>,
    #[serde(default)]
    state: State,
    #[serde(default)]
    deleted: bool,
    created_at: String,
    edited_at: Option<String>,
}

/// Reads an archive.
pub fn read(file: &str, now_ms: i64) -> Contents {
    let mut contents = Contents::default();
    for (place, text) in file.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let line = place + 1;
        match serde_json::from_str::<Line>(text) {
            Err(error) => {
                let reason = format!("it is no comment of an archive: {error}");
                contents.refused.push(Refusal::new(line, None, reason));
            }
            Ok(read) => {
                let key = read.id.clone();
                match row(line, read, now_ms) {
                    Ok(row) => contents.rows.push(row),
                    Err(reason) => {
                        contents.refused.push(Refusal::new(line, Some(&key), reason));
                    }
                }
            }
        }
    }
    contents
}

fn row(line: usize, read: Line, now_ms: i64) -> Result<Row, String> {
    let created_ms = time(&read.created_at, now_ms)?;
    let edited_ms = read.edited_at.map(|edited| time(&edited, now_ms)).transpose()?;
    let body = match (read.deleted, read.body) {
        (true, _) => String::new(),
        (false, Some(body)) => checked_body(body)?,
        (false, None) => return Err("it has no text and is not deleted".to_owned()),
    };
    let author = match (read.deleted, read.author) {
        (true, _) => None,
        (false, Some(author)) => Some(subject(author)?),
        (false, None) => return Err("it has no author and is not deleted".to_owned()),
    };
    let id = if is_own_id(&read.id, now_ms) {
        read.id.clone()
    } else {
        derived_id("archive", &read.id, created_ms)
    };
    Ok(Row {
        line,
        key: read.id,
        parent: read.reply_to,
        id,
        target: read.target,
        author,
        author_name: read.author_name.as_deref().and_then(name).filter(|_| !read.deleted),
        body: Body::Markdown(body),
        state: if read.deleted { State::Approved } else { read.state },
        deleted: read.deleted,
        created_ms,
        edited_ms: edited_ms.filter(|_| !read.deleted),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn line(change: impl Fn(&mut serde_json::Value)) -> String {
        let mut line = serde_json::json!({
            "id": "a", "target": "post:1", "author": "ada", "body": "Hello",
            "created_at": "2012-01-01T00:00:00Z", "score": 5,
        });
        change(&mut line);
        format!("{line}\n")
    }

    #[test]
    fn bad_lines_are_refused_and_the_rest_is_kept() {
        let file = [
            line(|_| ()),
            "nonsense\n".to_owned(),
            "\n".to_owned(),
            line(|line| line["target"] = "post".into()),
            line(|line| line["body"] = "x".repeat(10_001).into()),
            line(|line| line["author"] = "".into()),
            line(|line| line["created_at"] = "soon".into()),
            line(|line| line["id"] = "b".into()),
        ];
        let contents = read(&file.concat(), NOW_MS);
        let keys: Vec<_> = contents.rows.iter().map(|row| (row.line, row.key.as_str())).collect();
        assert_eq!(keys, [(1, "a"), (8, "b")]);
        let refused = serde_json::to_value(&contents.refused).unwrap();
        let lines: Vec<_> = refused.as_array().unwrap().iter().map(|it| &it["line"]).collect();
        assert_eq!(lines, [2, 4, 5, 6, 7]);
    }

    #[test]
    fn a_deleted_comment_keeps_its_place_only() {
        let file = line(|line| line["deleted"] = true.into());
        let row = &read(&file, NOW_MS).rows[0];
        assert!(row.deleted && row.author.is_none() && row.is_shown());
    }
}
