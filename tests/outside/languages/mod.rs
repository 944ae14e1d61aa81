//! Plugins in each language.
//!
//! - The conformance plugin of each, built by `caplet build` from `tests/conformance`, answers the same
//!   script as every other one.
//! - `templates`: what `caplet new` begins is built, passes its scenarios, and is served.
//! - `silent`: a plugin that does not say what it keeps about people does not answer for it.
//! - `bindings`: what is generated and committed is what the contract says.
//! - `workshop`: the tools of the languages, and the components that they made and that are kept.

mod bindings;
mod silent;
mod templates;
pub mod workshop;

use std::fs;
use std::path::PathBuf;

use caplet_tests::binary;
use caplet_tests::outside::{python, run};

use self::workshop::{Recipe, caplet, copy, equip, repository};

macro_rules! languages {
    ($($name:ident $language:literal $settings:literal;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let component = built(stringify!($name), $language, $settings).await;
            let mut script = python("languages/conformance.py");
            let said = run(script.arg(binary()).arg(component)).await;
            assert!(said.contains("it conforms"), "{said}");
        }
    )*};
}

// What is added to `plugin.toml` chooses the engine, where a language has several.
languages! {
    rust_conforms "rust" "";
    c_conforms "c" "";
    go_conforms "go" "";
    python_conforms "python" "";
    typescript_conforms "typescript" "";
    typescript_on_spidermonkey_conforms "typescript" "engine = \"spidermonkey\"\n";
}

/// The language's conformance plugin, with so much more in its `plugin.toml`.
async fn built(name: &str, language: &str, settings: &str) -> PathBuf {
    let sources = repository().join("tests/conformance").join(language);
    let recipe = Recipe { name, language, sources: &[&sources], settings };
    let kept = recipe.kept();
    if kept.exists() {
        return kept;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(&sources, folder.path());
    let manifest = folder.path().join("plugin.toml");
    let text = fs::read_to_string(&manifest).expect("the manifest is read");
    fs::write(manifest, text + settings).expect("the manifest is written");
    equip(folder.path());
    run(caplet(folder.path()).arg("build")).await;
    recipe.keep(&folder.path().join("build/conformance.wasm"))
}
