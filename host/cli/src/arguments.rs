//! What can be typed. The texts are the manual: each command says what it does and shows it once.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use crate::build::Build;
use crate::change::{Approve, History, Install, Named, Rollback};
use crate::configure::Configure;
use crate::dev::Dev;
use crate::key::KeyOptions;
use crate::new::New;
use crate::remote::Target;
use crate::rights::RightsCommand;
use crate::rollout::RolloutOptions;
use crate::scenarios::Test;
use crate::subject::Subject;
use crate::top::Sort;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// A host for backend capabilities. Each capability is a plugin: one WebAssembly file, dropped into
/// a folder.
#[derive(Debug, Parser)]
#[command(
    name = "caplet",
    version,
    max_term_width = 100,
    styles = STYLES,
    after_help = "\
First steps:
  caplet serve                                   # a host; it makes ./data and ./plugins
  cp comments.wasm plugins/                      # a plugin; the host loads it at once
  curl http://127.0.0.1:8080/                    # what is loaded
  caplet top                                     # what it does

Every setting is a flag, an environment variable or a key of the configuration file; flags win over
variables, variables over the file:
  --listen 0.0.0.0:80      CAPLET_LISTEN=0.0.0.0:80      listen = \"0.0.0.0:80\"
  (no flag)                CAPLET_LIMITS__CPU_MS_MAX=50  [limits] cpu_ms_max = 50

CAPLET_LOG chooses what is logged: error, warn, info (the default), debug, trace, or parts such as
  CAPLET_LOG=info,caplet::access=debug      one line for each request

Exit codes: 0 done; 1 it went wrong while running, or a plugin would not load; 2 a wrong argument or
setting: nothing was begun."
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile a component for the host that started this process.
    #[command(name = crate::compiler::COMMAND, hide = true)]
    CompileWorker,

    /// Run a host: load the plugins in a folder, follow its changes, serve HTTP.
    #[command(after_help = "\
Examples:
  caplet serve --data ./data --plugins ./plugins
  caplet serve --listen 127.0.0.1:0              # a free port; the line that is printed names it
  caplet serve --takeover                        # replace the running host; nobody is refused

Drop a .wasm file into the plugin folder and it is loaded; replace it and it is upgraded; remove it
and its routes are gone. SIGTERM or Ctrl-C ends the host once requests in flight are answered; a
second one ends it at once. With --takeover a new program replaces a running one; connections wait in the meantime, and when the
new one cannot serve, the old one serves on. A socket of LISTEN_FDS (systemd) takes the place of
the address.")]
    Serve(Serve),

    /// Begin a plugin: a complete small one, in a language of your choice.
    New(New),

    /// Build a plugin, and tell what it may do and whether a host would load it.
    Build(Build),

    /// Run the scenarios of a plugin against its component.
    Test(Test),

    /// Serve a plugin while it is written: build and swap in what changes.
    Dev(Dev),

    /// Make a token for a caller, and print it alone.
    #[command(after_help = "\
Examples:
  caplet token --subject ada
  caplet token --subject ada --role moderator --tenant acme --ttl 30d
  curl -H \"authorization: Bearer $(caplet token)\" http://127.0.0.1:8080/api/comments?target=post:1

The token is signed with the host's secret: the configured one, or the file token.key in the data
directory, which is made when it is missing.")]
    Token(Token),

    /// Make, list and revoke API keys, with which programs prove who they are.
    #[command(after_help = "\
Examples:
  caplet key create --name ci --role moderator --tenant acme --ttl 90d
  caplet key list
  caplet key revoke 0pf3k2v9q1m7c5ta
  curl -H \"x-api-key: $KEY\" http://127.0.0.1:8080/api/comments?target=post:1

A key is shown once, when it is made; the host keeps a hash of it. Revoking one takes effect at once.")]
    Key(KeyOptions),

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

    /// Install a plugin in a running host, or upgrade it.
    #[command(
        visible_alias = "upgrade",
        after_help = "\
Examples:
  caplet install comments.wasm
  caplet install --dry-run comments.wasm         # what would change for others
  caplet upgrade --approve --wait comments.wasm

The component is compiled, described and compared with what serves; its migrations are tried on a copy
of the data; it is started and asked for its health; then it takes the next request, and requests in
flight finish where they began. What grows the plugin's powers or breaks its callers waits for
approval. The new version is watched for a while: one that does worse is rolled back by the host."
    )]
    Install(Install),

    /// Agree to an upgrade that waits.
    #[command(after_help = "\
Examples:
  caplet approve comments --generation 5
  caplet approve comments                        # when one alone waits, which is shown")]
    Approve(Approve),

    /// Let an earlier generation of a plugin serve again.
    #[command(after_help = "\
Examples:
  caplet rollback comments
  caplet rollback comments --to 3                # a number in `caplet history comments`

