//! Parts of WebAssembly's binary format, and guests that are made heavy with them: slow to compile, or slow
//! to start, as those are that bring an interpreter. They do what they did before.

/// What a binary of a component begins with.
const PREAMBLE_BYTES: usize = 8;

/// Sections of a component.
const CORE_MODULE: u8 = 1;
const CORE_INSTANCE: u8 = 2;

/// Sections of a core module.
const TYPES: u8 = 1;
const FUNCTIONS: u8 = 3;
const START: u8 = 8;
const CODE: u8 = 10;

const I32: u8 = 0x7f;
const END: u8 = 0x0b;

/// Steps in each function of what is slow to compile.
const FUNCTION_STEPS: usize = 500;

/// A number as LEB128.
#[must_use]
pub fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A content behind its length.
#[must_use]
pub fn sized(content: &[u8]) -> Vec<u8> {
    [number(content.len()), content.to_vec()].concat()
}

/// A section of a module or a component.
#[must_use]
pub fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], sized(content)].concat()
}

/// Items behind their number.
#[must_use]
pub fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [number(items.len()), items.concat()].concat()
}

/// A core module of functions of one type.
fn module(kind: &[u8], bodies: &[Vec<u8>], more: &[u8]) -> Vec<u8> {
    let kinds = vec![number(0); bodies.len()];
    let sections = [
        section(TYPES, &list(&[kind.to_vec()])),
        section(FUNCTIONS, &list(&kinds)),
        more.to_vec(),
        section(CODE, &list(&bodies.iter().map(|body| sized(body)).collect::<Vec<_>>())),
    ];
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

/// A component with so many functions more, which nobody calls: compiling 1 000 of them takes a second or
/// more of CPU time.
#[must_use]
pub fn compiling_slowly(component: &[u8], n_functions: usize) -> Vec<u8> {
    // local.get 0, local.get 0, i32.mul, local.get 0, i32.xor, local.set 0
    let step = [0x20, 0, 0x20, 0, 0x6c, 0x20, 0, 0x73, 0x21, 0];
    let body = [vec![0], step.repeat(FUNCTION_STEPS), vec![0x20, 0, END]].concat();
    let more = module(&[0x60, 1, I32, 1, I32], &vec![body; n_functions], &[]);
    [component.to_vec(), section(CORE_MODULE, &more)].concat()
}

/// A component each instance of which first counts to `n_steps`, which takes about a nanosecond each.
#[must_use]
pub fn starting_slowly(component: &[u8], n_steps: u32) -> Vec<u8> {
    // loop, local.get 0, i32.const 1, i32.add, local.tee 0, i32.const n_steps, i32.lt_u, br_if 0, end
    let begin = [1, 1, I32, 0x03, 0x40, 0x20, 0, 0x41, 1, 0x6a, 0x22, 0, 0x41];
    let body = [&begin[..], &signed(n_steps), &[0x49, 0x0d, 0, END, END]].concat();
    let counting = module(&[0x60, 0, 0], &[body], &section(START, &number(0)));
    let instance = list(&[[vec![0], number(n_modules(component)), vec![0]].concat()]);
    let more = [section(CORE_MODULE, &counting), section(CORE_INSTANCE, &instance)].concat();
    [component.to_vec(), more].concat()
}

/// A number as signed LEB128.
fn signed(value: u32) -> Vec<u8> {
    let mut bytes = number(value as usize);
    // The sign is the highest bit of the last byte.
    if let Some(last) = bytes.last_mut().filter(|last| **last & 0x40 != 0) {
        *last |= 0x80;
        bytes.push(0);
    }
    bytes
}

/// How many core modules a component has.
fn n_modules(component: &[u8]) -> usize {
    let (mut at, mut n_modules) = (PREAMBLE_BYTES, 0);
    while let Some(id) = component.get(at) {
        let (length, behind) = read_number(component, at + 1);
        n_modules += usize::from(*id == CORE_MODULE);
        at = behind + length;
    }
    n_modules
}

/// A number, and where it ends.
fn read_number(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[at];
        value |= usize::from(byte & 0x7f) << shift;
        (at, shift) = (at + 1, shift + 7);
        if byte & 0x80 == 0 {
            return (value, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for value in [0, 1, 63, 64, 127, 128, 300, 100_000_000] {
            let bytes = number(value);
            assert_eq!(read_number(&bytes, 0), (value, bytes.len()), "{value}");
        }
        assert_eq!((signed(63), signed(64)), (vec![63], vec![0xc0, 0]));
    }

    #[test]
    fn modules_are_counted_over_sections() {
        let empty = b"\0asm\x0d\0\x01\0".to_vec();
        assert_eq!(n_modules(&empty), 0);
        assert_eq!(n_modules(&compiling_slowly(&starting_slowly(&empty, 200), 3)), 2);
    }
}
