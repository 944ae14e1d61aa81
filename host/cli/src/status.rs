//! `caplet status`: what a running host serves, by its own word; and `caplet release`, which ends a
//! quarantine that it tells of.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::arguments::{Release, Status};
use crate::failure::Failure;
use crate::output;
use crate::remote::Remote;
use crate::table::aligned;

/// What `GET /admin/api/plugins` answers, as far as it is shown.
#[derive(Deserialize)]
struct Plugins {
    items: Vec<Plugin>,
    disabled: Vec<String>,
    loading: Vec<Loading>,
    failed: Vec<FailedFile>,
}

#[derive(Deserialize)]
struct Plugin {
    name: String,
    version: String,
    digest: String,
    rights: Vec<String>,
    revoked: Vec<String>,
    database_bytes: u64,
    limits: BTreeMap<String, Value>,
    own_limits: Vec<String>,
    quarantine: Option<Quarantine>,
    rollout: Option<Rollout>,
}

#[derive(Deserialize)]
struct Rollout {
    generation: u32,
    version: String,
    stage: String,
}

#[derive(Deserialize)]
struct Quarantine {
    until: String,
    reason: String,
}

#[derive(Deserialize)]
struct Loading {
    name: String,
    step: String,
}

#[derive(Deserialize)]
struct FailedFile {
    file: String,
    reason: String,
}

/// Prints a table of the plugins that serve, what else is known of them, those that do not serve or are on
/// their way, and the files that are not loaded.
///
/// # Errors
/// When the host cannot be asked.
pub async fn run(options: &Status) -> Result<(), Failure> {
    let plugins: Plugins = Remote::new(&options.target)?.get("/plugins").await?;
    let mut text = String::new();
    if plugins.items.is_empty() {
        text += "No plugin is loaded.\n";
    } else {
        let head = ["PLUGIN", "VERSION", "DIGEST", "DATABASE", "RIGHTS", "LIMITS"];
        let head = head.map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(plugins.items.iter().map(row)).collect();
        text += &aligned(0, &rows);
    }
    for plugin in &plugins.items {
        text += &remarks(plugin);
    }
    for name in plugins.disabled {
        text += &format!("disabled: {name}\n");
    }
    for Loading { name, step } in plugins.loading {
        text += &format!("{step}: {name}\n");
    }
    for FailedFile { file, reason } in plugins.failed {
        text += &format!("not loaded: {file}: {reason}\n");
    }
    if options.verbose {
        text += &plugins.items.iter().map(all_limits).collect::<String>();
    }
    output::print(&text)
}

/// What does not fit into the table, a line each.
fn remarks(plugin: &Plugin) -> String {
    let name = &plugin.name;
    let mut text = String::new();
    if !plugin.revoked.is_empty() {
        text += &format!("revoked: {name}: {}\n", plugin.revoked.join(" "));
    }
    if let Some(Quarantine { until, reason }) = &plugin.quarantine {
        text += &format!("in quarantine until {until}: {name}: {reason}\n");
    }
    if let Some(Rollout { generation, version, stage }) = &plugin.rollout {
        text += &format!("rolling out: {name} {version} (generation {generation}): {stage}\n");
    }
    text
}

/// All limits that hold for a plugin, and which of them are its own.
fn all_limits(plugin: &Plugin) -> String {
    let rows = plugin.limits.iter().map(|(name, value)| {
        let of = if plugin.own_limits.contains(name) { "its own" } else { "" };
        [name.clone(), value.to_string(), of.to_owned()]
    });
    format!("\nlimits of {}:\n{}", plugin.name, aligned(2, &rows.collect::<Vec<_>>()))
}

/// Ends the quarantine of a plugin.
///
/// # Errors
/// When the host cannot be asked, or the plugin is in none.
pub async fn release(options: &Release) -> Result<(), Failure> {
    let remote = Remote::new(&options.target)?;
    // The name is a segment of a path; whatever cannot be one is no plugin's name.
    if !caplet_runtime::is_plugin_name(&options.plugin) {
        return Err(Failure::usage(format!("`{}` is no name of a plugin", options.plugin)));
    }
    let path = format!("/plugins/{}/quarantine", options.plugin);
    remote.send(Method::DELETE, &path, None::<&()>).await?;
    output::print(&format!("{} is called again.\n", options.plugin))
}

/// The rights are those that it has, the limits those that were set for it alone.
fn row(plugin: &Plugin) -> [String; 6] {
    let digest = plugin.digest.rsplit(':').next().unwrap_or_default();
    let held = plugin.rights.iter().filter(|right| !plugin.revoked.contains(right));
    let held: Vec<&str> = held.map(String::as_str).collect();
    let own = plugin.own_limits.iter().filter_map(|name| plugin.limits.get_key_value(name));
    let own: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
    [
        plugin.name.clone(),
        plugin.version.clone(),
        digest.chars().take(12).collect(),
        size(plugin.database_bytes),
        or_dash(held.join(" ")),
        or_dash(own.join(" ")),
    ]
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

/// A size for people: three digits and a unit.
fn size(bytes: u64) -> String {
    match bytes {
        0 => "-".to_owned(),
        bytes if bytes < 1 << 20 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        bytes => format!("{} MiB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_sizes_for_people() {
        assert_eq!([size(0), size(1), size(5 << 20)], ["-", "1 KiB", "5 MiB"]);
    }
}
