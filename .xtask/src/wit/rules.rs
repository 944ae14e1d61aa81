//! What holds in every version of the contract: each item says what it promises, and all of it is
//! plain functions over values, because that is what every toolchain can produce.

use super::{render, shape::Contract};
use crate::finding::Finding;
use wit_parser::{
    Docs, Field, Function, FunctionKind, Interface, Span, Type, TypeDef, TypeDefKind, TypeId,
    TypeOwner,
};

/// Checks a package.
pub fn check(contract: &Contract) -> Vec<Finding> {
    let mut rules = Rules { contract, findings: Vec::new() };
    let package = &contract.resolve.packages[contract.package];
    if package.docs.is_empty() {
        rules.add(None, format!("package {} says nothing", package.name), SAY);
    }
    for (name, interface) in contract.interfaces() {
        rules.interface(name, interface);
    }
    for (name, world) in contract.worlds() {
        rules.documented(&world.docs, world.span, &format!("world {name}"));
    }
    rules.findings
}

const SAY: &str = "write `///`: behaviour, units, limits, and which error when";
const PLAIN: &str = "use plain functions over records, variants and lists";

struct Rules<'a> {
    contract: &'a Contract,
    findings: Vec<Finding>,
}

impl Rules<'_> {
    fn interface(&mut self, name: &str, interface: &Interface) {
        self.documented(&interface.docs, interface.span, &format!("interface {name}"));
        for (member, function) in &interface.functions {
            self.function(&format!("{name}.{member}"), function);
        }
        for (member, id) in &interface.types {
            self.type_definition(&format!("{name}.{member}"), *id);
        }
    }

    fn function(&mut self, item: &str, function: &Function) {
        self.documented(&function.docs, function.span, item);
        if function.kind != FunctionKind::Freestanding {
            self.add(Some(function.span), format!("{item} is not a plain function"), PLAIN);
        }
        let signature = render::function(self.contract, function);
        self.values_only(item, &signature, function.span);
    }

    fn type_definition(&mut self, item: &str, id: TypeId) {
        let definition = &self.contract.resolve.types[id];
        if is_use(definition) {
            return;
        }
        self.documented(&definition.docs, definition.span, item);
        let text = render::type_definition(self.contract, id);
        self.values_only(item, &text, definition.span);
        if let TypeDefKind::Record(record) = &definition.kind {
            for field in &record.fields {
                self.field(item, definition, field);
            }
        }
    }

    /// Cases of variants are left to judgement: their name and payload mostly say all.
    fn field(&mut self, item: &str, record: &TypeDef, field: &Field) {
        let type_name = match field.ty {
            Type::Id(id) => self.contract.resolve.types[id].name.as_deref(),
            _ => None,
        };
        let explained_by_type = type_name == Some(field.name.as_str());
        if !explained_by_type && !mentions(&record.docs, &field.name) {
            self.documented(&field.docs, field.span, &format!("{item}, field {}", field.name));
        }
    }

    fn values_only(&mut self, item: &str, text: &str, span: Span) {
        let handles = ["own<", "borrow<", "future<", "stream<", "error-context"];
        if text == "resource" || handles.iter().any(|handle| text.contains(handle)) {
            self.add(Some(span), format!("{item} is more than values: `{text}`"), PLAIN);
        }
    }

    fn documented(&mut self, docs: &Docs, span: Span, item: &str) {
        if docs.is_empty() {
            self.add(Some(span), format!("{item} says nothing"), SAY);
        }
    }

    fn add(&mut self, span: Option<Span>, rule: String, remedy: &str) {
        let (file, line) = span.map_or_else(unknown, |span| self.place(span));
        self.findings.push(Finding { file, line, rule, remedy: remedy.to_owned() });
    }

    fn place(&self, span: Span) -> (String, usize) {
        let location = self.contract.resolve.render_location(span);
        let file = location.rsplit('/').next().unwrap_or_default();
        let mut parts = file.split(':');
        let name = parts.next().unwrap_or_default();
        match parts.next().and_then(|line| line.parse().ok()) {
            Some(line) => (format!("wit/{name}"), line),
            None => unknown(),
        }
    }
}

fn unknown() -> (String, usize) {
    ("wit".to_owned(), 1)
}

/// `use other.{name}` makes a name for a type that is documented where it is defined.
fn is_use(definition: &TypeDef) -> bool {
    matches!(definition.kind, TypeDefKind::Type(Type::Id(_)))
        && matches!(definition.owner, TypeOwner::Interface(_))
        && definition.docs.is_empty()
}

/// Whether a text has a word, as in `values[0]` for `values`.
fn mentions(docs: &Docs, word: &str) -> bool {
    let text = docs.contents.as_deref().unwrap_or_default();
    text.split(|character: char| !character.is_alphanumeric() && character != '-')
        .any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::{Contract, check};
    use std::fs;

    fn rules(body: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let source = format!(
            "/// A package.\npackage a:b@0.1.0;\n/// An interface.\ninterface i {{\n{body}\n}}\n"
        );
        fs::write(folder.path().join("a.wit"), source).unwrap();
        let found = check(&Contract::read(folder.path()).unwrap());
        found
            .iter()
            .map(|finding| format!("{}:{} {}", finding.file, finding.line, finding.rule))
            .collect()
    }

    #[test]
    fn each_item_says_what_it_promises() {
        assert_eq!(rules("f: func();"), ["wit/a.wit:5 i.f says nothing"]);
        assert_eq!(rules("enum e { a }"), ["wit/a.wit:5 i.e says nothing"]);
        let record = "/// A record.\nrecord r {\na: u8,\n/// A field.\nb: u8 }";
        assert_eq!(rules(record), ["wit/a.wit:7 i.r, field a says nothing"]);
        assert!(rules("/// A function.\nf: func();").is_empty());
    }

    #[test]
    fn a_field_may_be_explained_by_its_record_or_its_type() {
        assert!(rules("/// Row `n` of `values[n]`.\nrecord r { values: u8 }").is_empty());
        assert_eq!(rules("/// One value.\nrecord r { values: u8 }").len(), 1);
        assert!(
            rules("/// A kind.\nenum kind { a }\n/// A record.\nrecord r { kind: kind }")
                .is_empty()
        );
    }

    #[test]
    fn everything_is_plain_functions_over_values() {
        let asynchronous = rules("/// A function.\nf: async func();");
        assert_eq!(asynchronous, ["wit/a.wit:6 i.f is not a plain function"]);
        let stream = rules("/// A function.\nf: func() -> stream<u8>;");
        assert_eq!(stream, ["wit/a.wit:6 i.f is more than values: `func() -> stream<u8>`"]);
        let resource = rules("/// A thing.\nresource r {\n/// Does.\nf: func();\n}");
        assert!(
            resource.contains(&"wit/a.wit:6 i.r is more than values: `resource`".to_owned()),
            "{resource:?}"
        );
    }
}
