//! Components that were made for any host of `wasi:http`: they export `wasi:http/incoming-handler` 0.2 or
//! `wasi:http/handler` 0.3, and are served as they are, by the name of their file, on an engine of their
//! own. Grants, limits, upgrades and everything else are those of any plugin.
//!
//! - `describe`: the description that such a component cannot give by itself; `program`: one that is
//!   compiled and linked; `instance`: one that runs, and what its store holds.
//! - `forward`: the way of a request to it and of its answer back, both as streams; `rest`: what is left of a
//!   call when the head of its answer is there.
//! - `config`, `keyvalue`, `logging`: the standard interfaces in the versions that were published, served
//!   from the plugin's settings, database and log; `outbound`: the requests that it sends.
//!
//! An answer leaves before the call has ended, so a call is no transaction here: each operation on keys and
//! values is one.

mod config;
mod describe;
mod forward;
mod instance;
mod keyvalue;
mod logging;
mod outbound;
mod program;
mod rest;

pub use describe::name_of_file;
pub use forward::{HttpBody, HttpCall};

pub(crate) use describe::description;
pub(crate) use instance::HttpInstance;
pub(crate) use outbound::Outbound;
pub(crate) use program::{Program, Standard};
