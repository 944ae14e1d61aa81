//! The host as a component sees it: its imports.

pub(crate) use crate::bindings::caplet::plugin::clock::{elapsed_ms, now_ms, remaining_ms};
pub(crate) use crate::bindings::caplet::plugin::identity::{current as caller, permitted, tenant};
pub(crate) use crate::bindings::caplet::plugin::log::write as log;
pub(crate) use crate::bindings::caplet::plugin::random::{
    bytes as random_bytes, number as random_number,
};
pub(crate) use crate::bindings::caplet::plugin::settings::{
    json as settings_json, version as settings_version,
};
pub(crate) use crate::bindings::caplet::plugin::sql::{
    execute as sql_execute, query as sql_query, query_json as sql_query_json,
};
