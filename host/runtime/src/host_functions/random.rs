//! `random`: the operating system's generator.

use caplet_abi::imports::random::Host;

use crate::guest::{Guest, Stop};

impl Host for Guest {
    fn bytes(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        self.enter_serving("random")?;
        let count_max = self.context.limits.random_bytes_max;
        if count > count_max {
            return Err(wasmtime::Error::new(Stop::Random(count, count_max)));
        }
        let mut bytes = vec![0; count as usize];
        getrandom::fill(&mut bytes).map_err(wasmtime::Error::new)?;
        Ok(bytes)
    }

    fn number(&mut self) -> wasmtime::Result<u64> {
        self.enter_serving("random")?;
        getrandom::u64().map_err(wasmtime::Error::new)
    }
}
