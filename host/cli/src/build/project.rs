//! A plugin's folder: what `plugin.toml` says, and where things are in it.
//!
//! The file is not `caplet.toml`, because that is the configuration of a host that is started in the
//! same folder.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;

use super::language::Language;
use crate::failure::Failure;

/// The file that says how a plugin is built.
pub const MANIFEST: &str = "plugin.toml";

/// Where a plugin has its SDK.
pub const SDK_FOLDER: &str = "vendor/caplet-sdk";

/// A plugin that can be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its folder.
    pub folder: PathBuf,
    /// The plugin's name, which its component has to give as well.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// What runs it, where the language has more than one engine.
    pub engine: Engine,
    /// The file that the component is written to.
    pub output: PathBuf,
}

/// What runs a plugin in TypeScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Two megabytes, and quick to start.
    #[default]
    QuickJs,
    /// Thirteen megabytes, with URL, TextEncoder and other interfaces of the web.
    SpiderMonkey,
}

/// What `plugin.toml` has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    language: Language,
    #[serde(default)]
    engine: Engine,
    output: Option<PathBuf>,
}

impl Project {
    /// Reads the project in `folder`.
    ///
    /// # Errors
    /// When there is no `plugin.toml`, or what is wrong in it.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let file = folder.join(MANIFEST);
        let text = std::fs::read_to_string(&file).map_err(|reason| {
            Failure::usage(format!(
                "{} cannot be read: {reason}; it says how a plugin is built, such as \
                 `name = \"notes\"` and `language = \"rust\"`; `caplet new` makes one",
                file.display()
            ))
        })?;
        let manifest: Manifest = Figment::from(Toml::string(&text))
            .extract()
            .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
        if !caplet_runtime::is_plugin_name(&manifest.name) {
            let place = file.display();
            return Err(Failure::usage(format!("{place}: name: {}", not_a_name(&manifest.name))));
        }
        let Manifest { name, language, engine, output } = manifest;
        let output = output.unwrap_or_else(|| format!("build/{name}.wasm").into());
        Ok(Self { output: folder.join(output), folder: folder.to_owned(), name, language, engine })
    }

    /// The folder with the project's scenario files.
    pub fn tests(&self) -> PathBuf {
        self.folder.join("tests")
    }
}

/// What to say of a name that a plugin cannot have.
pub fn not_a_name(name: &str) -> String {
    format!(
        "`{name}` is no name of a plugin: use 2 to 40 of a-z, 0-9 and single -, beginning with a \
         letter; admin, caplet and host are taken"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(manifest: &str) -> Result<Project, Failure> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(MANIFEST), manifest).unwrap();
        Project::read(folder.path())
    }

    #[test]
    fn the_component_goes_to_a_folder_of_its_own_unless_told_otherwise() {
        let project = read("name = \"notes\"\nlanguage = \"rust\"").unwrap();
        assert!(project.output.ends_with("build/notes.wasm"), "{project:?}");
        let project = read("name = \"notes\"\nlanguage = \"rust\"\noutput = \"x.wasm\"").unwrap();
        assert_eq!(project.output, project.folder.join("x.wasm"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |manifest: &str| read(manifest).unwrap_err().text().to_owned();
        assert!(said("name = \"notes\"").contains("language"));
        assert!(said("name = \"No\"\nlanguage = \"rust\"").contains("`No` is no name"));
        let language = said("name = \"notes\"\nlanguage = \"cobol\"");
        assert!(language.contains("cobol") && language.contains("rust"), "{language}");
        let key = said("name = \"notes\"\nlanguage = \"rust\"\noutptu = \"x\"");
        assert!(key.contains("outptu") && key.contains("`output`"), "{key}");
        let absent = Project::read(Path::new("/nowhere")).unwrap_err();
        assert!(absent.text().contains("caplet new"), "{absent:?}");
    }
}
