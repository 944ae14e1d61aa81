//! `cargo xtask fuzz`: searches for inputs that break the host, with `cargo fuzz`. What is tried is in
//! `tests/fuzz/`; the ordinary tests run the same with the seeds alone (`tests/fuzzing`).

use crate::{
    command::{cargo, run as execute, succeeds},
    guests, tools,
    workspace::Workspace,
};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use std::{fs, path::Path};

/// A component that is larger takes long to be compiled, and is changed where it does not matter.
const SEED_BYTES_MAX: u64 = 100 << 10;

/// What `cargo xtask fuzz` can be told.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Which to search, separated by commas [default: all].
    #[arg(long, value_delimiter = ',')]
    only: Vec<Target>,
    /// How long each is searched, in seconds.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
}

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// The gate before the store.
    Gate,
    /// The judge of paths.
    Paths,
    /// Tokens.
    Tokens,
    /// Descriptions of plugins.
    Description,
    /// Components.
    Loader,
    /// The functions of the contract.
    Imports,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Paths => "paths",
            Self::Tokens => "tokens",
            Self::Description => "description",
            Self::Loader => "loader",
            Self::Imports => "imports",
        }
    }

    /// Whether it needs the engine, which is compiled for 20 minutes the first time.
    fn needs_engine(self) -> bool {
        !matches!(self, Self::Gate | Self::Paths)
    }
}

/// Searches one after the other, and fails at the first finding.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if !succeeds(cargo().args(["fuzz", "--version"])) {
        bail!("cargo-fuzz is missing: install it with `cargo install cargo-fuzz --locked`");
    }
    tools::ensure_wasm_target()?;
    let guests = guests::collect(workspace)?;
    let targets = match &options.only[..] {
        [] => Target::value_variants(),
        chosen => chosen,
    };
    for target in targets {
        let corpus = workspace.target().join("fuzz-corpus").join(target.name());
        let artifacts = workspace.target().join("fuzz-findings").join(target.name());
        fs::create_dir_all(&artifacts).context("cannot make the folder for findings")?;
        seed(workspace, *target, &guests, &corpus)?;
        println!("==> {}: {} s", target.name(), options.seconds);
        let mut command = cargo();
        // The guarded memory of the sanitizers finds nothing in Rust without unsafe code, and makes
        // everything slow.
        command
            .current_dir(workspace.root().join("tests/fuzz"))
            .args(["fuzz", "run", "-s", "none"]);
        if target.needs_engine() {
            command.args(["--features", "engine"]);
        }
        command.arg(target.name()).arg(&corpus).arg("--");
        command.arg(format!("-max_total_time={}", options.seconds));
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        // Components and statements have their own bounds of size; a single input has 25 s.
        command.args(["-timeout=25", "-rss_limit_mb=4096"]);
        execute(command.env("CAPLET_GUESTS", &guests)).with_context(|| {
            format!("a finding: mend it, and keep its input in tests/fuzz/seeds/{}", target.name())
        })?;
    }
    Ok(())
}

/// Fills a corpus: the seeds of the repository, small guests for the loader, migrations for the gate.
fn seed(workspace: &Workspace, target: Target, guests: &Path, corpus: &Path) -> Result<()> {
    fs::create_dir_all(corpus).context("cannot make a corpus")?;
    let root = workspace.root().as_std_path();
    let mut folders = vec![root.join("tests/fuzz/seeds").join(target.name())];
    match target {
        Target::Loader => folders.push(guests.to_owned()),
        Target::Gate => {
            folders.extend(
                ["comments", "tags"].map(|it| root.join("plugins").join(it).join("migrations")),
            );
        }
        _ => {}
    }
    for (number, folder) in folders.iter().enumerate() {
        for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
            let entry = entry?;
            let size = entry.metadata()?.len();
            if size <= SEED_BYTES_MAX {
                let name = format!("{number}-{}", entry.file_name().to_string_lossy());
                fs::copy(entry.path(), corpus.join(name))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Target;
    use crate::workspace::Workspace;
    use clap::ValueEnum;

    #[test]
    fn every_target_has_seeds_and_is_one_of_the_fuzzers() {
        let root = Workspace::load().unwrap().root().to_owned();
        let manifest = std::fs::read_to_string(root.join("tests/fuzz/Cargo.toml")).unwrap();
        let n_targets = manifest.matches("[[bin]]").count();
        assert_eq!(Target::value_variants().len(), n_targets);
        for target in Target::value_variants() {
            assert!(root.join("tests/fuzz/seeds").join(target.name()).is_dir(), "{target:?}");
            let name = format!("name = \"{}\"\n", target.name());
            let (_, section) = manifest.split_once(&name).expect("the target has a program");
            let section = section.split("[[bin]]").next().unwrap();
            assert_eq!(section.contains("engine"), target.needs_engine(), "{target:?}");
        }
    }
}
