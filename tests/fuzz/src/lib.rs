//! What is tried with arbitrary bytes, and what must hold then. The targets in `targets/` hand over the
//! bytes that a fuzzer makes; `tests/fuzzing` runs the same functions with the seeds and with random
//! bytes.
//!
//! The files here are also compiled as modules of that test, so they name each other by `crate::`.

#[cfg(feature = "engine")]
pub mod description;
pub mod gate;
#[cfg(feature = "engine")]
pub mod imports;
#[cfg(feature = "engine")]
pub mod loader;
pub mod paths;
#[cfg(feature = "engine")]
pub mod tokens;

// The host's own files, without the crate around them, which needs the engine.
#[path = "../../../host/server/src/path.rs"]
mod path;
#[allow(dead_code, reason = "queries are decoded in the host only")]
#[path = "../../../host/server/src/percent.rs"]
mod percent;
