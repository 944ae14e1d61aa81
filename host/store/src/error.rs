//! What can go wrong in a store, in the terms of no particular engine.

/// The result of a store call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a store call failed. The texts are for authors, operators and logs, never for callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The statement is not allowed, does not parse, names what does not exist, or its parameters do
    /// not fit.
    #[error("invalid statement: {0}")]
    Invalid(String),
    /// A `UNIQUE` or `PRIMARY KEY` constraint was violated.
    #[error("unique constraint: {0}")]
    Unique(String),
    /// A `FOREIGN KEY` constraint was violated.
    #[error("foreign key constraint: {0}")]
    ForeignKey(String),
    /// A `CHECK` constraint was violated.
    #[error("check constraint: {0}")]
    Check(String),
    /// A `NOT NULL` constraint was violated.
    #[error("not-null constraint: {0}")]
    NotNull(String),
    /// A write in a transaction that reads only.
    #[error("the transaction is read-only")]
    ReadOnly,
    /// More rows, bytes or statements than a limit allows.
    #[error("too large: {reason}")]
    TooLarge {
        /// The limit that was reached: a short stable word, for metrics.
        limit: &'static str,
        /// How much it was, and how much is allowed.
        reason: String,
    },
    /// A statement or the whole transaction took too long; the text says which.
    #[error("timeout: {0}")]
    Timeout(String),
    /// The plugin's quota or the disk is full.
    #[error("the disk or the plugin's quota is full")]
    DiskFull,
    /// The transaction was rolled back for a reason of the store's own; running the whole invocation
    /// again is safe and likely to succeed.
    #[error("rolled back by the store: {0}")]
    Retry(String),
    /// The store cannot serve.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The database was written by a later version of the host.
    #[error("{0}")]
    Newer(String),
    /// A migration was refused or failed.
    #[error("migration {number}: {reason}")]
    Migration {
        /// Its number.
        number: u32,
        /// What is wrong and what to do.
        reason: String,
    },
}

impl Error {
    /// The error of something larger than `limit` allows.
    pub(crate) fn too_large(limit: &'static str, reason: impl Into<String>) -> Self {
        Self::TooLarge { limit, reason: reason.into() }
    }

    /// The same error, with its text passed through `edit`: it may hold parts of a statement.
    #[must_use]
    pub fn with_text(self, edit: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Invalid(text) => Self::Invalid(edit(&text)),
            Self::Unique(text) => Self::Unique(edit(&text)),
            Self::ForeignKey(text) => Self::ForeignKey(edit(&text)),
            Self::Check(text) => Self::Check(edit(&text)),
            Self::NotNull(text) => Self::NotNull(edit(&text)),
            Self::TooLarge { limit, reason } => Self::TooLarge { limit, reason: edit(&reason) },
            Self::Timeout(text) => Self::Timeout(edit(&text)),
            Self::Retry(text) => Self::Retry(edit(&text)),
            Self::Unavailable(text) => Self::Unavailable(edit(&text)),
            Self::Newer(text) => Self::Newer(edit(&text)),
            Self::Migration { number, reason } => Self::Migration { number, reason: edit(&reason) },
            Self::ReadOnly | Self::DiskFull => self,
        }
    }

    /// The limit of the plugin that was reached, as a short stable word for metrics; none when the
    /// failure is of another kind.
    #[must_use]
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::TooLarge { limit, .. } => Some(limit),
            Self::Timeout(_) => Some("sql-time"),
            Self::DiskFull => Some("database-bytes"),
            _ => None,
        }
    }

    /// A short stable word for metrics and logs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Unique(_) => "unique",
            Self::ForeignKey(_) => "foreign-key",
            Self::Check(_) => "check",
            Self::NotNull(_) => "not-null",
            Self::ReadOnly => "read-only",
            Self::TooLarge { .. } => "too-large",
            Self::Timeout(_) => "timeout",
            Self::DiskFull => "disk-full",
            Self::Retry(_) => "retry",
            Self::Unavailable(_) => "unavailable",
            Self::Newer(_) => "newer",
            Self::Migration { .. } => "migration",
        }
    }
}
