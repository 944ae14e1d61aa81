//! How much memory processes hold, as Linux accounts for it.

use anyhow::{Context, Result};
use std::{fs, ops::AddAssign};

/// The memory of one or more processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// What is resident, with pages that several processes share divided among them.
    pub proportional_kib: u64,
    /// What is resident and in no file: heaps, stacks, and what was copied from files.
    pub anonymous_kib: u64,
}

impl AddAssign for Memory {
    fn add_assign(&mut self, other: Self) {
        self.proportional_kib += other.proportional_kib;
        self.anonymous_kib += other.anonymous_kib;
    }
}

/// The memory of a process and of all that it started, theirs included.
pub fn of_tree(process: u32) -> Result<Memory> {
    let mut sum = Memory::default();
    let mut left = vec![process];
    while let Some(process) = left.pop() {
        let file = format!("/proc/{process}/smaps_rollup");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        sum += parse(&text).with_context(|| format!("{file} has another form: {text}"))?;
        left.extend(children(process)?);
    }
    Ok(sum)
}

/// The processes that a process started, whichever of its threads did.
fn children(process: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(thread?.path().join("children"))?;
        found.extend(text.split_whitespace().filter_map(|number| number.parse::<u32>().ok()));
    }
    Ok(found)
}

fn parse(text: &str) -> Option<Memory> {
    let value = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    Some(Memory { proportional_kib: value("Pss:")?, anonymous_kib: value("Anonymous:")? })
}

#[cfg(test)]
mod tests {
    use super::{Memory, of_tree, parse};
    use std::process::{Command, Stdio};

    #[test]
    fn reads_what_linux_writes() {
        let text = "1-2 ---p 0 00:00 0 [rollup]\nRss:  9 kB\nPss:  7 kB\nAnonymous:   5 kB\n";
        assert_eq!(parse(text), Some(Memory { proportional_kib: 7, anonymous_kib: 5 }));
        assert_eq!(parse("Pss: 7 kB\n"), None);
    }

    #[test]
    fn counts_what_a_process_started() {
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 600 & read line; kill $!"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let own = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", shell.id())).unwrap();
        let own = parse(&own).unwrap();
        let both = std::iter::repeat_with(|| of_tree(shell.id()).unwrap_or_default())
            .find(|both| both.anonymous_kib > own.anonymous_kib)
            .unwrap();
        assert!(both.proportional_kib > 0);
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}
