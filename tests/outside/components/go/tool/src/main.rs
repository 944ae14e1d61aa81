//! What a Go project takes from the command-line tools `wit-bindgen go` and `wasm-tools component`, with the
//! crates that those consist of: bindings of a world, and a component of a core module.
//!
//! `go-component bindings WIT FOLDER` and `go-component new WIT MODULE COMPONENT`.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::Files;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["bindings", wit, folder] => bindings(wit, Path::new(folder)),
        ["new", wit, module, component] => new(wit, module, component),
        _ => bail!("see the head of this program for its arguments"),
    }
}

/// The only world of a folder's package.
fn read(wit: &str) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit)?;
    let world = resolve.select_world(&[package], None)?;
    Ok((resolve, world))
}

fn bindings(wit: &str, folder: &Path) -> Result<()> {
    let (mut resolve, world) = read(wit)?;
    let mut files = Files::default();
    wit_bindgen_go::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    for (name, content) in files.iter() {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, content)?;
    }
    Ok(())
}

fn new(wit: &str, module: &str, component: &str) -> Result<()> {
    let (resolve, world) = read(wit)?;
    let mut module = fs::read(module)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let (name, adapter) =
        (WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
    let built = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|encoder| encoder.adapter(name, adapter))
        .and_then(|encoder| encoder.encode())?;
    fs::write(component, built)?;
    Ok(())
}
