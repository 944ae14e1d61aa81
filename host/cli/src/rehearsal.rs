//! What a new host can find out before the running one is touched: whether its settings make a host,
//! whether its engine starts, and which plugins it can compile. It does so with a host of its own that
//! has no data and no socket; the code that it compiles is kept where the real one finds it. That is the code of
//! what is in the plugin folder, and of what the running host serves, which may have come in another way.

use std::time::Duration;

use caplet_server::Host;
use caplet_server::host::COMPONENTS;

use crate::compiler;
use crate::dry;
use crate::failure::Failure;
use crate::list;
use crate::settings::Settings;
use crate::takeover;
use crate::term::cannot_start;

/// Makes the host, compiles the plugins, and takes it down again.
///
/// # Errors
/// Why the settings make no host. A plugin that cannot be loaded is only told of: the running host may
/// not have it either, and whether it is missed is seen when both are compared.
pub async fn rehearse(settings: &Settings) -> Result<(), Failure> {
    let host = Host::builder()
        .cache(settings.data.join("cache"))
        .compiler(compiler::own()?)
        .config(settings.clone().config())
        .build()
        .await
        .map_err(|error| cannot_start(&error))?;
    for file in list::files(&settings.plugins).unwrap_or_default() {
        let prepared = match dry::read(&file) {
            Ok(bytes) => host.runtime().prepare(bytes, Some(&dry::name_of(&file))).await.map(drop),
            // It is gone again.
            Err(_) => Ok(()),
        };
        if let Err(reason) = prepared {
            tracing::warn!(file = %file.display(), %reason, "this plugin would not be loaded");
        }
    }
    let components = settings.data.join(COMPONENTS);
    for digest in takeover::served(&settings.data).await {
        let Ok(bytes) = dry::read(&components.join(format!("{digest}.wasm"))) else { continue };
        // Only its code is wanted: what was set for it is not known here.
        if let Err(reason) = host.runtime().inspect(bytes).await {
            tracing::warn!(digest, %reason, "a component that is served cannot be compiled");
        }
    }
    host.shutdown(Duration::ZERO).await;
    Ok(())
}
