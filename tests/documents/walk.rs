//! One page, from its top to its end, as a reader follows it.
//!
//! - `sh` runs, and must succeed, in a folder of the page's own, against a host of the page's own:
//!   `CAPLET_URL` is its address, `CAPLET_TOKEN` a token. A plugin that was put into `plugins` is
//!   loaded before the page goes on. `comments`, `hello` and `tags` are there, except on a page that builds
//!   a plugin.
//! - `json` is the shape of what the last command printed. A problem document says that it fails.
//! - `toml` is a configuration: the host is started again with it. `toml Cargo.toml` is a file.
//! - `sql` runs in a database of the page; see [`crate::database`].
//! - `rust` with a file's name is that file; without one, a documentation test.
//! - `yaml` with a file's name is that file; without one, scenarios that are run against the example
//!   `notes`.
//! - `console` has commands after `$`: those of `caplet` run, except `build`, `dev` and `serve`, which are
//!   only read, as are those of `cargo xtask`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use caplet_testing::scenario::assert_scenarios;
use caplet_tests::{Place, Server};
use figment::Figment;
use figment::providers::{Format, Toml};
use serde_json::Value;

use crate::database::Notebook;
use crate::page::{Block, Page, read, root};
use crate::shape::{difference, is_problem};
use crate::shell::Shell;
use crate::workshop::{Workshop, target};

/// The crates whose documentation tests include pages.
const COMPILED_BY: [&str; 2] = ["plugins/sdk/rust/src/lib.rs", "host/server/src/lib.rs"];

/// Follows a page.
pub async fn walk(path: &str) {
    let page = Page::read(path);
    let mut walk = Walk::begin(&page).await;
    for (index, block) in page.blocks.iter().enumerate() {
        let shown = page.blocks.get(index + 1).filter(|next| next.language == "json").map(shown);
        match block.language.as_str() {
            "" | "text" => {}
            "sh" => walk.shell(block, shown).await,
            "sql" => walk.sql(block, shown).await,
            "toml" => walk.toml(block).await,
            "rust" => walk.rust(&page, block),
            "yaml" => walk.yaml(block).await,
            "console" => walk.console(block).await,
            "json" => {
                let before =
                    index.checked_sub(1).map(|before| page.blocks[before].language.as_str());
                assert!(matches!(before, Some("sh" | "sql")), "{}: shape of what?", block.place);
            }
            other => panic!("{}: nothing is done with `{other}`", block.place),
        }
    }
    walk.end().await;
}

fn shown(block: &Block) -> Value {
    serde_json::from_str(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place))
}

struct Walk {
    place: Place,
    workshop: Workshop,
    notebook: Notebook,
    /// Started by the first block that needs it.
    host: Option<Server>,
    settings: Vec<(&'static str, String)>,
}

impl Walk {
    async fn begin(page: &Page) -> Self {
        let place = Place::new();
        let builds = page.blocks.iter().any(|block| {
            block.language == "toml" && block.file().is_some() && !block.has_word("fragment")
        });
        let workshop = if builds {
            Workshop::beside_checkout(&place)
        } else {
            place.install("comments", "comments.wasm");
            place.install("hello", "hello.wasm");
            place.install("tags", "tags.wasm");
            Workshop::temporary(&place)
        };
        Self { place, workshop, notebook: Notebook::new().await, host: None, settings: Vec::new() }
    }

    async fn end(self) {
        if let Some(host) = self.host {
            assert_eq!(host.stop().await, 0);
        }
    }

    /// The host, which serves everything that is in the plugin folder.
    async fn host(&mut self) -> &Server {
        if self.host.is_none() {
            let settings: Vec<_> =
                self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let host = self.place.start(&settings).await;
            let ready: Value = serde_json::from_str(&host.get("/readyz").await.1).expect("JSON");
            assert_eq!(ready["failed"], Value::Array(Vec::new()), "{ready}");
            self.host = Some(host);
        }
        self.host.as_ref().expect("it was started above")
    }

    async fn command_line(&mut self) -> Shell {
        let url = self.host().await.url("");
        let data = self.place.data().display().to_string();
        let plugins = self.place.plugins().display().to_string();
        let variables =
            vec![("CAPLET_URL", url), ("CAPLET_DATA", data), ("CAPLET_PLUGINS", plugins)];
        let token = Shell::new(variables.clone()).run(self.workshop.folder(), "caplet token").await;
        let token = token.expect("a token is made").trim().to_owned();
        Shell::new([variables, vec![("CAPLET_TOKEN", token)]].concat())
    }

    async fn shell(&mut self, block: &Block, shown: Option<Value>) {
        let shell = self.command_line().await;
        let before = (self.loads().await, files(&self.place.plugins()));
        let folder = self.workshop.folder();
        let ran = match &shown {
            Some(shown) if is_problem(shown) => shell.run_to_error(folder, &block.text).await,
            _ => shell.run(folder, &block.text).await,
        };
        let said = ran.unwrap_or_else(|reason| panic!("{}: {reason}", block.place));
        if let Some(shown) = shown {
            let answered = last_value(&said);
            if let Some(difference) = difference(&shown, &answered) {
                panic!("{}: {difference}, in {said}", block.place);
            }
        }
        if files(&self.place.plugins()) != before.1 {
            let host = self.host().await;
            host.until(|host| async move { loads(host).await > before.0 }).await;
        }
    }

