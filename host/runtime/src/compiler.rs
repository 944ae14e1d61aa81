//! Who compiles components: a thread of this process, or a process of its own with limits on time,
//! memory and files ([`compile_worker`] is what runs in it).
//!
//! Compilers take time and memory that the size of a component does not bound, and the engine promises
//! nothing about it; a process can be ended at its limits. Its priority is low, so that compiling does
//! not slow down what serves. What comes back is machine code: it is trusted because the program that
//! made it is the host's own, as it would be were it compiled in place.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Component;

pub(crate) mod ahead;
mod worker;

pub use worker::compile_worker;

use crate::digest::Digest;
use crate::engine::{World, compatibility};
use crate::limits::Limits;
use crate::runtime::Inner;
use worker::Order;

/// How long compiling may take by the clock on the wall, however busy the machine is.
const WALL_TIME_MAX: Duration = Duration::from_secs(300);

/// Processes that compile at once.
const PROCESSES_MAX: usize = 2;

/// What a compiler may say about its failure, in bytes.
const REASON_BYTES_MAX: u64 = 4 << 10;

/// Who compiles components.
#[derive(Debug, Clone, Default)]
pub enum Compiler {
    /// A thread of this process. Nothing bounds what a hostile component costs: for tests, and for
    /// components that are known.
    #[default]
    InProcess,
    /// A process of its own, held to `limits.compile_cpu_s_max` and `limits.compile_memory_bytes_max`:
    /// this program with these arguments. It must do nothing but call [`compile_worker`].
    Process {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<OsString>,
    },
}

impl Compiler {
    /// A process that runs the program of this one with `arguments`, by which it must see that it is
    /// to call [`compile_worker`]. On Linux it is the program as it was started, also when its file
    /// has been replaced meanwhile.
    ///
    /// # Errors
    /// When the system does not tell where the program is.
    pub fn this_program<A: Into<OsString>>(
        arguments: impl IntoIterator<Item = A>,
    ) -> io::Result<Self> {
        let program = if cfg!(target_os = "linux") {
            PathBuf::from("/proc/self/exe")
        } else {
            std::env::current_exe()?
        };
        Ok(Self::Process { program, arguments: arguments.into_iter().map(Into::into).collect() })
    }
}

/// Why a component was not compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotCompiled {
    /// The reason and the remedy, for operators.
    pub(crate) reason: String,
    /// The word under which the limit is counted, when one was reached.
    pub(crate) limit: Option<&'static str>,
}

/// A component that is compiled for the engine of its world.
pub(crate) struct Compiled {
    pub(crate) digest: Digest,
    pub(crate) world: World,
    pub(crate) component: Component,
}

/// Compiles a component, or takes what was compiled ahead, or its code from the cache.
pub(crate) async fn compile(inner: &Arc<Inner>, bytes: Bytes) -> Result<Compiled, NotCompiled> {
    let kept = off_the_threads(inner, &bytes, |inner, bytes| {
        let (digest, world) = (Digest::of(bytes), World::of(bytes));
        let engine = inner.engine_of(world)?;
        let kept = || inner.cache.as_ref()?.get(&engine, &digest).map(Ok);
        let kept = inner.ahead.get(&digest).or_else(kept);
        Ok((digest, world, engine, kept))
    });
    let (digest, world, engine, kept) = kept.await?;
    if let Some(compiled) = kept {
        return compiled.map(|component| Compiled { digest, world, component });
    }
    let code = match &inner.compiler {
        Compiler::InProcess => None,
        Compiler::Process { program, arguments } => {
            let command = command(program, arguments);
            let limits = &inner.limits;
            Some(inner.compiling.compile(command, &engine, limits, &bytes).await?)
        }
    };
    let component = off_the_threads(inner, &bytes, move |inner, bytes| {
        let (component, code) = match code {
            Some(code) => (made_by_worker(&engine, &code)?, code),
            None => {
                let component = Component::from_binary(&engine, bytes)?;
                let code = component.serialize()?;
                (component, code)
            }
        };
        if let Some(cache) = &inner.cache {
            cache.keep(&engine, &digest, &code);
        }
        Ok(component)
    });
    Ok(Compiled { digest, world, component: component.await? })
}

/// Does what takes long on a thread where nobody waits for it.
async fn off_the_threads<T: Send + 'static>(
    inner: &Arc<Inner>,
    bytes: &Bytes,
    work: impl FnOnce(&Inner, &[u8]) -> wasmtime::Result<T> + Send + 'static,
) -> Result<T, NotCompiled> {
    let (inner, bytes) = (inner.clone(), bytes.clone());
    let refused = |reason| NotCompiled { reason, limit: None };
    match tokio::task::spawn_blocking(move || work(&inner, &bytes)).await {
        Ok(done) => done.map_err(|error| refused(format!("{error:#}"))),
        Err(panicked) => Err(refused(format!("the compiler failed: {panicked}"))),
    }
}

fn made_by_worker(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    #[expect(unsafe_code, reason = "the code was made by this host's own program")]
    // SAFETY: `code` is what a process that this host started with a program of its own choice got
    // from `Engine::precompile_component`; the engine checks that it is compatible.
    unsafe {
        Component::deserialize(engine, code)
    }
}

