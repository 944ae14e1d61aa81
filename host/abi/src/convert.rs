//! Between the contract's values and the store's.

use caplet_store as store;

use crate::imports::sql;

impl From<sql::Value> for store::Value {
    fn from(value: sql::Value) -> Self {
        match value {
            sql::Value::Null => Self::Null,
            sql::Value::Integer(value) => Self::Integer(value),
            sql::Value::Real(value) => Self::Real(value),
            sql::Value::Text(value) => Self::Text(value),
            sql::Value::Blob(value) => Self::Blob(value),
        }
    }
}

impl From<store::Value> for sql::Value {
    fn from(value: store::Value) -> Self {
        match value {
            store::Value::Null => Self::Null,
            store::Value::Integer(value) => Self::Integer(value),
            store::Value::Real(value) => Self::Real(value),
            store::Value::Text(value) => Self::Text(value),
            store::Value::Blob(value) => Self::Blob(value),
        }
    }
}

impl From<store::Rows> for sql::Rows {
    fn from(rows: store::Rows) -> Self {
        Self { columns: rows.columns, values: rows.values.into_iter().map(Into::into).collect() }
    }
}

impl From<store::JsonPage> for sql::JsonPage {
    fn from(page: store::JsonPage) -> Self {
        Self {
            items: page.items,
            count: page.count,
            more: page.more,
            last: page.last.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<store::Error> for sql::Error {
    fn from(error: store::Error) -> Self {
        use store::Error;
        match error {
            Error::Invalid(reason) => Self::Invalid(reason),
            Error::Unique(reason) => Self::Unique(reason),
            Error::ForeignKey(reason) => Self::ForeignKey(reason),
            Error::Check(reason) => Self::Check(reason),
            Error::NotNull(reason) => Self::NotNull(reason),
            Error::ReadOnly => Self::ReadOnly,
            Error::TooLarge { reason, .. } => Self::TooLarge(reason),
            Error::Timeout(_) => Self::Timeout,
            Error::DiskFull => Self::DiskFull,
            Error::Retry(reason) | Error::Unavailable(reason) | Error::Newer(reason) => {
                Self::Unavailable(reason)
            }
            Error::Migration { number, reason } => {
                Self::Unavailable(format!("migration {number}: {reason}"))
            }
        }
    }
}

impl From<crate::Migration> for store::Migration {
    fn from(migration: crate::Migration) -> Self {
        let crate::Migration { number, name, phase, sql, postgres } = migration;
        Self { number, name, phase: phase.into(), sql, postgres }
    }
}

impl From<crate::Phase> for store::Phase {
    fn from(phase: crate::Phase) -> Self {
        match phase {
            crate::Phase::Expand => Self::Expand,
            crate::Phase::Backfill => Self::Backfill,
            crate::Phase::Contract => Self::Contract,
        }
    }
}
