//! `POST /import`: takes comments from a file. One request takes a part of the rows; the answer says
//! where the next one begins. A file that is sent again gives nothing twice.

use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::disqus::Page;
use super::order::{Planned, ordered};
use super::row::{self, Body, Refusal, checked_body};
use super::store::{self, Ready};
use super::to_markdown::to_markdown;
use super::{archive, commento, disqus};
use crate::markdown::render;
use crate::settings::CommentsSettings;

/// The largest file of one request. Each reads all of it, to put its rows in order; more would take
/// longer than the host's default limit of CPU time.
pub const FILE_MAX_BYTES: u32 = 1024 * 1024;
/// The most rows that one request takes.
const ROWS_MAX: usize = 200;
/// When no further text is rendered, in milliseconds from the beginning of the request: a request has
/// a bounded time, and the rest must be written in it.
const RENDERING_MS_MAX: u64 = 50;
/// The most refusals that one answer lists; all are counted.
const REFUSALS_MAX: usize = 1_000;
/// The type of targets where the caller names none.
const TYPE_DEFAULT: &str = "page";

/// What kind of file it is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// What `GET /export` answers.
    Archive,
    /// XML of Disqus.
    Disqus,
    /// JSON of Commento.
    Commento,
}

/// What a thread of Disqus becomes.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A target with the path of its link.
    Path,
    /// A target with the identifier it has on its site.
    Identifier,
}

/// How to read the file.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct How {
    /// What kind of file it is.
    format: Format,
    /// The type of the targets that pages become; `page` if not given. An archive has its own.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_.-]{0,39}$"))]
    r#type: Option<String>,
    /// What threads of Disqus are told apart by; `path` if not given.
    by: Option<By>,
    /// Where this request begins: `next` of the answer before, 0 if not given.
    #[garde(inner(range(max = 10_000_000)))]
    #[schemars(range(max = 10_000_000))]
    from: Option<usize>,
}

/// What became of a part of a file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Imported {
    /// How many comments the file has that can be read.
    n_rows: usize,
    /// How many of this part are here now and were not before.
    n_imported: usize,
    /// How many of this part were here already.
    n_present: usize,
    /// How many were refused; those that cannot be read with the first part.
    n_refused: usize,
    /// The first 1 000 of them, and why.
    refused: Vec<Refusal>,
    /// Where the next part begins; null when this was the last one.
    next: Option<usize>,
}

/// `POST /import`
pub fn import_comments(
    Query(how): Query<How>,
    settings: Settings<CommentsSettings>,
    caplet_sdk::Body(file): caplet_sdk::Body,
) -> Result<Json<Imported>, Problem> {
    let file = String::from_utf8(file).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        Problem::bad_request(format!("The file is no UTF-8 from its byte {place} on."))
            .with_code("malformed-file")
    })?;
    let now_ms = clock::now_ms();
    let (contents, own_ids) = read(&how, file.trim_start_matches('\u{feff}'), now_ms)?;
    let own_id = |key: &str| (own_ids && row::is_own_id(key, now_ms)).then(|| key.to_owned());
    let ordered = ordered(contents, own_id);
    let from = how.from.unwrap_or(0).min(ordered.rows.len());
    let n_rows = ordered.rows.len();
    let mut refused = if from == 0 { ordered.refused } else { Vec::new() };
    let (ready, n_taken) = make_ready(ordered.rows.into_iter().skip(from), &mut refused);
    let outcome = store::write(ready, settings.depth_max)?;
    refused.extend(outcome.refused);
    let n_refused = refused.len();
    refused.truncate(REFUSALS_MAX);
    let next = Some(from + n_taken).filter(|&next| next < n_rows);
    let (n_imported, n_present) = (outcome.n_imported, outcome.n_present);
    Ok(Json(Imported { n_rows, n_imported, n_present, n_refused, refused, next }))
}

/// What a file holds, and whether it may name comments that it does not hold.
fn read(how: &How, file: &str, now_ms: i64) -> Result<(row::Contents, bool), Problem> {
    let kind = how.r#type.as_deref().unwrap_or(TYPE_DEFAULT);
    row::target(kind, "1").map_err(|reason| {
        Problem::bad_request(format!("The query parameter `type` does not fit: {reason}."))
            .with_code("bad-query")
    })?;
    let page = match how.by {
        None | Some(By::Path) => Page::Path,
        Some(By::Identifier) => Page::Identifier,
    };
    match how.format {
        Format::Archive => Ok((archive::read(file, now_ms), true)),
        Format::Disqus => Ok((disqus::read(file, kind, page, now_ms), false)),
        Format::Commento => Ok((commento::read(file, kind, now_ms)?, false)),
    }
}

/// Renders as many rows as the time allows. Returns them, and how many it looked at.
fn make_ready(
    rows: impl Iterator<Item = Planned>,
    refused: &mut Vec<Refusal>,
) -> (Vec<Ready>, usize) {
    let mut ready = Vec::new();
    let mut n_taken = 0;
    for planned in rows.take(ROWS_MAX) {
        // At least one each time, so that every request gets on.
        if n_taken > 0 && clock::elapsed_ms() > RENDERING_MS_MAX {
            break;
        }
        n_taken += 1;
        match markdown_of(&planned) {
            Ok(body) => {
                let html = render(&body);
                ready.push(Ready { planned, body, html });
            }
            Err(reason) => {
                refused.push(Refusal::new(planned.row.line, Some(&planned.row.key), reason));
            }
        }
    }
    (ready, n_taken)
}

fn markdown_of(planned: &Planned) -> Result<String, String> {
    match &planned.row.body {
        _ if planned.row.deleted => Ok(String::new()),
        Body::Markdown(markdown) => Ok(markdown.clone()),
        Body::Html(html) => checked_body(to_markdown(html)),
    }
}
