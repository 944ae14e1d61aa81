//! What a component asks for and offers, read from its type, before anything of it runs.

use std::collections::{BTreeMap, BTreeSet};

use caplet_abi::interfaces::{self, Right};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::engine::World;

/// The imports and exports of a component, sorted by what they mean to the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspection {
    /// Whether it was made for any host of `wasi:http`, and not for this host's contract.
    pub is_wasi_http: bool,
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
        (world, component): (World, &Component),
        offered: &BTreeMap<String, String>,
    ) -> Self {
        let component_type = component.component_type();
        let is_wasi_http = world == World::WasiHttp;
        let mut inspection = Self { is_wasi_http, ..Self::default() };
        for (name, _) in component_type.imports(engine) {
            if is_wasi_http {
                inspection.add_standard_import(name);
            } else if offered.contains_key(name) {
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

    /// Several interfaces may ask for one right.
    fn add_standard_import(&mut self, name: &str) {
        match interfaces::standard_right(name) {
            Some(right) if self.asks_for(right.name) => {}
            Some(right) => self.rights.push(right),
            None if is_plain_wasi(name) => self.wasi.push(name.to_owned()),
            None => self.unknown.push(name.to_owned()),
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
        if self.is_wasi_http {
            return self.unknown.iter().map(|import| not_standard(import)).collect();
        }
        let mut reasons: Vec<String> =
            self.other_versions().iter().map(|version| built_for(version)).collect();
        if !reasons.is_empty() {
            // What follows from that would only hide it.
            return reasons;
        }
        reasons.extend(self.unknown.iter().map(|import| {
            format!(
                "it imports `{import}`, which this host does not serve; it serves {} and WASI 0.2",
                interfaces::PACKAGE
            )
        }));
        if !self.exports.iter().any(|export| export == interfaces::GUEST) {
            reasons.push(format!(
                "it does not export `{}`; build it against the world `plugin` of {}",
                interfaces::GUEST,
                interfaces::PACKAGE
            ));
        }
        reasons
    }

    /// The versions of the contract it was built for that are not this host's.
    fn other_versions(&self) -> BTreeSet<&str> {
        let (package, own) = package();
        let names = self.unknown.iter().chain(&self.exports);
        let versions = names.filter_map(|name| {
            let interface = name.strip_prefix(package)?.strip_prefix('/')?;
            interface.split_once('@').map(|(_, version)| version)
        });
        versions.filter(|version| *version != own).collect()
    }
}

/// Whether components of `wasi:http` are served an interface without any right. Drafts of a release have
/// other types than the release.
fn is_plain_wasi(import: &str) -> bool {
    let is_known = WASI_SERVED.iter().any(|package| import.starts_with(package))
        || import.starts_with("wasi:http/types@");
    let version = import.split_once('@').map_or("", |(_, version)| version);
    is_known && ["0.2.", "0.3."].iter().any(|line| interfaces::is_release_of(line, version))
}

fn not_standard(import: &str) -> String {
    let served = interfaces::instead_of(import);
    format!(
        "it imports `{import}`, which components of `wasi:http` are not served; they are served {served}"
    )
}

/// The contract's name and its version.
fn package() -> (&'static str, &'static str) {
    interfaces::PACKAGE.split_once('@').unwrap_or((interfaces::PACKAGE, ""))
}

/// What to say of a component for another version of the contract.
fn built_for(version: &str) -> String {
    let (_, own) = package();
    let parsed = |text: &str| semver::Version::parse(text).ok();
    let remedy = match parsed(version) > parsed(own) {
        true => "update the host, or build it with the SDK of this host",
        false => "build it again with the SDK of this host",
    };
    format!(
        "it was built for version {version} of the contract, and this host serves {own}: {remedy}"
    )
}

#[cfg(test)]
mod tests {
    use super::Inspection;

    fn exporting(export: &str) -> Inspection {
        Inspection { exports: vec![export.to_owned()], ..Inspection::default() }
    }

    #[test]
    fn another_version_of_the_contract_is_said_once_with_the_remedy() {
        let newer = Inspection {
            unknown: vec!["caplet:plugin/sql@0.9.0".into(), "caplet:plugin/log@0.9.0".into()],
            ..exporting("caplet:plugin/guest@0.9.0")
        };
        let reasons = newer.mismatches();
        assert_eq!(reasons.len(), 1);
        assert!(reasons[0].contains("version 0.9.0") && reasons[0].contains("update the host"));
        let older = exporting("caplet:plugin/guest@0.0.1").mismatches();
        assert!(older[0].contains("build it again with the SDK"), "{older:?}");
    }

    #[test]
    fn an_import_that_is_not_served_is_named_with_what_is_served_instead() {
        let mut inspection = Inspection { is_wasi_http: true, ..Inspection::default() };
        for import in [
            "wasi:http/types@0.2.4",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:keyvalue/store@0.2.0-draft3",
            "wasi:clocks/monotonic-clock@0.3.0-rc-2025-09-16",
        ] {
            inspection.add_standard_import(import);
        }
        assert_eq!(inspection.wasi, ["wasi:http/types@0.2.4"]);
        assert!(inspection.asks_for("sql"));
        let reasons = inspection.mismatches();
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        assert!(reasons.iter().all(|reason| !reason.contains('\n')), "{reasons:?}");
        assert!(reasons[0].contains("imports `wasi:keyvalue/store@0.2.0-draft3`"), "{reasons:?}");
        assert!(reasons[0].contains("served `wasi:keyvalue/store@0.2.0-draft2`"), "{reasons:?}");
        assert!(reasons[1].contains("monotonic-clock@0.3.0-rc"), "{reasons:?}");
        assert!(reasons[1].contains("served WASI 0.2 and 0.3"), "{reasons:?}");
    }

    #[test]
    fn another_world_and_a_missing_export_are_named() {
        let command = exporting("wasi:cli/run@0.2.6").mismatches();
        assert!(command[0].contains("does not export `caplet:plugin/guest@0.1.0`"), "{command:?}");
        let guest = exporting("caplet:plugin/guest@0.1.0");
        assert!(guest.mismatches().is_empty());
        let foreign = Inspection { unknown: vec!["acme:stock/stock@1.0.0".into()], ..guest };
        assert!(foreign.mismatches()[0].contains("`acme:stock/stock@1.0.0`"));
    }
}
