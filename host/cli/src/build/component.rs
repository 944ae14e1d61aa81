//! From the core module of a toolchain that knows nothing of components to a component: the types of
//! the contract are written into it, and what it wants of WASI preview 1 is adapted to 0.2.
//!
//! This is done in the program itself, so that an author needs no tools besides the language's own.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, SourceMap};

use crate::carried;
use crate::failure::Failure;

/// Makes a component of a core module that fits a world of the contract.
///
/// # Errors
/// In what the module does not fit its types: a missing export, an import that no world has.
pub fn componentize(core_module: &[u8], world: &str) -> Result<Vec<u8>, Failure> {
    let fails = |reason: String| {
        Failure::run_time(format!("no component can be made of the module: {reason}"))
    };
    let mut module = core_module.to_vec();
    embed(&mut module, world).map_err(fails)?;
    let (name, adapter) =
        (WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|encoder| encoder.adapter(name, adapter))
        .and_then(|encoder| encoder.encode())
        .map_err(|error| fails(format!("{error:#}")))
}

/// Writes the types of a world of the contract into a module.
fn embed(module: &mut Vec<u8>, world: &str) -> Result<(), String> {
    let mut sources = SourceMap::new();
    for file in carried::contract() {
        sources.push_str(&file.path, String::from_utf8_lossy(&file.content));
    }
    let group = sources.parse().map_err(|(_, error)| error.to_string())?;
    let mut resolve = Resolve::default();
    let package = resolve.push_group(group).map_err(|error| error.to_string())?;
    let world = resolve.select_world(&[package], Some(world)).map_err(|it| format!("{it:#}"))?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest core module: nothing but its head.
    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn a_missing_export_is_named() {
        let failure = componentize(EMPTY, "plugin").unwrap_err();
        assert!(failure.text().contains("describe"), "{failure:?}");
    }

    #[test]
    fn an_unknown_world_is_named() {
        let failure = componentize(EMPTY, "planet").unwrap_err();
        assert!(failure.text().contains("planet"), "{failure:?}");
    }

    #[test]
    fn what_is_no_module_is_refused() {
        assert!(componentize(b"#!/bin/sh", "plugin").is_err());
    }
}
