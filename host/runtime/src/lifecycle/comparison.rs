//! Compare and decide: a candidate is held against what the plugin is now, or was last where it is disabled or
//! could not be brought back. Nothing here has an effect, so that a dry run and a change that waits for
//! approval look at the same as one that goes on.

use std::sync::Arc;

use bytes::Bytes;

use super::change::{Change, FileSource};
use super::described::Described;
use super::difference::{self, Difference, Effect, Side};
use super::history::{Kind, NewGeneration, PluginRecord, Presence};
use super::ledger::Source;
use super::{configured, settings_schema};
use crate::generation::Generation;
use crate::load::{self, LoadError, Prepared, Step};
use crate::runtime::Runtime;

/// What is to serve.
pub(super) struct Candidate {
    pub(super) prepared: Prepared,
    /// What it was prepared from.
    pub(super) component: Bytes,
    pub(super) kind: Kind,
    pub(super) file: Option<FileSource>,
    /// Why the generation that serves now ends.
    pub(super) why: String,
    /// What was agreed to, for one that waited.
    pub(super) waited: Option<Waited>,
}

/// A generation that waited for approval.
pub(super) struct Waited {
    pub(super) number: u32,
    /// What it was told to wait for.
    pub(super) reason: String,
}

/// What a plugin is when it is to be changed.
pub(super) struct Present {
    pub(super) record: Option<PluginRecord>,
    pub(super) serving: Option<Arc<Generation>>,
}

/// What a candidate is held against.
pub(super) enum Before {
    /// Nothing: it is the plugin's first, or the plugin was removed.
    Nothing,
    /// What serves.
    Serving(Arc<Generation>),
    /// What served last, of a plugin that is disabled or could not be brought back.
    Last(Box<Prepared>),
    /// What served last, and cannot be looked at.
    Unknown(LoadError),
}

/// What a candidate changes.
#[derive(Default)]
pub(super) struct Comparison {
    /// All that changes for others.
    pub(super) differences: Vec<Difference>,
    /// The part of it that changes in what the operator has set, for the history.
    pub(super) sentences: Vec<String>,
}

/// What is to become of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Only what would change is told.
    Tell,
    /// An operator has to agree first.
    Wait,
    /// It goes on.
    Bring,
}

impl Present {
    /// Whether the candidate is what serves.
    pub(super) fn is(&self, candidate: &Candidate) -> bool {
        let Some(serving) = &self.serving else { return false };
        serving.digest() == candidate.prepared.digest()
            && serving.options == candidate.prepared.options
            && serving.layer == candidate.prepared.layer
            && !serving.is_failing()
    }

    /// Two files may not follow one plugin: which one serves would be a matter of chance.
    ///
    /// # Errors
    /// When another file does.
    pub(super) fn check_file(&self, candidate: &Candidate) -> Result<(), LoadError> {
        let (Some(record), Some(source)) = (&self.record, &candidate.file) else { return Ok(()) };
        let is_other = !record.file.is_empty() && record.file != source.file;
        if is_other && self.serving.is_some() {
            let taken =
                format!("`{}` serves this name already; remove one of the two files", record.file);
            Err(Step::Compare.failed(Some(candidate.prepared.name()), vec![taken]))
        } else {
            Ok(())
        }
    }

    /// Where the component of the plugin comes from when the candidate serves.
    pub(super) fn source_with(&self, candidate: &Candidate) -> Source {
        match (&candidate.file, &self.record) {
            (Some(file), _) => {
                Source { file: file.file.clone(), digest: candidate.prepared.digest().to_string() }
            }
            (None, Some(record)) => {
                Source { file: record.file.clone(), digest: record.file_digest.clone() }
            }
            (None, None) => Source::default(),
        }
    }
}

impl Candidate {
    /// Whether it is watched against the generation before. What was rolled back is not rolled back again:
    /// the host does that once. And a rollback would not bring other grants and limits.
    pub(super) fn is_held_against(&self, serving: &Generation) -> bool {
        match self.kind {
            Kind::Rollback => false,
            Kind::Configuration => serving.options.settings != self.prepared.options.settings,
            Kind::Install | Kind::Upgrade => true,
        }
    }

    /// What is written down of it.
    pub(super) fn record(&self, changes: Vec<String>, by: &str) -> NewGeneration {
        let prepared = &self.prepared;
        NewGeneration {
            digest: prepared.digest().to_string(),
            version: prepared.description().version.clone(),
            kind: self.kind,
            described: Described::of(prepared.description()),
            rights: prepared.inspection.rights.iter().map(|right| right.name.to_owned()).collect(),
            set: prepared.set(),
            changes,
            created_by: by.to_owned(),
        }
    }
}

impl Comparison {
    /// What changes when the candidate takes the place of what was before.
    pub(super) fn of(before: &Before, candidate: &Candidate) -> Self {
        let old = match before {
            Before::Nothing => return Self::default(),
            Before::Serving(serving) => Side::from(&**serving),
            Before::Last(last) => Side::from(&**last),
            Before::Unknown(error) => return Self::with_unknown(error),
        };
        let new = Side::from(&candidate.prepared);
        let mut differences = difference::between(old, new);
        differences.extend(settings_schema::between(old, new));
        let changes = configured::between(old, new);
        let sentences = changes.iter().map(|it| it.text.clone()).collect();
        differences.extend(changes);
        Self { differences, sentences }
    }

    /// Nobody can tell what changes, so that an operator has to.
    fn with_unknown(error: &LoadError) -> Self {
        let reasons = error.reasons.join(", ");
        let text = format!("what served last cannot be compared with it: {reasons}");
        let differences = vec![Difference { effect: Effect::Breaks, text }];
        Self { differences, sentences: Vec::new() }
    }

    /// What is to become of the candidate. Agreeing to one that waited is agreeing to what was told then.
    pub(super) fn decide(&self, change: &Change, waited: Option<&Waited>) -> Decision {
        let is_agreed = |it: &Difference| match waited {
            Some(waited) => it.is_in(&waited.reason),
            None => change.approved,
        };
        let mut needing = self.differences.iter().filter(|it| it.needs_approval());
        if change.dry_run {
            Decision::Tell
        } else if needing.all(is_agreed) {
            Decision::Bring
        } else {
            Decision::Wait
        }
    }
}

impl Runtime {
    /// What a candidate is held against. Of a plugin that does not serve, what served last is prepared from
    /// the component that was kept of it.
    pub(super) async fn before(&self, present: &Present, candidate: &Candidate) -> Before {
        if let Some(serving) = &present.serving {
            return Before::Serving(serving.clone());
        }
        match &present.record {
            Some(record) if record.state != Presence::Removed => {
                match self.prepare_last(record, candidate).await {
                    Ok(last) => Before::Last(Box::new(last)),
                    Err(error) => Before::Unknown(error),
                }
            }
            _ => Before::Nothing,
        }
    }

    async fn prepare_last(
        &self,
        record: &PluginRecord,
        candidate: &Candidate,
    ) -> Result<Prepared, LoadError> {
        let known = self.inner.generation_record(&record.name, record.generation).await?;
        // What is brought again may be what was lost.
        let component = match known.digest == candidate.prepared.digest().to_string() {
            true => candidate.component.clone(),
            false => self.component_of(&record.name, &known).await?,
        };
        let set = self.inner.set_of(&record.name, &known)?;
        let compiled = load::compile(&self.inner, component).await?;
        load::examine(&self.inner, compiled, Some(&record.name), Some(set)).await
    }
}
