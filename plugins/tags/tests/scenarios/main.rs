//! The tags plugin as its callers see it: the real component in a real host, asked over the whole way
//! of a request. Each scenario says what is answered, what is stored, and what must not happen.
//!
//! `stage` has the people and the short words; `examples` one good request for each route, from which
//! `contract`, `tenants`, `permissions` and `bad_requests` make theirs. How a name is folded and a text
//! is parsed is tested beside the code. `written` runs the scenarios that are in a file.

mod bad_requests;
mod contract;
mod counts;
mod examples;
mod groups;
mod hierarchy;
mod idempotency;
mod items;
mod load;
mod merging;
mod naming;
mod pages;
mod permissions;
mod popular;
mod search;
mod stage;
mod suggestions;
mod tenants;
mod written;
