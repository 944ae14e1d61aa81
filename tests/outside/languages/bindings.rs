//! The bindings of C are generated and committed, so that authors need no generator. Beside them is a
//! digest of each file of the contract that they were generated from.

use std::collections::BTreeMap;
use std::fs;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::workshop::repository;

/// As `sha256sum wit/*.wit` writes it.
const DIGESTS: &str = "plugins/sdk/c/generated/wit.sha256";

const REMEDY: &str = "the bindings of C were generated from another contract. Generate them again:\n  \
    cargo install wit-bindgen-cli --version 0.61.1 --locked\n  \
    wit-bindgen c wit --world plugin-with-health --rename-world abi --no-object-file \
    --out-dir plugins/sdk/c/generated\n  \
    sha256sum wit/*.wit > plugins/sdk/c/generated/wit.sha256";

#[test]
fn the_bindings_of_c_are_generated_from_this_contract() {
    let text = fs::read_to_string(repository().join(DIGESTS)).expect("the digests are read");
    let pairs = text.lines().filter_map(|line| line.split_once("  "));
    let generated: BTreeMap<_, _> =
        pairs.map(|(digest, file)| (file.to_owned(), digest.to_owned())).collect();
    assert_eq!(generated, contract(), "{REMEDY}");
}

/// The files of the contract with their digests.
fn contract() -> BTreeMap<String, String> {
    let entries = fs::read_dir(repository().join("wit")).expect("the contract is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let files = paths.filter(|path| path.extension().is_some_and(|it| it == "wit"));
    let digest = |path: std::path::PathBuf| {
        let content = fs::read(&path).expect("a file of the contract");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (format!("wit/{name}"), HEXLOWER.encode(&Sha256::digest(content)))
    };
    files.map(digest).collect()
}
