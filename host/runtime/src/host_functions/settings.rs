//! `settings`: what the operator set, checked when the generation was made.

use caplet_abi::imports::settings::Host;

use crate::guest::Guest;

impl Host for Guest {
    fn version(&mut self) -> wasmtime::Result<u64> {
        self.enter_serving("settings")?;
        Ok(self.context.settings.version)
    }

    fn json(&mut self) -> wasmtime::Result<String> {
        self.enter_serving("settings")?;
        Ok(self.context.settings.json.clone())
    }
}
