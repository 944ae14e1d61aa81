//! The engine of native plugins: one compiler and pooling configuration, and the tick that ends what
//! runs too long. A second engine, for `wasi:http` components, will stand beside it with a store type
//! of its own; nothing here is shared with it but [`crate::limits`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// How often running guests are asked whether they have used up their time.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// How large the pool of instances is, for the whole host, and how it starts. Fixed for the life of the engine.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineOptions {
    /// Instances of all plugins at once.
    pub instances_max: u32,
    /// The most linear memory an operator may give one instance, in bytes. Address space is
    /// reserved for it, not memory.
    pub memory_bytes_max: usize,
    /// The most table elements an operator may allow.
    pub table_elements_max: usize,
    /// How long a host that starts waits for components that it has to compile, in milliseconds. What
    /// takes longer is compiled while it serves.
    pub compile_wait_ms: u64,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            instances_max: 1_000,
            memory_bytes_max: 512 << 20,
            table_elements_max: 100_000,
            compile_wait_ms: 5_000,
        }
    }
}

/// Core instances, memories and tables that one component may have. wit-component splits a plugin
/// into a handful of core modules, an adapter adds two or three.
const CORE_INSTANCES_MAX: u32 = 16;
const MEMORIES_MAX: u32 = 4;
const TABLES_MAX: u32 = 8;

/// Makes the engine and starts its tick, which stops when the engine is gone and is counted in `ticks`.
pub(crate) fn start(
    options: &EngineOptions,
    ticks: Arc<AtomicU64>,
) -> Result<Engine, wasmtime::Error> {
    let engine = Engine::new(&config(options))?;
    let weak = engine.weak();
    std::thread::Builder::new().name("caplet-tick".into()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            // Counted first: a guest that the tick stops must see that there was one.
            ticks.fetch_add(1, Relaxed);
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(engine)
}

/// An engine that compiles for the others and runs nothing: without their pool.
pub(crate) fn compiling() -> Result<Engine, wasmtime::Error> {
    Engine::new(&code())
}

fn config(options: &EngineOptions) -> Config {
    let mut config = code();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options)));
    config
}

/// All that decides what code is made.
fn code() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .concurrency_support(false)
        .wasm_threads(false)
        .wasm_memory64(false)
        // Components that are made of several, as those of JavaScript are, copy between memories.
        .wasm_multi_memory(true)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        // A third of the compiled code, for what nobody reads: places in the binary behind each
        // instruction, and tables for native debuggers. Names of functions in traps stay.
        .generate_address_map(false)
        .native_unwind_info(false);
    config
}

fn pool(options: &EngineOptions) -> PoolingAllocationConfig {
    let instances = options.instances_max;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * 4)
        .total_memories(instances)
        .total_tables(instances * 2)
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memory_size(options.memory_bytes_max)
        .table_elements(options.table_elements_max)
        // Warm slots keep this much resident, so that a fresh instance costs a memset and no fault.
        .linear_memory_keep_resident(64 << 10)
        .table_keep_resident(16 << 10)
        .max_unused_warm_slots(32);
    pool
}

/// A hash of everything that decides whether compiled code fits: version, target, configuration.
pub(crate) fn compatibility(engine: &Engine) -> String {
    use std::hash::{Hash, Hasher};
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_is_compiled_apart_fits() {
        let serving = Engine::new(&config(&EngineOptions::default())).unwrap();
        assert_eq!(compatibility(&compiling().unwrap()), compatibility(&serving));
    }
}
