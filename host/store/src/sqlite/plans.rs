//! What is known about the statement texts of one database: parsed once, remembered while in use.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use hashlink::LruCache;
use parking_lot::Mutex;

use super::fault::Fault;
use crate::gate::{self, Checked};
use crate::json::Plan;
use crate::statements::Record;
use crate::{Limits, Result, Statements, Tag};

/// Texts that are remembered for one database.
const TEXTS_MAX: usize = 500;

/// SQLite cannot be interrupted while it prepares a statement, which takes about 1 ms for this many
/// bytes: longer texts always run off the calling thread.
const INLINE_BYTES_MAX: usize = 8 << 10;

/// A text that was slow once is tried on the calling thread again after so many quick runs in a row:
/// a machine that was busy for a moment makes any statement look slow.
const QUICK_RUNS_MIN: u32 = 16;

/// What a quick run takes at most: well below the time that makes a text slow.
const QUICK_TIME_MAX: Duration = Duration::from_millis(1);

/// One statement text that passed the gate.
pub(super) struct Prepared {
    pub(super) text: Arc<str>,
    pub(super) checked: Checked,
    /// The number of the tag under which it was recorded last: nearly always that of every run.
    recorded: AtomicU64,
    /// Quick runs that are still missing until it is tried on the calling thread.
    n_quick_runs_left: AtomicU32,
    slots: OnceLock<Vec<Slot>>,
    json: Mutex<Option<Arc<Plan>>>,
}

/// What one of SQLite's parameters is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// The invocation's tenant.
    Tenant,
    /// The parameter at this index, from 0.
    Parameter(usize),
}

impl Prepared {
    fn new(text: &str, limits: &Limits) -> Result<Self> {
        Ok(Self {
            text: Arc::from(text),
            checked: gate::check(text, limits)?,
            recorded: AtomicU64::new(0),
            n_quick_runs_left: AtomicU32::new(0),
            slots: OnceLock::new(),
            json: Mutex::new(None),
        })
    }

    /// Whether it should not be tried on the calling thread.
    pub(super) fn is_slow(&self) -> bool {
        self.text.len() > INLINE_BYTES_MAX || self.n_quick_runs_left.load(Ordering::Relaxed) > 0
    }

    pub(super) fn mark_slow(&self) {
        self.n_quick_runs_left.store(QUICK_RUNS_MIN, Ordering::Relaxed);
    }

    /// Notes how long a run off the calling thread took.
    pub(super) fn note_run(&self, time: Duration) {
        if time > QUICK_TIME_MAX {
            return self.mark_slow();
        }
        let left = self.n_quick_runs_left.load(Ordering::Relaxed);
        self.n_quick_runs_left.store(left.saturating_sub(1), Ordering::Relaxed);
    }

    /// What SQLite's parameters are bound to, in its order, which is that of their first use.
    pub(super) fn slots(&self, statement: &rusqlite::Statement<'_>) -> Result<&[Slot], Fault> {
        if let Some(slots) = self.slots.get() {
            return Ok(slots);
        }
        let slots = (1..=statement.parameter_count())
            .map(|index| slot(statement.parameter_name(index)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.slots.get_or_init(|| slots))
    }

    /// How rows with these columns are written as JSON. The columns of a text may change with the
    /// schema.
    pub(super) fn json_plan(&self, columns: &[&str]) -> Result<Arc<Plan>> {
        let mut known = self.json.lock();
        if let Some(plan) = known.as_ref().filter(|plan| plan.is_for(columns.iter().copied())) {
            return Ok(Arc::clone(plan));
        }
        let plan = Arc::new(Plan::new(columns.iter().copied())?);
        *known = Some(Arc::clone(&plan));
        Ok(plan)
    }
}

fn slot(name: Option<&str>) -> Result<Slot, Fault> {
    let number = match name {
        Some("$tenant") => return Ok(Slot::Tenant),
        Some(name) => name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok()),
        None => None,
    };
    match number {
        Some(number) if number > 0 => Ok(Slot::Parameter(number - 1)),
        _ => Err(Fault::invalid(format!(
            "write parameters as $1 and not as {}",
            name.unwrap_or("?")
        ))),
    }
}

/// The texts of one database.
pub(super) struct Plans {
    limits: Limits,
    texts: Mutex<LruCache<Arc<str>, Arc<Prepared>>>,
    record: Mutex<Record>,
}

impl Plans {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, texts: Mutex::new(LruCache::new(TEXTS_MAX)), record: Mutex::default() }
    }

    /// What is known about `text`, which is recorded under `tag`.
    pub(super) async fn get(&self, text: &str, tag: Option<Tag>) -> Result<Arc<Prepared>> {
        let prepared = self.find(text).await?;
        if let Some(tag) = tag
            && prepared.recorded.load(Ordering::Relaxed) != tag.number()
        {
            let forgotten = self.record.lock().add(&prepared.text, tag);
            forgotten.into_iter().for_each(|tag| self.record_again(tag));
            prepared.recorded.store(tag.number(), Ordering::Relaxed);
        }
        Ok(prepared)
    }

    /// Sees to it that what runs under a tag, of which all was forgotten, is recorded once more.
    fn record_again(&self, tag: Tag) {
        for (_, prepared) in self.texts.lock().iter() {
            let recorded = &prepared.recorded;
            let _ =
                recorded.compare_exchange(tag.number(), 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    pub(super) fn statements_of(&self, tag: Tag) -> Statements {
        self.record.lock().statements_of(tag)
    }

    pub(super) fn restore_statements(&self, tag: Tag, texts: &[String]) {
        for text in texts {
            let forgotten = self.record.lock().add(&Arc::from(text.as_str()), tag);
            forgotten.into_iter().for_each(|tag| self.record_again(tag));
        }
    }

    /// What is known about `text`, after a look through the gate for a new one.
    async fn find(&self, text: &str) -> Result<Arc<Prepared>> {
        if let Some(prepared) = self.texts.lock().get(text) {
            return Ok(Arc::clone(prepared));
        }
        // The parser calls itself: it needs a stack of a known size, which the caller may not have.
        let (owned, limits) = (text.to_owned(), self.limits.clone());
        let prepared = super::off_thread(move || Prepared::new(&owned, &limits)).await??;
        let prepared = Arc::new(prepared);
        self.texts.lock().insert(Arc::clone(&prepared.text), Arc::clone(&prepared));
        Ok(prepared)
    }
}
