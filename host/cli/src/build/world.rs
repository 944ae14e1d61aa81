//! Which world of the contract a plugin fits: what it exports besides what every plugin does.
//!
//! A plugin must not export `subject-data` unless its author says what it keeps: the host would take the
//! silence for an answer. So the world is chosen for each plugin, by what its code has.

use wasmparser::{Parser, Payload};

/// A plugin that serves routes and tells whether it is well: every SDK does the latter by itself.
const PLAIN: &str = "plugin-with-health";

/// Also one that answers for the personal data it keeps.
const WHOLE: &str = "whole-plugin";

/// What the names of that interface's functions begin with in a core module.
const SUBJECT_DATA: &str = "caplet:plugin/subject-data@0.1.0#";

/// The world of a plugin that does or does not answer for the personal data it keeps.
pub fn world(answers_for_subjects: bool) -> &'static str {
    if answers_for_subjects { WHOLE } else { PLAIN }
}

/// The world that a core module is made for, by the names of its exports.
pub fn world_of(core_module: &[u8]) -> &'static str {
    let answers = Parser::new(0).parse_all(core_module).any(|payload| match payload {
        Ok(Payload::ExportSection(exports)) => {
            exports.into_iter().flatten().any(|export| export.name.starts_with(SUBJECT_DATA))
        }
        _ => false,
    });
    world(answers)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        CodeSection, ExportKind, ExportSection, Function, FunctionSection, Module, TypeSection,
    };

    use super::*;

    /// A module with a function that does nothing, exported by this name.
    fn module_with(export: &str) -> Vec<u8> {
        let (mut module, mut types, mut functions) =
            (Module::new(), TypeSection::new(), FunctionSection::new());
        types.ty().function([], []);
        functions.function(0);
        let mut exports = ExportSection::new();
        exports.export(export, ExportKind::Func, 0);
        let mut body = Function::new([]);
        body.instructions().end();
        let mut code = CodeSection::new();
        code.function(&body);
        module.section(&types).section(&functions).section(&exports).section(&code);
        module.finish()
    }

    #[test]
    fn a_module_answers_for_subjects_when_it_exports_the_interface() {
        let named = |name| world_of(&module_with(name));
        assert_eq!(named("caplet:plugin/subject-data@0.1.0#erase"), "whole-plugin");
        for other in ["caplet:plugin/health@0.1.0#check", "caplet:plugin/subject-data@0.1.01#erase"]
        {
            assert_eq!(named(other), "plugin-with-health", "{other}");
        }
        assert_eq!(world_of(b"#!/bin/sh"), "plugin-with-health");
    }
}
