//! What can be typed. The texts are the manual: each command says what it does and shows it once.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::remote::Target;

/// A host for backend capabilities. Each capability is a plugin: one WebAssembly file, dropped into
/// a folder.
#[derive(Debug, Parser)]
#[command(
    name = "caplet",
    version,
    max_term_width = 100,
    after_help = "\
Every setting is a flag, an environment variable or a key of the configuration file; flags win over
variables, variables over the file:
  --listen 0.0.0.0:80      CAPLET_LISTEN=0.0.0.0:80      listen = \"0.0.0.0:80\"
  (no flag)                CAPLET_LIMITS__CPU_MS_MAX=50  [limits] cpu_ms_max = 50

CAPLET_LOG chooses what is logged: error, warn, info (the default), debug, trace, or parts such as
  CAPLET_LOG=info,caplet::access=debug      one line for each request"
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a host: load the plugins in a folder, follow its changes, serve HTTP.
    #[command(after_help = "\
Examples:
  caplet serve --data ./data --plugins ./plugins
  caplet serve --listen 127.0.0.1:0              # a free port; the line that is printed names it
  caplet serve --config caplet.toml

Drop a .wasm file into the plugin folder and it is loaded; replace it and it is upgraded; remove it
and its routes are gone. SIGTERM or Ctrl-C ends the host once requests in flight are answered; a
second one ends it at once.")]
    Serve(Serve),

    /// Make a token for a caller, and print it alone.
    #[command(after_help = "\
Examples:
  caplet token --subject ada
  caplet token --subject ada --role moderator --tenant acme --ttl 30d
  curl -H \"authorization: Bearer $(caplet token)\" http://127.0.0.1:8080/api/comments?target=post:1

The token is signed with the host's secret: the configured one, or the file token.key in the data
directory, which is made when it is missing.")]
    Token(Token),

    /// List what is in the plugin folder, and what is wrong with it.
    #[command(after_help = "\
Example:
  caplet list --plugins ./plugins

The files are compiled and asked to describe themselves; no database is touched.")]
    List(List),

    /// Show what a plugin says of itself: routes, permissions, migrations, settings.
    #[command(after_help = "\
Examples:
  caplet describe plugins/comments.wasm
  caplet describe --json plugins/comments.wasm")]
    Describe(Describe),

    /// Show what a component asks for and offers: rights, other imports, exports, limits.
    #[command(after_help = "\
Example:
  caplet inspect plugins/comments.wasm

A component's imports are the rights it asks for. What is not imported cannot be used.")]
    Inspect(File),

    /// Tell whether a plugin would load, and if not, every reason.
    #[command(after_help = "\
Example:
  caplet check build/comments.wasm && cp build/comments.wasm plugins/

Its migrations are tried on an empty database. The exit code is 0 when it would load, 1 when not.")]
    Check(File),

    /// Show what a running host serves.
    #[command(after_help = "\
Examples:
  caplet status
  caplet status --url https://caplet.example.com --token \"$CAPLET_ADMIN_TOKEN\"

The host is asked through its admin API. On the host's own machine no token is needed: the command
signs one with the secret in the data directory.")]
    Status(Status),
}

/// Where settings come from, for every command that needs them.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    /// A configuration file [default: caplet.toml, when there is one here; CAPLET_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The directory of the host's files, made when it is missing [default: data; CAPLET_DATA]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The folder of the plugins, made when it is missing [default: plugins; CAPLET_PLUGINS]
    #[arg(long, value_name = "DIR")]
    pub plugins: Option<PathBuf>,
}

/// `caplet serve`.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub common: Common,
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:8080; CAPLET_LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
}

/// `caplet token`.
#[derive(Debug, Args)]
pub struct Token {
    #[command(flatten)]
    pub common: Common,
    /// Who the caller is: an id that never changes
    #[arg(long, value_name = "ID", default_value = "u1")]
    pub subject: String,
    /// The tenant the caller belongs to
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub tenant: String,
    /// A person, or a program
    #[arg(long, value_enum, default_value = "user")]
    pub kind: Kind,
    /// A role within the tenant; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// A team within the tenant; may be repeated
    #[arg(long = "team", value_name = "TEAM")]
    pub teams: Vec<String>,
    /// A scope; one named like a permission grants it; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    pub scopes: Vec<String>,
    /// How long it is valid, such as 90s, 15m, 12h, 30d
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = humantime::parse_duration)]
    pub ttl: Duration,
}

/// What kind of party a token is for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    /// A person
    User,
    /// A program with a token of its own
    Service,
}

/// `caplet list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub common: Common,
}

/// `caplet status`.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    pub target: Target,
}

/// `caplet describe`.
#[derive(Debug, Args)]
pub struct Describe {
    #[command(flatten)]
    pub file: File,
    /// Everything, as JSON
    #[arg(long)]
    pub json: bool,
}

/// A command about one component.
#[derive(Debug, Args)]
pub struct File {
    #[command(flatten)]
    pub common: Common,
    /// The component, a .wasm file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("caplet {}", command.get_name())), "{command}");
        }
    }
}
