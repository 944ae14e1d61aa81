//! Writes a part of a file's rows: in a bounded number of statements, whatever their number.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use serde::Deserialize;

use super::order::Planned;
use super::row::{Refusal, Row};
use crate::markdown::RENDERER_VERSION;

/// The rows of one statement: with 19 parameters each, fewer than the 999 that it may have.
const ROWS_OF_STATEMENT: usize = 50;

/// A row with its text made ready.
pub struct Ready {
    pub planned: Planned,
    pub body: String,
    pub html: String,
}

/// What became of the rows.
#[derive(Debug, Default)]
pub struct Outcome {
    pub n_imported: usize,
    pub n_present: usize,
    pub refused: Vec<Refusal>,
}

/// The place of a comment that is there.
#[derive(Debug, Clone, Deserialize)]
struct Place {
    id: String,
    target: String,
    parent: Option<String>,
    root: String,
    depth: i64,
}

/// Writes rows, parents before those who answer them. What is there already is left as it is.
///
/// # Errors
/// Those of the store.
pub fn write(rows: Vec<Ready>, depth_max: u8) -> Result<Outcome, Problem> {
    let mut outcome = Outcome::default();
    let wanted = rows.iter().flat_map(|it| [Some(&it.planned.row.id), it.planned.parent.as_ref()]);
    let mut places = Places::load(wanted.flatten(), depth_max)?;
    let mut written: Vec<(Ready, Place, i64)> = Vec::with_capacity(rows.len());
    for ready in rows {
        let row = &ready.planned.row;
        if places.known.contains_key(&row.id) {
            outcome.n_present += 1;
            continue;
        }
        match places.place(&ready.planned) {
            Ok(place) => {
                let ordinal = places.next_ordinal(&ready.planned, &place);
                places.known.insert(row.id.clone(), place.clone());
                written.push((ready, place, ordinal));
            }
            Err(reason) => outcome.refused.push(Refusal::new(row.line, Some(&row.key), reason)),
        }
    }
    outcome.n_imported = written.len();
    written.chunks(ROWS_OF_STATEMENT).try_for_each(insert)?;
    count_replies(&written)?;
    count_in_threads(&written)?;
    Ok(outcome)
}

/// The places of the comments that matter for a part of a file.
struct Places {
    known: HashMap<String, Place>,
    /// For each root, how many ordinals are given out below it.
    ordinals: HashMap<String, i64>,
    depth_max: i64,
}

impl Places {
    fn load<'a>(ids: impl Iterator<Item = &'a String>, depth_max: u8) -> Result<Self, Problem> {
        let ids: BTreeSet<&str> = ids.map(String::as_str).collect();
        let mut known = HashMap::new();
        let mut wanted: Vec<String> = ids.into_iter().map(str::to_owned).collect();
        // What is too deep stands below an ancestor, which must be known as well; each round is
        // one level up.
        while !wanted.is_empty() {
            let found = find(&wanted)?;
            let too_deep = found.iter().filter(|place| place.depth >= i64::from(depth_max));
            let above: BTreeSet<String> =
                too_deep.filter_map(|place| place.parent.clone()).collect();
            known.extend(found.into_iter().map(|place| (place.id.clone(), place)));
            wanted = above.into_iter().filter(|id| !known.contains_key(id)).collect();
        }
        let roots: BTreeSet<String> = known.values().map(|place| place.root.clone()).collect();
        let ordinals = ordinals(&roots)?;
        Ok(Self { known, ordinals, depth_max: i64::from(depth_max) })
    }

    /// The place of a new row.
    fn place(&self, planned: &Planned) -> Result<Place, &'static str> {
        let Row { id, target, .. } = &planned.row;
        let top = Place {
            id: id.clone(),
            target: target.as_str().to_owned(),
            parent: None,
            root: id.clone(),
            depth: 1,
        };
        let Some(parent) = &planned.parent else { return Ok(top) };
        let mut above =
            self.known.get(parent).ok_or("the comment it answers has not been imported")?;
        if above.target != top.target {
            return Err("the comment it answers is on another target");
        }
        while above.depth >= self.depth_max {
            match above.parent.as_ref().and_then(|parent| self.known.get(parent)) {
                Some(next) => above = next,
                None => return Ok(top),
            }
        }
        let (parent, root) = (Some(above.id.clone()), above.root.clone());
        Ok(Place { parent, root, depth: above.depth + 1, ..top })
    }

    /// The ordinal of a new row: 0 for a root, and for one that is not shown yet.
    fn next_ordinal(&mut self, planned: &Planned, place: &Place) -> i64 {
        if place.parent.is_none() || !is_shown(planned) {
            return 0;
        }
        let ordinal = self.ordinals.entry(place.root.clone()).or_default();
        *ordinal += 1;
        *ordinal
    }
}

