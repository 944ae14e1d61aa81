//! `wasi:config`: the plugin's settings, as texts.

use caplet_abi::standard::config::{Error, Host};
use serde_json::Value;

use crate::guest::Guest;

impl Host for Guest {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, Error>> {
        self.enter_serving("settings")?;
        Ok(Ok(self.context.settings.document().get(&key).map(text)))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, Error>> {
        self.enter_serving("settings")?;
        let settings = self.context.settings.document();
        let all = settings.as_object().into_iter().flatten();
        Ok(Ok(all.map(|(key, value)| (key.clone(), text(value))).collect()))
    }
}

/// A text as it is, anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
