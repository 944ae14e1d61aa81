//! The contract in Rust: bindings generated from `wit/`, and their conversion from and to the
//! host's own types. Nothing else in the host names a WIT item by hand.
//!
//! - [`imports`]: the interfaces a plugin may import, each with a `Host` trait for the runtime to
//!   implement and an `add_to_linker`.
//! - [`exports`]: the interfaces a plugin exports, each found by itself, since a plugin exports only
//!   what it does.
//! - [`standard`]: the standard interfaces for components that were made for other hosts.
//! - [`interfaces`]: what the interfaces of the contract are called and what importing one means.
//!
//! Linking, limits and the meaning of the functions are the runtime's.

mod convert;
pub mod interfaces;
pub mod standard;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "whole-plugin",
        imports: {
            "caplet:plugin/sql": async | trappable,
            default: trappable,
        },
        exports: { default: async },
    });
}

/// What a plugin may import.
pub mod imports {
    pub use super::bindings::caplet::plugin::{clock, identity, log, random, settings, sql};
}

/// What a plugin exports.
pub mod exports {
    pub use super::bindings::exports::caplet::plugin::{guest, health, http_handler, subject_data};
}

pub use exports::guest::{
    Access, Asset, Description, Migration, Permission, Phase, Route, Transaction,
};
pub use exports::http_handler::{Request, Response};
