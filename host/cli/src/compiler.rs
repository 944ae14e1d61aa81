//! Who compiles for this program: a process with limits that runs this same program.

use caplet_runtime::Compiler;

use crate::failure::Failure;

/// The hidden command by which the process knows what it is for.
pub const COMMAND: &str = "compile-worker";

/// The compiler of all commands that look at components.
///
/// # Errors
/// When the system does not tell where this program is.
pub fn own() -> Result<Compiler, Failure> {
    Compiler::this_program([COMMAND])
        .map_err(|reason| Failure::run_time(format!("cannot find this program: {reason}")))
}
