//! The languages that a plugin can be begun and built in. A language is a case here, a module beside
//! this one that drives its tools, and a folder each in `plugins/sdk` and `plugins/templates`.

use clap::ValueEnum;
use serde::Deserialize;

use super::c::C;
use super::go::Go;
use super::project::Project;
use super::python::Python;
use super::rust::Rust;
use super::typescript::TypeScript;
use crate::failure::Failure;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Language {
    /// Rust
    Rust,
    /// TypeScript, on QuickJS or SpiderMonkey
    TypeScript,
    /// Python
    Python,
    /// Go
    Go,
    /// C and C++
    C,
}

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be installed: small and fast, however long it takes to build.
    Release,
    /// To be tried at once by its author: built quickly, with the names of functions in it.
    Trial,
}

/// A language's own tools.
pub trait Toolchain {
    /// Finds out whether the tools are there and new enough.
    ///
    /// # Errors
    /// What is missing or too old, and the command that installs it.
    fn check(&self) -> Result<(), Failure>;

    /// Builds the component and returns its bytes. What the tools say goes to the standard error.
    ///
    /// # Errors
    /// That the build failed, after the tools have said why.
    fn build(&self, project: &Project, purpose: Purpose) -> Result<Vec<u8>, Failure>;

    /// Folders in the project that hold what was built or fetched and nothing that an author writes.
    fn built_folders(&self) -> &'static [&'static str];
}

impl Language {
    /// Its word in `plugin.toml`, on the command line, and as the name of its folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::TypeScript => "typescript",
            Self::Python => "python",
            Self::Go => "go",
            Self::C => "c",
        }
    }

    /// Its tools.
    pub fn toolchain(self) -> &'static dyn Toolchain {
        match self {
            Self::Rust => &Rust,
            Self::TypeScript => &TypeScript,
            Self::Python => &Python,
            Self::Go => &Go,
            Self::C => &C,
        }
    }
}
