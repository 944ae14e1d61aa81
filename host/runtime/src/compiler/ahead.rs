//! Components that are compiled before the change begins which brings them, so that nothing else waits for
//! that: a component of a language with a large engine takes a quarter of a minute. What comes of it is kept
//! in memory for that change, and in the cache as always.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use wasmtime::component::Component;

use super::{NotCompiled, compile};
use crate::digest::Digest;
use crate::engine::World;
use crate::runtime::Inner;

type Outcome = OnceLock<Result<Component, NotCompiled>>;

/// What was compiled ahead, for as long as somebody means to use it.
#[derive(Default)]
pub(crate) struct CompiledAhead {
    outcomes: Mutex<HashMap<Digest, Weak<Outcome>>>,
    /// Told each time when something is compiled.
    pub(crate) news: Arc<Notify>,
}

impl CompiledAhead {
    /// What came of compiling the component of that digest ahead, if it was.
    pub(super) fn get(&self, digest: &Digest) -> Option<Result<Component, NotCompiled>> {
        let outcome = self.outcomes.lock().get(digest).and_then(Weak::upgrade)?;
        outcome.get().cloned()
    }

    fn begin(&self, digest: Digest) -> Arc<Outcome> {
        let outcome = Arc::new(Outcome::new());
        let mut outcomes = self.outcomes.lock();
        outcomes.retain(|_, outcome| outcome.strong_count() > 0);
        outcomes.insert(digest, Arc::downgrade(&outcome));
        outcome
    }
}

/// A component that is being compiled ahead, or was. Compiling ends when this is dropped, and what came of
/// it is forgotten.
pub(crate) struct Ahead {
    /// Keeps what came of it.
    _outcome: Arc<Outcome>,
    compiling: JoinHandle<()>,
}

impl Ahead {
    /// Begins to compile a component, if its code is not in the cache.
    pub(crate) fn begin(inner: &Arc<Inner>, digest: Digest, component: &Bytes) -> Option<Self> {
        if inner.is_in_cache(World::of(component), &digest.to_string())
            || inner.ahead.get(&digest).is_some()
        {
            return None;
        }
        let outcome = inner.ahead.begin(digest);
        let (inner, bytes, given) = (inner.clone(), component.clone(), outcome.clone());
        let compiling = tokio::spawn(async move {
            let compiled = compile(&inner, bytes).await;
            // It is set here and nowhere else.
            let _ = given.set(compiled.map(|compiled| compiled.component));
            inner.ahead.news.notify_one();
        });
        Some(Self { _outcome: outcome, compiling })
    }

    /// Whether it has come to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.compiling.is_finished()
    }

    /// Waits for the end. What came of it is told to whoever compiles the component next.
    pub(crate) async fn done(&mut self) {
        if let Err(panicked) = (&mut self.compiling).await {
            tracing::error!(%panicked, "compiling ahead failed");
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.compiling.abort();
    }
}
