//! OpenAPI 3.1 from the handlers' types: each parameter and each result describes itself to an
//! [`Operation`], and the operations become one document.
//!
//! Schemas are JSON Schema 2020-12, made by `schemars`, and shared below `components/schemas`.
//! A route for any method shows as `GET`, because OpenAPI has no word for it.

mod document;
mod operation;
mod parameters;

pub(crate) use document::{describe_route, document};
pub use operation::Operation;
