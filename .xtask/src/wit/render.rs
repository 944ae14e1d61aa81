//! Types and functions of a package as one line of WIT. A named type stands for itself: when it
//! changes, that is a difference of the type and not of all that use it.

use super::shape::Contract;
use wit_parser::{
    Case, Function, FunctionKind, Handle, Type, TypeDef, TypeDefKind, TypeId, TypeOwner,
};

/// A function's signature.
pub fn function(contract: &Contract, function: &Function) -> String {
    let parameters = function
        .params
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, name(contract, &parameter.ty)));
    let parameters = join(parameters);
    let result = function.result.as_ref();
    let result = result.map(|result| format!(" -> {}", name(contract, result)));
    let kind = match &function.kind {
        FunctionKind::Freestanding => "func",
        FunctionKind::AsyncFreestanding => "async func",
        FunctionKind::Method(_) => "method",
        FunctionKind::AsyncMethod(_) => "async method",
        FunctionKind::Static(_) => "static func",
        FunctionKind::AsyncStatic(_) => "static async func",
        FunctionKind::Constructor(_) => "constructor",
    };
    format!("{kind}({parameters}){}", result.unwrap_or_default())
}

/// What a type is, with all its fields or cases.
pub fn type_definition(contract: &Contract, id: TypeId) -> String {
    kind(contract, &contract.resolve.types[id].kind)
}

fn kind(contract: &Contract, kind: &TypeDefKind) -> String {
    let of = |ty: &Type| name(contract, ty);
    let maybe = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), of);
    match kind {
        TypeDefKind::Record(record) => {
            let fields =
                record.fields.iter().map(|field| format!("{}: {}", field.name, of(&field.ty)));
            format!("record {{ {} }}", join(fields))
        }
        TypeDefKind::Variant(variant) => {
            format!(
                "variant {{ {} }}",
                join(variant.cases.iter().map(|case| payload(contract, case)))
            )
        }
        TypeDefKind::Enum(cases) => {
            format!("enum {{ {} }}", join(cases.cases.iter().map(|case| case.name.clone())))
        }
        TypeDefKind::Flags(flags) => {
            format!("flags {{ {} }}", join(flags.flags.iter().map(|flag| flag.name.clone())))
        }
        TypeDefKind::Tuple(tuple) => format!("tuple<{}>", join(tuple.types.iter().map(of))),
        TypeDefKind::Option(some) => format!("option<{}>", of(some)),
        TypeDefKind::Result(result) => {
            format!("result<{}, {}>", maybe(&result.ok), maybe(&result.err))
        }
        TypeDefKind::List(item) => format!("list<{}>", of(item)),
        TypeDefKind::FixedLengthList(item, length) => format!("list<{}, {length}>", of(item)),
        TypeDefKind::Map(key, value) => format!("map<{}, {}>", of(key), of(value)),
        TypeDefKind::Future(item) => format!("future<{}>", maybe(item)),
        TypeDefKind::Stream(item) => format!("stream<{}>", maybe(item)),
        TypeDefKind::Handle(Handle::Own(id)) => format!("own<{}>", of(&Type::Id(*id))),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", of(&Type::Id(*id))),
        TypeDefKind::Type(other) => of(other),
        TypeDefKind::Resource => "resource".to_owned(),
        TypeDefKind::Unknown => "unknown".to_owned(),
    }
}

fn payload(contract: &Contract, case: &Case) -> String {
    let payload = case.ty.as_ref().map(|ty| format!("({})", name(contract, ty)));
    format!("{}{}", case.name, payload.unwrap_or_default())
}

fn name(contract: &Contract, ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::S8 => "s8".to_owned(),
        Type::S16 => "s16".to_owned(),
        Type::S32 => "s32".to_owned(),
        Type::S64 => "s64".to_owned(),
        Type::F32 => "f32".to_owned(),
        Type::F64 => "f64".to_owned(),
        Type::Char => "char".to_owned(),
        Type::String => "string".to_owned(),
        Type::ErrorContext => "error-context".to_owned(),
        Type::Id(id) => defined_name(contract, &contract.resolve.types[*id]),
    }
}

/// The name of a type with its interface, and with its package when that is another one.
fn defined_name(contract: &Contract, definition: &TypeDef) -> String {
    let Some(name) = &definition.name else { return kind(contract, &definition.kind) };
    match definition.owner {
        TypeOwner::Interface(id) => {
            let interface = &contract.resolve.interfaces[id];
            let own = interface.package == Some(contract.package);
            let path = if own { interface.name.clone() } else { contract.resolve.id_of(id) };
            format!("{}.{name}", path.unwrap_or_default())
        }
        TypeOwner::World(id) => format!("{}.{name}", contract.resolve.worlds[id].name),
        TypeOwner::None => name.clone(),
    }
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}
