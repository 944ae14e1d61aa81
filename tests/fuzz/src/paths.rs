//! The one place where paths are judged: what passes means one thing.

use crate::{path::normalise, percent::decode};

/// Judges a path.
///
/// # Panics
/// What passed could mean two things.
pub fn run(bytes: &[u8]) {
    let Ok(path) = std::str::from_utf8(bytes) else { return };
    let Ok(normal) = normalise(path) else { return };
    assert_eq!(normalise(&normal).as_deref(), Ok(&*normal), "{path:?} has two forms");
    assert!(normal.starts_with('/') && normal.is_ascii(), "{path:?}: {normal:?}");
    assert!(!normal.contains("//") && !normal.contains('\\'), "{path:?}: {normal:?}");
    for segment in normal.split('/') {
        let decoded = decode(segment).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert!(decoded != "." && decoded != "..", "{path:?} has a dot segment");
        assert!(!decoded.chars().any(char::is_control), "{path:?} has a control character");
    }
    // An escape of what needs none would be a second name of the same thing.
    for escape in normal.split('%').skip(1) {
        let byte = u8::from_str_radix(&escape[..2], 16).expect("escapes are well formed");
        let needs_none = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        assert!(!needs_none, "{path:?}: {normal:?} has an escape of {byte:#x}");
        assert_eq!(escape[..2], escape[..2].to_ascii_uppercase(), "{path:?}: {normal:?}");
    }
}
