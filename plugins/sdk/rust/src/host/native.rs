//! The host of a native unit test: what [`crate::testing::Host`] was told. It has no database;
//! tests that need one run the real component in `caplet-testing`.

use crate::identity::Caller;
use crate::log::Level;
use crate::sql::{Error, JsonPage, Rows, Value};
use crate::testing::with_host;

const NO_DATABASE: &str = "a native test has no database; run the component in caplet-testing";

fn no_database<T>() -> Result<T, Error> {
    Err(Error::Unavailable(NO_DATABASE.to_owned()))
}

pub(crate) fn sql_query(_statement: &str, _parameters: &[Value]) -> Result<Rows, Error> {
    no_database()
}

pub(crate) fn sql_query_json(
    _statement: &str,
    _parameters: &[Value],
    _limit: u32,
) -> Result<JsonPage, Error> {
    no_database()
}

pub(crate) fn sql_execute(_statement: &str, _parameters: &[Value]) -> Result<u64, Error> {
    no_database()
}

pub(crate) fn caller() -> Option<Caller> {
    with_host(|host| host.caller.clone())
}

pub(crate) fn tenant() -> String {
    with_host(|host| host.tenant.clone())
}

pub(crate) fn permitted(permission: &str) -> bool {
    with_host(|host| host.caller.is_some() && host.permissions.iter().any(|p| p == permission))
}

pub(crate) fn settings_version() -> u64 {
    with_host(|host| host.settings_version)
}

pub(crate) fn settings_json() -> String {
    with_host(|host| host.settings.to_string())
}

pub(crate) fn log(level: Level, message: &str, fields: &[(String, String)]) {
    with_host(|host| {
        host.logged.push((level, message.to_owned(), fields.to_vec()));
    });
}

pub(crate) fn now_ms() -> u64 {
    with_host(|host| host.now_ms)
}

pub(crate) fn elapsed_ms() -> u64 {
    0
}

pub(crate) fn remaining_ms() -> u64 {
    1_000
}

pub(crate) fn random_number() -> u64 {
    with_host(|host| host.next_random())
}

pub(crate) fn random_bytes(count: u32) -> Vec<u8> {
    (0..count).map(|_| random_number().to_le_bytes()[0]).collect()
}
