//! `Page`: which part of a list a request asks for. The answer is a [`Listing`](crate::Listing).

use serde::de::DeserializeOwned;
use serde_json::json;

use crate::cursor;
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::{FromRequest, Request};

/// How many items a page has when the request does not say.
pub const LIMIT_DEFAULT: u32 = 25;
/// The most items a page can have.
pub const LIMIT_MAX: u32 = 100;

/// The query parameters `limit` and `cursor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// How many items to answer at most, 1 to [`LIMIT_MAX`].
    pub limit: u32,
    cursor: Option<String>,
}

impl Page {
    /// The keys of the last item of the page before, or none for the first page.
    ///
    /// `order` names the list's order: a cursor made for another one is refused, because its keys
    /// mean something else.
    ///
    /// # Errors
    /// 400 when the cursor is not one that this list made.
    pub fn after<Keys: DeserializeOwned>(&self, order: &str) -> Result<Option<Keys>, Problem> {
        self.cursor.as_deref().map(|text| cursor::decode(order, text)).transpose()
    }
}

impl FromRequest for Page {
    fn from_request(request: &mut Request) -> Result<Self, Problem> {
        let limit = match request.take_query("limit")? {
            None => LIMIT_DEFAULT,
            Some(text) => parse_limit(&text)?,
        };
        Ok(Self { limit, cursor: request.take_query("cursor")? })
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.query_parameter(
            "limit",
            "How many items to answer at most.",
            json!({
                "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT
            }),
        );
        operation.query_parameter(
            "cursor",
            "`next_cursor` of the page before; opaque.",
            json!({ "type": "string", "maxLength": cursor::LENGTH_MAX_BYTES }),
        );
        operation.problem(400, "A parameter is malformed, missing or unknown.");
    }
}

fn parse_limit(text: &str) -> Result<u32, Problem> {
    match text.parse() {
        Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
        _ => Err(Problem::bad_request(format!(
            "The query parameter `limit` must be a whole number from 1 to {LIMIT_MAX}."
        ))
        .with_code("bad-query")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &[(&str, &str)]) -> Result<Page, Problem> {
        let query = query.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        Page::from_request(&mut Request { query, ..Request::default() })
    }

    #[test]
    fn limits_are_1_to_100_and_25_by_default() {
        assert_eq!(page(&[]).unwrap().limit, 25);
        assert_eq!(page(&[("limit", "100")]).unwrap().limit, 100);
        for limit in ["0", "101", "-1", "many", "", "99999999999"] {
            assert_eq!(page(&[("limit", limit)]).unwrap_err().status(), 400);
        }
    }

    #[test]
    fn a_cursor_leads_to_the_keys_it_was_made_of() {
        let cursor = cursor::encode("new", &(5, "c1"));
        let page = page(&[("cursor", &cursor)]).unwrap();
        assert_eq!(page.after::<(i64, String)>("new").unwrap(), Some((5, "c1".to_owned())));
        assert_eq!(page.after::<(i64, String)>("best").unwrap_err().status(), 400);
    }
}
