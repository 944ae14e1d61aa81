//! What the program carries with it, so that a plugin can be begun and built without a checkout: the
//! templates of `caplet new`, the SDKs and the contract.
//!
//! There is no release of the SDKs in any registry yet, and one that differs from the host by a version
//! is a trap for beginners. So each plugin gets the SDK of the program that began it, as files below
//! `vendor/caplet-sdk`, under the author's own version control.

use rust_embed::Embed;

use crate::build::Language;

/// The files of the SDK of a language: its own, and the contract in its folder `wit`.
#[derive(Embed)]
#[folder = "../../plugins/sdk"]
#[exclude = "*/tests/*"]
#[exclude = "*/target/*"]
#[exclude = "*/node_modules/*"]
#[exclude = "*/__pycache__/*"]
struct Sdks;

/// The files of new plugins.
#[derive(Embed)]
#[folder = "../../plugins/templates"]
struct Templates;

/// The contract.
#[derive(Embed)]
#[folder = "../../wit"]
struct Contract;

/// A file: its path below the folder it belongs to, and its content.
pub struct Carried {
    pub path: String,
    pub content: Vec<u8>,
}

/// What every new plugin gets, in whatever language.
const OF_ALL_LANGUAGES: &str = "all";

/// The files of the SDK of a language.
pub fn sdk(language: Language) -> Vec<Carried> {
    below::<Sdks>(language.name())
}

/// The files of a new plugin, with their placeholders: those of all languages, then the language's own.
pub fn template(language: Language) -> Vec<Carried> {
    let mut files = below::<Templates>(OF_ALL_LANGUAGES);
    files.extend(below::<Templates>(language.name()));
    files
}

/// The WIT files of the contract.
pub fn contract() -> Vec<Carried> {
    Contract::iter().filter_map(|path| carried::<Contract>(&path, path.to_string())).collect()
}

fn below<Files: Embed>(folder: &str) -> Vec<Carried> {
    let start = format!("{folder}/");
    let paths = Files::iter();
    let rest = paths.filter_map(|path| Some((path.strip_prefix(&start)?.to_owned(), path)));
    rest.filter_map(|(rest, path)| carried::<Files>(&path, rest)).collect()
}

fn carried<Files: Embed>(path: &str, name: String) -> Option<Carried> {
    let file = Files::get(path)?;
    Some(Carried { path: name, content: file.data.into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sdk_brings_the_contract_and_leaves_its_tests_at_home() {
        let files = sdk(Language::Rust);
        let has = |path: &str| files.iter().any(|file| file.path == path);
        assert!(has("Cargo.toml") && has("src/lib.rs") && has("wit/world.wit"));
        assert!(!files.iter().any(|file| file.path.starts_with("tests/")));
    }

    #[test]
    fn the_contract_is_carried_whole() {
        assert!(contract().iter().any(|file| file.path == "world.wit"));
    }
}
