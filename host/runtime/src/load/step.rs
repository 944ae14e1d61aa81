//! The steps from bytes to a generation that serves, and why one of them failed.

/// Why a component was not loaded. `Display` is one line for an operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{step}: {}", whose(plugin.as_deref()), reasons.join("; "))]
pub struct LoadError {
    /// The plugin's name, once it is known.
    pub plugin: Option<String>,
    /// What was being done.
    pub step: Step,
    /// What is wrong, one sentence each; never empty.
    pub reasons: Vec<String>,
}

fn whose(plugin: Option<&str>) -> String {
    plugin.map(|name| format!("plugin `{name}`: ")).unwrap_or_default()
}

/// The steps of a load, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Reading and compiling the component.
    Compile,
    /// Holding its imports and exports against the contract.
    Match,
    /// Holding its imports against the grants.
    Grant,
    /// Asking it to describe itself.
    Describe,
    /// Checking the description.
    Check,
    /// Checking the operator's settings against its schema.
    Configure,
    /// Waiting until no other change of the plugin goes on.
    Turn,
    /// Comparing it with what serves, and writing it down.
    Compare,
    /// Trying its migrations on a copy of the data.
    Trial,
    /// Giving the data what it needs, in a way that the version before can live with.
    Expand,
    /// Starting its first instances.
    Warm,
    /// Asking it whether it is well.
    Health,
    /// Giving it the requests of a stage, beside the version that serves.
    Stage,
    /// Taking its place in the route table.
    Swap,
    /// Letting the invocations of the generation before end.
    Drain,
    /// Filling in what the data of before lack, part by part.
    Backfill,
    /// Watching whether it does worse than the generation before.
    Watch,
    /// Giving up the shape of the data that only the generation before needed.
    Contract,
}

impl Step {
    /// The word for it in logs and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::Match => "match",
            Self::Grant => "grant",
            Self::Describe => "describe",
            Self::Check => "check",
            Self::Configure => "configure",
            Self::Turn => "turn",
            Self::Compare => "compare",
            Self::Trial => "trial",
            Self::Expand => "expand",
            Self::Warm => "warm",
            Self::Health => "health",
            Self::Stage => "stage",
            Self::Swap => "swap",
            Self::Drain => "drain",
            Self::Backfill => "backfill",
            Self::Watch => "watch",
            Self::Contract => "contract",
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Compile => "not a component that can be compiled",
            Self::Match => "not a plugin for this host",
            Self::Grant => "not granted",
            Self::Describe => "describing itself failed",
            Self::Check => "its description is refused",
            Self::Configure => "its settings are refused",
            Self::Turn => "another change goes on",
            Self::Compare => "cannot be changed",
            Self::Trial => "its migrations failed on a copy of the data",
            Self::Expand => "its database cannot be brought up to date",
            Self::Warm => "it does not start",
            Self::Health => "it says that it is not well",
            Self::Stage => "cannot be given its requests",
            Self::Swap => "cannot take its place",
            Self::Drain => "the version before does not end",
            Self::Backfill => "its data cannot be filled in",
            Self::Watch => "it does worse than the version before",
            Self::Contract => "the old shape of its data cannot be given up",
        })
    }
}

impl Step {
    pub(crate) fn failed(self, plugin: Option<&str>, reasons: Vec<String>) -> LoadError {
        LoadError { plugin: plugin.map(ToOwned::to_owned), step: self, reasons }
    }
}