    async fn loads(&mut self) -> f64 {
        loads(self.host().await).await
    }

    async fn sql(&mut self, block: &Block, shown: Option<Value>) {
        if let Some(file) = block.file() {
            self.workshop.write(block, file);
        }
        let rows = self.notebook.run(block).await;
        if let Some(shown) = shown {
            assert_eq!(rows, shown, "{}", block.place);
        }
    }

    async fn toml(&mut self, block: &Block) {
        match block.file() {
            Some(_) if block.has_word("fragment") => check_fragment(block),
            Some(file) => self.workshop.write(block, file),
            None => self.configure(block).await,
        }
    }

    /// Starts the host again with a configuration.
    async fn configure(&mut self, block: &Block) {
        let file = self.workshop.folder().join("caplet.toml");
        std::fs::write(&file, &block.text).expect("the configuration is written");
        self.settings = vec![("CAPLET_CONFIG", file.display().to_string())];
        if let Some(host) = self.host.take() {
            assert_eq!(host.stop().await, 0, "{}", block.place);
        }
        self.host().await;
    }

    /// A file of scenarios: written, when it has a name, and else run against the example `notes`.
    async fn yaml(&self, block: &Block) {
        if let Some(file) = block.file() {
            self.workshop.write(block, file);
            return;
        }
        let folder = tempfile::tempdir().expect("a temporary directory");
        let file = folder.path().join("notes.yaml");
        std::fs::write(&file, &block.text).expect("the scenarios are written");
        assert_scenarios(&file.display().to_string(), "notes").await;
    }

    fn rust(&self, page: &Page, block: &Block) {
        if let Some(file) = block.file() {
            return self.workshop.write(block, file);
        }
        let runs_or_compiles = block.words.iter().all(|word| word == "no_run");
        assert!(
            runs_or_compiles,
            "{}: {:?} keeps it from being compiled",
            block.place, block.words
        );
        let include = format!("../{}\")]", page.path);
        let is_compiled = COMPILED_BY.iter().any(|library| read(library).contains(&include));
        assert!(is_compiled, "{}: no documentation test includes the page", block.place);
    }

    async fn console(&mut self, block: &Block) {
        let commands = block.text.lines().filter_map(|line| line.strip_prefix("$ "));
        let commands: Vec<_> =
            commands.map(|line| line.split(" #").next().unwrap_or(line)).collect();
        assert!(!commands.is_empty(), "{}: a console shows commands after `$`", block.place);
        for command in commands {
            let words: Vec<&str> = command.split_whitespace().collect();
            let ran = match words.as_slice() {
                ["caplet", "build" | "dev" | "serve", ..] => {
                    self.help(self.workshop.folder(), command).await
                }
                ["cargo", "xtask", ..] => self.help(&root(), command).await,
                ["caplet", ..] => {
                    self.command_line().await.run(self.workshop.folder(), command).await
                }
                _ => Err("it is a command of neither `caplet` nor `cargo xtask`".to_owned()),
            };
            ran.unwrap_or_else(|reason| panic!("{}: {command}: {reason}", block.place));
        }
    }

    /// Has a command line read, and nothing done: unknown words in it are errors all the same.
    async fn help(&self, folder: &Path, command: &str) -> Result<String, String> {
        let target = target().display().to_string();
        Shell::new(vec![("CARGO_TARGET_DIR", target)])
            .run(folder, &format!("{command} --help"))
            .await
    }
}

/// A part of a manifest: its paths lead to crates of the checkout.
fn check_fragment(block: &Block) {
    let manifest: Result<Value, _> = Figment::from(Toml::string(&block.text)).extract();
    let manifest = manifest.unwrap_or_else(|error| panic!("{}: {error}", block.place));
    let dependencies = manifest["dependencies"].as_object().expect("dependencies are a table");
    for path in dependencies.values().filter_map(|it| it.get("path")?.as_str()) {
        let folder = path.strip_prefix("../caplet/").expect("a path leads into the checkout");
        assert!(root().join(folder).join("Cargo.toml").is_file(), "{}: {path}", block.place);
    }
}

/// The JSON value that an output ends with, whatever stands before it.
fn last_value(output: &str) -> Value {
    let beginnings = output.match_indices(['{', '[']).map(|(at, _)| &output[at..]);
    let value = beginnings.filter_map(|rest| serde_json::from_str(rest).ok()).next();
    value.unwrap_or_else(|| panic!("no JSON at the end of: {output}"))
}

/// How often the host has tried to load a file.
async fn loads(host: &Server) -> f64 {
    let (_, metrics) = host.get("/metrics").await;
    let lines = metrics.lines().filter(|line| line.starts_with("caplet_loads_total{"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn files(folder: &Path) -> BTreeMap<String, Option<SystemTime>> {
    let entries = std::fs::read_dir(folder).expect("the plugin folder can be read");
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.expect("the plugin folder can be read");
        let changed = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        (entry.file_name().to_string_lossy().into_owned(), changed)
    };
    entries.map(file).collect()
}
