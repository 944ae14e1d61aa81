//! The tools that a fresh machine may lack: installed when missing, left alone when there.

use crate::command::{cargo, output, program, run, succeeds};
use anyhow::{Context, Result};
use std::{env, path::Path};

/// The target that guests are built for.
pub const GUEST_TARGET: &str = "wasm32-wasip2";

/// The version that the configuration in `.config/nextest.toml` is written for.
const NEXTEST_VERSION: &str = "0.9.143";

/// Adds the Rust target for guests when it is missing.
pub fn ensure_wasm_target() -> Result<()> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let library =
        output(program(rustc).args(["--print", "target-libdir", "--target", GUEST_TARGET]))?;
    if Path::new(library.trim()).is_dir() {
        return Ok(());
    }
    println!("Adding the Rust target {GUEST_TARGET}.");
    run(program("rustup").args(["target", "add", GUEST_TARGET])).with_context(|| {
        format!("the Rust target {GUEST_TARGET} is missing, and only rustup can add it")
    })
}

/// Adds the formatter and the linter when they are missing.
pub fn ensure_linters() -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !succeeds(cargo().args([subcommand, "--version"])) {
            println!("Adding the Rust component {component}.");
            run(program("rustup").args(["component", "add", component])).with_context(|| {
                format!("`cargo {subcommand}` is missing, and only rustup can add it")
            })?;
        }
    }
    Ok(())
}

/// Installs the test runner when it is missing.
pub fn ensure_nextest() -> Result<()> {
    if succeeds(cargo().args(["nextest", "--version"])) {
        return Ok(());
    }
    println!("Installing cargo-nextest {NEXTEST_VERSION}, which takes some minutes once.");
    let install = ["install", "--locked", "cargo-nextest", "--version", NEXTEST_VERSION];
    run(cargo().args(install)).context(
        "the test runner cargo-nextest is missing and could not be installed; \
         https://nexte.st/docs/installation has ready-made ones",
    )
}
