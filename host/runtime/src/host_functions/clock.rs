//! `clock`: time in whole milliseconds.

use std::time::{Duration, Instant};

use caplet_abi::imports::clock::Host;

use crate::guest::Guest;

impl Host for Guest {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.enter_serving("clock")?;
        Ok(self.context.clock.now_ms())
    }

    fn elapsed_ms(&mut self) -> wasmtime::Result<u64> {
        self.enter_serving("clock")?;
        Ok(milliseconds(self.invocation.began.elapsed()))
    }

    fn remaining_ms(&mut self) -> wasmtime::Result<u64> {
        self.enter_serving("clock")?;
        Ok(milliseconds(self.invocation.deadline.saturating_duration_since(Instant::now())))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
