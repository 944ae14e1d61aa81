//! What is fuzzed (`tests/fuzz/src`), run here with the seeds that a fuzzer begins with, with pieces of them and
//! with random bytes, the same ones each time: so that no target rots, and what a fuzzer once found stays
//! found. How to search for more is in docs/proof.md.

#[path = "../fuzz/src/description.rs"]
mod description;
#[path = "../fuzz/src/gate.rs"]
mod gate;
#[path = "../fuzz/src/imports.rs"]
mod imports;
#[path = "../fuzz/src/loader.rs"]
mod loader;
mod mutate;
#[path = "../../host/server/src/path.rs"]
mod path;
#[path = "../fuzz/src/paths.rs"]
mod paths;
#[allow(dead_code, reason = "queries are decoded in the host only")]
#[path = "../../host/server/src/percent.rs"]
mod percent;
mod seeds;
#[path = "../fuzz/src/tokens.rs"]
mod tokens;

use mutate::each_input;

#[test]
fn statements_with_any_text() {
    each_input(&seeds::of("gate"), 3_000, gate::run);
}

#[test]
fn paths_with_any_text() {
    each_input(&seeds::of("paths"), 50_000, paths::run);
}

#[test]
fn tokens_with_any_text() {
    each_input(&seeds::of("tokens"), 5_000, tokens::run);
}

#[test]
fn descriptions_with_any_content() {
    each_input(&seeds::of("description"), 5_000, description::run);
}

#[test]
fn components_with_any_bytes() {
    each_input(&seeds::of("loader"), 300, loader::run);
}

#[test]
fn imports_with_any_values() {
    let component = || std::fs::read(caplet_tests::guest_path("any-arguments")).expect("a guest");
    each_input(&seeds::of("imports"), 2_000, |bytes| imports::run(bytes, component));
}
