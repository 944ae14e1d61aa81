//! `caplet settings`, `caplet grants` and `caplet limits`: what the operator has set for a plugin of a
//! running host, shown and changed. How values are read from arguments and files is in [`edit`].

mod edit;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::change::{self, Wait};
use crate::failure::Failure;
use crate::output;
use crate::remote::{Remote, Target};
use crate::table::aligned;

/// What is shown instead of a secret.
const SECRET: &str = "(secret)";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Configure {
    /// Show or change a plugin's settings.
    #[command(after_help = "\
Examples:
  caplet settings comments                           # each value, and where it comes from
  caplet settings comments set edit_window_s=60
  caplet settings comments set token=@token.txt      # a value from a file; token=- from the input
  caplet settings comments set --file settings.toml --dry-run
  caplet settings comments unset edit_window_s       # back to the configuration file, or the default

A value is JSON, or else a text; a key may lead into tables: `mail.from=ada@example.org`. A change is
checked against the plugin's schema and brings a new generation, as an upgrade does; `caplet rollback`
brings the settings of before back. What is set here lies over the configuration file, also after a
restart. Secrets are never shown.")]
    Settings(Options),

    /// Show or change what a plugin may reach: its grants and its origins of redirects.
    #[command(after_help = "\
Examples:
  caplet grants comments
  caplet grants comments set 'grants=[\"sql\", \"identity\", \"log\"]'
  caplet grants comments set 'redirect_origins=[\"https://shop.example\"]' --approve

What lets the plugin do more waits for `--approve` or `caplet approve`. To take a right at once, also
from calls that are running, use `caplet revoke`.")]
    Grants(Options),

    /// Show or change a plugin's limits.
    #[command(after_help = "\
Examples:
  caplet limits comments
  caplet limits comments set cpu_ms_max=200 database_bytes_max=4294967296
  caplet limits comments unset cpu_ms_max")]
    Limits(Options),
}

/// `caplet settings`, `caplet grants` and `caplet limits`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    pub target: Target,
    /// The plugin
    #[arg(value_name = "PLUGIN")]
    pub plugin: String,
    /// What to do [default: show]
    #[arg(value_name = "ACTION", value_enum)]
    pub action: Option<Action>,
    /// What to set, KEY=VALUE, or to unset, KEY
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// Set what is in this file too, JSON or TOML; `-` reads the standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Agree to what grows the plugin's powers
    #[arg(long)]
    pub approve: bool,
    /// Only tell what would change
    #[arg(long)]
    pub dry_run: bool,
    /// Everything, as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub wait: Wait,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// Set what is named, and leave the rest
    Set,
    /// Take back what was set here
    Unset,
    /// Take back all that was set here, but for secrets, and set what is named
    Replace,
}

/// What the admin API says.
#[derive(Deserialize, Serialize)]
struct Configuration {
    generation: u32,
    values: Value,
    set: Value,
    secrets: Vec<String>,
    origins: BTreeMap<String, String>,
}

/// Shows or changes.
///
/// # Errors
/// When the host cannot be asked, or why it refused.
pub async fn run(command: &Configure) -> Result<(), Failure> {
    match command {
        Configure::Settings(options) => part("settings", options).await,
        Configure::Grants(options) => part("grants", options).await,
        Configure::Limits(options) => part("limits", options).await,
    }
}

async fn part(part: &str, options: &Options) -> Result<(), Failure> {
    let path = format!("/plugins/{}/{part}", change::checked(&options.plugin)?);
    let Some(action) = options.action else { return show(&path, options).await };
    let edit = edit::read(action, &options.keys, options.file.as_deref())?;
    let method = if action == Action::Replace { Method::PUT } else { Method::PATCH };
    let Options { approve, dry_run, .. } = options;
    let path = format!("{path}?approve={approve}&dry_run={dry_run}");
    let remote = Remote::new(&options.target)?;
    let operation = remote.ask(method, &path, Some(&Value::Object(edit))).await?;
    change::follow(&remote, operation, options.wait).await
}

async fn show(path: &str, options: &Options) -> Result<(), Failure> {
    let configuration: Configuration = Remote::new(&options.target)?.get(path).await?;
    if options.json {
        let text = serde_json::to_string_pretty(&configuration)
            .map_err(|error| Failure::run_time(error.to_string()))?;
        return output::print(&format!("{text}\n"));
    }
    let head = ["KEY", "ORIGIN", "VALUE"].map(str::to_owned);
    let rows = configuration.origins.iter().map(|(pointer, origin)| {
        let value =
            configuration.values.pointer(pointer).map_or(SECRET.to_owned(), Value::to_string);
        [edit::key(pointer), origin.clone(), value]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    output::print(&aligned(0, &rows))
}

/// A JSON object.
type Members = Map<String, Value>;
