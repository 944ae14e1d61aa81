//! What runs in the process that compiles: it reads an order and a component, gives up all that it
//! does not need, compiles, and writes the code.

use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;

use crate::engine;

/// The exit code of a component that cannot be compiled; the reason is on the standard error.
const REFUSED: u8 = 1;

/// How long the first line may be.
const LINE_BYTES_MAX: u64 = 200;

/// How much lower than its parent's the process's priority is.
const NICENESS: i32 = 10;

/// What a process is told before it gets the component, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    /// Of the engine that the code is for.
    pub(super) compatibility: String,
    pub(super) cpu_s_max: u64,
    pub(super) memory_bytes_max: u64,
}

impl Order {
    pub(super) fn line(&self) -> String {
        format!("{} {} {}\n", self.compatibility, self.cpu_s_max, self.memory_bytes_max)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        Some(Self {
            compatibility: words.next()?.to_owned(),
            cpu_s_max: words.next()?.parse().ok()?,
            memory_bytes_max: words.next()?.parse().ok()?,
        })
    }
}

/// Compiles the component on the standard input, for the host that started this process, and writes
/// the code to the standard output. Call it before anything else is done in the process, and end the
/// process with what it returns.
///
/// It sets limits on the whole process: CPU time, memory, a low priority, no files to open or to
/// write, no core dump. A program that is a host starts itself anew for this:
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     if std::env::args().nth(1).as_deref() == Some("compile-worker") {
///         return caplet_runtime::compile_worker();
///     }
///     let compiler = caplet_runtime::Compiler::this_program(["compile-worker"]);
///     // … start the host with it …
///     ExitCode::SUCCESS
/// }
/// ```
#[must_use]
pub fn compile_worker() -> ExitCode {
    match work(io::stdin().lock(), io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // Nobody reads it when the host is gone.
            let _ = writeln!(io::stderr(), "{reason}");
            ExitCode::from(REFUSED)
        }
    }
}

fn work(mut input: impl BufRead, mut output: impl Write) -> Result<(), String> {
    let failed = |error: io::Error| error.to_string();
    let mut line = String::new();
    input.by_ref().take(LINE_BYTES_MAX).read_line(&mut line).map_err(failed)?;
    let order = Order::parse(&line)
        .ok_or("this is for a host to start; `caplet check` tells whether a plugin would load")?;
    confine(&order).map_err(|error| format!("the process cannot be limited: {error}"))?;
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(failed)?;
    let world = engine::World::of(&bytes);
    let engine = engine::compiling(world).map_err(|error| format!("{error:#}"))?;
    if engine::compatibility(&engine) != order.compatibility {
        return Err("the compiler is of another version than the host; restart the host".into());
    }
    let code = engine.precompile_component(&bytes).map_err(|error| format!("{error:#}"))?;
    output.write_all(&code).and_then(|()| output.flush()).map_err(failed)
}

/// Sets the limits of this process.
fn confine(order: &Order) -> io::Result<()> {
    let cpu = order.cpu_s_max;
    // The first limit raises a signal that says which limit it was, the second one kills.
    limit(libc::RLIMIT_CPU, cpu, cpu.saturating_add(5))?;
    // Not the address space: threads and allocators reserve more of it than they use.
    limit(libc::RLIMIT_DATA, order.memory_bytes_max, order.memory_bytes_max)?;
    limit(libc::RLIMIT_CORE, 0, 0)?;
    limit(libc::RLIMIT_FSIZE, 0, 0)?;
    // The standard streams are open already; nothing else is opened from here on.
    limit(libc::RLIMIT_NOFILE, 3, 3)?;
    #[expect(unsafe_code, reason = "the standard library has no priorities")]
    // SAFETY: the function takes plain numbers and changes nothing but this process's priority.
    let set = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(target_os = "linux")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_os = "linux"))]
type Resource = libc::c_int;

fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    #[expect(unsafe_code, reason = "the standard library has no limits of a process")]
    // SAFETY: `limit` is a valid structure for the time of the call, which only reads it.
    let set = unsafe { libc::setrlimit(resource, &raw const limit) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_one_line() {
        let order =
            Order { compatibility: "00ff".into(), cpu_s_max: 60, memory_bytes_max: 1 << 30 };
        assert_eq!(Order::parse(&order.line()), Some(order));
        for line in ["", "\n", "00ff", "00ff 1", "00ff x 1", "00ff 1 -1"] {
            assert_eq!(Order::parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn what_is_no_order_is_refused_before_anything_is_done() {
        let mut output = Vec::new();
        let refused = work(&b"\0asm\x0d\0\x01\0"[..], &mut output).unwrap_err();
        assert!(refused.contains("for a host to start") || refused.contains("UTF-8"), "{refused}");
        assert!(output.is_empty());
    }
}
