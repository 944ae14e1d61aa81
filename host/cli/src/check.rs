//! `caplet check`: would it load, and if not, why.

use std::time::Duration;

use crate::arguments::File;
use crate::dry;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::settings::Settings;

/// Loads the component where nothing is kept, and says what came of it.
///
/// # Errors
/// When it would not load; the reasons have been printed.
pub async fn run(options: &File) -> Result<(), Failure> {
    let settings = Settings::load(&options.common, None)?;
    let bytes = dry::read(&options.file)?;
    let file = options.file.display();
    let runtime = dry::runtime(&settings).await?;
    let name = dry::name_of(&options.file);
    let loading = runtime.load_as(bytes, Some(&name));
    let loaded = Progress::spinner(format!("compiling {file}")).during(loading).await;
    runtime.shutdown(Duration::ZERO).await;
    match loaded {
        Ok(generation) => {
            let (name, version) = (generation.name(), generation.version());
            let n_routes = generation.description().routes.len();
            let routes = format!("{n_routes} routes");
            output::print(&format!("{file} would load: plugin {name} {version} with {routes}.\n"))
        }
        Err(error) => {
            let name = error.plugin.map(|name| format!(" (plugin {name})")).unwrap_or_default();
            let mut text = format!("{file}{name} would not load: {}.\n", error.step);
            for reason in error.reasons {
                text += &format!("  - {reason}\n");
            }
            output::print(&text)?;
            Err(Failure::said())
        }
    }
}
