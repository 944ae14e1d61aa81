//! The tables of runs in the host's own database, and what stands in them. Each change is one
//! transaction.

use caplet_runtime::{Erased, HostDatabase, Page};
use caplet_store::{Error, Result, Rows, Transaction, Value};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Person, now_ms};
use crate::host::Shared;

/// How often a transaction is begun again when the store asks for it.
const RETRIES_MAX: u32 = 3;

const RUN: &str = "SELECT id, tenant, subject, kind, state, began_ms, ended_ms, n_pages, n_bytes \
                   FROM subject_runs WHERE ";

const PARTS: &str = "SELECT plugin, state, reason, n_calls, n_restarts, n_records, next, erased \
                     FROM subject_parts WHERE run = $1 ORDER BY plugin";

/// What is done for a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// All that is kept about it is put together.
    Export,
    /// What is kept about it is deleted or made anonymous.
    Erasure,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Erasure => "erasure",
        }
    }
}

/// How far a run or a plugin's part in it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// A plugin that was not asked yet.
    Waiting,
    /// It has begun.
    Running,
    /// It has ended well.
    Done,
    /// A run that has ended, in which plugins failed or do not answer.
    Incomplete,
    /// A plugin that failed; `reason` says how.
    Failed,
    /// A plugin with data that does not answer for them: they have to be looked at by hand.
    Silent,
}

const STATES: [(State, &str); 6] = [
    (State::Waiting, "waiting"),
    (State::Running, "running"),
    (State::Done, "done"),
    (State::Incomplete, "incomplete"),
    (State::Failed, "failed"),
    (State::Silent, "silent"),
];

impl State {
    fn name(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    fn of(name: &str) -> Result<Self> {
        let found = STATES.iter().find(|(_, known)| *known == name);
        found.map(|(state, _)| *state).ok_or_else(damaged)
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Run {
    /// Names it in logs.
    pub(crate) id: String,
    /// What is done.
    pub(crate) kind: Kind,
    /// The tenant of the subject.
    pub(crate) tenant: String,
    /// How far it is: `running`, `done` or `incomplete`.
    pub(crate) state: State,
    /// When it began, in Unix milliseconds.
    pub(crate) began_ms: i64,
    /// When it ended.
    pub(crate) ended_ms: Option<i64>,
    /// The pages that an export has.
    pub(crate) n_pages: i64,
    /// The plugins, by name, and how far each is.
    pub(crate) plugins: Vec<Part>,
    #[serde(skip)]
    pub(super) subject: Option<String>,
    #[serde(skip)]
    pub(super) n_bytes: i64,
}

/// A plugin's part in a run.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Part {
    /// The plugin's name.
    pub(crate) plugin: String,
    /// How far it is: `waiting`, `running`, `done`, `failed` or `silent`.
    pub(crate) state: State,
    /// Why it failed, for operators.
    pub(crate) reason: Option<String>,
    /// How often it was called.
    pub(crate) n_calls: i64,
    /// Records that were exported or erased.
    pub(crate) n_records: i64,
    /// What an erasure did, by holding.
    #[schema(value_type = Vec<Object>)]
    pub(crate) erased: Vec<Erased>,
    #[serde(skip)]
    pub(super) n_restarts: i64,
    #[serde(skip)]
    pub(super) next: Option<String>,
}

/// A page of what an export found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ExportedPage {
    /// The plugin that keeps it.
    pub(crate) plugin: String,
    /// The plugin's name for this kind of data.
    pub(crate) holding: String,
    /// The records.
    #[schema(value_type = Vec<Object>)]
    pub(crate) items: Box<serde_json::value::RawValue>,
}

/// A statement with its parameters.
type Change = (&'static str, Vec<Value>);

/// The tables.
pub(super) struct Records<'a> {
    database: &'a HostDatabase,
    now_ms: i64,
}

impl<'a> Records<'a> {
    pub(super) fn new(host: &'a Shared) -> Self {
        Self { database: host.runtime.database(), now_ms: now_ms(host) }
    }

    pub(super) async fn begin(
        &self,
        id: &str,
        kind: Kind,
        person: &Person,
        plugins: &[String],
    ) -> Result<()> {
        let run = "INSERT INTO subject_runs (id, tenant, person, subject, kind, state, began_ms) \
                   VALUES ($1, $2, $3, $4, $5, 'running', $6)";
        let values = [id, &person.tenant, &person.digest(), &person.subject, kind.name()];
        let mut values: Vec<Value> = values.into_iter().map(text).collect();
        values.push(Value::Integer(self.now_ms));
        let part = "INSERT INTO subject_parts (run, plugin, state) VALUES ($1, $2, 'waiting')";
        let parts = plugins.iter().map(|plugin| (part, vec![text(id), text(plugin)]));
        // What an earlier run of the kind found is replaced by what this one finds.
        let earlier = "DELETE FROM subject_runs WHERE person = $1 AND kind = $2 AND id <> $3";
        let earlier = (earlier, vec![text(&person.digest()), text(kind.name()), text(id)]);
        let changes: Vec<_> = [(run, values), earlier].into_iter().chain(parts).collect();
        self.change(&changes).await
    }

