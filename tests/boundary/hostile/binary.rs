//! Rows A11 and B: the component itself.

use std::sync::Arc;

use caplet_runtime::{Compiler, Limits, LoadError, Options, PluginOptions, Reuse, Runtime, Step};
use caplet_store::sqlite::{self, Sqlite};

use super::scene::Scene;
use super::wasm;
use crate::rig::{Setup, bytes_of, text};

async fn refused(runtime: &Runtime, bytes: Vec<u8>) -> LoadError {
    runtime.load(bytes).await.expect_err("a hostile component was loaded")
}

pub async fn features_that_are_off() {
    let scene = Scene::quiet().await;
    for (feature, bytes) in wasm::with_features_that_are_off() {
        let error = refused(&scene.rig.runtime, bytes).await;
        assert_eq!(error.step, Step::Compile, "{error}");
        assert!(error.to_string().contains(feature), "{feature}: {error}");
    }
    scene.settle().await;
}

/// A runtime that compiles in another process, within narrow limits.
async fn with_worker(cpu_s: u64, memory_bytes: u64) -> Runtime {
    let store = Sqlite::open(sqlite::Options::temporary()).expect("a store in memory");
    let compiler = Compiler::Process {
        program: caplet_tests::binary(),
        arguments: vec!["compile-worker".into()],
    };
    let limits = Limits {
        compile_cpu_s_max: cpu_s,
        compile_memory_bytes_max: memory_bytes,
        ..Limits::default()
    };
    let options = Options { compiler, limits, ..Options::new(Arc::new(store)) };
    options.start().await.expect("the engine starts")
}

pub async fn compile_bombs() {
    let scene = Scene::quiet().await;
    let runtime = with_worker(1, 192 << 20).await;
    let bombs = [
        ("a huge function", wasm::huge_function(700_000)),
        ("many functions", wasm::many_functions(900_000)),
        ("deep blocks", wasm::deep_blocks(500_000)),
        ("giant branch tables", wasm::giant_branch_tables(60, 65_000)),
    ];
    let mut n_at_limits = 0;
    for (what, bytes) in bombs {
        let error = refused(&runtime, bytes).await.to_string();
        let names_limit = error.contains("`limits.compile_cpu_s_max`")
            || error.contains("`limits.compile_memory_bytes_max`");
        n_at_limits += usize::from(names_limit);
        assert!(
            names_limit || error.contains("Invalid") || error.contains("too"),
            "{what}: {error}"
        );
    }
    assert!(n_at_limits >= 2, "{n_at_limits} of the bombs came to a limit");
    // What is well is compiled by the same worker.
    let limits = Limits::default();
    let runtime = with_worker(limits.compile_cpu_s_max, limits.compile_memory_bytes_max).await;
    runtime.load(bytes_of("trap")).await.expect("it compiles within the limits");
    scene.settle().await;
}

/// Numbers that look random and are the same each time (a linear congruential generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % end
    }
}

pub async fn damaged_components() {
    const N_DAMAGED: usize = 300;
    let scene = Scene::quiet().await;
    let whole = bytes_of("trap");
    let mut numbers = Numbers(1);
    for round in 0..N_DAMAGED {
        let mut bytes = whole.clone();
        match round % 3 {
            0 => bytes.truncate(numbers.below(whole.len())),
            1 => bytes[numbers.below(whole.len())] ^= 1 << numbers.below(8),
            // The head, where the structure is.
            _ => bytes[8 + numbers.below(2_000)] = u8::try_from(numbers.below(256)).unwrap(),
        }
        // Refused, or harmless: code may change, the host may not. That it comes back is what counts.
        let _outcome = scene.rig.runtime.prepare(bytes, None).await;
    }
    scene.settle().await;
}

pub async fn foreign_worlds() {
    let scene = Scene::quiet().await;
    for (bytes, reason) in [
        (b"\0asm\x01\0\0\0".to_vec(), "core module"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "caplet:plugin/guest@0.1.0"),
        (bytes_of("application-functions"), "test:application/tools@1.0.0"),
    ] {
        let error = refused(&scene.rig.runtime, bytes).await;
        assert!(matches!(error.step, Step::Compile | Step::Match), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    scene.settle().await;
}

pub async fn rights_that_are_not_granted() {
    let plugin = PluginOptions { grants: Some(vec!["log".to_owned()]), ..PluginOptions::default() };
    let error = Setup { plugin, ..Setup::default() }.try_load("storage").await.err().unwrap();
    assert_eq!(error.step, Step::Grant, "{error}");
    assert!(error.to_string().contains("`sql`"), "{error}");
}

pub async fn memory_of_others() {
    const N_INSTANCES: usize = 10_000;
    let plugin = PluginOptions { instances: Reuse::Fresh, ..PluginOptions::default() };
    // Fifty at once are over its share, which is not what is looked at here.
    let limits = Limits { cpu_waiting_max: 50, ..Limits::default() };
    let setup = Setup { limits, plugin, ..Setup::default() };
    let scene = Scene::of(setup, "stale-memory").await;
    for _ in 0..N_INSTANCES / 50 {
        for outcome in scene.get_at_once(50, "/").await {
            assert_eq!(text(&outcome.unwrap()), "0", "bytes of somebody else were seen");
        }
    }
}

pub async fn custom_sections() {
    let scene = Scene::quiet().await;
    let error = refused(&scene.rig.runtime, wasm::with_custom_section(33 << 20)).await;
    assert!(error.to_string().contains("the limit is"), "{error}");
    let error = refused(&scene.rig.runtime, wasm::with_custom_section(30 << 20)).await;
    assert_eq!(error.step, Step::Match, "{error}");
    scene.settle().await;
}