fn is_shown(planned: &Planned) -> bool {
    planned.row.is_shown() || planned.has_shown_reply
}

fn find(ids: &[String]) -> Result<Vec<Place>, Problem> {
    let mut statement = Statement::new(
        "SELECT id, target, parent, root, depth FROM comments WHERE tenant = $tenant AND id IN (",
    );
    statement.bind_all(ids).push(")");
    Ok(statement.query()?)
}

fn ordinals(roots: &BTreeSet<String>) -> Result<HashMap<String, i64>, Problem> {
    if roots.is_empty() {
        return Ok(HashMap::new());
    }
    let mut statement =
        Statement::new("SELECT id, n_descendants FROM comments WHERE tenant = $tenant AND id IN (");
    statement.bind_all(roots).push(")");
    let counted: Vec<(String, i64)> = statement.query()?;
    Ok(counted.into_iter().collect())
}

fn insert(rows: &[(Ready, Place, i64)]) -> Result<(), Problem> {
    let mut statement = Statement::new(
        "INSERT INTO comments (tenant, id, target, parent, reply_to, root, ordinal, depth, author, \
         author_name, body, html, renderer, deleted, created_ms, edited_ms, edited_by, deleted_ms, \
         state, shown) VALUES ",
    );
    for (number, (ready, place, ordinal)) in rows.iter().enumerate() {
        let row = &ready.planned.row;
        let text = |text: &str| (!row.deleted).then(|| text.to_owned());
        let values: [sql::Value; 19] = [
            row.id.as_str().into(),
            place.target.as_str().into(),
            place.parent.clone().into(),
            ready.planned.parent.clone().into(),
            place.root.as_str().into(),
            (*ordinal).into(),
            place.depth.into(),
            row.author.clone().into(),
            row.author_name.clone().into(),
            text(&ready.body).into(),
            text(&ready.html).into(),
            RENDERER_VERSION.into(),
            row.deleted.into(),
            row.created_ms.into(),
            row.edited_ms.into(),
            row.edited_ms.and(row.author.clone()).into(),
            row.deleted.then(clock::now_ms).into(),
            row.state.name().into(),
            is_shown(&ready.planned).into(),
        ];
        statement.push(if number == 0 { "($tenant, " } else { ", ($tenant, " });
        statement.bind_all(values).push(")");
    }
    sql::execute(statement.text(), statement.parameters())?;
    Ok(())
}

/// Counts again below all that were answered.
fn count_replies(written: &[(Ready, Place, i64)]) -> Result<(), Problem> {
    let answered = written.iter().filter_map(|(_, place, _)| place.parent.as_ref());
    let roots = written.iter().filter(|(_, place, _)| place.parent.is_some());
    let roots = roots.map(|(_, place, _)| &place.root);
    let changed: BTreeSet<&String> = answered.chain(roots).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let mut statement = Statement::new(
        "UPDATE comments SET version = version + 1, n_replies = (SELECT count(*) FROM comments r \
         WHERE r.tenant = $tenant AND r.target = comments.target AND r.shown = 1 \
         AND r.parent = comments.id), \
         n_descendants = CASE WHEN comments.id = comments.root THEN \
         (SELECT coalesce(max(d.ordinal), 0) FROM comments d \
         WHERE d.tenant = $tenant AND d.root = comments.id) ELSE 0 END \
         WHERE tenant = $tenant AND id IN (",
    );
    statement.bind_all(changed).push(")");
    sql::execute(statement.text(), statement.parameters())?;
    Ok(())
}

/// Counts what is approved in its thread.
fn count_in_threads(written: &[(Ready, Place, i64)]) -> Result<(), Problem> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for (ready, place, _) in written {
        let row = &ready.planned.row;
        *counts.entry(&place.target).or_default() +=
            i64::from(!row.deleted && row.state.is_approved());
    }
    if counts.is_empty() {
        return Ok(());
    }
    let now_ms = clock::now_ms();
    let mut statement =
        Statement::new("INSERT INTO threads (tenant, target, n_comments, activity_ms) VALUES ");
    for (number, (target, n_comments)) in counts.into_iter().enumerate() {
        statement.push(if number == 0 { "($tenant, " } else { ", ($tenant, " });
        statement.bind(target).push(", ").bind(n_comments).push(", ").bind(now_ms).push(")");
    }
    statement.push(
        " ON CONFLICT (tenant, target) DO UPDATE SET activity_ms = excluded.activity_ms, \
         n_comments = threads.n_comments + excluded.n_comments",
    );
    sql::execute(statement.text(), statement.parameters())?;
    Ok(())
}
