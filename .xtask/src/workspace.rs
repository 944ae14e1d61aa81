//! What cargo knows about the workspace: its folders, its packages, and which of them are guests.

use anyhow::{Context, Result, bail};
use cargo_metadata::{CrateType, Metadata, MetadataCommand, Package, Target, camino::Utf8Path};
use std::{collections::BTreeSet, path::PathBuf};

/// The workspace as cargo describes it.
pub struct Workspace {
    metadata: Metadata,
}

/// Where a guest comes from, which decides what it is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `plugins/<name>`, bundled with the host.
    Plugin,
    /// `examples/<name>`.
    Example,
    /// `tests/fixtures/examples/<name>.rs`.
    Fixture,
    /// `tests/fixtures/<plugin>`: later versions of a bundled plugin.
    Revision,
}

/// A component that is built from this workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The name of its file, without `.wasm`.
    pub name: String,
    /// The package it is built from.
    pub package: String,
    /// The target within the package.
    pub target: String,
    pub origin: Origin,
}

impl Workspace {
    /// Asks cargo. Dependencies outside the workspace are not looked at.
    pub fn load() -> Result<Self> {
        let metadata = MetadataCommand::new().no_deps().exec();
        Ok(Self { metadata: metadata.context("cannot read the workspace")? })
    }

    /// The root of the repository.
    pub fn root(&self) -> &Utf8Path {
        &self.metadata.workspace_root
    }

    /// Cargo's target directory, wherever `CARGO_TARGET_DIR` put it.
    pub fn target(&self) -> PathBuf {
        self.metadata.target_directory.clone().into()
    }

    /// The folder where `cargo xtask plugins` collects the guests, for tests: `CAPLET_GUESTS`.
    pub fn guests_folder(&self) -> PathBuf {
        self.target().join("caplet-guests")
    }

    /// The packages of the workspace.
    pub fn packages(&self) -> &[Package] {
        &self.metadata.packages
    }

    /// A package's folder, from the root: `host/store`.
    pub fn folder<'a>(&self, package: &'a Package) -> &'a str {
        let folder = package.manifest_path.parent().unwrap_or(Utf8Path::new(""));
        folder.strip_prefix(self.root()).unwrap_or(folder).as_str()
    }

    /// All guests of the workspace. Fails when two would have the same file.
    pub fn guests(&self) -> Result<Vec<Guest>> {
        let mut guests = Vec::new();
        for package in self.packages() {
            guests.extend(guests_of(self.folder(package), package)?);
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = guests.iter().find(|guest| !names.insert(&guest.name)) {
            bail!("two guests are named {}: rename one of them", twice.name);
        }
        Ok(guests)
    }
}

fn guests_of(folder: &str, package: &Package) -> Result<Vec<Guest>> {
    let components = || package.targets.iter().filter(|target| is_component(target));
    let guest = |name: &str, target: &Target, origin| Guest {
        name: name.to_owned(),
        package: package.name.to_string(),
        target: target.name.clone(),
        origin,
    };
    match folder.split('/').collect::<Vec<_>>()[..] {
        ["plugins", "sdk", ..] => Ok(Vec::new()),
        ["plugins", name] => match components().find(|target| !target.is_example()) {
            Some(target) => Ok(vec![guest(name, target, Origin::Plugin)]),
            None => bail!("{folder}/Cargo.toml: a plugin's library has crate-type = [\"cdylib\"]"),
        },
        ["tests", "fixtures", _] => {
            Ok(components().map(|target| guest(&package.name, target, Origin::Revision)).collect())
        }
        // An example without a component shows something else, such as an embedded host.
        ["examples", name] => Ok(components()
            .filter(|target| !target.is_example())
            .map(|target| guest(name, target, Origin::Example))
            .collect()),
        ["tests", "fixtures"] => Ok(components()
            .filter(|target| target.is_example())
            .map(|target| guest(&target.name, target, Origin::Fixture))
            .collect()),
        _ => Ok(Vec::new()),
    }
}

fn is_component(target: &Target) -> bool {
    target.crate_types.contains(&CrateType::CDyLib)
}
