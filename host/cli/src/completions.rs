//! `caplet completions`: what a shell needs to complete the command line.

use clap::CommandFactory;

use crate::arguments::{Arguments, Completions};
use crate::failure::Failure;
use crate::output;

/// Prints the script of a shell.
///
/// # Errors
/// When it cannot be written.
pub fn run(options: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "caplet", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}
