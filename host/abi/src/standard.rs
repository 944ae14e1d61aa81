//! Bindings of the standard interfaces that components of other hosts import: configuration, keys and
//! values, log lines. Each has a `Host` trait for the runtime to implement and an `add_to_linker`.

mod bindings {
    wasmtime::component::bindgen!({
        path: "wasi",
        world: "imports",
        imports: {
            "wasi:keyvalue": async | trappable,
            default: trappable,
        },
        with: { "wasi:keyvalue/store.bucket": crate::standard::Bucket },
    });
}

/// A named collection of keys and values, opened by a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// What it was opened as.
    pub name: String,
}

pub use bindings::wasi::config::store as config;
pub use bindings::wasi::keyvalue::{atomics, batch, store as keyvalue};
pub use bindings::wasi::logging::logging;
