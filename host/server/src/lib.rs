//! The HTTP side of a host: one router over everything that is loaded.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use caplet_server::Host;
//!
//! let host = Host::builder().data("data").plugins("plugins").build().await?;
//! let application = axum::Router::new().nest_service("/capabilities", host);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! axum::serve(listener, application).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The map, in the order in which a request meets it:
//!
//! - [`serve`], [`Server`], [`Listener`]: sockets and their graceful end; `connection`, `activity`:
//!   clients that ask for nothing; `stall`: clients that do not read; `farewell`: how clients are told
//!   that the host ends.
//! - [`host`]: [`Host`], what all requests share, and how it is built; [`config`]: what can be set.
//! - `request`: ids (`correlation`), limits of the head, the path's check (`path`, `percent`), pages of
//!   other origins ([`cors`]).
//! - `api`: route, caller ([`identity`]; [`token`] and [`secret`] for the host's own tokens), access,
//!   query, headers, `body`, key (`idempotency`), call.
//! - [`gateway`]: outside services, asked instead of a plugin.
//! - `system`: the host's own endpoints, `pages`: what people see of them in a browser; [`base`]: where
//!   the outside sees the host; `admin`: those for operators; `openapi`: one document from
//!   all of them and all plugins.
//! - `answer`, [`content`], [`problem`]: what leaves the host; `metrics`, `trace`: what is counted
//!   and traced; [`outbound`]: requests that the host itself makes.
//!   all of them and all plugins. `subjects`: exports and erasures of data subjects.
//! - `answer`, [`content`], [`problem`]: what leaves the host; `metrics`: what is counted;
//!   [`outbound`]: requests that the host itself makes.
//!
//! What runs inside a plugin is `caplet-runtime`'s; there is no state outside of a [`Host`].

#![deny(missing_docs)]

mod activity;
mod admin;
mod answer;
mod api;
pub mod base;
mod body;
pub mod config;
mod connection;
pub mod content;
mod correlation;
pub mod cors;
mod farewell;
pub mod gateway;
pub mod host;
mod idempotency;
pub mod identity;
mod listener;
mod metrics;
mod openapi;
pub mod outbound;
mod pages;
mod path;
mod percent;
pub mod problem;
mod query;
mod request;
mod rollout;
pub mod secret;
mod serve;
mod stall;
mod stream;
mod subjects;
mod system;
pub mod token;
mod trace;

pub use admin::PERMISSION as ADMIN_PERMISSION;
pub use caplet_runtime::{
    self as runtime, CallContext, Compiler, HostFailure, HostInterface, compile_worker,
};
pub use config::Config;
pub use content::Content;
pub use host::{Builder, Error, Host};
pub use listener::Listener;
pub use problem::Problem;
pub use serve::{Server, serve};
pub use token::Claims;

/// The documents whose Rust is for embedders, as documentation tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../../docs/embedding.md")]
    mod embedding {}
}
