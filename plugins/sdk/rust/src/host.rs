//! The one seam between this crate and the host: every imported function, as a plain Rust function.
//!
//! Compiled to WebAssembly it forwards to the imports; compiled natively, for unit tests, it asks
//! the stand-in of [`crate::testing`]. Unused functions leave no import in the finished component.

#[cfg(target_family = "wasm")]
mod imports;
#[cfg(not(target_family = "wasm"))]
mod native;

#[cfg(target_family = "wasm")]
pub(crate) use imports::*;
#[cfg(not(target_family = "wasm"))]
pub(crate) use native::*;