    pub(super) async fn run(&self, id: &str) -> Result<Option<Run>> {
        self.find("id = $1", &[text(id)]).await
    }

    pub(super) async fn latest(&self, kind: Kind, person: &str) -> Result<Option<Run>> {
        let condition = "person = $1 AND kind = $2 ORDER BY began_ms DESC, id LIMIT 1";
        self.find(condition, &[text(person), text(kind.name())]).await
    }

    /// The ids of runs that have not ended, the oldest first.
    pub(super) async fn unfinished(&self, limit: usize) -> Result<Vec<String>> {
        let statement = "SELECT id FROM subject_runs WHERE state = 'running' \
                         ORDER BY began_ms, id LIMIT $1";
        let limit = Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.database.read().await?.query(statement, &[limit]).await?;
        rows.values.into_iter().map(into_text).collect()
    }

    pub(super) async fn page(&self, run: &str, number: i64) -> Result<Option<ExportedPage>> {
        let statement = "SELECT plugin, holding, items FROM subject_pages \
                         WHERE run = $1 AND number = $2";
        let parameters = [text(run), Value::Integer(number)];
        let rows = self.database.read().await?.query(statement, &parameters).await?;
        let mut values = rows.values.into_iter();
        let Some(plugin) = values.next() else { return Ok(None) };
        let mut next = || values.next().ok_or_else(damaged).and_then(into_text);
        let (holding, items) = (next()?, next()?);
        let items = serde_json::value::RawValue::from_string(items).map_err(|_| damaged())?;
        Ok(Some(ExportedPage { plugin: into_text(plugin)?, holding, items }))
    }

    /// Notes how far a plugin is.
    pub(super) async fn settle(
        &self,
        run: &str,
        plugin: &str,
        state: State,
        reason: Option<&str>,
    ) -> Result<()> {
        let statement = "UPDATE subject_parts SET state = $3, reason = $4 \
                         WHERE run = $1 AND plugin = $2";
        let reason = reason.map_or(Value::Null, text);
        let values = vec![text(run), text(plugin), text(state.name()), reason];
        self.change(&[(statement, values)]).await
    }

    /// Keeps a page of an export, and where it goes on.
    pub(super) async fn keep_page(&self, run: &str, plugin: &str, page: &Page) -> Result<()> {
        let next = page.next.as_deref().map_or(Value::Null, text);
        let n_items = integer(page.n_items);
        let part = "UPDATE subject_parts SET n_calls = n_calls + 1, n_records = n_records + $3, \
                    next = $4 WHERE run = $1 AND plugin = $2";
        let part = (part, vec![text(run), text(plugin), n_items, next]);
        if page.n_items == 0 {
            return self.change(&[part]).await;
        }
        let insert = "INSERT INTO subject_pages (run, number, plugin, holding, items) \
                      SELECT id, n_pages + 1, $2, $3, $4 FROM subject_runs WHERE id = $1";
        let values = [run, plugin, &page.holding, &page.items].map(text).to_vec();
        let count = "UPDATE subject_runs SET n_pages = n_pages + 1, n_bytes = n_bytes + $2 \
                     WHERE id = $1";
        let n_bytes = integer(page.items.len());
        self.change(&[part, (insert, values), (count, vec![text(run), n_bytes])]).await
    }

    /// Begins a plugin's export again: what it gave so far stays out of the result.
    pub(super) async fn restart(&self, run: &str, plugin: &str) -> Result<()> {
        let values = || vec![text(run), text(plugin)];
        let empty = "UPDATE subject_pages SET items = '[]' WHERE run = $1 AND plugin = $2";
        let part = "UPDATE subject_parts SET n_restarts = n_restarts + 1, n_records = 0, \
                    next = NULL WHERE run = $1 AND plugin = $2";
        self.change(&[(empty, values()), (part, values())]).await
    }

    /// Keeps what the steps of an erasure did so far.
    pub(super) async fn keep_step(&self, run: &str, part: &Part) -> Result<()> {
        let statement = "UPDATE subject_parts SET n_calls = $3, n_records = $4, erased = $5 \
                         WHERE run = $1 AND plugin = $2";
        let erased = serde_json::to_string(&part.erased).map_err(|_| damaged())?;
        let numbers = [part.n_calls, part.n_records].map(Value::Integer);
        let mut values = vec![text(run), text(&part.plugin)];
        values.extend(numbers);
        values.push(text(&erased));
        self.change(&[(statement, values)]).await
    }

