//! How much linear memory a plugin's instances hold, each and together.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};

use wasmtime::ResourceLimiter;

use crate::limits::Limits;
use crate::room::Room;

/// The part of a plugin's memory that is left to the instances that run, when another one starts: else the
/// next that grows a little would find none.
const LEFT_TO_GROW: usize = 16;

/// The memory of all instances of one plugin, in bytes. Shared by its generations, so that an upgrade
/// does not double what the plugin may hold.
#[derive(Debug, Default)]
pub(crate) struct PluginMemory {
    held_bytes: AtomicUsize,
    /// Where calls wait while the instances of others have all of it.
    pub(crate) room: Room,
}

/// A growth that was refused. `Display` names the limit and how it is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// One memory would be larger than it may be.
    #[error(
        "it wants {wanted} bytes of memory, `limits.memory_bytes_max` is {max}; raise that, or have it need less"
    )]
    Memory { wanted: usize, max: usize },
    /// The instance would hold more than all instances together may.
    #[error(
        "it wants {wanted} bytes of memory, `limits.memory_total_bytes_max` is {max}; raise that, or have it need less"
    )]
    Total { wanted: usize, max: usize },
    /// The instance would find room if others did not have it.
    #[error("the plugin's other instances hold what is left of `limits.memory_total_bytes_max`")]
    Crowded,
    /// One table would be larger than it may be.
    #[error(
        "it wants a table of {wanted} elements, `limits.table_elements_max` is {max}; raise that, or have it need less"
    )]
    Table { wanted: usize, max: usize },
}

impl PluginMemory {
    fn take(&self, bytes: usize, bytes_max: usize) -> bool {
        let grown = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= bytes_max);
        self.held_bytes.fetch_update(SeqCst, SeqCst, grown).is_ok()
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes.load(Relaxed)
    }
}

/// The limiter of one store.
pub(crate) struct MemoryLimiter {
    plugin: Arc<PluginMemory>,
    held_bytes: usize,
    memory_bytes_max: usize,
    memory_total_bytes_max: usize,
    table_elements_max: usize,
    is_starting: bool,
    refused: Option<Refused>,
}

impl MemoryLimiter {
    pub(crate) fn new(plugin: Arc<PluginMemory>, limits: &Limits) -> Self {
        Self {
            plugin,
            held_bytes: 0,
            memory_bytes_max: limits.memory_bytes_max,
            memory_total_bytes_max: limits.memory_total_bytes_max,
            table_elements_max: limits.table_elements_max,
            is_starting: true,
            refused: None,
        }
    }

    /// The instance has started: what it takes from here on is growth.
    pub(crate) fn has_started(&mut self) {
        self.is_starting = false;
    }

    /// Linear memory of this store, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// The growth that was refused last since the last call of this function.
    pub(crate) fn take_refused(&mut self) -> Option<Refused> {
        self.refused.take()
    }

    /// Takes what a memory grows by, if there is room.
    fn take(&mut self, current: usize, desired: usize) -> Result<(), Refused> {
        if desired > self.memory_bytes_max {
            return Err(Refused::Memory { wanted: desired, max: self.memory_bytes_max });
        }
        let (bytes, max) = (desired.saturating_sub(current), self.memory_total_bytes_max);
        let wanted = self.held_bytes + bytes;
        let is_alone = self.plugin.held_bytes() == self.held_bytes;
        let left = if self.is_starting && !is_alone { max / LEFT_TO_GROW } else { 0 };
        match self.plugin.take(bytes, max - left) {
            true => self.held_bytes = wanted,
            false if wanted > max => return Err(Refused::Total { wanted, max }),
            false => return Err(Refused::Crowded),
        }
        Ok(())
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let taken = self.take(current, desired);
        self.refused = taken.err().or(self.refused);
        Ok(taken.is_ok())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let max = self.table_elements_max;
        if desired > max {
            self.refused = Some(Refused::Table { wanted: desired, max });
        }
        Ok(desired <= max)
    }

    fn instances(&self) -> usize {
        16
    }

    fn tables(&self) -> usize {
        8
    }

    fn memories(&self) -> usize {
        4
    }
}

impl Drop for MemoryLimiter {
    fn drop(&mut self) {
        self.plugin.held_bytes.fetch_sub(self.held_bytes, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_one_instance_and_all_together_and_gives_back() {
        let limits =
            Limits { memory_bytes_max: 100, memory_total_bytes_max: 150, ..Limits::default() };
        let plugin = Arc::new(PluginMemory::default());
        let mut first = MemoryLimiter::new(plugin.clone(), &limits);
        let mut second = MemoryLimiter::new(plugin.clone(), &limits);
        assert!(!first.memory_growing(0, 101, None).unwrap());
        assert_eq!(first.take_refused(), Some(Refused::Memory { wanted: 101, max: 100 }));
        assert_eq!(first.take_refused(), None);
        assert!(first.memory_growing(0, 100, None).unwrap());
        assert!(!second.memory_growing(0, 60, None).unwrap());
        assert_eq!(second.take_refused(), Some(Refused::Crowded));
        drop(first);
        assert!(second.memory_growing(0, 60, None).unwrap());
        assert_eq!(plugin.held_bytes(), 60);
        assert!(!second.memory_growing(0, 95, None).unwrap());
        assert_eq!(second.take_refused(), Some(Refused::Total { wanted: 155, max: 150 }));
        assert!(!second.table_growing(0, limits.table_elements_max + 1, None).unwrap());
        assert!(second.take_refused().unwrap().to_string().contains("table_elements_max"));
    }

    #[test]
    fn what_starts_leaves_room_for_those_that_run_to_grow() {
        let limits = Limits { memory_total_bytes_max: 160, ..Limits::default() };
        let plugin = Arc::new(PluginMemory::default());
        let mut running = MemoryLimiter::new(plugin.clone(), &limits);
        assert!(running.memory_growing(0, 155, None).unwrap(), "alone it may have all");
        assert!(running.memory_growing(155, 100, None).unwrap());
        drop(running);
        let mut running = MemoryLimiter::new(plugin.clone(), &limits);
        assert!(running.memory_growing(0, 100, None).unwrap());
        running.has_started();
        let mut starting = MemoryLimiter::new(plugin.clone(), &limits);
        assert!(!starting.memory_growing(0, 51, None).unwrap());
        assert_eq!(starting.take_refused(), Some(Refused::Crowded));
        assert!(starting.memory_growing(0, 50, None).unwrap());
        assert!(running.memory_growing(100, 110, None).unwrap());
    }
}
