//! One place where a check failed, and how findings end a check.

use anyhow::{Result, bail};
use std::fmt;

/// What a check has found: where, which rule, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The path from the root of the repository.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub rule: String,
    /// What to do instead.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, rule, remedy } = self;
        write!(formatter, "{file}:{line}: {rule}; {remedy}")
    }
}

/// Prints the findings and fails when there are any.
pub fn conclude(check: &str, findings: &[Finding]) -> Result<()> {
    for finding in findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => bail!("{check}: one finding"),
        count => bail!("{check}: {count} findings"),
    }
}
