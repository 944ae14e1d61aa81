//! What a component asks for and offers, read from its type, before anything of it runs.

use std::collections::BTreeMap;

use caplet_abi::interfaces::{self, Right};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The imports and exports of a component, sorted by what they mean to the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspection {
    /// The rights it asks for.
    pub rights: Vec<Right>,
    /// The WASI interfaces it imports; they are served with nothing behind them.
    pub wasi: Vec<String>,
    /// The interfaces of the application around the host that it asks for, by their full names.
    pub application: Vec<String>,
    /// Imports that this host does not serve: it cannot be loaded while there are any.
    pub unknown: Vec<String>,
    /// Everything it exports.
    pub exports: Vec<String>,
}

/// The WASI packages whose 0.2 interfaces are served, without files, sockets or environment.
const WASI_SERVED: &[&str] =
    &["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

impl Inspection {
    /// `offered` has the interfaces of the application around the host.
    pub(crate) fn of(
        engine: &Engine,
        component: &Component,
        offered: &BTreeMap<String, String>,
    ) -> Self {
        let component_type = component.component_type();
        let mut inspection = Self::default();
        for (name, _) in component_type.imports(engine) {
            if offered.contains_key(name) {
                inspection.application.push(name.to_owned());
            } else {
                inspection.add_import(name);
            }
        }
        inspection.exports =
            component_type.exports(engine).map(|(name, _)| name.to_owned()).collect();
        inspection
    }

    fn add_import(&mut self, name: &str) {
        if let Some(right) = interfaces::right(name) {
            self.rights.push(right);
        } else if WASI_SERVED.iter().any(|package| name.starts_with(package))
            && name.contains("@0.2.")
        {
            self.wasi.push(name.to_owned());
        } else {
            self.unknown.push(name.to_owned());
        }
    }

    /// Whether it asks for the right of that name.
    #[must_use]
    pub fn asks_for(&self, right: &str) -> bool {
        self.rights.iter().any(|asked| asked.name == right)
    }

    /// Why it is no plugin of this host's contract; empty when it is one.
    #[must_use]
    pub fn mismatches(&self) -> Vec<String> {
        let mut reasons: Vec<String> = self
            .unknown
            .iter()
            .map(|import| {
                format!(
                    "it imports `{import}`, which this host does not serve; it serves {} and WASI 0.2",
                    interfaces::PACKAGE
                )
            })
            .collect();
        if !self.exports.iter().any(|export| export == interfaces::GUEST) {
            reasons.push(format!(
                "it does not export `{}`; build it against the world `plugin` of {}",
                interfaces::GUEST,
                interfaces::PACKAGE
            ));
        }
        reasons
    }
}
