//! How a rollout goes: what both versions did since it began, and what came of copies.

use std::time::Duration;

use super::rollout::Rollout;
use super::scores::Score;
use super::stage::Stage;
use crate::generation::Generation;
use crate::runtime::Runtime;
use crate::shadow::ShadowReport;

/// How a rollout goes.
#[derive(Debug, Clone)]
pub struct RolloutReport {
    /// The plugin.
    pub plugin: String,
    /// Which requests the new version gets.
    pub stage: Stage,
    /// When it began, or went on after a restart of the host, in Unix milliseconds. The counts are from
    /// then on.
    pub began_ms: u64,
    /// The version that serves.
    pub stable: SideReport,
    /// The new version.
    pub candidate: SideReport,
    /// What came of copies; the counts of the new version are without them.
    pub shadow: ShadowReport,
}

/// What one of two versions did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideReport {
    /// The number of its generation.
    pub generation: u32,
    /// Its version.
    pub version: String,
    /// Invocations that have ended.
    pub n_invocations: u64,
    /// Those that failed by the plugin's fault, or were answered with a status from 500 on.
    pub n_bad: u64,
    /// Within which time 99 of 100 ended, at most twice too long; zero without any.
    pub p99: Duration,
}

impl SideReport {
    fn new(generation: &Generation, score: &Score) -> Self {
        Self {
            generation: generation.number(),
            version: generation.version().to_owned(),
            n_invocations: score.n(),
            n_bad: score.n_bad(),
            p99: if score.n() == 0 { Duration::ZERO } else { score.p99() },
        }
    }
}

impl Rollout {
    /// How it goes, beside the generation that serves.
    pub(crate) fn report(&self, stable: &Generation) -> RolloutReport {
        let beside = stable.scores.read().since(&self.stable_before);
        RolloutReport {
            plugin: stable.name().to_owned(),
            stage: self.stage.clone(),
            began_ms: self.began_ms,
            stable: SideReport::new(stable, &beside),
            candidate: SideReport::new(&self.candidate, &self.candidate.scores.read()),
            shadow: self.shadow.report(),
        }
    }
}

impl Runtime {
    /// How the rollout of a plugin goes, while one goes on.
    #[must_use]
    pub fn rollout(&self, plugin: &str) -> Option<RolloutReport> {
        let table = self.table();
        Some(table.rollout(plugin)?.report(table.get(plugin)?))
    }
}
