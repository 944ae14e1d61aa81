//! Statements that the script sends, with their parameters as pairs of a type and a text.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::{Error, Value};
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// A statement, and what it is given.
#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Order {
    sql: String,
    parameters: Vec<(String, String)>,
    #[serde(default)]
    execute: bool,
    status: Option<u16>,
    limit: Option<u32>,
}

pub fn run(Json(order): Json<Order>) -> Result<Response, Problem> {
    let parameters = decode_all(&order.parameters)?;
    if order.execute {
        return Ok(match sql::execute(&order.sql, &parameters) {
            Ok(changed) => answer(&order, &json!({ "changed": changed })),
            Err(error) => answer(&order, &json!({ "error": kind(&error) })),
        });
    }
    Ok(match sql::query_values(&order.sql, &parameters) {
        Err(error) => answer(&order, &json!({ "error": kind(&error) })),
        Ok(found) => {
            let width = found.columns.len().max(1);
            let row = |row: &[Value]| row.iter().map(encode).collect::<Vec<_>>();
            let rows: Vec<_> = found.values.chunks(width).map(row).collect();
            answer(&order, &json!({ "columns": found.columns, "rows": rows }))
        }
    })
}

pub fn page(Json(order): Json<Order>) -> Result<Response, Problem> {
    let parameters = decode_all(&order.parameters)?;
    let page = sql::query_json(&order.sql, &parameters, order.limit.unwrap_or(10))?;
    let items: serde_json::Value =
        serde_json::from_slice(&page.items).map_err(|_| Problem::internal())?;
    let last: Vec<_> = page.last.iter().map(encode).collect();
    let body = json!({ "items": items, "count": page.count, "more": page.more, "last": last });
    Ok(answer(&order, &body))
}

pub fn uncaught(Json(order): Json<Order>) -> Result<NoContent, Problem> {
    sql::execute(&order.sql, &[])?;
    Ok(NoContent)
}

fn answer(order: &Order, body: &serde_json::Value) -> Response {
    let body = body.to_string().into_bytes();
    Response::new(order.status.unwrap_or(200), "application/json", body)
}

fn decode_all(pairs: &[(String, String)]) -> Result<Vec<Value>, Problem> {
    let decoded: Option<Vec<_>> = pairs.iter().map(|(kind, text)| decode(kind, text)).collect();
    decoded.ok_or_else(|| Problem::bad_request("A parameter cannot be read."))
}

fn decode(kind: &str, text: &str) -> Option<Value> {
    Some(match kind {
        "integer" => Value::Integer(text.parse().ok()?),
        "real" => Value::Real(f64::from_bits(u64::from_str_radix(text, 16).ok()?)),
        "text" => Value::Text(text.to_owned()),
        "blob" => Value::Blob(bytes(text)?),
        _ => Value::Null,
    })
}

fn encode(value: &Value) -> (&'static str, String) {
    match value {
        Value::Null => ("null", String::new()),
        Value::Integer(value) => ("integer", value.to_string()),
        Value::Real(value) => ("real", format!("{:016x}", value.to_bits())),
        Value::Text(value) => ("text", value.clone()),
        Value::Blob(value) => ("blob", hexadecimal(value)),
    }
}

fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
    let pairs = (0..hexadecimal.len()).step_by(2).map(|at| hexadecimal.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

/// Bytes in hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why a statement failed, in one word.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::Denied(_) => "denied",
        Error::Invalid(_) => "invalid",
        Error::Unique(_) => "unique",
        Error::ForeignKey(_) => "foreign-key",
        Error::Check(_) => "check",
        Error::NotNull(_) => "not-null",
        Error::ReadOnly => "read-only",
        Error::TooLarge(_) => "too-large",
        Error::Timeout => "timeout",
        Error::DiskFull => "disk-full",
        Error::Unavailable(_) => "unavailable",
    }
}
