//! Lists, and JSON that comes straight from the database without being parsed on its way.

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::Serialize;

use super::simple::JSON;
use super::{IntoResponse, Response};
use crate::cursor;
use crate::log;
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::sql::JsonPage;

/// A page of a list: `{"items":[…],"next_cursor":…}`, where `next_cursor` is null on the last page.
///
/// `T` describes an item; the items themselves may come from the database as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    body: Vec<u8>,
    item: PhantomData<fn() -> T>,
}

impl<T> Listing<T> {
    /// A page of rows as [`sql::query_json`](crate::sql::query_json) returned them. Its `:key`
    /// columns become the cursor; `order` is the name that
    /// [`Page::after`](crate::Page::after) will be asked with.
    pub fn from_json(order: &str, page: JsonPage) -> Self {
        let next = page.more.then(|| cursor::encode(order, page.last.as_slice()));
        Self::from_bytes(&page.items, next.as_deref())
    }

    /// A page of items that are a JSON array already, and the cursor of the next one.
    pub fn from_bytes(items: &[u8], next_cursor: Option<&str>) -> Self {
        let mut body = Vec::with_capacity(items.len() + next_cursor.map_or(4, str::len) + 32);
        body.extend_from_slice(br#"{"items":"#);
        body.extend_from_slice(items);
        body.extend_from_slice(br#","next_cursor":"#);
        match next_cursor {
            // A cursor is base64url: nothing in it needs escaping.
            Some(cursor) => {
                body.push(b'"');
                body.extend_from_slice(cursor.as_bytes());
                body.push(b'"');
            }
            None => body.extend_from_slice(b"null"),
        }
        body.push(b'}');
        Self { body, item: PhantomData }
    }
}

impl<T: Serialize> Listing<T> {
    /// A page of items made in the plugin, and the cursor of the next one, from
    /// [`cursor::encode`].
    ///
    /// # Errors
    /// A 500 problem when an item cannot be written as JSON; the reason is logged.
    pub fn from_items(items: &[T], next_cursor: Option<&str>) -> Result<Self, Problem> {
        let items = serde_json::to_vec(items).map_err(|error| {
            log::error!("an item cannot be written as JSON", error = error);
            Problem::internal()
        })?;
        Ok(Self::from_bytes(&items, next_cursor))
    }
}

impl<T: JsonSchema> IntoResponse for Listing<T> {
    fn into_response(self) -> Response {
        Response::new(200, JSON, self.body)
    }

    fn describe(operation: &mut Operation<'_>) {
        let item = operation.schema::<T>();
        let schema = serde_json::json!({
            "type": "object",
            "properties": {
                "items": { "type": "array", "items": item },
                "next_cursor": { "type": ["string", "null"] },
            },
            "required": ["items", "next_cursor"],
        });
        operation.content(200, "A page.", JSON, schema);
    }
}

/// A value that is JSON already, described by `T`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonBytes<T> {
    body: Vec<u8>,
    value: PhantomData<fn() -> T>,
}

impl<T> JsonBytes<T> {
    /// `body` is one JSON value in UTF-8; it is not looked at.
    pub fn new(body: Vec<u8>) -> Self {
        Self { body, value: PhantomData }
    }
}

impl<T: JsonSchema> IntoResponse for JsonBytes<T> {
    fn into_response(self) -> Response {
        Response::new(200, JSON, self.body)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.json_response::<T>(200, "Done.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Value;

    fn page(more: bool) -> JsonPage {
        JsonPage {
            items: br#"[{"id":"c1"}]"#.to_vec(),
            count: 1,
            more,
            last: vec![Value::Integer(7), Value::Text("c1".into())],
        }
    }

    #[test]
    fn wraps_rows_without_touching_them() {
        let response = Listing::<u8>::from_json("new", page(false)).into_response();
        assert_eq!(response.body, br#"{"items":[{"id":"c1"}],"next_cursor":null}"#);
    }

    #[test]
    fn the_keys_of_the_last_row_become_the_cursor() {
        let response = Listing::<u8>::from_json("new", page(true)).into_response();
        let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        let cursor = body["next_cursor"].as_str().unwrap();
        assert_eq!(cursor::decode::<(i64, String)>("new", cursor).unwrap(), (7, "c1".to_owned()));
    }
}
