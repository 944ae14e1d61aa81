//! The generations of a plugin that no longer take requests and may still run some. What an older one
//! needs of the data is given up only when none is left.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::generation::Generation;

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(50);

/// All generations of one plugin that were replaced and are not gone.
#[derive(Default)]
pub(super) struct Replaced(Mutex<Vec<Weak<Generation>>>);

impl Replaced {
    pub(super) fn add(&self, generation: &Arc<Generation>) {
        let generation = Arc::downgrade(generation);
        let mut all = self.0.lock();
        all.retain(|it| it.strong_count() > 0 && !it.ptr_eq(&generation));
        all.push(generation);
    }

    /// Whether nobody uses any of them any more.
    pub(super) fn are_gone(&self) -> bool {
        let mut all = self.0.lock();
        all.retain(|it| it.strong_count() > 0);
        all.is_empty()
    }

    /// Waits until all are gone, at most `patience`. Returns whether they are.
    pub(super) async fn gone_within(&self, patience: Duration) -> bool {
        let began = Instant::now();
        while !self.are_gone() {
            if began.elapsed() >= patience {
                return false;
            }
            tokio::time::sleep(PERIOD).await;
        }
        true
    }

    /// Sends those away who have not begun yet, such as an upload that is still on its way.
    pub(super) fn close(&self) {
        for generation in self.0.lock().iter().filter_map(Weak::upgrade) {
            generation.admission.close();
        }
    }
}
