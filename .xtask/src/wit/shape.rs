//! A WIT package as a list of named items, each with a text that says all that a compiled guest or
//! host relies on: two packages with the same list are the same contract.

use super::render::{function, type_definition};
use anyhow::{Context, Result};
use std::{collections::BTreeMap, path::Path};
use wit_parser::{
    Interface, InterfaceId, PackageId, PackageName, Resolve, World, WorldItem, WorldKey,
};

/// A parsed package.
pub struct Contract {
    pub name: PackageName,
    pub package: PackageId,
    pub resolve: Resolve,
}

/// What kind of thing an item is, which decides what its addition does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Interface,
    /// A function of an interface that the host serves.
    Function,
    /// A function of an interface that a world exports: guests provide it.
    ExportedFunction,
    Type,
    World,
    Import,
    Export,
}

/// One item of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub kind: Kind,
    /// The item within which it is, when that is in the package: an item of a new interface is
    /// no addition of its own.
    pub parent: Option<String>,
    pub shape: String,
}

/// Items by name, such as `interface sql`, `sql.value` or `world plugin export guest`.
pub type Items = BTreeMap<String, Item>;

impl Contract {
    /// Parses the WIT files in a folder, which are one package.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve
            .push_dir(folder)
            .with_context(|| format!("cannot read the package in {}", folder.display()))?;
        Ok(Self { name: resolve.packages[package].name.clone(), package, resolve })
    }

    /// The package's own interfaces.
    pub fn interfaces(&self) -> impl Iterator<Item = (&String, &Interface)> {
        let interfaces = self.resolve.packages[self.package].interfaces.iter();
        interfaces.map(|(name, id)| (name, &self.resolve.interfaces[*id]))
    }

    /// The package's own worlds.
    pub fn worlds(&self) -> impl Iterator<Item = (&String, &World)> {
        let worlds = self.resolve.packages[self.package].worlds.iter();
        worlds.map(|(name, id)| (name, &self.resolve.worlds[*id]))
    }

    /// All that the package promises.
    pub fn items(&self) -> Items {
        let mut items = Items::new();
        for (name, id) in &self.resolve.packages[self.package].interfaces {
            self.add_interface(&mut items, name, *id);
        }
        for (name, world) in self.worlds() {
            self.add_world(&mut items, name, world);
        }
        items
    }

    fn add_interface(&self, items: &mut Items, name: &str, id: InterfaceId) {
        let key = format!("interface {name}");
        let interface = &self.resolve.interfaces[id];
        let exported = self.is_exported(id);
        let parent = || Some(key.clone());
        for (member, definition) in &interface.functions {
            let kind = if exported { Kind::ExportedFunction } else { Kind::Function };
            let shape = function(self, definition);
            items.insert(format!("{name}.{member}"), Item { kind, parent: parent(), shape });
        }
        for (member, id) in &interface.types {
            let shape = type_definition(self, *id);
            let item = Item { kind: Kind::Type, parent: parent(), shape };
            items.insert(format!("{name}.{member}"), item);
        }
        items.insert(key, Item { kind: Kind::Interface, parent: None, shape: String::new() });
    }

    fn add_world(&self, items: &mut Items, name: &str, world: &World) {
        let key = format!("world {name}");
        let sides =
            [("import", Kind::Import, &world.imports), ("export", Kind::Export, &world.exports)];
        for (side, kind, members) in sides {
            for (member, item) in members {
                let shape = match item {
                    WorldItem::Interface { .. } => String::new(),
                    WorldItem::Function(definition) => function(self, definition),
                    WorldItem::Type { id, .. } => type_definition(self, *id),
                };
                let item = Item { kind, parent: Some(key.clone()), shape };
                items.insert(format!("{key} {side} {}", self.member_name(member)), item);
            }
        }
        items.insert(key, Item { kind: Kind::World, parent: None, shape: String::new() });
    }

    /// The name of an interface without the package's own name and version.
    fn member_name(&self, key: &WorldKey) -> String {
        match key {
            WorldKey::Interface(id)
                if self.resolve.interfaces[*id].package == Some(self.package) =>
            {
                self.resolve.interfaces[*id].name.clone().unwrap_or_default()
            }
            key => self.resolve.name_world_key(key),
        }
    }

    fn is_exported(&self, interface: InterfaceId) -> bool {
        self.worlds().any(|(_, world)| {
            world
                .exports
                .values()
                .any(|item| matches!(item, WorldItem::Interface { id, .. } if *id == interface))
        })
    }
}
