//! The comments plugin as its callers see it: the real component in a real host, asked over the whole
//! way of a request. Each scenario says what is answered, what is stored, and what must not happen.
//!
//! `stage` has the people and the short words; `examples` one good request for each route, from
//! which `contract`, `tenants` and `bad_requests` make theirs. How a text is parsed and a statement is
//! put together is tested beside the code. `written` runs the scenarios that are in a file.

mod bad_requests;
mod conditions;
mod contract;
mod deleting;
mod editing;
mod examples;
mod feeds;
mod idempotency;
mod markdown;
mod moderation;
mod paces;
mod pages;
mod permissions;
mod reactions;
mod replies;
mod reports;
mod stage;
mod subjects;
mod subscriptions;
mod tenants;
mod threads;
mod transfer;
mod trees;
mod votes;
mod writing;
mod written;
