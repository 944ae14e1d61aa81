//! Bindings of the standard interfaces that components of other hosts import: configuration, keys and
//! values, log lines. Each has a `Host` trait for the runtime to implement and an `add_to_linker`.
//!
//! Where several versions of one are served, the newest has its plain name.

mod bindings {
    wasmtime::component::bindgen!({
        path: "wasi",
        world: "imports",
        imports: {
            "wasi:keyvalue": async | trappable,
            default: trappable,
        },
        with: {
            "wasi:keyvalue/store.bucket": crate::standard::Bucket,
            "wasi:keyvalue/atomics.cas": crate::standard::Cas,
        },
    });
}

/// A named collection of keys and values, opened by a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// What it was opened as.
    pub name: String,
}

/// A value that a guest wants to replace as long as nobody else has changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cas {
    /// The name of its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// A digest of the value that the guest knows of; none while there is no value.
    pub seen: Option<[u8; 32]>,
}

/// `wasi:config` as it was published before.
pub mod older_config {
    pub use super::bindings::wasi::config0_2_0_draft::{runtime, store};
    pub use super::bindings::wasi::config0_2_0_draft_2024_09_27::store as store_2024_09_27;
}

/// `wasi:keyvalue` as it was published before.
pub mod older_keyvalue {
    pub use super::bindings::wasi::keyvalue0_2_0_draft::{atomics, batch, store};
}

pub use bindings::wasi::config0_2_0_rc_1::store as config;
pub use bindings::wasi::keyvalue0_2_0_draft2::{atomics, batch, store as keyvalue};
pub use bindings::wasi::logging::logging;