/// Bounds how many processes compile at once.
pub(crate) struct Processes(Semaphore);

impl Processes {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(PROCESSES_MAX))
    }

    /// The code of the component in `bytes`, compiled by another process for an engine that is
    /// compatible with `engine`.
    pub(crate) async fn compile(
        &self,
        command: Command,
        engine: &Engine,
        limits: &Limits,
        bytes: &[u8],
    ) -> Result<Vec<u8>, NotCompiled> {
        let _place = self.0.acquire().await;
        let order = Order {
            compatibility: compatibility(engine),
            cpu_s_max: limits.compile_cpu_s_max,
            memory_bytes_max: limits.compile_memory_bytes_max,
        };
        let running = run(command, &order, bytes);
        let Ok(ended) = tokio::time::timeout(WALL_TIME_MAX, running).await else {
            let seconds = WALL_TIME_MAX.as_secs();
            let reason = format!("it was not compiled in {seconds} s; is the machine overloaded?");
            return Err(NotCompiled { reason, limit: Some("compile-time") });
        };
        let Ended { status, code, said } = ended.map_err(|reason| NotCompiled {
            reason: format!("the compiler cannot be run: {reason}"),
            limit: None,
        })?;
        if status.success() && !code.is_empty() {
            Ok(code)
        } else {
            Err(judge(status, &said, limits))
        }
    }
}

/// How to start the process; what it inherits is nothing.
fn command(program: &PathBuf, arguments: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What has become of a process.
struct Ended {
    status: ExitStatus,
    code: Vec<u8>,
    said: String,
}

/// Starts the process, and ends it when the returned future is dropped.
async fn run(mut command: Command, order: &Order, bytes: &[u8]) -> io::Result<Ended> {
    let mut child = command.spawn()?;
    let Child { stdin, stdout, stderr, .. } = &mut child;
    let (input, output, errors) = (stdin.take(), stdout.take(), stderr.take());
    let write = async {
        // When it ends early, its status says more than that it did not read on.
        if let Some(mut input) = input {
            let _ = input.write_all(order.line().as_bytes()).await;
            let _ = input.write_all(bytes).await;
        }
    };
    let read = async {
        let mut code = Vec::new();
        if let Some(output) = output {
            output.take(order.memory_bytes_max).read_to_end(&mut code).await?;
        }
        Ok::<_, io::Error>(code)
    };
    let listen = async {
        let mut said = Vec::new();
        if let Some(errors) = errors {
            errors.take(REASON_BYTES_MAX).read_to_end(&mut said).await?;
        }
        Ok::<_, io::Error>(String::from_utf8_lossy(&said).trim().to_owned())
    };
    let ((), code, said) = tokio::join!(write, read, listen);
    Ok(Ended { status: child.wait().await?, code: code?, said: said? })
}

fn judge(status: ExitStatus, said: &str, limits: &Limits) -> NotCompiled {
    let (cpu_s, memory_bytes) = (limits.compile_cpu_s_max, limits.compile_memory_bytes_max);
    let lacks_memory = said.contains("memory allocation of") || said.contains("os error 12");
    let (reason, limit) = match status.signal() {
        Some(libc::SIGXCPU) => (
            format!(
                "compiling it takes more than {cpu_s} s of CPU time: make it smaller, or raise \
                 `limits.compile_cpu_s_max`"
            ),
            Some("compile-cpu"),
        ),
        _ if lacks_memory => (
            format!(
                "compiling it takes more than {memory_bytes} bytes of memory: make it smaller, or \
                 raise `limits.compile_memory_bytes_max`"
            ),
            Some("compile-memory"),
        ),
        None if !said.is_empty() => (said.to_owned(), None),
        _ => (format!("the compiler ended with {status}: {said}"), None),
    };
    NotCompiled { reason, limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: i32, said: &str) -> NotCompiled {
        judge(ExitStatus::from_raw(status), said, &Limits::default())
    }

    #[test]
    fn a_death_at_a_limit_names_the_limit() {
        let cpu = judged(libc::SIGXCPU, "");
        assert_eq!(cpu.limit, Some("compile-cpu"));
        assert!(cpu.reason.contains("60 s") && cpu.reason.contains("`limits.compile_cpu_s_max`"));
        let memory = judged(libc::SIGABRT, "memory allocation of 8192 bytes failed");
        assert_eq!(memory.limit, Some("compile-memory"));
        assert!(memory.reason.contains("`limits.compile_memory_bytes_max`"));
    }

    #[test]
    fn other_ends_are_told_as_they_are() {
        let refused = judged(1 << 8, "not a component");
        assert_eq!(refused, NotCompiled { reason: "not a component".into(), limit: None });
        let crashed = judged(libc::SIGSEGV, "").reason;
        assert!(crashed.contains("signal: 11"), "{crashed}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_or_says_nothing_is_a_reason() {
        let engine = Engine::default();
        for (program, reason) in [("/nowhere", "cannot be run"), ("/bin/true", "ended with")] {
            let command = command(&program.into(), &[]);
            let (processes, limits) = (Processes::new(), Limits::default());
            let compiled = processes.compile(command, &engine, &limits, b"").await;
            let refused = compiled.unwrap_err().reason;
            assert!(refused.contains(reason), "{program}: {refused}");
        }
    }
}
