//! The engines: one compiler and pooling configuration each for plugins of the contract and for
//! components of `wasi:http`, and the tick that ends what runs too long. What differs is that those of
//! `wasi:http` may have asynchronous functions, which plugins do without.

use std::time::Duration;

use caplet_abi::interfaces::WASI_HTTP_HANDLERS;
use wasmparser::{Parser, Payload};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    RegallocAlgorithm,
};

/// How often running guests are asked whether they have used up their time. A short call that finds all
/// threads taken waits no longer than this.
pub(crate) const TICK: Duration = Duration::from_millis(2);

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
    /// Code that is made in half the time and runs slower: for an author who waits for it. No key of the
    /// configuration, and only for who compiles in this process.
    #[serde(skip)]
    pub quick_code: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            instances_max: 1_000,
            memory_bytes_max: 512 << 20,
            table_elements_max: 100_000,
            compile_wait_ms: 5_000,
            quick_code: false,
        }
    }
}

/// Core instances, memories and tables that one component may have. wit-component splits a plugin
/// into a handful of core modules, an adapter adds two or three.
const CORE_INSTANCES_MAX: u32 = 16;
const MEMORIES_MAX: u32 = 4;
const TABLES_MAX: u32 = 8;

/// What an engine's components are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// The host's own contract.
    Plugin,
    /// Any host of `wasi:http`.
    WasiHttp,
}

impl World {
    /// The world of a component, by what it exports. One that exports neither is held against the
    /// contract, which tells what it lacks.
    pub(crate) fn of(component: &[u8]) -> Self {
        let names = exports(component);
        let is_plugin = names.iter().any(|name| name.starts_with("caplet:plugin/"));
        let is_handler = |name: &&str| WASI_HTTP_HANDLERS.iter().any(|it| name.starts_with(it));
        if !is_plugin && names.iter().any(is_handler) { Self::WasiHttp } else { Self::Plugin }
    }
}

/// The names of what a component exports; none of what cannot be read.
fn exports(component: &[u8]) -> Vec<&str> {
    let mut names = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::ComponentExportSection(section)) if depth == 0 => {
                names.extend(section.into_iter().flatten().map(|export| export.name.name));
            }
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(_) => {}
            Err(_) => return Vec::new(),
        }
    }
    names
}

/// Makes an engine and starts its tick, which stops when the engine is gone.
pub(crate) fn start(world: World, options: &EngineOptions) -> Result<Engine, wasmtime::Error> {
    let engine = Engine::new(&config(world, options))?;
    let weak = engine.weak();
    std::thread::Builder::new().name("caplet-tick".into()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(engine)
}

/// An engine that compiles for the others and runs nothing: without their pool.
pub(crate) fn compiling(world: World) -> Result<Engine, wasmtime::Error> {
    Engine::new(&code(world))
}

fn config(world: World, options: &EngineOptions) -> Config {
    let mut config = code(world);
    if options.quick_code {
        config.cranelift_opt_level(OptLevel::None);
        config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    }
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options)));
    config
}

/// All that decides what code is made.
fn code(world: World) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .concurrency_support(world == World::WasiHttp)
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
        for world in [World::Plugin, World::WasiHttp] {
            let serving = Engine::new(&config(world, &EngineOptions::default())).unwrap();
            assert_eq!(compatibility(&compiling(world).unwrap()), compatibility(&serving));
        }
    }

    #[test]
    fn a_component_is_sorted_by_what_it_exports() {
        for (exports, world) in [
            (&["wasi:http/incoming-handler@0.2.3"][..], World::WasiHttp),
            (&["wasi:cli/run@0.2.0", "wasi:http/handler@0.3.0"], World::WasiHttp),
            (&["caplet:plugin/guest@0.1.0"], World::Plugin),
            (&["wasi:http/handler@0.3.0", "caplet:plugin/guest@0.1.0"], World::Plugin),
            (&["wasi:http/types@0.2.3"], World::Plugin),
            (&[], World::Plugin),
        ] {
            assert_eq!(World::of(&exporting(exports)), world, "{exports:?}");
        }
        assert_eq!(World::of(b"\0asm"), World::Plugin);
    }

    /// A component that exports empty interfaces.
    fn exporting(names: &[&str]) -> Vec<u8> {
        use wasm_encoder::{
            Component, ComponentExportKind, ComponentExportSection, ComponentInstanceSection,
        };
        let mut instances = ComponentInstanceSection::new();
        let mut exports = ComponentExportSection::new();
        instances.export_items(std::iter::empty::<(&str, ComponentExportKind, u32)>());
        for name in names {
            exports.export(*name, ComponentExportKind::Instance, 0, None);
        }
        let mut component = Component::new();
        component.section(&instances).section(&exports);
        component.finish()
    }
}
