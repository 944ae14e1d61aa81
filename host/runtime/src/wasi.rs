//! The WASI 0.2 that toolchains drag in, served with nothing behind it: no files, no sockets, no
//! environment, no arguments, a clock rounded to the millisecond. What a guest writes to stdout and
//! stderr becomes log lines.
//!
//! Waiting (`wasi:io/poll`) ends at the invocation's deadline, with a trap: a future of a running
//! guest must not be dropped from outside.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{self, OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_io::bindings::wasi::io::poll;
use wasmtime_wasi_io::poll::DynPollable;

use crate::clock::Clock;
use crate::guest::{Context, Guest, Stop};
use crate::log::{Level, LogGate};

/// The WASI state of one instance.
pub(crate) fn context(context: &Context) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(GuestOutput { log: context.log.clone(), level: Level::Info })
        .stderr(GuestOutput { log: context.log.clone(), level: Level::Warn })
        .wall_clock(WallClock(context.clock.clone()))
        .monotonic_clock(MonotonicClock(Instant::now()))
        .max_random_size(u64::from(context.limits.random_bytes_max))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    builder.build()
}

/// Data of a store that have a guest among them.
pub(crate) trait HoldsGuest: WasiView + Send + 'static {
    fn guest(&mut self) -> &mut Guest;
}

impl HoldsGuest for Guest {
    fn guest(&mut self) -> &mut Guest {
        self
    }
}

/// Links all of it.
pub(crate) fn add_to_linker<T: HoldsGuest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    poll::add_to_linker::<T, BoundedPoll>(linker, |data| {
        let guest = data.guest();
        guest.invocation.n_host_calls += 1;
        BoundedPollView { deadline: guest.invocation.deadline, table: &mut guest.table }
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

impl WasiView for Guest {
    /// Every WASI call passes here. One too many cannot be refused here, but the next tick ends the
    /// invocation.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.invocation.n_host_calls = self.invocation.n_host_calls.saturating_add(1);
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

struct BoundedPoll;

impl HasData for BoundedPoll {
    type Data<'a> = BoundedPollView<'a>;
}

/// `wasi:io/poll`, ending at the invocation's deadline.
struct BoundedPollView<'a> {
    deadline: Instant,
    table: &'a mut ResourceTable,
}

impl poll::Host for BoundedPollView<'_> {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let ready = poll::Host::poll(self.table, pollables);
        bounded(self.deadline, ready).await
    }
}

impl poll::HostPollable for BoundedPollView<'_> {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        bounded(self.deadline, poll::HostPollable::block(self.table, pollable)).await
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        poll::HostPollable::ready(self.table, pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(self.table, pollable)
    }
}

async fn bounded<T>(
    deadline: Instant,
    waiting: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    match tokio::time::timeout_at(deadline.into(), waiting).await {
        Ok(result) => result,
        Err(_) => Err(wasmtime::Error::new(Stop::Wall)),
    }
}

struct WallClock(Arc<dyn Clock>);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now_ms())
    }
}

struct MonotonicClock(Instant);

impl HostMonotonicClock for MonotonicClock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    /// Never zero: Go takes that for a clock that does not work.
    fn now(&self) -> u64 {
        let elapsed_ms = u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        elapsed_ms.saturating_add(1).saturating_mul(1_000_000)
    }
}

/// Where a guest's stdout or stderr goes.
#[derive(Clone)]
struct GuestOutput {
    log: Arc<LogGate>,
    level: Level,
}

/// What one write may hold. A line that is longer comes out as several.
const WRITE_BYTES_MAX: usize = 8 << 10;

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(LineWriter { output: self.clone(), line: Vec::new() })
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(LineWriter { output: self.clone(), line: Vec::new() })
    }
}

/// Collects writes into lines.
struct LineWriter {
    output: GuestOutput,
    line: Vec<u8>,
}

impl LineWriter {
    fn emit(&mut self) {
        if !self.line.is_empty() {
            let line = String::from_utf8_lossy(&self.line);
            self.output.log.write(self.output.level, &line, &[], None);
            self.line.clear();
        }
    }
}

impl LineWriter {
    /// Writes the beginning of a line that is too long for one. What may be the beginning of a secret is
    /// kept back.
    fn emit_beginning(&mut self, kept_back_bytes: usize) {
        if let Some(clean) = self.output.log.redaction().bytes(&self.line) {
            self.line = clean;
        }
        let rest = self.line.split_off(self.line.len().saturating_sub(kept_back_bytes));
        self.emit();
        self.line = rest;
    }
}

impl LineWriter {
    fn take(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            self.line.extend_from_slice(text);
            let kept_back_bytes = self.output.log.redaction().kept_back_bytes();
            if ends {
                self.emit();
            } else if self.line.len() >= WRITE_BYTES_MAX + kept_back_bytes {
                self.emit_beginning(kept_back_bytes);
            }
        }
    }
}

impl OutputStream for LineWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

/// What components of WASI 0.3 write to.
impl AsyncWrite for LineWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _context: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: Pin<&mut Self>,
        _context: &mut TaskContext<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: Pin<&mut Self>,
        _context: &mut TaskContext<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LineWriter {
    async fn ready(&mut self) {}
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.emit();
    }
}
