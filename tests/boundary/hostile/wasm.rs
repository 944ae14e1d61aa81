//! Components that no toolchain would make, byte by byte.

use caplet_tests::wasm::{list, section, sized};

pub use caplet_tests::wasm::number;

/// Types of sections in a core module.
const TYPES: u8 = 1;
const FUNCTIONS: u8 = 3;
const MEMORIES: u8 = 5;
const CODE: u8 = 10;
const TAGS: u8 = 13;

const I32: u8 = 0x7f;
const END: u8 = 0x0b;

/// A component of these sections.
fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".to_vec(), sections.concat()].concat()
}

/// A component around one core module.
fn around(sections: &[Vec<u8>]) -> Vec<u8> {
    let module = [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat();
    component(&[section(1, &module)])
}

/// A component with a custom section of so many bytes.
pub fn with_custom_section(bytes: usize) -> Vec<u8> {
    let name = sized(b"bomb");
    component(&[section(0, &[name, vec![0; bytes]].concat())])
}

/// A component around functions from a number to a number.
fn functions(bodies: &[Vec<u8>]) -> Vec<u8> {
    let kind = vec![0x60, 1, I32, 1, I32];
    let kinds = vec![number(0); bodies.len()];
    let bodies: Vec<_> =
        bodies.iter().map(|body| sized(&[&[0][..], body, &[END]].concat())).collect();
    around(&[
        section(TYPES, &list(&[kind])),
        section(FUNCTIONS, &list(&kinds)),
        section(CODE, &list(&bodies)),
    ])
}

/// One function of so many additions.
pub fn huge_function(n_additions: usize) -> Vec<u8> {
    // local.get 0, local.get 0, i32.mul, local.get 0, i32.xor, local.set 0
    let addition = [0x20, 0, 0x20, 0, 0x6c, 0x20, 0, 0x73, 0x21, 0];
    functions(&[[addition.repeat(n_additions), vec![0x20, 0]].concat()])
}

/// So many functions.
pub fn many_functions(n_functions: usize) -> Vec<u8> {
    functions(&vec![vec![0x20, 0, 0x20, 0, 0x6c]; n_functions])
}

/// Blocks in blocks, each of which may be left for the outermost one.
pub fn deep_blocks(depth: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for level in 0..depth {
        // block, local.get 0, br_if <the outermost>
        body.extend([0x02, 0x40, 0x20, 0, 0x0d]);
        body.extend(number(level));
    }
    body.extend(vec![END; depth]);
    body.extend([0x20, 0]);
    functions(&[body])
}

/// So many tables of branches, each with so many targets.
pub fn giant_branch_tables(n_tables: usize, n_targets: usize) -> Vec<u8> {
    // block, local.get 0, br_table 0 … 0, end
    let targets = [number(n_targets), vec![0; n_targets + 1]].concat();
    let table = [&[0x02, 0x40, 0x20, 0, 0x0e], &targets[..], &[END]].concat();
    functions(&[[table.repeat(n_tables), vec![0x20, 0]].concat()])
}

/// Components that need features which are off, and a word that the refusal has.
pub fn with_features_that_are_off() -> Vec<(&'static str, Vec<u8>)> {
    let memory = |limits: &[u8]| around(&[section(MEMORIES, &list(&[limits.to_vec()]))]);
    let types = |kind: &[u8]| around(&[section(TYPES, &list(&[kind.to_vec()]))]);
    let procedure = vec![0x60, 0, 0];
    let body = |code: &[u8]| {
        let code = sized(&[&[0][..], code, &[END]].concat());
        around(&[
            section(TYPES, &list(std::slice::from_ref(&procedure))),
            section(FUNCTIONS, &list(&[number(0)])),
            section(CODE, &list(&[code])),
        ])
    };
    vec![
        ("64-bit", memory(&[0x04, 1])),
        ("threads", memory(&[0x03, 1, 1])),
        ("memories count of 2", around(&[section(MEMORIES, &list(&[vec![0, 1], vec![0, 1]]))])),
        ("tail calls", body(&[0x12, 0])),
        (
            "exceptions",
            around(&[
                section(TYPES, &list(std::slice::from_ref(&procedure))),
                section(TAGS, &list(&[vec![0, 0]])),
            ]),
        ),
        ("gc", types(&[0x5f, 0])),
        // v128.const, v128.const, i8x16.relaxed_swizzle, drop
        (
            "relaxed SIMD",
            body(
                &[&[&[0xfd, 0x0c][..], &[0; 16]].concat().repeat(2)[..], &[0xfd, 0x80, 0x02, 0x1a]]
                    .concat(),
            ),
        ),
    ]
}
