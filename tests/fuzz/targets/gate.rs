//! See `src/gate.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| caplet_fuzz::gate::run(bytes));
