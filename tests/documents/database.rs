//! SQL of a page, run on one database from its top to its end, through every gate of the store.
//!
//! - `sql migration 1`, or a file such as `migrations/0001_create.sql`: the next migration. A name such as
//!   `0002_fill.backfill.sql` has its phase. Each is an upgrade in all its phases.
//! - `sql refused`, `sql refused migration`: statements that the gate refuses, a line each.
//! - `sql refused expand`: expand steps, a line each, that the statements of the page so far would not
//!   survive.
//! - `sql fails unique`: statements that fail with this error.
//! - `sql`: statements that succeed. Their parameters stand above them: `-- $1 = "a", $2 = 5`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_store::sqlite::{Options, Sqlite};
use caplet_store::{
    Begin, Database, Error, Limits, Migration, Mode, Pace, Phase, Store, Tag, Value, gate,
};
use serde_json::Value as Json;

use crate::page::Block;

/// How long a statement may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The database of a page.
pub struct Notebook {
    database: Arc<dyn Database>,
    migrations: Vec<Migration>,
}

impl Notebook {
    pub async fn new() -> Self {
        let store = Sqlite::open(Options::temporary()).expect("a store in memory");
        let database = store.open("page", Limits::default()).await.expect("a database");
        Self { database, migrations: Vec::new() }
    }

    /// Does with a block what its words say, and returns the rows of its last statement.
    pub async fn run(&mut self, block: &Block) -> Json {
        let place = &block.place;
        let words: Vec<&str> = block.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => self.statements(block, None).await,
            ["fails", code] => self.statements(block, Some(code)).await,
            ["refused"] => refused(block, |text| gate::check(text, &Limits::default()).is_err()),
            ["refused", "migration"] => {
                refused(block, |text| gate::check_migration(text, &Limits::default()).is_err())
            }
            ["refused", "expand"] => self.refused_expands(block).await,
            ["migration", number] => self.migrate(block, number, Phase::Expand).await,
            [file] if file.ends_with(".sql") => {
                let name = file.rsplit('/').next().unwrap_or_default();
                let phase = name.trim_end_matches(".sql").rsplit('.').next();
                let phase = phase.and_then(Phase::from_name).unwrap_or_default();
                self.migrate(block, name.split('_').next().unwrap_or_default(), phase).await
            }
            other => panic!("{place}: {other:?} says nothing"),
        }
    }

    /// Upgrades to a version with one more migration, while the one without it serves.
    async fn migrate(&mut self, block: &Block, number: &str, phase: Phase) -> Json {
        let serving = self.migrations.last().map_or(0, |last| last.number);
        let number = number.parse().unwrap_or_else(|_| panic!("{}: {number}", block.place));
        let (name, sql) = ("of the page".to_owned(), block.text.clone());
        self.migrations.push(Migration::expand(number, name, sql).in_phase(phase));
        let upgraded = self.upgrade(serving).await;
        let version = upgraded.unwrap_or_else(|error| panic!("{}: {error}", block.place));
        assert_eq!(version, number, "{}", block.place);
        Json::Null
    }

    /// Runs all phases, and returns the version of the schema.
    async fn upgrade(&self, serving: u32) -> Result<u32, Error> {
        let plan = self.database.plan(&self.migrations, Some(serving)).await?;
        self.database.expand(&plan).await?;
        self.database.backfill(&plan, &Pace::default()).await?;
        self.database.contract(&plan).await.map(|migrated| migrated.schema_version)
    }

    async fn refused_expands(&self, block: &Block) -> Json {
        let recorded = self.database.statements_of(Tag::of(0)).texts;
        let old: Vec<_> = recorded.iter().map(ToString::to_string).collect();
        let serving = self.migrations.last().map_or(0, |last| last.number);
        for (text, _) in split(&block.text) {
            let next = Migration::expand(serving + 1, "refused", text.clone());
            let list = [self.migrations.as_slice(), &[next]].concat();
            let plan = self.database.plan(&list, Some(serving)).await.expect("a plan");
            let trial = self.database.trial(&plan, &old).await.expect("a trial");
            assert!(!trial.broken.is_empty(), "{}: {text}: {trial:?}", block.place);
        }
        Json::Null
    }

    async fn statements(&self, block: &Block, fails: Option<&str>) -> Json {
        let mut last = Json::Null;
        for (text, parameters) in split(&block.text) {
            let outcome = self.statement(&text, &parameters).await;
            last = match (outcome, fails) {
                (Ok(rows), None) => rows,
                (Err(error), Some(code)) => {
                    assert_eq!(error.code(), code, "{}: {text}: {error}", block.place);
                    Json::Null
                }
                (Err(error), None) => panic!("{}: {text}: {error}", block.place),
                (Ok(_), Some(code)) => panic!("{}: {text}: no {code}", block.place),
            };
        }
        last
    }

    async fn statement(&self, text: &str, parameters: &[Value]) -> Result<Json, Error> {
        let deadline = Instant::now() + PATIENCE;
        let begin =
            Begin { mode: Mode::Write, tenant: "acme".into(), deadline, tag: Some(Tag::of(0)) };
        let mut transaction = self.database.begin(begin).await?;
        let rows = if gate::check(text, &Limits::default())?.selects {
            let page = transaction.query_json(text, parameters, 100).await?;
            serde_json::from_slice(&page.items).expect("the page is JSON")
        } else {
            transaction.query(text, parameters).await?;
            Json::Null
        };
        transaction.commit().await?;
        Ok(rows)
    }
}

fn refused(block: &Block, is_refused: impl Fn(&str) -> bool) -> Json {
    for (text, _) in split(&block.text) {
        assert!(is_refused(&text), "{}: {text}: not refused", block.place);
    }
    Json::Null
}

/// The statements, each of which ends with a line that ends with `;`, and their parameters.
fn split(text: &str) -> Vec<(String, Vec<Value>)> {
    let mut statements = Vec::new();
    let (mut statement, mut parameters) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(list) = line.strip_prefix("-- $") {
            parameters = list.split(", $").map(parameter).collect();
            continue;
        }
        statement += line;
        statement.push('\n');
        if line.ends_with(';') {
            let done = std::mem::take(&mut statement).trim().to_owned();
            statements.push((done, std::mem::take(&mut parameters)));
        }
    }
    assert_eq!(statement.trim(), "", "a statement ends with `;`");
    statements
}

fn parameter(text: &str) -> Value {
    let (_, value) = text.split_once(" = ").expect("a parameter is written `$1 = value`");
    match serde_json::from_str(value).expect("the value is JSON") {
        Json::String(text) => Value::Text(text),
        Json::Number(number) => number.as_i64().map_or(Value::Null, Value::Integer),
        _ => Value::Null,
    }
}

#[test]
fn statements_come_with_their_parameters() {
    let found = split("-- $1 = \"a, b\", $2 = 5\nSELECT\n  $1, $2;\n\nSELECT 1;\n");
    let values = vec![Value::Text("a, b".into()), Value::Integer(5)];
    assert_eq!(found, [("SELECT\n  $1, $2;".into(), values), ("SELECT 1;".into(), Vec::new())]);
}
