//! The differences between two versions of a package, and who they break.

use super::shape::{Contract, Item, Items, Kind};
use std::fmt;

/// What a difference does to guests and hosts made for the older version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Additive,
    Breaking,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub class: Class,
    /// The item as in [`Items`].
    pub item: String,
    pub change: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            Class::Additive => "additive",
            Class::Breaking => "breaking",
        };
        write!(formatter, "{class}: {} {}", self.item, self.change)
    }
}

/// All differences, in the order of the items' names.
pub fn compare(old: &Contract, new: &Contract) -> Vec<Difference> {
    let (old, new) = (old.items(), new.items());
    let mut differences = Vec::new();
    for (name, item) in &old {
        differences.extend(change(name, item, new.get(name)));
    }
    for (name, item) in &new {
        if !old.contains_key(name) {
            differences.push(addition(name, item, &old));
        }
    }
    differences.sort_by(|one, other| one.item.cmp(&other.item));
    differences
}

fn change(name: &str, old: &Item, new: Option<&Item>) -> Option<Difference> {
    let change = match new {
        None => "is gone".to_owned(),
        Some(new) if new.shape != old.shape => {
            format!("was `{}` and is `{}`", old.shape, new.shape)
        }
        // Its interface was exported and no longer is, or the other way round: the world says so.
        Some(_) => return None,
    };
    Some(Difference { class: Class::Breaking, item: name.to_owned(), change })
}

fn addition(name: &str, item: &Item, old: &Items) -> Difference {
    let in_new_parent = item.parent.as_ref().is_some_and(|parent| !old.contains_key(parent));
    let (class, change) = match item.kind {
        Kind::Interface | Kind::Function | Kind::Type | Kind::World | Kind::Import => {
            (Class::Additive, "is new")
        }
        Kind::ExportedFunction | Kind::Export if in_new_parent => (Class::Additive, "is new"),
        Kind::ExportedFunction | Kind::Export => {
            (Class::Breaking, "is new, and no guest made before exports it")
        }
    };
    Difference { class, item: name.to_owned(), change: change.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Class, compare};
    use crate::wit::shape::Contract;
    use std::fs;

    const BASE: &str = "package a:b@0.1.0;
        interface store {
            enum mode { read, write }
            flags rights { scan, get }
            record row { id: u64, name: string }
            variant value { null, text(string) }
            get: func(id: u64) -> option<row>;
            put: func(row: row, mode: mode) -> result<_, value>;
        }
        interface handler { handle: func() -> string; }
        world plugin { import store; export handler; }";

    fn parse(source: &str) -> Contract {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.wit"), source).unwrap();
        Contract::read(folder.path()).unwrap()
    }

    /// The differences that a replacement in [`BASE`] makes, as `class item`.
    fn differences(from: &str, to: &str) -> Vec<String> {
        assert!(BASE.contains(from), "{from}");
        let found = compare(&parse(BASE), &parse(&BASE.replace(from, to)));
        found
            .iter()
            .map(|difference| match difference.class {
                Class::Additive => format!("additive {}", difference.item),
                Class::Breaking => format!("breaking {}", difference.item),
            })
            .collect()
    }

    #[test]
    fn the_same_package_has_no_differences_whatever_its_comments_and_version() {
        assert!(differences("interface handler", "/// Changed.\ninterface handler").is_empty());
        assert!(differences("@0.1.0", "@0.2.0").is_empty());
    }

    #[test]
    fn a_new_interface_and_its_functions_are_additive() {
        assert_eq!(
            differences("world plugin {", "interface log { write: func(); } world plugin {"),
            ["additive interface log", "additive log.write"]
        );
    }

    #[test]
    fn a_new_function_or_type_that_the_host_serves_is_additive() {
        assert_eq!(
            differences("get: func", "type key = u64; count: func() -> key; get: func"),
            ["additive store.count", "additive store.key"]
        );
    }

    #[test]
    fn a_new_import_is_additive() {
        assert_eq!(
            differences("import store;", "import store; import log: func(line: string);"),
            ["additive world plugin import log"]
        );
    }

    #[test]
    fn a_new_world_is_additive_with_all_in_it() {
        assert_eq!(
            differences(
                "world plugin {",
                "interface job { run: func(); } world worker { export job; } world plugin {"
            ),
            [
                "additive interface job",
                "additive job.run",
                "additive world worker",
                "additive world worker export job"
            ]
        );
    }

    #[test]
    fn what_guests_would_have_to_export_in_addition_is_breaking() {
        assert_eq!(
            differences("handle: func", "warm: func(); handle: func"),
            ["breaking handler.warm"]
        );
        assert_eq!(
            differences("export handler;", "export handler; export run: func();"),
            ["breaking world plugin export run"]
        );
    }

    #[test]
    fn a_changed_type_is_breaking_and_named_once() {
        for (from, to, item) in [
            ("name: string }", "name: string, size: u64 }", "row"),
            ("id: u64, name: string", "name: string, id: u64", "row"),
            ("id: u64, name", "id: u32, name", "row"),
            ("text(string)", "text(string), blob(list<u8>)", "value"),
            ("text(string)", "text(list<u8>)", "value"),
            ("read, write", "read, write, none", "mode"),
            ("scan, get", "scan, get, put", "rights"),
            ("enum mode { read, write }", "variant mode { read, write }", "mode"),
        ] {
            assert_eq!(differences(from, to), [format!("breaking store.{item}")], "{to}");
        }
    }

    #[test]
    fn a_changed_signature_is_breaking() {
        for (from, to) in [
            ("get: func(id: u64)", "get: func(key: u64)"),
            ("get: func(id: u64)", "get: func(id: u64, mode: mode)"),
            ("-> option<row>;", "-> list<row>;"),
            ("-> option<row>;", ";"),
            ("get: func", "get: async func"),
        ] {
            assert_eq!(differences(from, to), ["breaking store.get"], "{to}");
        }
    }

    #[test]
    fn what_is_taken_away_is_breaking() {
        assert_eq!(differences("get: func(id: u64) -> option<row>;", ""), ["breaking store.get"]);
        assert_eq!(differences("import store;", ""), ["breaking world plugin import store"]);
        assert_eq!(differences("flags rights { scan, get }", ""), ["breaking store.rights"]);
    }

    #[test]
    fn a_difference_says_what_was_and_what_is() {
        let found = compare(&parse(BASE), &parse(&BASE.replace("-> string", "-> list<u8>")));
        assert_eq!(
            found[0].to_string(),
            "breaking: handler.handle was `func() -> string` and is `func() -> list<u8>`"
        );
    }
}
