//! `wasi:config`, as it was published from version to version: the plugin's settings, as texts.

use caplet_abi::standard::{config, older_config};
use serde_json::Value;

use crate::guest::Guest;

type Outcome<T, E> = wasmtime::Result<Result<T, E>>;

/// Serves one version of the interface. They differ only in the names of their types.
macro_rules! serve {
    ($interface:path, $error:ty) => {
        impl $interface for Guest {
            fn get(&mut self, key: String) -> Outcome<Option<String>, $error> {
                self.setting(&key).map(Ok)
            }

            fn get_all(&mut self) -> Outcome<Vec<(String, String)>, $error> {
                self.all_settings().map(Ok)
            }
        }
    };
}

serve!(config::Host, config::Error);
serve!(older_config::store_2024_09_27::Host, older_config::store_2024_09_27::Error);
serve!(older_config::store::Host, older_config::store::Error);
serve!(older_config::runtime::Host, older_config::runtime::ConfigError);

impl Guest {
    fn setting(&mut self, key: &str) -> wasmtime::Result<Option<String>> {
        self.enter_serving("settings")?;
        Ok(self.context.settings.document().get(key).map(text))
    }

    fn all_settings(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        self.enter_serving("settings")?;
        let settings = self.context.settings.document();
        let all = settings.as_object().into_iter().flatten();
        Ok(all.map(|(key, value)| (key.clone(), text(value))).collect())
    }
}

/// A text as it is, anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
