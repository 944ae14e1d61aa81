//! What the figures were measured on, as far as Linux tells.

use crate::command::{output, program};
use anyhow::Result;
use serde::Serialize;
use std::{fs, thread};

/// A machine and a moment.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub processor: String,
    pub n_processors: usize,
    pub memory_kib: u64,
    pub kernel: String,
    pub date: String,
    /// The commit that was measured; ends in `-dirty` when files had changed.
    pub revision: String,
}

impl Machine {
    /// Looks at this one.
    pub fn this() -> Result<Self> {
        let revision = ["describe", "--always", "--dirty", "--abbrev=10"];
        Ok(Self {
            processor: value("/proc/cpuinfo", "model name"),
            n_processors: thread::available_parallelism()?.get(),
            memory_kib: value("/proc/meminfo", "MemTotal")
                .trim_end_matches(" kB")
                .parse()
                .unwrap_or_default(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            date: output(program("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?.trim().to_owned(),
            revision: output(program("git").args(revision))?.trim().to_owned(),
        })
    }
}

/// The first value of a name in a file of lines `name: value`; empty when there is none.
fn value(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let values = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = values.filter(|(found, _)| found.trim() == name);
    values.next().map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::Machine;

    #[test]
    fn this_machine_has_processors_memory_and_a_kernel() {
        let machine = Machine::this().unwrap();
        assert!(machine.n_processors > 0 && machine.memory_kib > 0);
        assert!(!machine.kernel.is_empty() && !machine.revision.is_empty());
    }
}
