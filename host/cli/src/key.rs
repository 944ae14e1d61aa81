//! `caplet key`: API keys of a running host, made, listed and revoked through its admin API.

use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::output;
use crate::remote::{Remote, Target};
use crate::table::aligned;

const PATH: &str = "/keys";

/// `caplet key`.
#[derive(Debug, Args)]
pub struct KeyOptions {
    #[command(subcommand)]
    pub command: KeyCommand,
}

/// What is done with API keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key, and print it alone
    Create(CreateKey),
    /// List the keys, without their secrets
    List(ListKeys),
    /// End a key, with effect at once
    Revoke(RevokeKey),
}

/// `caplet key create`.
#[derive(Debug, Args)]
pub struct CreateKey {
    #[command(flatten)]
    pub target: Target,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub name: String,
    /// Whom it stands for [default: key- and its id]
    #[arg(long, value_name = "ID")]
    pub subject: Option<String>,
    /// The tenant it belongs to
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub tenant: String,
    /// A role within the tenant; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// A team within the tenant; may be repeated
    #[arg(long = "team", value_name = "TEAM")]
    pub teams: Vec<String>,
    /// A scope; one named like a permission grants it; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    pub scopes: Vec<String>,
    /// When it ends, such as 12h, 90d [default: never]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub ttl: Option<Duration>,
}

/// `caplet key list`.
#[derive(Debug, Args)]
pub struct ListKeys {
    #[command(flatten)]
    pub target: Target,
    /// Everything, as JSON
    #[arg(long)]
    pub json: bool,
}

/// `caplet key revoke`.
#[derive(Debug, Args)]
pub struct RevokeKey {
    #[command(flatten)]
    pub target: Target,
    /// The key's id, the part between `cap_` and the next `_`
    #[arg(value_name = "ID")]
    pub id: String,
}

/// What `POST /admin/api/keys` takes.
#[derive(Serialize)]
struct Order<'a> {
    name: &'a str,
    tenant: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    roles: &'a [String],
    teams: &'a [String],
    scopes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_s: Option<u64>,
}

/// What it answers.
#[derive(Deserialize)]
struct Made {
    id: String,
    key: String,
}

/// What `GET /admin/api/keys` answers.
#[derive(Deserialize)]
struct Page {
    items: Vec<Key>,
    next_cursor: Option<String>,
}

/// A key, without its secret.
#[derive(Serialize, Deserialize)]
struct Key {
    id: String,
    name: String,
    tenant: String,
    subject: String,
    roles: Vec<String>,
    teams: Vec<String>,
    scopes: Vec<String>,
    created_by: String,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
}

/// Does what was asked.
///
/// # Errors
/// When the host cannot be asked, or refuses.
pub async fn run(command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::Create(options) => create(&options).await,
        KeyCommand::List(options) => list(&options).await,
        KeyCommand::Revoke(options) => revoke(&options).await,
    }
}

/// The key is alone on the standard output, so that it can be piped to where it is kept.
async fn create(options: &CreateKey) -> Result<(), Failure> {
    let order = Order {
        name: &options.name,
        tenant: &options.tenant,
        subject: options.subject.as_deref(),
        roles: &options.roles,
        teams: &options.teams,
        scopes: &options.scopes,
        ttl_s: options.ttl.map(|ttl| ttl.as_secs()),
    };
    let made: Made = Remote::new(&options.target)?.ask(Method::POST, PATH, Some(&order)).await?;
    eprintln!("caplet: made the key {}; it is not shown again", made.id);
    output::print(&format!("{}\n", made.key))
}

async fn list(options: &ListKeys) -> Result<(), Failure> {
    let remote = Remote::new(&options.target)?;
    let mut keys: Vec<Key> = Vec::new();
    let mut path = PATH.to_owned();
    loop {
        let page: Page = remote.get(&path).await?;
        keys.extend(page.items);
        match page.next_cursor {
            Some(cursor) => path = format!("{PATH}?cursor={cursor}"),
            None => break,
        }
    }
    keys.sort_by(|one, other| (&one.created_at, &one.id).cmp(&(&other.created_at, &other.id)));
    if options.json {
        let text = serde_json::to_string_pretty(&keys)
            .map_err(|error| Failure::run_time(error.to_string()))?;
        output::print(&format!("{text}\n"))
    } else if keys.is_empty() {
        output::print("There is no API key. `caplet key create --name …` makes one.\n")
    } else {
        let head = ["ID", "NAME", "TENANT", "RIGHTS", "CREATED", "LAST USED", "STATE"];
        let head = head.map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(keys.iter().map(row)).collect();
        output::print(&aligned(0, &rows))
    }
}

async fn revoke(options: &RevokeKey) -> Result<(), Failure> {
    // A whole key is taken for its id, so that one that leaked can be ended as it was found.
    let id = options.id.strip_prefix("cap_").and_then(|rest| rest.split('_').next());
    let id = id.unwrap_or(&options.id);
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Failure::usage(format!("`{}` is no id of a key", options.id)));
    }
    let path = format!("{PATH}/{id}");
    Remote::new(&options.target)?.send(Method::DELETE, &path, None::<&()>).await?;
    output::print(&format!("revoked {id}\n"))
}

fn row(key: &Key) -> [String; 7] {
    let rights: Vec<_> = key.roles.iter().chain(&key.scopes).map(String::as_str).collect();
    let state = match (&key.revoked_at, &key.expires_at) {
        (Some(revoked), _) => format!("revoked {}", minute(revoked)),
        (None, Some(expires)) => format!("until {}", minute(expires)),
        (None, None) => "no end".to_owned(),
    };
    [
        key.id.clone(),
        key.name.clone(),
        key.tenant.clone(),
        rights.join(" "),
        minute(&key.created_at),
        key.last_used_at.as_deref().map_or_else(|| "never".to_owned(), minute),
        state,
    ]
}

/// A time of the API, to the minute, for people.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_a_key_may_and_for_how_long() {
        let key = Key {
            id: "a".into(),
            name: "ci".into(),
            tenant: "acme".into(),
            subject: "key-a".into(),
            roles: vec!["editor".into()],
            teams: Vec::new(),
            scopes: vec!["comments.moderate".into()],
            created_by: "root".into(),
            created_at: "2026-01-01T00:00:00.000Z".into(),
            expires_at: Some("2026-04-01T00:00:00.000Z".into()),
            last_used_at: None,
            revoked_at: None,
        };
        let cells = ["a", "ci", "acme", "editor comments.moderate", "2026-01-01 00:00", "never"];
        assert_eq!(row(&key)[..6], cells.map(str::to_owned));
        assert_eq!(row(&key)[6], "until 2026-04-01 00:00");
        let revoked = Key { revoked_at: Some("2026-02-01T10:30:00.000Z".into()), ..key };
        assert_eq!(row(&revoked)[6], "revoked 2026-02-01 10:30");
    }
}
