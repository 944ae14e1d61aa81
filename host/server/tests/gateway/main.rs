//! Outside services behind the host: real sockets on both sides, and hand-made services that are
//! down, slow, wrong or hostile.

mod access;
mod hostile;
mod passing;
mod place;
mod resilience;
mod streams;
mod upgrades;
mod upstream;
