//! The ABI of world `plugin`, generated from `wit/`. Nothing here is written by hand. The module
//! is public for the code that `plugin!` expands to; authors use the crate's other modules.
#![allow(missing_docs, unsafe_code, clippy::all)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "plugin",
    additional_derives: [PartialEq],
    pub_export_macro: true,
    default_bindings_module: "caplet_sdk::bindings",
});
