//! What the host remembers of plugins and their generations, in its own database. Knows rows and
//! states; when they change is the pipeline's.
//!
//! Invariant: at most one generation of a plugin is `active`, and it is the one that `plugins` names.
//! Both change in one transaction, which is the moment of the swap for whoever starts after a crash.

use std::sync::Arc;

use caplet_store::{Error, Result, Value};

use crate::clock::Clock;
use crate::digest::Digest;
use crate::host_database::{HostDatabase, Statement};
use crate::lifecycle::history::{GenerationRecord, NewGeneration, PluginRecord, State};
use crate::lifecycle::layer::{Layer, Set};
use crate::lifecycle::stage::Stage;
use crate::options::PluginOptions;
use crate::sealed::Keys;

/// Generations of one plugin that are kept. Older ones that do not serve are forgotten.
const KEPT_MAX: u32 = 50;

/// Components of one plugin whose statements are kept: those that ran last.
const STATEMENTS_KEPT_MAX: u32 = 4;

const PLUGINS: &str = "SELECT name, generation, state, file, file_digest FROM plugins \
    WHERE name > $1 ORDER BY name";

const PLUGIN: &str =
    "SELECT name, generation, state, file, file_digest FROM plugins WHERE name = $1";

const GENERATIONS: &str = "SELECT number, digest, version, kind, rights AS \"rights:json\", \
    options AS \"options:json\", sealed, changes AS \"changes:json\", state, reason, created_by, \
    created_ms, served_ms, ended_ms, contracted_ms, stage AS \"stage:json\", schema_version \
    FROM generations \
    WHERE plugin = $1 AND number < $2 ORDER BY number DESC";

const INSERT: &str = "INSERT INTO generations (plugin, number, digest, version, kind, rights, \
    options, sealed, changes, state, reason, created_by, created_ms, schema_version, description) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

const DESCRIPTION: &str = "SELECT description AS \"description:json\" FROM generations \
    WHERE plugin = $1 AND number = $2";

const NEXT: &str =
    "SELECT COALESCE(MAX(number), 0) + 1 AS number FROM generations WHERE plugin = $1";

const ALL_SETS: &str = "SELECT plugin, number, options AS \"options:json\", sealed FROM generations \
    WHERE plugin > $1 OR (plugin = $1 AND number > $2) ORDER BY plugin, number";

const RESEAL: &str =
    "UPDATE generations SET options = $3, sealed = $4 WHERE plugin = $1 AND number = $2";

const END: &str = "UPDATE generations SET state = $3, reason = $4, ended_ms = $5 \
    WHERE plugin = $1 AND number = $2";

const SUPERSEDE: &str = "UPDATE generations SET state = $3, reason = $4, ended_ms = $5 \
    WHERE plugin = $1 AND state = 'active' AND number <> $2";

const ACTIVATE: &str = "UPDATE generations SET state = 'active', \
    served_ms = COALESCE(served_ms, $3) WHERE plugin = $1 AND number = $2";

const OUTDATE: &str = "UPDATE generations SET state = 'refused', reason = 'a later one came', \
    ended_ms = $3 WHERE plugin = $1 AND number <> $2 AND state = 'waiting' \
    AND (kind = 'configuration' OR $2 NOT IN \
    (SELECT number FROM generations WHERE plugin = $1 AND kind IN ('configuration', 'rollback')))";

const STAGE: &str = "UPDATE generations SET state = 'candidate', stage = $3, \
    served_ms = COALESCE(served_ms, $4) WHERE plugin = $1 AND number = $2";

const END_CANDIDATES: &str = "UPDATE generations SET state = $2, reason = $3, ended_ms = $4 \
    WHERE plugin = $1 AND state = 'candidate'";

const POINT: &str = "INSERT INTO plugins (name, generation, state, file, file_digest) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET \
    generation = excluded.generation, state = excluded.state, file = excluded.file, \
    file_digest = excluded.file_digest";

