//! `cargo xtask tidy`: what the compiler and clippy do not check.
//!
//! - `layers`: which crate may use which, inside the workspace and outside.
//! - `text`: rules for the text of files; `tokens`: those that need Rust's tokens.
//! - `tree`: what may stand at the top of the repository.
//!
//! Only files that git tracks are looked at.

mod layers;
mod text;
mod tokens;
mod tree;

use crate::{
    command::{output, program},
    finding::{Finding, conclude},
    workspace::Workspace,
};
use anyhow::{Context, Result};
use std::fs;

/// Checks everything and prints each finding.
pub fn run(workspace: &Workspace) -> Result<()> {
    let listing = output(program("git").args(["-C", workspace.root().as_str(), "ls-files", "-z"]))?;
    let files: Vec<&str> = listing.split_terminator('\0').collect();
    let mut findings = layers::check(workspace)?;
    findings.extend(tree::check(&files));
    for file in &files {
        findings.extend(check_file(workspace, file)?);
    }
    conclude("tidy", &findings)
}

/// A file that is tracked but not there, or not text, has nothing to check.
fn check_file(workspace: &Workspace, file: &str) -> Result<Vec<Finding>> {
    let path = workspace.root().join(file);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let bytes = fs::read(&path).with_context(|| format!("cannot read {file}"))?;
    Ok(String::from_utf8(bytes).map_or_else(|_| Vec::new(), |text| text::check(file, &text)))
}
