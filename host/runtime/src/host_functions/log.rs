//! `log`: lines of the plugin's own.

use caplet_abi::imports::log::{Host, Level};

use crate::guest::Guest;
use crate::log::{self, Origin};

impl Host for Guest {
    fn write(
        &mut self,
        level: Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        self.enter()?;
        // What a copy of a request says would look as if it had happened.
        if self.invocation.is_copy || self.is_denied("log") {
            return Ok(());
        }
        if self.invocation.log_bytes >= self.context.limits.log_bytes_max {
            self.context.log.refuse();
            return Ok(());
        }
        let invocation = &self.invocation;
        let origin = Origin { request_id: &invocation.request_id, trace_id: &invocation.trace_id };
        let bytes = self.context.log.write(level.into(), &message, &fields, Some(origin));
        self.invocation.log_bytes += bytes.min(self.context.limits.log_line_bytes_max);
        Ok(())
    }
}

impl From<Level> for log::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}
