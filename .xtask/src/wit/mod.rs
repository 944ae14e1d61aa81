//! `cargo xtask wit`: the contract's rules, and what a change of it breaks.
//!
//! `wit/` is the contract being worked on. When a version of it is released, its files are copied to
//! `wit/released/<version>/` and never changed again; each of them is compared with `wit/`.
//!
//! A difference is *additive* when every guest and every host made for the released version still
//! fits, and *breaking* otherwise. Interfaces, types, imports of a world, and functions of interfaces
//! that the host serves are added freely. All else breaks: what is taken away, a changed signature or
//! type (one more field of a record or case of a variant, too: both sides have compiled its layout),
//! and what a guest would have to export in addition. A breaking difference needs a version that is
//! not compatible with the released one.
//!
//! `shape` reads a package, `render` writes its types as text, `compare` finds the differences,
//! `rules` checks what holds in every version.

mod compare;
mod render;
mod rules;
mod shape;

use crate::{
    finding::{Finding, conclude},
    workspace::Workspace,
};
use anyhow::{Context, Result};
use compare::{Class, Difference, compare};
use shape::Contract;
use std::{fs, path::Path};
use wit_parser::PackageName;

/// Checks the contract and prints every difference to the released versions.
pub fn run(workspace: &Workspace) -> Result<()> {
    conclude("wit", &check(workspace.root().as_std_path())?)
}

fn check(root: &Path) -> Result<Vec<Finding>> {
    let contract = Contract::read(&root.join("wit"))?;
    let mut findings = rules::check(&contract);
    for released in released(root)? {
        println!("{} since {}:", contract.name, released.name);
        let differences = compare(&released, &contract);
        for difference in &differences {
            println!("  {difference}");
        }
        if compatible(&released.name, &contract.name) {
            let breaking = differences.iter().filter(|found| found.class == Class::Breaking);
            findings.extend(breaking.map(|found| finding(found, &released.name)));
        }
    }
    Ok(findings)
}

/// The released versions, oldest first as far as their names sort so.
fn released(root: &Path) -> Result<Vec<Contract>> {
    let folder = root.join("wit/released");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).context("cannot read wit/released")?;
    let mut versions: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    versions.retain(|path| path.is_dir());
    versions.sort();
    versions.iter().map(|path| Contract::read(path)).collect()
}

/// Whether guests made for one version are linked to the other: the same version up to what Semantic
/// Versioning calls compatible.
fn compatible(released: &PackageName, current: &PackageName) -> bool {
    match (&released.version, &current.version) {
        (Some(released), Some(current)) => {
            PackageName::version_compat_track(released)
                == PackageName::version_compat_track(current)
        }
        _ => true,
    }
}

fn finding(difference: &Difference, released: &PackageName) -> Finding {
    Finding {
        file: "wit".to_owned(),
        line: 1,
        rule: format!("{difference}, compared with {released}"),
        remedy: "take it back, or give the package a version that is not compatible".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use std::{fs, path::Path};

    const SOURCE: &str = "/// A package.\npackage a:b@VERSION;\n/// An interface.\ninterface i {\n\
        /// A function.\nf: func() -> u32;\n}\n";

    fn write(folder: &Path, version: &str, result: &str) {
        fs::create_dir_all(folder).unwrap();
        let source = SOURCE.replace("VERSION", version).replace("u32", result);
        fs::write(folder.join("a.wit"), source).unwrap();
    }

    fn n_findings(released: &str, current: &str, result: &str) -> usize {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("wit"), current, result);
        write(&root.path().join("wit/released").join(released), released, "u32");
        check(root.path()).unwrap().len()
    }

    #[test]
    fn a_breaking_change_needs_an_incompatible_version() {
        assert_eq!(n_findings("0.1.0", "0.1.0", "u64"), 1);
        assert_eq!(n_findings("0.1.0", "0.1.1", "u64"), 1);
        assert_eq!(n_findings("1.0.0", "1.2.0", "u64"), 1);
        assert_eq!(n_findings("0.1.0", "0.2.0", "u64"), 0);
        assert_eq!(n_findings("1.2.0", "2.0.0", "u64"), 0);
    }

    #[test]
    fn an_unchanged_package_has_no_findings() {
        assert_eq!(n_findings("0.1.0", "0.1.0", "u32"), 0);
    }

    #[test]
    fn the_contract_of_this_repository_keeps_its_rules() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_eq!(check(root).unwrap(), []);
    }
}