It is possible until a contract migration has given up the old shape of the data.")]
    Rollback(Rollback),

    /// Let a disabled plugin serve again.
    #[command(after_help = "Example:\n  caplet enable comments")]
    Enable(Named),

    /// Take a plugin out of service, also after a restart, until it is enabled.
    #[command(after_help = "Example:\n  caplet disable comments")]
    Disable(Named),

    /// Remove a plugin. Its data and its history stay.
    #[command(after_help = "Example:\n  caplet remove comments")]
    Remove(Named),

    /// Tell how the rollout of a plugin goes, change its stage, complete or abort it.
    #[command(after_help = crate::rollout::EXAMPLES)]
    Rollout(RolloutOptions),

    /// List the generations of a plugin: what served when, what was refused, and why.
    #[command(after_help = "\
Examples:
  caplet history comments
  caplet history comments --json")]
    History(History),

    #[command(flatten)]
    Configure(Configure),

    #[command(flatten)]
    Rights(RightsCommand),

    /// Show what a running host serves.
    #[command(after_help = "\
Examples:
  caplet status
  caplet status --verbose                        # with all limits of each plugin
  caplet status --url https://caplet.example.com --token \"$CAPLET_ADMIN_TOKEN\"

The host is asked through its admin API. On the host's own machine no token is needed: the command
signs one with the secret in the data directory.")]
    Status(Status),

    /// End the quarantine of a plugin that failed too often.
    #[command(after_help = "\
Example:
  caplet release comments

A plugin that failed several times within a minute is not called for a while; `caplet status` shows
until when and why. It is tried again by itself: release it when the cause is gone.")]
    Release(Release),

    /// Watch what the plugins of a running host do, as `top` does for processes.
    #[command(after_help = "\
Examples:
  caplet top
  caplet top --sort cpu --interval 5s
  caplet top --url https://caplet.example.com --once   # one table, for scripts

Keys: q ends; space pauses; r, e, l, c, m, n sort by requests, errors, latency, CPU, memory, name.
REQ/S and ERR/S are requests and answers from 500 on a second; P50, P95 and P99 the times within
which 50, 95 and 99 of 100 were answered; RUN what runs+waits now; LIMITS the limits that were
reached since the host was started.")]
    Top(Top),

    /// Print what a shell needs to complete this command line.
    #[command(after_help = "\
Examples:
  source <(caplet completions bash)                                      # this shell
  caplet completions bash > ~/.local/share/bash-completion/completions/caplet
  caplet completions zsh > ~/.zfunc/_caplet                              # a folder of $fpath
  caplet completions fish > ~/.config/fish/completions/caplet.fish")]
    Completions(Completions),

    /// Tell, export or erase what a running host keeps about a person.
    #[command(
        subcommand,
        after_help = "\
Examples:
  caplet subject holdings                        # what each plugin keeps about people, and why
  caplet subject export ada --output ada.json
  caplet subject erase ada --tenant acme --yes

All plugins are asked, one after the other. When the host or this command is stopped on the way, the
same command goes on with what was begun. The exit code is 0 when every plugin did its part, and 1
when one failed or does not answer; it is named."
    )]
    Subject(Subject),
}

/// Where settings come from, for every command that needs them.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    /// A configuration file [default: caplet.toml, when there is one here; CAPLET_CONFIG]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// The directory of the host's files, made when it is missing [default: data; CAPLET_DATA]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,
    /// The folder of the plugins, made when it is missing [default: plugins; CAPLET_PLUGINS]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
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
    /// Take over the socket of the host that runs on the same data directory, and replace it
    #[arg(long)]
    pub takeover: bool,
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

/// `caplet top`.
#[derive(Debug, Args)]
pub struct Top {
    #[command(flatten)]
    pub common: Common,
    /// Where the host is [default: the address in the settings]
    #[arg(long, value_name = "URL", env = "CAPLET_URL", value_hint = ValueHint::Url)]
    pub url: Option<String>,
    /// Between two looks, from 100ms to 1h
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = interval)]
    pub interval: Duration,
    /// What comes first
    #[arg(long, value_enum, default_value = "requests")]
    pub sort: Sort,
    /// Print one table and end
    #[arg(long)]
    pub once: bool,
}

/// `caplet completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// A time that a person can watch.
fn interval(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let allowed = Duration::from_millis(100)..=Duration::from_secs(3_600);
    if allowed.contains(&time) { Ok(time) } else { Err("expected 100ms to 1h".to_owned()) }
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
    /// All limits that hold for each plugin, too
    #[arg(long, short)]
    pub verbose: bool,
}

/// `caplet release`.
#[derive(Debug, Args)]
pub struct Release {
    /// The plugin's name.
    pub plugin: String,
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
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
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
    fn an_interval_is_one_to_watch() {
        assert_eq!(interval("250ms"), Ok(Duration::from_millis(250)));
        assert!(interval("0s").is_err() && interval("2h").is_err() && interval("x").is_err());
    }

    #[test]
    fn every_command_shows_an_example() {
        let all = Arguments::command();
        for command in all.get_subcommands().filter(|command| !command.is_hide_set()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("caplet {}", command.get_name())), "{command}");
        }
    }
}
