//! Reports: `PUT` and `DELETE /{id}/report` by those who read, `GET /reports` and
//! `PUT /{id}/reports/resolution` by moderators.
//!
//! Each caller has at most one report of a comment. It is open until a moderator resolves all of the
//! comment's, or the comment is deleted.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::comment::{Key, Stored};
use crate::settings::CommentsSettings;
use crate::state::{self, State};

/// The most characters of a note.
const NOTE_MAX_CHARS: usize = 1_000;

/// Why a comment is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Advertising, or the same everywhere.
    Spam,
    /// An attack on a person or a group.
    Abuse,
    /// Not about what the thread is about.
    OffTopic,
    /// Against the law.
    Illegal,
    /// What the note says.
    Other,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::Abuse => "abuse",
            Self::OffTopic => "off-topic",
            Self::Illegal => "illegal",
            Self::Other => "other",
        }
    }
}

/// Whether a report awaits a moderator, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Nobody has decided yet.
    #[default]
    Open,
    /// There is nothing wrong with the comment.
    Dismissed,
    /// The report was right.
    Upheld,
}

/// A new report.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewReport {
    /// Why.
    #[garde(skip)]
    reason: Reason,
    /// More about it, for the moderators.
    #[garde(inner(length(chars, max = NOTE_MAX_CHARS), custom(without_nul)))]
    note: Option<String>,
}

fn without_nul(text: &str, _context: &()) -> garde::Result {
    if text.contains('\0') { Err(garde::Error::new("contains a NUL character")) } else { Ok(()) }
}

/// A report.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(dead_code)]
pub struct Report {
    /// The comment.
    comment: String,
    /// What the comment is about, `type:id`.
    target: String,
    /// The subject of who reported it.
    reporter: String,
    /// Why.
    reason: Reason,
    /// More about it.
    note: Option<String>,
    /// RFC 3339.
    created_at: String,
    /// Whether it awaits a moderator.
    state: Stage,
    /// When a moderator decided, RFC 3339; null while it is open.
    resolved_at: Option<String>,
    /// The subject of who decided; null while it is open.
    resolved_by: Option<String>,
}

const COLUMNS: &str = r#"SELECT r.comment, c.target, r.reporter, r.reason, r.note,
r.created_ms AS "created_at:time", r.state, r.resolved_ms AS "resolved_at:time", r.resolved_by,
r.created_ms AS "created_ms:key", r.comment AS "comment:key", r.reporter AS "reporter:key"
FROM reports r JOIN comments c ON c.tenant = r.tenant AND c.id = r.comment
WHERE r.tenant = $tenant AND "#;

/// `PUT /{id}/report`
pub fn report_comment(
    Path(id): Path<String>,
    caller: Caller,
    settings: Settings<CommentsSettings>,
    Json(report): Json<NewReport>,
) -> Result<JsonBytes<Report>, Problem> {
    let stored = Stored::load_live(&id)?;
    let statement = "INSERT INTO reports (tenant, comment, reporter, reason, note, created_ms) \
                     VALUES ($tenant, $1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let (reason, now_ms) = (report.reason.name(), clock::now_ms());
    let parameters = params![&id, &caller.subject, reason, report.note, now_ms];
    let is_new = sql::execute(statement, parameters)? == 1;
    if is_new {
        hold_if_many(&stored, settings.hold_after_reports)?;
    }
    let statement = format!("{COLUMNS}r.comment = $1 AND r.reporter = $2");
    let report = sql::query_json_optional(&statement, params![&id, &caller.subject])?;
    report.map(|(report, _)| JsonBytes::new(report)).ok_or_else(Problem::internal)
}

/// Holds a comment that so many report; 0 never does.
fn hold_if_many(stored: &Stored, n_reports_held: u16) -> Result<(), Problem> {
    if n_reports_held == 0 {
        return Ok(());
    }
    let statement = "SELECT count(*) FROM reports \
                     WHERE tenant = $tenant AND comment = $1 AND state = 'open'";
    let n_open: i64 = sql::query_one(statement, params![&stored.id])?;
    if n_open >= i64::from(n_reports_held) { state::change(stored, State::Held) } else { Ok(()) }
}

/// `DELETE /{id}/report`
pub fn withdraw_report(Path(id): Path<String>, caller: Caller) -> Result<NoContent, Problem> {
    // A reporter may withdraw what has been hidden since; who sees neither learns nothing.
    let statement = "DELETE FROM reports \
                     WHERE tenant = $tenant AND comment = $1 AND reporter = $2 AND state = 'open'";
    let was_there =
        crate::comment::is_id(&id) && sql::execute(statement, params![&id, &caller.subject])? == 1;
    if !was_there {
        Stored::load(&id)?;
    }
    Ok(NoContent)
}

/// Which reports to list.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct Filter {
    /// `open` if not given.
    state: Option<Stage>,
}

/// `GET /reports`
pub fn list_reports(Query(filter): Query<Filter>, page: Page) -> Result<Listing<Report>, Problem> {
    let (order, state) = match filter.state.unwrap_or_default() {
        Stage::Open => ("open", "r.state = 'open'"),
        Stage::Dismissed => ("dismissed", "r.state = 'dismissed'"),
        Stage::Upheld => ("upheld", "r.state = 'upheld'"),
    };
    let after = page.after::<(i64, Key, String)>(order)?;
    let mut statement = Statement::new(COLUMNS);
    statement.push(state);
    if let Some((created_ms, Key(comment), reporter)) = after {
        statement.push(" AND (r.created_ms, r.comment, r.reporter) > (").bind(created_ms);
        statement.push(", ").bind(comment).push(", ").bind(reporter).push(")");
    }
    statement.push(" ORDER BY r.created_ms, r.comment, r.reporter LIMIT ").bind(page.limit + 1);
    Ok(Listing::from_json(order, statement.query_json(page.limit)?))
}

/// What a moderator makes of a comment's reports.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// There is nothing wrong with the comment.
    Dismissed,
    /// The reports were right.
    Upheld,
}

/// The end of a comment's reports.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Resolution {
    /// What a moderator makes of them.
    outcome: Outcome,
}

/// How many reports were resolved.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Resolved {
    /// Those that were open; 0 when it is said again.
    n_resolved: u64,
}

/// `PUT /{id}/reports/resolution`
pub fn resolve_reports(
    Path(id): Path<String>,
    caller: Caller,
    Json(resolution): Json<Resolution>,
) -> Result<Json<Resolved>, Problem> {
    Stored::load(&id)?;
    let outcome = match resolution.outcome {
        Outcome::Dismissed => "dismissed",
        Outcome::Upheld => "upheld",
    };
    let statement = "UPDATE reports SET state = $2, resolved_ms = $3, resolved_by = $4 \
                     WHERE tenant = $tenant AND comment = $1 AND state = 'open'";
    let parameters = params![&id, outcome, clock::now_ms(), &caller.subject];
    Ok(Json(Resolved { n_resolved: sql::execute(statement, parameters)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_stored_by_the_names_callers_use() {
        for reason in
            [Reason::Spam, Reason::Abuse, Reason::OffTopic, Reason::Illegal, Reason::Other]
        {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
    }
}
