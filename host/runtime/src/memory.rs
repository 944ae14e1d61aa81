//! How much linear memory a plugin's instances hold, each and together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use wasmtime::ResourceLimiter;

use crate::limits::Limits;

/// The memory of all instances of one plugin, in bytes. Shared by its generations, so that an upgrade
/// does not double what the plugin may hold.
#[derive(Debug, Default)]
pub(crate) struct PluginMemory(AtomicUsize);

impl PluginMemory {
    fn take(&self, bytes: usize, bytes_max: usize) -> bool {
        let grown = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= bytes_max);
        self.0.fetch_update(Relaxed, Relaxed, grown).is_ok()
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// The limiter of one store.
pub(crate) struct MemoryLimiter {
    plugin: Arc<PluginMemory>,
    held_bytes: usize,
    memory_bytes_max: usize,
    memory_total_bytes_max: usize,
    table_elements_max: usize,
    refused: bool,
}

impl MemoryLimiter {
    pub(crate) fn new(plugin: Arc<PluginMemory>, limits: &Limits) -> Self {
        Self {
            plugin,
            held_bytes: 0,
            memory_bytes_max: limits.memory_bytes_max,
            memory_total_bytes_max: limits.memory_total_bytes_max,
            table_elements_max: limits.table_elements_max,
            refused: false,
        }
    }

    /// Linear memory of this store, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether a growth was refused since the last call of this function.
    pub(crate) fn take_refused(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = desired.saturating_sub(current);
        let fits = desired <= self.memory_bytes_max
            && self.plugin.take(bytes, self.memory_total_bytes_max);
        if fits {
            self.held_bytes += bytes;
        }
        self.refused |= !fits;
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= self.table_elements_max;
        self.refused |= !fits;
        Ok(fits)
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
        self.plugin.0.fetch_sub(self.held_bytes, Relaxed);
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
        assert!(first.take_refused() && !first.take_refused());
        assert!(first.memory_growing(0, 100, None).unwrap());
        assert!(!second.memory_growing(0, 60, None).unwrap());
        drop(first);
        assert!(second.memory_growing(0, 60, None).unwrap());
        assert_eq!(plugin.held_bytes(), 60);
    }
}
