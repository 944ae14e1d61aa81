//! Taking out of a component what no host needs: debug information, names, notes of the producers.

use std::mem;

use wasm_encoder::{ComponentSectionId, Encode, RawSection, Section};
use wasmparser::{Encoding, Parser, Payload};

/// The component without its custom sections, at every depth.
///
/// # Errors
/// Where it is no valid binary.
pub fn strip(component: &[u8]) -> Result<Vec<u8>, String> {
    let mut output = Vec::new();
    let mut outer: Vec<Vec<u8>> = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(|reason| reason.to_string())?;
        match &payload {
            Payload::Version { encoding: Encoding::Module, .. } => {
                output.extend_from_slice(&wasm_encoder::Module::HEADER);
            }
            Payload::Version { encoding: Encoding::Component, .. } => {
                output.extend_from_slice(&wasm_encoder::Component::HEADER);
            }
            // What is inside is written on its own, and put into what is around it at its end.
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                outer.push(mem::take(&mut output));
                continue;
            }
            Payload::End(_) => {
                let Some(around) = outer.pop() else { break };
                let inner = mem::replace(&mut output, around);
                output.push(section_of(&inner) as u8);
                inner.encode(&mut output);
            }
            Payload::CustomSection(_) => continue,
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            let data = usize::try_from(range.start)
                .and_then(|start| Ok(start..usize::try_from(range.end)?))
                .ok()
                .and_then(|range| component.get(range))
                .ok_or("a section is longer than the file")?;
            RawSection { id, data }.append_to(&mut output);
        }
    }
    Ok(output)
}

fn section_of(inner: &[u8]) -> ComponentSectionId {
    if inner.starts_with(&wasm_encoder::Component::HEADER) {
        ComponentSectionId::Component
    } else {
        ComponentSectionId::CoreModule
    }
}

#[cfg(test)]
mod tests {
    use super::strip;

    fn n_custom_sections(component: &[u8]) -> usize {
        let payloads = wasmparser::Parser::new(0).parse_all(component);
        payloads.filter(|it| matches!(it, Ok(wasmparser::Payload::CustomSection(_)))).count()
    }

    #[test]
    fn only_custom_sections_are_taken_out() {
        let whole = caplet_testing::component("echo");
        assert!(n_custom_sections(&whole) > 0);
        let stripped = strip(&whole).unwrap();
        assert_eq!(n_custom_sections(&stripped), 0);
        assert!(stripped.len() < whole.len());
        wasmparser::Validator::new().validate_all(&stripped).unwrap();
        assert_eq!(strip(&stripped).unwrap(), stripped);
    }

    #[test]
    fn what_is_no_component_is_refused() {
        assert!(strip(b"#!/bin/sh").is_err());
    }
}
