//! How the process ends when it does not end well: 2 for what the person typed or set, 1 for what
//! went wrong while running.

use std::io::Write;
use std::process::ExitCode;

use crate::terminal::{self, Style};

/// Why a command did not do what was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// A wrong argument or setting: nothing was begun.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { code: 2, text: text.into() }
    }

    /// Something that went wrong while running.
    pub fn run_time(text: impl Into<String>) -> Self {
        Self { code: 1, text: text.into() }
    }

    /// The command has said all there is to say; only the exit code is left.
    pub fn said() -> Self {
        Self::run_time("")
    }

    /// Says it on the standard error and gives the exit code.
    pub fn tell(&self) -> ExitCode {
        let name = terminal::paint(Style::Bad, "caplet:", terminal::has_colours()).to_string();
        let mut errors = std::io::stderr().lock();
        for line in self.text.lines() {
            // Nobody is left to be told when this fails.
            let _ = writeln!(errors, "{name} {line}");
        }
        ExitCode::from(self.code)
    }

    #[cfg(test)]
    pub fn text(&self) -> &str {
        &self.text
    }
}
