//! A stand-in host for native unit tests of handlers: chosen identity, settings and time, recorded
//! log lines, repeatable random numbers, and no database.
//!
//! It exists only in native builds. Tests that need the store, routing or limits run the finished
//! component in `caplet-testing`, where nothing is stood in for.

use std::cell::RefCell;

use serde_json::Value as Json;

use crate::identity::{Caller, Kind};
use crate::log::Level;
use crate::plugin::Plugin;
use crate::request::Request;
use crate::response::Response;

/// A log line: its level, message and fields.
pub type Line = (Level, String, Vec<(String, String)>);

/// What the stand-in answers on the thread that [entered](Host::enter) it.
#[derive(Debug, Clone)]
pub struct Host {
    /// Who calls. None by default.
    pub caller: Option<Caller>,
    /// The tenant. `default` by default.
    pub tenant: String,
    /// The permissions the caller holds, if there is a caller.
    pub permissions: Vec<String>,
    /// The plugin's settings, an object.
    pub settings: Json,
    /// Changes when the settings do.
    pub settings_version: u64,
    /// The time, in Unix milliseconds.
    pub now_ms: u64,
    /// The lines logged so far.
    pub logged: Vec<Line>,
    /// The state of the random numbers, not 0: the same state gives the same numbers.
    pub random_state: u64,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            caller: None,
            tenant: "default".to_owned(),
            permissions: Vec::new(),
            settings: Json::Object(serde_json::Map::new()),
            settings_version: 0,
            now_ms: 1_700_000_000_000,
            logged: Vec::new(),
            random_state: 0x9e37_79b9_7f4a_7c15,
        }
    }
}

impl Host {
    /// Makes this the host of the current thread, until another one is entered.
    pub fn enter(self) {
        HOST.with(|host| *host.borrow_mut() = self);
    }

    // An xorshift generator: repeatable on purpose, and never used outside of tests.
    pub(crate) fn next_random(&mut self) -> u64 {
        self.random_state ^= self.random_state << 13;
        self.random_state ^= self.random_state >> 7;
        self.random_state ^= self.random_state << 17;
        self.random_state
    }
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::default());
}

pub(crate) fn with_host<T>(use_host: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with(|host| use_host(&mut host.borrow_mut()))
}

/// The lines logged on this thread since its host was entered.
pub fn logged() -> Vec<Line> {
    with_host(|host| host.logged.clone())
}

/// A person with this subject, and no roles, teams or scopes.
pub fn user(subject: &str) -> Caller {
    Caller {
        subject: subject.to_owned(),
        kind: Kind::User,
        roles: Vec::new(),
        teams: Vec::new(),
        scopes: Vec::new(),
    }
}

/// Calls the handler of `operation` as the host would, after it has matched the route.
///
/// # Panics
/// If the plugin has no such operation.
pub fn call(plugin: &Plugin, operation: &str, mut request: Request) -> Response {
    plugin
        .call(operation, &mut request)
        .unwrap_or_else(|| panic!("the plugin has no operation `{operation}`"))
}