    /// Ends a run. An erasure forgets whom it was about, and all exports of that person.
    pub(super) async fn end(&self, run: &Run, state: State) -> Result<()> {
        let end = "UPDATE subject_runs SET state = $2, ended_ms = $3 WHERE id = $1";
        let values = vec![text(&run.id), text(state.name()), Value::Integer(self.now_ms)];
        let mut changes: Vec<Change> = vec![(end, values)];
        if run.kind == Kind::Erasure {
            let exports = "DELETE FROM subject_runs WHERE kind = 'export' AND person IN \
                           (SELECT person FROM subject_runs WHERE id = $1)";
            let name = "UPDATE subject_runs SET subject = NULL WHERE id = $1";
            changes.extend([exports, name].map(|it| (it, vec![text(&run.id)])));
        }
        self.change(&changes).await
    }

    pub(super) async fn forget_exports_before(&self, ended_ms: i64) -> Result<()> {
        let statement = "DELETE FROM subject_runs WHERE kind = 'export' AND ended_ms < $1";
        self.change(&[(statement, vec![Value::Integer(ended_ms)])]).await
    }

    async fn find(&self, condition: &'static str, parameters: &[Value]) -> Result<Option<Run>> {
        let mut transaction = self.database.read().await?;
        let rows = transaction.query(&format!("{RUN}{condition}"), parameters).await?;
        let Some(mut run) = rows.values.chunks(9).next().map(read_run).transpose()? else {
            return Ok(None);
        };
        let parts = transaction.query(PARTS, &[text(&run.id)]).await?;
        run.plugins = read_parts(&parts)?;
        Ok(Some(run))
    }

    /// Runs statements in one transaction.
    async fn change(&self, changes: &[Change]) -> Result<()> {
        for _ in 0..RETRIES_MAX {
            match self.try_change(changes).await {
                Err(Error::Retry(_)) => {}
                outcome => return outcome,
            }
        }
        self.try_change(changes).await
    }

    async fn try_change(&self, changes: &[Change]) -> Result<()> {
        let mut transaction: Box<dyn Transaction> = self.database.write().await?;
        for (statement, parameters) in changes {
            transaction.execute(statement, parameters).await?;
        }
        transaction.commit().await
    }
}

fn read_run(row: &[Value]) -> Result<Run> {
    let [id, tenant, subject, kind, state, began_ms, ended_ms, n_pages, n_bytes] = row else {
        return Err(damaged());
    };
    Ok(Run {
        id: read_text(id)?,
        tenant: read_text(tenant)?,
        subject: read_optional(subject)?,
        kind: if read_text(kind)? == "export" { Kind::Export } else { Kind::Erasure },
        state: State::of(&read_text(state)?)?,
        began_ms: read_integer(began_ms)?,
        ended_ms: match ended_ms {
            Value::Null => None,
            value => Some(read_integer(value)?),
        },
        n_pages: read_integer(n_pages)?,
        n_bytes: read_integer(n_bytes)?,
        plugins: Vec::new(),
    })
}

fn read_parts(rows: &Rows) -> Result<Vec<Part>> {
    rows.values.chunks(8).map(read_part).collect()
}

fn read_part(row: &[Value]) -> Result<Part> {
    let [plugin, state, reason, n_calls, n_restarts, n_records, next, erased] = row else {
        return Err(damaged());
    };
    Ok(Part {
        plugin: read_text(plugin)?,
        state: State::of(&read_text(state)?)?,
        reason: read_optional(reason)?,
        n_calls: read_integer(n_calls)?,
        n_restarts: read_integer(n_restarts)?,
        n_records: read_integer(n_records)?,
        next: read_optional(next)?,
        erased: serde_json::from_str(&read_text(erased)?).map_err(|_| damaged())?,
    })
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn integer(number: usize) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn into_text(value: Value) -> Result<String> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(damaged()),
    }
}

fn read_text(value: &Value) -> Result<String> {
    into_text(value.clone())
}

fn read_optional(value: &Value) -> Result<Option<String>> {
    match value {
        Value::Null => Ok(None),
        value => read_text(value).map(Some),
    }
}

fn read_integer(value: &Value) -> Result<i64> {
    match value {
        Value::Integer(number) => Ok(*number),
        _ => Err(damaged()),
    }
}

fn damaged() -> Error {
    Error::Unavailable("the host's record of a data subject's run is damaged".to_owned())
}
