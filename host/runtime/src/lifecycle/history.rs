//! What is told of plugins and their generations: the rows of the ledger, in words.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::described::Described;
use super::layer::Set;
use super::stage::Stage;

/// A plugin that was ever installed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PluginRecord {
    /// Its name.
    pub name: String,
    /// The number of the generation that serves, or that served last.
    pub generation: u32,
    /// Whether it serves.
    pub state: Presence,
    /// The file in the plugin folder that it follows; empty when it was installed in another way.
    pub file: String,
    /// The digest of what was read in that file last.
    pub file_digest: String,
}

/// Whether a plugin serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It serves, also after a restart.
    Enabled,
    /// It was taken out of service and can be put back.
    Disabled,
    /// It was removed; its data stays.
    Removed,
}

impl Presence {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Removed => "removed",
        }
    }
}

/// A generation, as it is remembered.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GenerationRecord {
    /// Its place in the plugin's history, from 1.
    pub number: u32,
    /// The SHA-256 of its component, in hexadecimal digits.
    pub digest: String,
    /// Its version.
    pub version: String,
    /// What brought it.
    pub kind: Kind,
    /// The rights that it asks for.
    pub rights: Vec<String>,
    /// The operator's options that it was prepared with, but for its settings.
    pub options: Value,
    /// Its settings and what was set while the host ran, encrypted.
    pub(crate) sealed: String,
    /// What it changed in the operator's options, one sentence each.
    pub changes: Vec<String>,
    /// What became of it.
    pub state: State,
    /// Why it was refused or rolled back, or what it waits for; else empty.
    pub reason: String,
    /// Who brought it.
    pub created_by: String,
    /// When it was brought, in Unix milliseconds.
    pub created_ms: u64,
    /// When it began to take requests.
    pub served_ms: Option<u64>,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// When it gave up the old shape of the data: none that needs it can serve after that.
    pub contracted_ms: Option<u64>,
    /// The highest number of its migrations, 0 when it has none; none where it was not kept.
    pub schema_version: Option<u32>,
    /// Which requests it gets, or got last, while it is rolled out beside the one that serves.
    pub stage: Option<Stage>,
}

/// What brings a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The first component of a plugin.
    Install,
    /// Another component.
    Upgrade,
    /// The component of an earlier generation.
    Rollback,
    /// The same component with other settings, grants or limits.
    Configuration,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
            Self::Configuration => "configuration",
        }
    }
}

/// What became of a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is being brought up.
    Preparing,
    /// It waits for an operator's approval.
    Waiting,
    /// It is rolled out: it takes the requests of its stage, beside the one that is active.
    Candidate,
    /// It takes requests.
    Active,
    /// A later one took its place.
    Superseded,
    /// It served, and the one before took its place again.
    RolledBack,
    /// It never served.
    Refused,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Waiting => "waiting",
            Self::Candidate => "candidate",
            Self::Active => "active",
            Self::Superseded => "superseded",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
        }
    }
}

/// A generation to be written down.
pub(crate) struct NewGeneration {
    pub(crate) digest: String,
    pub(crate) version: String,
    pub(crate) kind: Kind,
    pub(crate) described: Described,
    pub(crate) rights: Vec<String>,
    pub(crate) set: Set,
    pub(crate) changes: Vec<String>,
    pub(crate) created_by: String,
}