const SET_STATE: &str = "UPDATE plugins SET state = $2 WHERE name = $1";

const SET_FILE: &str = "UPDATE plugins SET file = $2, file_digest = $3 WHERE name = $1";

const CONTRACTED: &str =
    "UPDATE generations SET contracted_ms = $3 WHERE plugin = $1 AND number = $2";

const PRUNE: &str = "DELETE FROM generations WHERE plugin = $1 \
    AND number <= (SELECT MAX(number) FROM generations WHERE plugin = $1) - $2 \
    AND state IN ('refused', 'rolled-back', 'superseded', 'waiting')";

const UNFINISHED: &str = "UPDATE generations SET state = 'refused', \
    reason = 'the host ended before it served', ended_ms = $1 WHERE state = 'preparing'";

/// Only one change of a plugin goes on at a time: when the next one is written down, no other is preparing.
const FORSAKEN: &str = "UPDATE generations SET state = 'refused', ended_ms = $2, \
    reason = 'why it was refused could not be written down then; it is in the log of the host' \
    WHERE plugin = $1 AND state = 'preparing'";

const DIGESTS: &str = "SELECT DISTINCT digest FROM generations WHERE digest > $1 ORDER BY digest";

const KEEP_STATEMENTS: &str = "INSERT INTO component_statements (plugin, digest, texts, kept_ms) \
    VALUES ($1, $2, $3, $4) ON CONFLICT (plugin, digest) DO UPDATE SET \
    texts = excluded.texts, kept_ms = excluded.kept_ms";

const FORGET_STATEMENTS: &str = "DELETE FROM component_statements WHERE plugin = $1 \
    AND digest NOT IN (SELECT digest FROM component_statements WHERE plugin = $1 \
    ORDER BY kept_ms DESC, digest LIMIT $2)";

const STATEMENTS: &str = "SELECT texts AS \"texts:json\" FROM component_statements \
    WHERE plugin = $1 AND digest = $2";

/// The rows of all plugins.
pub(crate) struct Ledger {
    database: HostDatabase,
    clock: Arc<dyn Clock>,
    keys: Keys,
}

/// Where a component came from: a file in the plugin folder, or elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// The file's name; empty for elsewhere.
    pub(crate) file: String,
    /// The digest of what was read there.
    pub(crate) digest: String,
}

impl Ledger {
    pub(crate) fn new(database: HostDatabase, clock: Arc<dyn Clock>, keys: Keys) -> Self {
        Self { database, clock, keys }
    }

    /// All plugins that were ever installed, by name.
    pub(crate) async fn plugins(&self) -> Result<Vec<PluginRecord>> {
        let mut plugins: Vec<PluginRecord> = Vec::new();
        loop {
            let after = plugins.last().map(|last| last.name.clone()).unwrap_or_default();
            let (page, more) = self.database.rows((PLUGINS, &[text(&after)])).await?;
            plugins.extend(page);
            if !more {
                return Ok(plugins);
            }
        }
    }

    /// One plugin, if it was ever installed.
    pub(crate) async fn plugin(&self, plugin: &str) -> Result<Option<PluginRecord>> {
        let (page, _) = self.database.rows((PLUGIN, &[text(plugin)])).await?;
        Ok(page.into_iter().next())
    }

    /// The generations of a plugin that are known, the newest first.
    pub(crate) async fn generations(&self, plugin: &str) -> Result<Vec<GenerationRecord>> {
        let mut generations: Vec<GenerationRecord> = Vec::new();
        loop {
            let before = generations.last().map_or(i64::MAX, |last| i64::from(last.number));
            let parameters = [text(plugin), Value::Integer(before)];
            let (page, more) = self.database.rows((GENERATIONS, &parameters)).await?;
            generations.extend(page);
            if !more {
                return Ok(generations);
            }
        }
    }

