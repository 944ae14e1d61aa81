//! What went wrong in SQLite, in the terms of the store.

use std::path::Path;

use rusqlite::ffi;

use crate::Error;

/// Why a call into SQLite failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The budget was spent, or the caller is gone.
    Interrupted,
    /// The statement failed; the connection is sound.
    Statement(Error),
    /// The file could not be read or written; the connection must not be used again.
    Connection(Error),
}

impl Fault {
    /// Sorts an error of a call on the database at `path`.
    pub(super) fn new(error: rusqlite::Error, path: &Path) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(code, text) => {
                let text = text.unwrap_or_else(|| code.to_string());
                Self::from_code(code.extended_code, text, path)
            }
            rusqlite::Error::SqlInputError { error, msg, .. } => {
                Self::from_code(error.extended_code, msg, path)
            }
            rusqlite::Error::Utf8Error(..) => Self::invalid("a text is not UTF-8"),
            rusqlite::Error::MultipleStatement => Self::invalid("write exactly one statement"),
            other => Self::invalid(other.to_string()),
        }
    }

    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self::Statement(Error::Invalid(text.into()))
    }

    /// The error for whoever asked; `Interrupted` has none of its own.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Interrupted => Error::Timeout("the store's own work took too long".to_owned()),
            Self::Statement(error) | Self::Connection(error) => error,
        }
    }

    fn from_code(code: i32, text: String, path: &Path) -> Self {
        match code {
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_ROWID => return Self::Statement(Error::Unique(text)),
            // Plugins have no triggers of their own: this is ON DELETE RESTRICT.
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY | ffi::SQLITE_CONSTRAINT_TRIGGER => {
                return Self::Statement(Error::ForeignKey(text));
            }
            ffi::SQLITE_CONSTRAINT_CHECK => return Self::Statement(Error::Check(text)),
            ffi::SQLITE_CONSTRAINT_NOTNULL => return Self::Statement(Error::NotNull(text)),
            // Shared memory beside the file grows only when the disk has room.
            ffi::SQLITE_IOERR_SHMSIZE => return Self::Connection(Error::DiskFull),
            _ => {}
        }
        let file = path.display();
        match code & 0xff {
            ffi::SQLITE_INTERRUPT => Self::Interrupted,
            ffi::SQLITE_FULL => Self::Statement(Error::DiskFull),
            ffi::SQLITE_READONLY => Self::Statement(Error::ReadOnly),
            ffi::SQLITE_TOOBIG => Self::Statement(Error::too_large("sql-value-bytes", text)),
            ffi::SQLITE_NOMEM => Self::Statement(Error::too_large(
                "sql-memory",
                "the statement is too complex or needs too much memory",
            )),
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Self::Statement(Error::Unavailable(format!(
                "{file} is locked by another process ({text}): end whatever else has it open"
            ))),
            ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => Self::Connection(Error::Unavailable(
                format!("{file} is damaged ({text}): stop the host and restore it from a backup"),
            )),
            ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN | ffi::SQLITE_PERM | ffi::SQLITE_PROTOCOL => {
                Self::Connection(Error::Unavailable(format!(
                    "{file} cannot be read or written ({text}, code {code}): check the disk and the \
                     permissions of its folder"
                )))
            }
            _ => Self::Statement(Error::Invalid(text)),
        }
    }
}
