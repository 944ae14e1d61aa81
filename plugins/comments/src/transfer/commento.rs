//! Reads what Commento exports: one JSON document with comments and commenters. A comment that does
//! not fit is refused alone; a document that is no JSON is refused as a whole.

use std::collections::HashMap;

use caplet_sdk::Problem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::row::{Body, Contents, Refusal, Row, checked_body, name, target, time};
use crate::derived::derived_id;
use crate::state::State;

const KIND: &str = "commento";
/// What Commento calls the parent of a comment at the top, and who is not signed in.
const ROOT: &str = "root";
const ANONYMOUS: &str = "anonymous";

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    comments: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    commenters: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Commenter {
    commenter_hex: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Comment {
    comment_hex: String,
    /// The path of the page.
    #[serde(alias = "path")]
    url: String,
    commenter_hex: String,
    markdown: String,
    #[serde(default)]
    parent_hex: String,
    #[serde(default)]
    state: String,
    creation_date: String,
    #[serde(default)]
    deleted: bool,
}

/// Reads a document, whose pages become targets of the type `kind`.
///
/// # Errors
/// 400 when it is no such document.
pub fn read(file: &str, kind: &str, now_ms: i64) -> Result<Contents, Problem> {
    let document: Document<'_> = serde_json::from_str(file).map_err(|error| {
        Problem::bad_request(format!("The file is no export of Commento: {error}."))
            .with_code("malformed-file")
    })?;
    let commenters = document.commenters.iter().filter_map(|raw| {
        let commenter: Commenter = serde_json::from_str(raw.get()).ok()?;
        Some((commenter.commenter_hex, commenter.name))
    });
    let names: HashMap<String, String> = commenters.collect();
    let mut contents = Contents::default();
    let mut lines = Lines { file, line: 1, offset: 0 };
    for raw in document.comments {
        let line = lines.line_of(raw.get());
        match serde_json::from_str::<Comment>(raw.get()) {
            Err(error) => {
                let reason = format!("it is no comment of Commento: {error}");
                contents.refused.push(Refusal::new(line, None, reason));
            }
            Ok(comment) => {
                let key = comment.comment_hex.clone();
                match row(line, comment, &names, (kind, now_ms)) {
                    Ok(row) => contents.rows.push(row),
                    Err(reason) => {
                        contents.refused.push(Refusal::new(line, Some(&key), reason));
                    }
                }
            }
        }
    }
    Ok(contents)
}

fn row(
    line: usize,
    comment: Comment,
    names: &HashMap<String, String>,
    (kind, now_ms): (&str, i64),
) -> Result<Row, String> {
    let created_ms = time(&comment.creation_date, now_ms)?;
    let deleted = comment.deleted;
    let body = if deleted { String::new() } else { checked_body(comment.markdown)? };
    let commenter = name(&comment.commenter_hex).unwrap_or_else(|| ANONYMOUS.to_owned());
    let state = match comment.state.as_str() {
        _ if deleted => State::Approved,
        "" | "approved" => State::Approved,
        "unapproved" => State::Held,
        "flagged" => State::Spam,
        other => return Err(format!("its state `{}` is not known", super::row::short(other))),
    };
    Ok(Row {
        line,
        id: derived_id(KIND, &comment.comment_hex, created_ms),
        key: comment.comment_hex,
        parent: Some(comment.parent_hex).filter(|parent| !parent.is_empty() && parent != ROOT),
        target: target(kind, &comment.url)?,
        author_name: names.get(&commenter).and_then(|text| name(text)).filter(|_| !deleted),
        author: (!deleted).then(|| format!("{KIND}:{commenter}")),
        body: Body::Markdown(body),
        state,
        deleted,
        created_ms,
        edited_ms: None,
    })
}

/// Finds the lines of parts of a file that come in its order.
struct Lines<'a> {
    file: &'a str,
    line: usize,
    offset: usize,
}

impl Lines<'_> {
    /// `part` is borrowed from the file and comes after the one before.
    fn line_of(&mut self, part: &str) -> usize {
        let offset = (part.as_ptr() as usize).saturating_sub(self.file.as_ptr() as usize);
        let between = self.file.as_bytes().get(self.offset..offset).unwrap_or_default();
        self.line += between.iter().filter(|&&byte| byte == b'\n').count();
        self.offset = offset.max(self.offset);
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    #[test]
    fn comments_find_their_names_pages_and_parents() {
        let file = r#"{"version": 1,
 "comments": [
  {"commentHex":"a","domain":"example.org","url":"/p","commenterHex":"c1","markdown":"Hi",
   "html":"<p>Hi</p>","parentHex":"root","score":0,"state":"approved",
   "creationDate":"2019-01-02T03:04:05Z","direction":0,"deleted":false},
  {"commentHex":"b","url":"/p","commenterHex":"anonymous","markdown":"*Yo*","parentHex":"a",
   "state":"flagged","creationDate":"2019-01-02T03:04:06Z"},
  {"commentHex":"c","url":"/p"},
  {"commentHex":"d","url":"/p","commenterHex":"c1","markdown":"x","state":"odd",
   "creationDate":"2019-01-02T03:04:06Z"}
 ],
 "commenters": [{"commenterHex":"c1","email":"ada@example.org","name":"Ada"}]
}"#;
        let contents = read(file, "page", NOW_MS).unwrap();
        let [first, second] = contents.rows.as_slice() else { panic!("{contents:?}") };
        assert_eq!((first.target.as_str(), first.parent.as_deref()), ("page:/p", None));
        assert_eq!(first.author.as_deref(), Some("commento:c1"));
        assert_eq!(first.author_name.as_deref(), Some("Ada"));
        assert_eq!((second.parent.as_deref(), second.state), (Some("a"), State::Spam));
        let refused = serde_json::to_value(&contents.refused).unwrap();
        assert_eq!((&refused[0]["line"], &refused[1]["line"]), (&8.into(), &9.into()));
        assert_eq!(refused[1]["row"], "d");
    }

    #[test]
    fn what_is_no_export_is_refused() {
        for file in ["", "{", "[]", "{\"comments\":5}"] {
            assert_eq!(read(file, "page", NOW_MS).unwrap_err().status(), 400, "{file}");
        }
    }
}
