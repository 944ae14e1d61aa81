//! A component of `wasi:http` that is compiled and linked, and the engine on which all of them run.

use std::sync::Arc;

use caplet_abi::standard::{self, older_config, older_keyvalue};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{p2, p3};

use super::instance::HttpGuest;
use super::rest::Unread;
use crate::engine::{self, EngineOptions, World};
use crate::guest::Guest;
use crate::instance::Reuse;
use crate::wasi;

/// The engine, and what its components may import.
pub(crate) struct Standard {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<HttpGuest>,
}

impl Standard {
    pub(crate) fn start(options: &EngineOptions) -> wasmtime::Result<Self> {
        let engine = engine::start(World::WasiHttp, options)?;
        let linker = linker(&engine)?;
        Ok(Self { engine, linker })
    }
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<HttpGuest>> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    p2::add_only_http_to_linker_async(&mut linker)?;
    p3::add_to_linker(&mut linker)?;
    let guest: fn(&mut HttpGuest) -> &mut Guest = |data| &mut data.guest;
    standard::config::add_to_linker::<_, HasSelf<Guest>>(&mut linker, guest)?;
    older_config::store_2024_09_27::add_to_linker::<_, HasSelf<Guest>>(&mut linker, guest)?;
    older_config::store::add_to_linker::<_, HasSelf<Guest>>(&mut linker, guest)?;
    older_config::runtime::add_to_linker::<_, HasSelf<Guest>>(&mut linker, guest)?;
    standard::keyvalue::add_to_linker::<_, HasSelf<Guest>>(&mut linker, guest)?;
    standard::atomics::add_to_linker::<_, HasSelf<Guest>>(&mut linker, guest)?;
    standard::batch::add_to_linker::<_, HasSelf<Guest>>(&mut linker, guest)?;
    older_keyvalue::store::add_to_linker::<_, HasSelf<Guest>>(&mut linker, guest)?;
    older_keyvalue::atomics::add_to_linker::<_, HasSelf<Guest>>(&mut linker, guest)?;
    older_keyvalue::batch::add_to_linker::<_, HasSelf<Guest>>(&mut linker, guest)?;
    standard::logging::add_to_linker::<_, HasSelf<Guest>>(&mut linker, guest)?;
    Ok(linker)
}

/// A component that is ready to be instantiated.
#[derive(Clone)]
pub(crate) struct Program {
    pub(super) engine: Engine,
    pub(super) handler: Handler,
    /// Calls that whoever reads their answers goes on with.
    pub(super) unread: Arc<Unread>,
}

/// The interface by which it is called.
#[derive(Clone)]
pub(super) enum Handler {
    /// `wasi:http/incoming-handler` 0.2.
    Incoming(ProxyPre<HttpGuest>),
    /// `wasi:http/handler` 0.3.
    Service(ServicePre<HttpGuest>),
}

impl Program {
    /// # Errors
    /// What the component imports and is not served, or exports with another type.
    pub(crate) fn link(standard: &Standard, component: &Component) -> wasmtime::Result<Self> {
        let component = standard.linker.instantiate_pre(component)?;
        let handler = match ServicePre::new(component.clone()) {
            Ok(service) => Handler::Service(service),
            Err(_) => Handler::Incoming(ProxyPre::new(component)?),
        };
        Ok(Self { engine: standard.engine.clone(), handler, unread: Arc::default() })
    }

    /// Whether its instances serve several calls. Components of 0.2 expect one each.
    pub(crate) fn is_reused(&self, reuse: Reuse) -> bool {
        match reuse {
            Reuse::Usual => matches!(self.handler, Handler::Service(_)),
            Reuse::Warm => true,
            Reuse::Fresh => false,
        }
    }
}
