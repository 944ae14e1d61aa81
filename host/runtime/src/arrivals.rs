//! Plugins on their way into the route table: what a host that starts brings back, and what is new in the
//! plugin folder. Whoever asks for one of them is told to come again, and whoever asks how the host is can
//! be told what it waits for. What brings them knows nothing of this list but its own place in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::watch;

use crate::runtime::Runtime;

/// A plugin on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Its name; that of its file without the ending, while nobody knows what it calls itself.
    pub name: String,
    /// Whether it is being compiled, which may take long.
    pub is_compiling: bool,
    /// Whether it served when the host ended, and is brought back.
    pub(crate) is_return: bool,
}

/// All that are on their way.
#[derive(Default)]
pub(crate) struct Arrivals {
    all: watch::Sender<BTreeMap<u64, Arrival>>,
    n_begun: AtomicU64,
}

impl Arrivals {
    /// Notes that `name` is on its way, until what is returned is dropped.
    pub(crate) fn begin(self: &Arc<Self>, name: &str, is_return: bool) -> Arriving {
        let key = self.n_begun.fetch_add(1, Relaxed);
        let arrival = Arrival { name: name.to_owned(), is_compiling: false, is_return };
        self.all.send_modify(|all| drop(all.insert(key, arrival)));
        Arriving { arrivals: self.clone(), key }
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.borrow().is_empty()
    }

    /// Whether a plugin is being brought back.
    pub(crate) fn returns(&self, name: &str) -> bool {
        self.all.borrow().values().any(|it| it.is_return && it.name == name)
    }
}

/// The place of one plugin that is on its way.
pub(crate) struct Arriving {
    arrivals: Arc<Arrivals>,
    key: u64,
}

impl Arriving {
    /// Notes whether it is being compiled.
    pub(crate) fn compiles(&self, is_compiling: bool) {
        self.arrivals.all.send_modify(|all| {
            if let Some(arrival) = all.get_mut(&self.key) {
                arrival.is_compiling = is_compiling;
            }
        });
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.arrivals.all.send_modify(|all| drop(all.remove(&self.key)));
    }
}

impl Runtime {
    /// The plugins that are on their way, in the order in which they were found.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.inner.arrivals.all.borrow().values().cloned().collect()
    }

    /// Whether a plugin is on its way that does not serve yet, or one whose file has that name.
    #[must_use]
    pub fn is_arriving(&self, name: &str) -> bool {
        self.inner.arrivals.all.borrow().values().any(|it| it.name == name)
    }

    /// Waits until nothing is on its way.
    pub async fn arrived(&self) {
        let mut all = self.inner.arrivals.all.subscribe();
        // The sender is in the runtime, so it outlives the wait.
        let _ = all.wait_for(BTreeMap::is_empty).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_on_its_way_and_forgets_what_has_come() {
        let arrivals = Arc::new(Arrivals::default());
        let (back, new) = (arrivals.begin("notes", true), arrivals.begin("notes", false));
        new.compiles(true);
        let compiling: Vec<bool> =
            arrivals.all.borrow().values().map(|it| it.is_compiling).collect();
        assert_eq!(compiling, [false, true]);
        assert!(arrivals.returns("notes") && !arrivals.returns("tags"));
        drop(back);
        assert!(!arrivals.returns("notes") && !arrivals.is_empty());
        drop(new);
        assert!(arrivals.is_empty());
    }
}
