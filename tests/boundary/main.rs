//! The boundary between the host and its guests: small guests of one behaviour each (`tests/fixtures`)
//! against a runtime in this process. What must not happen is as much a part of these tests as what
//! must.

mod aftermath;
mod answers;
mod application;
mod comparison;
mod containment;
mod folder;
mod heavy;
mod history;
mod hostile;
mod lifecycle;
mod limits;
mod loading;
mod quarantine;
mod restore;
mod rig;
mod rights;
mod rollout;
mod sandbox;
mod settings;
mod subjects;
mod transactions;
mod wasi_http;
mod watch;
