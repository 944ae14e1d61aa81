//! See `src/imports.rs`. `CAPLET_GUESTS` names the folder of the guests (`cargo xtask plugins`).

#![no_main]

use std::path::PathBuf;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| caplet_fuzz::imports::run(bytes, component));

fn component() -> Vec<u8> {
    let folder =
        std::env::var_os("CAPLET_GUESTS").expect("CAPLET_GUESTS names the folder of the guests");
    let path = PathBuf::from(folder).join("any-arguments.wasm");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
