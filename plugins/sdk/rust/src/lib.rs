//! What a Caplet plugin in Rust is written with.
//!
//! A plugin is a WebAssembly component that the host loads from one file and calls for each request.
//! This crate turns plain functions into such a component: their parameters are read and checked
//! from the request, their results become answers, and both describe themselves, so that the plugin's
//! OpenAPI document is always what the code does.
//!
//! ```
//! use caplet_sdk::prelude::*;
//!
//! fn hello(Path(name): Path<String>) -> String {
//!     format!("Hello, {name}!")
//! }
//!
//! plugin!(Plugin::new("hello").title("Hello").route(get("/{name}", hello).public()));
//!
//! fn main() {
//!     let request = Request {
//!         parameters: vec![("name".to_owned(), "Ada".to_owned())],
//!         ..Request::default()
//!     };
//!     let response = caplet_sdk::testing::call(&plugin(), "hello", request);
//!     assert_eq!(response.body, b"Hello, Ada!");
//! }
//! ```
//!
//! # Map
//!
//! | part | modules |
//! |---|---|
//! | what a plugin is | [`Plugin`], [`route`], `plugin!` |
//! | what a handler takes | [`Path`], [`Query`], [`Json`], [`Page`], [`IfMatch`], [`IfNoneMatch`], [`Preconditions`], [`Headers`], [`Body`], [`identity`], [`settings`] with [`Secret`] |
//! | what a handler answers | `String`, [`Json`], [`Listing`], [`JsonBytes`], [`Created`], [`NoContent`], [`WithEtag`], [`Conditional`], [`Response`], [`Problem`] |
//! | what the host gives | [`sql`], [`identity`], [`settings`], [`log`], [`clock`], [`random`] |
//! | what it keeps about people | [`subject_data`], `subject_data!` |
//! | whether it is well | [`health`], `health!` |
//! | for authors of extractors and answers | [`FromRequest`], [`IntoResponse`], [`Operation`] |
//! | for native tests | `testing` |
//!
//! # Rules
//!
//! - An invocation is a transaction: an answer below 400 commits what was written, one from 400 on
//!   rolls it back.
//! - An instance may be dropped between any two calls: what must last goes into [`sql`].
//! - A plugin imports only what it calls. The finished component's imports are the rights that an
//!   operator grants.
//! - Query parameters that no part of a handler takes are answered 400.

#![deny(missing_docs)]

#[doc(hidden)]
pub mod bindings;
pub mod clock;
pub mod cursor;
mod etag;
mod extract;
#[doc(hidden)]
pub mod glue;
mod handler;
pub mod health;
mod host;
pub mod identity;
pub mod log;
mod openapi;
mod plugin;
mod problem;
pub mod random;
mod request;
mod response;
pub mod route;
mod secret;
pub mod settings;
pub mod sql;
pub mod subject_data;
mod target;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod validators;

pub use etag::ETag;
pub use extract::{
    Body, Headers, IfMatch, IfNoneMatch, Json, LIMIT_DEFAULT, LIMIT_MAX, Page, Path, Preconditions,
    Query,
};
pub use handler::Handler;
pub use http::StatusCode;
pub use identity::{Caller, Tenant};
pub use openapi::Operation;
pub use plugin::Plugin;
pub use problem::{FieldError, Problem};
pub use request::{FromRequest, Request};
pub use response::{
    Conditional, Created, IntoResponse, JsonBytes, Listing, NoContent, Response, WithEtag,
};
pub use secret::Secret;
pub use settings::Settings;
pub use target::{Target, TargetId, TargetType};
pub use validators::Validators;

/// What most plugins need: `use caplet_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::route::{any, delete, get, patch, post, put};
    pub use crate::{
        Caller, Conditional, Created, ETag, FieldError, FromRequest, IfMatch, IfNoneMatch,
        IntoResponse, Json, JsonBytes, Listing, NoContent, Page, Path, Plugin, Preconditions,
        Problem, Query, Request, Response, Settings, StatusCode, Tenant, Validators, WithEtag,
        params, plugin,
    };
    pub use crate::{clock, identity, log, random, settings, sql};
}

/// The documents whose Rust is for plugins, as documentation tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../../../README.md")]
    mod readme {}
    #[doc = include_str!("../../../../docs/migrations.md")]
    mod migrations {}
    #[doc = include_str!("../../../../docs/security.md")]
    mod security {}
    #[doc = include_str!("../../../../docs/sql.md")]
    mod sql {}
    #[doc = include_str!("../../../../docs/subjects.md")]
    mod subjects {}
    #[doc = include_str!("../../../../docs/upgrading.md")]
    mod upgrading {}
}
