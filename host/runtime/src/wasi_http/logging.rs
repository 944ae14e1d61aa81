//! `wasi:logging`: lines in the plugin's log.

use caplet_abi::imports::log::{Host as Lines, Level as Own};
use caplet_abi::standard::logging::{Host, Level};

use crate::guest::Guest;

impl Host for Guest {
    fn log(&mut self, level: Level, context: String, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Trace => Own::Trace,
            Level::Debug => Own::Debug,
            Level::Info => Own::Info,
            Level::Warn => Own::Warn,
            Level::Error | Level::Critical => Own::Error,
        };
        let fields = match context.is_empty() {
            true => Vec::new(),
            false => vec![("context".to_owned(), context)],
        };
        Lines::write(self, level, message, fields)
    }
}
