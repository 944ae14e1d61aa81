//! The query of a request, decoded. What the parameters mean is the plugin's.

use crate::percent::{self, Malformed};

/// Why a query is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("The query is malformed: {0}.")]
    Malformed(#[from] Malformed),
    #[error("The query has more than {0} parameters.")]
    TooMany(usize),
}

/// Decodes `application/x-www-form-urlencoded`, keeping the order and repeated names. Empty pieces
/// between ampersands are skipped; a name without `=` has an empty value.
pub(crate) fn decode(
    query: Option<&str>,
    parameters_max: usize,
) -> Result<Vec<(String, String)>, Refused> {
    let mut parameters = Vec::new();
    for piece in query.unwrap_or_default().split('&').filter(|piece| !piece.is_empty()) {
        if parameters.len() == parameters_max {
            return Err(Refused::TooMany(parameters_max));
        }
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        parameters.push((percent::decode_form(name)?, percent::decode_form(value)?));
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &str) -> Vec<(String, String)> {
        decode(Some(query), 100).unwrap()
    }

    #[test]
    fn decodes_in_the_order_sent() {
        let expected = [("a", "1 2"), ("b", "="), ("a", ""), ("c", ""), ("", "x")];
        let expected: Vec<_> =
            expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(pairs("a=1+2&b==&&a=&c&=x"), expected);
        assert_eq!(decode(None, 100), Ok(Vec::new()));
        assert_eq!(pairs(""), Vec::new());
    }

    #[test]
    fn refuses_broken_escapes_and_too_many() {
        assert_eq!(decode(Some("a=%ff"), 100), Err(Refused::Malformed(Malformed::Utf8)));
        assert_eq!(decode(Some("%=1"), 100), Err(Refused::Malformed(Malformed::Percent)));
        assert!(decode(Some(&"a&".repeat(100)), 100).is_ok());
        assert_eq!(decode(Some(&"a&".repeat(101)), 100), Err(Refused::TooMany(100)));
    }
}
