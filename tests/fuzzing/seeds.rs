//! What a search begins with. The short ones stand in `tests/fuzz/seeds`, a folder for each target, and so does
//! what a fuzzer found; components are those of the guests that are small.

use std::{fs, path::Path};

/// A guest that is larger is left out: damage to it takes long to be found.
const GUEST_BYTES_MAX: u64 = 100 << 10;

/// The seeds of a target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds = files(&folder, u64::MAX);
    if target == "loader" {
        let guest = caplet_tests::guest_path("trap");
        seeds.extend(files(guest.parent().expect("guests are in a folder"), GUEST_BYTES_MAX));
    }
    seeds
}

/// The content of all files in a folder that are not larger, in the order of their names.
fn files(folder: &Path, bytes_max: u64) -> Vec<Vec<u8>> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.retain(|path| fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() <= bytes_max));
    paths.iter().map(|path| fs::read(path).expect("a seed can be read")).collect()
}
