//! Cursors: where a page of a list ended, opaque to callers.
//!
//! A cursor is base64url of a JSON array: a format version, the name of the list's order, and the
//! keys of the page's last item in that order. It holds nothing that the items do not show and
//! grants nothing, so it is not signed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The longest cursor that is read, in bytes.
pub const LENGTH_MAX_BYTES: usize = 1024;

/// The version of the format; raised when it changes, so that old cursors are refused, not misread.
const VERSION: u8 = 1;

/// Makes a cursor from the keys of a page's last item.
pub fn encode(order: &str, keys: &(impl Serialize + ?Sized)) -> String {
    let json = serde_json::to_vec(&(VERSION, order, keys)).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(json)
}

/// Reads the keys back.
///
/// # Errors
/// 400 with code `bad-cursor` when it was not made by [`encode`] for this order.
pub fn decode<Keys: DeserializeOwned>(order: &str, cursor: &str) -> Result<Keys, Problem> {
    read(order, cursor).ok_or_else(|| {
        Problem::bad_request("The cursor was not made for this list.").with_code("bad-cursor")
    })
}

fn read<Keys: DeserializeOwned>(order: &str, cursor: &str) -> Option<Keys> {
    if cursor.len() > LENGTH_MAX_BYTES {
        return None;
    }
    let json = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (version, made_for, keys): (u8, String, Keys) = serde_json::from_slice(&json).ok()?;
    (version == VERSION && made_for == order).then_some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Value;

    #[test]
    fn keys_of_rows_come_back() {
        let keys = [Value::Integer(-7), Value::Real(0.1 + 0.2), Value::Text("é\"".into())];
        let cursor = encode("best", keys.as_slice());
        let back: (i64, f64, String) = decode("best", &cursor).unwrap();
        assert_eq!(back, (-7, 0.1 + 0.2, "é\"".to_owned()));
    }

    #[test]
    fn refuses_what_it_did_not_make() {
        let other_version = URL_SAFE_NO_PAD.encode(r#"[9,"new",[1]]"#);
        let long = "A".repeat(LENGTH_MAX_BYTES + 1);
        for cursor in ["", "!", "AAAA", &encode("old", &(1,)), &other_version, &long] {
            let problem = decode::<(i64,)>("new", cursor).unwrap_err();
            assert_eq!((problem.status(), problem.code()), (400, "bad-cursor"));
        }
        assert!(decode::<(i64,)>("new", &encode("new", &("text",))).is_err());
    }
}
