//! `caplet status`: what a running host serves, by its own word; and `caplet release`, which ends a
//! quarantine that it tells of.

use reqwest::Method;
use serde::Deserialize;

use crate::arguments::{Release, Status};
use crate::failure::Failure;
use crate::output;
use crate::remote::Remote;
use crate::table::aligned;

/// What `GET /admin/api/plugins` answers, as far as it is shown.
#[derive(Deserialize)]
struct Plugins {
    items: Vec<Plugin>,
    loading: Vec<Loading>,
    failed: Vec<FailedFile>,
}

#[derive(Deserialize)]
struct Plugin {
    name: String,
    version: String,
    digest: String,
    rights: Vec<String>,
    database_bytes: u64,
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

/// Prints a table of the plugins that serve, those on their way, and the files that are not loaded.
///
/// # Errors
/// When the host cannot be asked.
pub async fn run(options: &Status) -> Result<(), Failure> {
    let plugins: Plugins = Remote::new(&options.target)?.get("/plugins").await?;
    let mut text = String::new();
    if plugins.items.is_empty() {
        text += "No plugin is loaded.\n";
    } else {
        let head = ["PLUGIN", "VERSION", "DIGEST", "DATABASE", "RIGHTS"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(plugins.items.iter().map(row)).collect();
        text += &aligned(0, &rows);
    }
    for plugin in &plugins.items {
        if let Some(Quarantine { until, reason }) = &plugin.quarantine {
            text += &format!("in quarantine until {until}: {}: {reason}\n", plugin.name);
        }
    }
    for plugin in &plugins.items {
        if let Some(Rollout { generation, version, stage }) = &plugin.rollout {
            let name = &plugin.name;
            text += &format!("rolling out: {name} {version} (generation {generation}): {stage}\n");
        }
    }
    for Loading { name, step } in plugins.loading {
        text += &format!("{step}: {name}\n");
    }
    for FailedFile { file, reason } in plugins.failed {
        text += &format!("not loaded: {file}: {reason}\n");
    }
    output::print(&text)
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

fn row(plugin: &Plugin) -> [String; 5] {
    let digest = plugin.digest.rsplit(':').next().unwrap_or_default();
    [
        plugin.name.clone(),
        plugin.version.clone(),
        digest.chars().take(12).collect(),
        size(plugin.database_bytes),
        plugin.rights.join(" "),
    ]
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
