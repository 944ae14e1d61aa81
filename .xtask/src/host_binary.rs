//! Building the host's program, `caplet`.

use crate::{
    command::{artifacts, cargo},
    workspace::Workspace,
};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Builds the program and returns where it is.
///
/// `--workspace` chooses the features of the dependencies as the tests do. With the package alone
/// they would differ, and each change from one to the other would compile the engine again.
pub fn build(workspace: &Workspace, release: bool) -> Result<PathBuf> {
    let (profile, folder) = if release { ("release", "release") } else { ("dev", "debug") };
    if workspace.target().join(folder).join("caplet").exists() {
        println!("Building the host.");
    } else {
        println!("Building the host. The first time takes 10 to 20 minutes on two cores.");
    }
    let mut command = cargo();
    command.args(["build", "--workspace", "--bin", "caplet", "--profile", profile]);
    let program = artifacts(&mut command)?.into_iter().find_map(|artifact| artifact.executable);
    Ok(program.context("the workspace has no program named caplet")?.into())
}
