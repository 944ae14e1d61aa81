//! A host in a test: a plugin's real component, a database that vanishes, a clock that stands still,
//! callers by choice, and the whole way of a request without a socket.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use caplet_testing::{TestHost, json};
//!
//! #[tokio::test]
//! async fn edits_are_refused_once_the_window_has_passed() {
//!     let host = TestHost::with_plugin("comments").await;
//!     let alice = host.user("alice").tenant("acme");
//!     let comment = json!({ "target": "post:1", "body": "Hello" });
//!     let created = alice.post("/api/comments").json(&comment).send().await.expect_status(201);
//!     let place = created.header("location").unwrap().to_owned();
//!
//!     host.clock().advance(Duration::from_secs(3600));
//!     let late = alice.patch(&place).json(&json!({ "body": "Later" })).send().await;
//!     late.expect_problem(409, "edit-window-over");
//! }
//! ```
//!
//! The map: [`TestHost`] and its [`Builder`] (`host`), [`Caller`] and [`Request`] (`request`),
//! [`Answer`] (`answer`), [`Example`] and [`Contract`]: what holds for every route of a plugin,
//! [`scenario`]: scenarios from files, `guests`: where components come from.
//!
//! But for [`scenario`], which `caplet test` is made of, everything panics with a reason instead of returning errors: a test that cannot be set up has
//! failed. Sockets and processes are not here; whole systems are tested from outside.

#![deny(missing_docs)]

mod answer;
mod contract;
mod example;
pub(crate) mod guests;
mod host;
mod request;
pub mod scenario;

pub use answer::Answer;
pub use contract::Contract;
pub use example::{Example, Person, operations};
pub use guests::component;
pub use host::{Builder, START_MS, TestHost};
pub use request::{Caller, Request};

pub use caplet_runtime::{FakeClock, Kind, Limits};
pub use caplet_store::{Rows, Value};
pub use http::{Method, StatusCode};
pub use serde_json::json;
