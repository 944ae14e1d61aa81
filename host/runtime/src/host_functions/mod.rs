//! What the host does when a guest calls it: one module an interface of the contract, each an
//! implementation of that interface's `Host` trait for [`Guest`]. Every function first counts itself
//! against the invocation ([`Guest::enter`]); sizes and deadlines are checked where they are spent.

mod clock;
mod identity;
mod log;
mod random;
mod settings;
mod sql;

use caplet_abi::imports;
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::guest::Guest;
use crate::wasi;

/// A linker that serves every interface this host knows. A component that was not granted one is
/// refused before it is linked.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker)?;
    imports::sql::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    imports::identity::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    imports::settings::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    imports::log::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    imports::clock::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    imports::random::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}
