//! Runs plugins: one component after another is compiled, described, granted and put into the route
//! table; each request becomes one invocation in one instance with one transaction.
//!
//! It knows WebAssembly and limits; it knows nothing of sockets, tokens or configuration files (those
//! are the server's and the command line's) and no SQL (the store's).
//!
//! The map, from a file to an answer:
//!
//! - [`Options`] → [`Runtime`]; `folder` follows the plugin folder; `load` turns bytes into a
//!   [`Generation`] by way of `compiler`, `cache`, `inspect`, `description`, `routes`, `openapi`,
//!   `settings`.
//! - `lifecycle` changes what serves: install, upgrade, rollback, rollout, and what follows; `shadow` runs
//!   copies of requests on a new version.
//! - `audit` is the log of decisions; `rights` are revoked and given back while plugins serve.
//! - `generation` is the way of an invocation: `admission` → `instance` → the guest → commit;
//!   `work` is what the kinds of invocation have in common: `request` (with `answer`, `redirect` and
//!   `idempotency`), `subject_data` and `health`. `detached` lets a call outlive its caller.
//! - `secrets` says which settings are secrets, `sealed` encrypts them where they are kept, `redaction` takes
//!   them out of what guests write.
//! - `quarantine` keeps what fails again and again from being called.
//! - `cpu_share`, `turns` and `back_row` divide the processors between plugins.
//! - `room` is where calls wait while others have the memory of their plugin.
//! - `guest` is what a running instance holds: its `invocation` with its `transaction`, `meter` (CPU), `memory`, `wasi`;
//!   `host_functions` is what it may call.
//! - `wasi_http` serves components that were made for any host of `wasi:http`, on an engine of their own.
//! - `metrics` counts, `spans` traces, `slow_call` tells of calls that took long, by their `usage`.
//! - `engine` is the compiler's configuration and the tick.

#![deny(missing_docs)]

mod admission;
mod answer;
mod arrivals;
mod audit;
mod back_row;
mod cache;
mod clock;
mod compiler;
mod cpu_share;
mod description;
mod detached;
mod digest;
mod engine;
mod fault;
mod folder;
mod generation;
mod guest;
mod health;
mod host_database;
mod host_functions;
mod host_interface;
mod idempotency;
mod identity;
mod in_flight;
mod inspect;
mod instance;
mod invocation;
mod lifecycle;
mod limits;
mod load;
mod log;
mod memory;
mod meter;
mod metrics;
mod openapi;
mod options;
mod quarantine;
mod redaction;
mod redirect;
mod request;
mod rights;
mod room;
mod routes;
mod runtime;
mod sealed;
mod secrets;
mod settings;
mod shadow;
mod slow_call;
mod spans;
mod subject_data;
mod transaction;
mod turns;
mod usage;
mod wasi;
mod wasi_http;
mod work;

pub use arrivals::Arrival;
pub use audit::{Audit, AuditEntry, Decision, Verified};
pub use caplet_abi::interfaces::{self, Right};
pub use caplet_abi::{
    Access, Asset, Description, Migration, Permission, Phase, Route, Transaction,
};
pub use clock::{Clock, FakeClock, SystemClock};
pub use compiler::{Compiler, compile_worker};
pub use description::{body_bytes_max, check_description, is_plugin_name};
pub use digest::Digest;
pub use engine::EngineOptions;
pub use fault::Fault;
pub use folder::{FileStatus, Folder};
pub use generation::Generation;
pub use host_database::{HOST_DATABASE, HostDatabase};
pub use host_interface::{CallContext, HostFailure, HostInterface};
pub use identity::{Authorizer, DEFAULT_TENANT, Identity, Kind, RolePermissions};
pub use inspect::Inspection;
pub use instance::Reuse;
pub use invocation::{Answer, Call};
pub use lifecycle::{
    Caller, Change, ChangeKind, Configuration, Difference, Edit, Effect, FileSource,
    GenerationRecord, HeaderRule, Kind as GenerationKind, Operation, Outcome, Part, Plan,
    PluginRecord, Presence, Progress, Rollout, RolloutOrder, RolloutReport, SideReport, Source,
    Stage, State as GenerationState, StepProgress, UpgradeOptions, description_document,
    phase_name,
};
pub use limits::Limits;
pub use load::{LoadError, Prepared, Step};
pub use options::{Options, PluginOptions};
pub use prometheus;
pub use quarantine::Quarantined;
pub use rights::{Revocation, RightError};
pub use routes::{Matched, RouteId, RouteMatch};
pub use runtime::{Error, Runtime, Table};
pub use shadow::{Copied, ShadowDifference, ShadowReport};
pub use subject_data::{
    About, Erased, Erasure, Holding, Page, Refusal, Step as ErasureStep, StepKey,
};
pub use wasi_http::{HttpBody, HttpCall, name_of_file};
pub use wasmtime;
