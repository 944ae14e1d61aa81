//! `caplet inspect`: what a component asks for and offers, read from the file itself, also of one
//! that would not load.

use caplet_runtime::{Inspection, Limits, LoadError};
use serde_json::Value;

use crate::arguments::File;
use crate::dry;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::table::aligned;

/// Prints rights, imports, exports and limits.
///
/// # Errors
/// When the file is no component.
pub async fn run(options: &File) -> Result<(), Failure> {
    let settings = Settings::load(&options.common, None)?;
    let bytes = dry::read(&options.file)?;
    let n_bytes = bytes.len();
    let runtime = dry::runtime(&settings).await?;
    let refused =
        |error: LoadError| Failure::run_time(format!("{}: {error}", options.file.display()));
    let looking = async {
        let inspection = runtime.inspect(bytes.clone()).await?;
        // Limits may be set for a plugin by its name, which is known only when it describes itself.
        Ok((inspection, runtime.prepare(bytes, Some(&dry::name_of(&options.file))).await))
    };
    let progress = Progress::spinner(format!("compiling {}", options.file.display()));
    let (inspection, prepared) = progress.during(looking).await.map_err(refused)?;
    let mut said = format!("{}: {n_bytes} bytes\n", options.file.display());
    if let Ok(prepared) = &prepared {
        said += &format!("plugin {}, SHA-256 {}\n", prepared.name(), prepared.digest());
    }
    said += &text(&inspection);
    said += &limits(prepared.as_ref().map_or(&settings.limits, |it| it.limits()));
    if let Err(error) = prepared {
        said += &format!("\nIt would not load: {error}\n");
    }
    output::print(&said)
}

fn text(inspection: &Inspection) -> String {
    let rights: Vec<_> =
        inspection.rights.iter().map(|it| [it.name.to_owned(), it.meaning.to_owned()]).collect();
    let rights = match rights.as_slice() {
        [] => "  none\n".to_owned(),
        rights => aligned(2, rights),
    };
    let mut text = format!("\nIt may, when it is granted:\n{rights}");
    list(
        &mut text,
        "Served with nothing behind them (no files, sockets, environment):",
        &inspection.wasi,
    );
    list(
        &mut text,
        "Of the application around the host, when it is granted:",
        &inspection.application,
    );
    list(&mut text, "Not served by this host, so that it cannot be loaded:", &inspection.unknown);
    list(&mut text, "It exports:", &inspection.exports);
    text
}

fn list(text: &mut String, heading: &str, names: &[String]) {
    if !names.is_empty() {
        let rows: Vec<_> = names.iter().map(|name| [name.clone()]).collect();
        *text += &format!("\n{heading}\n{}", aligned(2, &rows));
    }
}

fn limits(limits: &Limits) -> String {
    let Ok(Value::Object(limits)) = serde_json::to_value(limits) else { return String::new() };
    let rows: Vec<_> = limits.into_iter().map(|(name, value)| [name, value.to_string()]).collect();
    format!("\nLimits that hold for it:\n{}", aligned(2, &rows))
}