    /// The digests of all generations that are known.
    pub(crate) async fn digests(&self) -> Result<Vec<String>> {
        let mut digests: Vec<String> = Vec::new();
        loop {
            let after = digests.last().cloned().unwrap_or_default();
            let (page, more): (Vec<DigestRow>, bool) =
                self.database.rows((DIGESTS, &[text(&after)])).await?;
            digests.extend(page.into_iter().map(|row| row.digest));
            if !more {
                return Ok(digests);
            }
        }
    }

    /// Writes down a new generation and gives it its number. The plugin's turn is held.
    pub(crate) async fn add(
        &self,
        plugin: &str,
        new: &NewGeneration,
        (state, reason): (State, &str),
    ) -> Result<u32> {
        let (next, _): (Vec<NumberRow>, bool) = self.database.rows((NEXT, &[text(plugin)])).await?;
        let number = next.first().map_or(1, |row| row.number);
        let (options, sealed) = self.seal((plugin, number), &new.set)?;
        let parameters = [
            text(plugin),
            number_of(number),
            text(&new.digest),
            text(&new.version),
            text(new.kind.name()),
            text(&serde_json::Value::from(new.rights.as_slice()).to_string()),
            text(&options),
            text(&sealed),
            text(&serde_json::Value::from(new.changes.as_slice()).to_string()),
            text(state.name()),
            text(reason),
            text(&new.created_by),
            self.now(),
            number_of(new.described.schema_version),
            text(&new.described.document),
        ];
        let forsaken = [text(plugin), self.now()];
        let kept = [text(plugin), Value::Integer(i64::from(KEPT_MAX))];
        let changes: [Statement<'_>; 3] =
            [(FORSAKEN, &forsaken), (INSERT, &parameters), (PRUNE, &kept)];
        self.database.change(&changes).await?;
        Ok(number)
    }

    /// What a generation said of itself, where it was kept.
    pub(crate) async fn description(
        &self,
        plugin: &str,
        number: u32,
    ) -> Result<Option<serde_json::Value>> {
        let of = [text(plugin), number_of(number)];
        let (rows, _): (Vec<DescriptionRow>, bool) = self.database.rows((DESCRIPTION, &of)).await?;
        Ok(rows.into_iter().next().and_then(|row| row.description))
    }

    /// What a generation was prepared with.
    ///
    /// # Errors
    /// Why it cannot be read any more.
    pub(crate) fn set_of(
        &self,
        plugin: &str,
        generation: &GenerationRecord,
    ) -> std::result::Result<Set, String> {
        self.opened((plugin, generation.number), (&generation.options, &generation.sealed))
    }

    /// Encrypts what is not, or by a key that is on its way out: what was written by a host before, or
    /// before the key was changed.
    pub(crate) async fn seal_anew(&self) -> Result<()> {
        let mut last = (String::new(), 0);
        let mut is_changed = false;
        loop {
            let after = [text(&last.0), number_of(last.1)];
            let (rows, more): (Vec<SetRow>, bool) = self.database.rows((ALL_SETS, &after)).await?;
            for row in rows {
                is_changed |= self.seal_row_anew(&row).await?;
                last = (row.plugin, row.number);
            }
            if !more {
                break;
            }
        }
        if is_changed { self.database.overwrite_deleted().await } else { Ok(()) }
    }

    async fn seal_row_anew(&self, row: &SetRow) -> Result<bool> {
        if self.keys.is_current(&row.sealed) {
            return Ok(false);
        }
        let of = (row.plugin.as_str(), row.number);
        match self.opened(of, (&row.options, &row.sealed)) {
            Ok(set) => {
                let (options, sealed) = self.seal(of, &set)?;
                let parameters = [text(of.0), number_of(of.1), text(&options), text(&sealed)];
                self.database.change(&[(RESEAL, &parameters)]).await?;
                Ok(true)
            }
            Err(reason) => {
                tracing::warn!(plugin = of.0, generation = of.1, reason, "settings cannot be read");
                Ok(false)
            }
        }
    }

    /// The options without settings, and the rest encrypted for one generation.
    fn seal(&self, (plugin, number): (&str, u32), set: &Set) -> Result<(String, String)> {
        let failed = |error: std::io::Error| Error::Unavailable(format!("not encrypted: {error}"));
        let open = PluginOptions { settings: serde_json::Value::Null, ..set.options.clone() };
        let options = serde_json::to_value(&open).unwrap_or_default().to_string();
        let hidden = Hidden { settings: set.options.settings.clone(), layer: set.layer.clone() };
        let hidden = serde_json::to_value(&hidden).unwrap_or_default().to_string();
        let sealed = self.keys.seal(&about(plugin, number), &hidden).map_err(failed)?;
        Ok((options, sealed))
    }

    fn opened(
        &self,
        (plugin, number): (&str, u32),
        (options, sealed): (&serde_json::Value, &str),
    ) -> std::result::Result<Set, String> {
        let malformed = |error: serde_json::Error| error.to_string();
        let options: PluginOptions = serde_json::from_value(options.clone()).map_err(malformed)?;
        if sealed.is_empty() {
            return Ok(Set { options, layer: Layer::default() });
        }
        let hidden = self.keys.unseal(&about(plugin, number), sealed);
        let hidden = hidden.map_err(|error| error.to_string())?;
        let Hidden { settings, layer } = serde_json::from_str(&hidden).map_err(malformed)?;
        Ok(Set { options: PluginOptions { settings, ..options }, layer })
    }

    /// Notes the end of a generation that did not come to serve.
    pub(crate) async fn refuse(&self, plugin: &str, number: u32, reason: &str) -> Result<()> {
        let state = text(State::Refused.name());
        let parameters = [text(plugin), number_of(number), state, text(reason), self.now()];
        self.database.change(&[(END, &parameters)]).await.map(drop)
    }

    /// Makes a generation the one that serves, and ends the one that did, all at once. `ended` is what
    /// becomes of that one, and why.
    pub(crate) async fn activate(
        &self,
        plugin: &str,
        number: u32,
        (state, source): (&str, &Source),
        ended: (State, &str),
    ) -> Result<()> {
        let (plugin, number) = (text(plugin), number_of(number));
        let at = [plugin.clone(), number.clone(), self.now()];
        let ended = [text(ended.0.name()), text(ended.1), self.now()];
        let superseded = [&at[..2], &ended].concat();
        let place = [plugin, number, text(state), text(&source.file), text(&source.digest)];
        let changes: [Statement<'_>; 4] =
            [(SUPERSEDE, &superseded), (ACTIVATE, &at), (OUTDATE, &at), (POINT, &place)];
        self.database.change(&changes).await.map(drop)
    }

    /// Notes that the generation that served before the plugin was stopped serves again. What waits for
    /// approval goes on waiting.
    pub(crate) async fn activate_again(
        &self,
        plugin: &str,
        number: u32,
        (state, source): (&str, &Source),
    ) -> Result<()> {
        let (plugin, number) = (text(plugin), number_of(number));
        let at = [plugin.clone(), number.clone(), self.now()];
        let ended =
            [plugin.clone(), number.clone(), text(State::Superseded.name()), text(""), self.now()];
        let place = [plugin, number, text(state), text(&source.file), text(&source.digest)];
        let statements: [Statement<'_>; 3] =
            [(SUPERSEDE, &ended), (ACTIVATE, &at), (POINT, &place)];
        self.database.change(&statements).await.map(drop)
    }

    /// Gives a generation the requests of a stage, beside the one that serves.
    pub(crate) async fn stage(&self, plugin: &str, number: u32, stage: &Stage) -> Result<()> {
        let written = serde_json::to_string(stage)
            .map_err(|error| Error::Unavailable(format!("a stage: {error}")))?;
        let served = if stage.shadow { Value::Null } else { self.now() };
        let parameters = [text(plugin), number_of(number), text(&written), served];
        self.database.change(&[(STAGE, &parameters)]).await.map(drop)
    }

    /// Ends every generation that is rolled out.
    pub(crate) async fn end_candidates(
        &self,
        plugin: &str,
        (state, reason): (State, &str),
    ) -> Result<()> {
        let parameters = [text(plugin), text(state.name()), text(reason), self.now()];
        self.database.change(&[(END_CANDIDATES, &parameters)]).await.map(drop)
    }

    /// Enables, disables or removes a plugin.
    pub(crate) async fn set_state(&self, plugin: &str, state: &str) -> Result<()> {
        let parameters = [text(plugin), text(state)];
        self.database.change(&[(SET_STATE, &parameters)]).await.map(drop)
    }

    /// Notes what was read last in the file that a plugin follows.
    pub(crate) async fn set_source(&self, plugin: &str, source: &Source) -> Result<()> {
        let parameters = [text(plugin), text(&source.file), text(&source.digest)];
        self.database.change(&[(SET_FILE, &parameters)]).await.map(drop)
    }

    /// Notes that the old shape of the data was given up for a generation.
    pub(crate) async fn contracted(&self, plugin: &str, number: u32) -> Result<()> {
        let parameters = [text(plugin), number_of(number), self.now()];
        self.database.change(&[(CONTRACTED, &parameters)]).await.map(drop)
    }

    /// Keeps the texts of the statements that a component ran, and forgets those of components that ran
    /// long ago.
    pub(crate) async fn keep_statements(
        &self,
        plugin: &str,
        digest: &Digest,
        texts: &[Arc<str>],
    ) -> Result<()> {
        let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
        let texts = text(&serde_json::Value::from(texts).to_string());
        let kept = [text(plugin), text(&digest.to_string()), texts, self.now()];
        let others = [text(plugin), number_of(STATEMENTS_KEPT_MAX)];
        self.database
            .change(&[(KEEP_STATEMENTS, &kept), (FORGET_STATEMENTS, &others)])
            .await
            .map(drop)
    }

    /// The texts of the statements that a component ran, as far as they were kept.
    pub(crate) async fn statements(&self, plugin: &str, digest: &Digest) -> Result<Vec<String>> {
        let (rows, _): (Vec<StatementsRow>, bool) =
            self.database.rows((STATEMENTS, &[text(plugin), text(&digest.to_string())])).await?;
        Ok(rows.into_iter().next().map(|row| row.texts).unwrap_or_default())
    }

    /// Ends what was being prepared when the host ended.
    pub(crate) async fn end_unfinished(&self) -> Result<()> {
        let parameters = [self.now()];
        self.database.change(&[(UNFINISHED, &parameters)]).await.map(drop)
    }

    fn now(&self) -> Value {
        Value::Integer(i64::try_from(self.clock.now_ms()).unwrap_or(i64::MAX))
    }
}

/// What is encrypted of a generation.
#[derive(serde::Serialize, serde::Deserialize)]
struct Hidden {
    settings: serde_json::Value,
    layer: Layer,
}

/// What an encrypted text is bound to.
fn about(plugin: &str, number: u32) -> String {
    format!("caplet settings of {plugin}, generation {number}")
}

#[derive(serde::Deserialize)]
struct NumberRow {
    number: u32,
}

#[derive(serde::Deserialize)]
struct SetRow {
    plugin: String,
    number: u32,
    options: serde_json::Value,
    sealed: String,
}

#[derive(serde::Deserialize)]
struct StatementsRow {
    texts: Vec<String>,
}

#[derive(serde::Deserialize)]
struct DescriptionRow {
    description: Option<serde_json::Value>,
}

#[derive(serde::Deserialize)]
struct DigestRow {
    digest: String,
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn number_of(number: u32) -> Value {
    Value::Integer(i64::from(number))
}
