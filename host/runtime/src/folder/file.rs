//! What is known of one file of the plugin folder, and why its content is not served.

use std::time::Instant;

use super::reading::Stamp;
use crate::arrivals::Arriving;
use crate::compiler::ahead::Ahead;
use crate::digest::Digest;
use crate::load::{LoadError, Step};

/// What is known of one file.
pub(super) struct File {
    /// As it was at the last look.
    pub(super) seen: Stamp,
    /// As it was when it was last read; none before that.
    pub(super) read: Option<Stamp>,
    pub(super) plugin: Option<String>,
    pub(super) error: Option<String>,
    /// What its content is, when that waits for approval.
    pub(super) waits: Option<Digest>,
    /// When it is read again although it has not changed.
    pub(super) again: Option<Instant>,
    /// The plugin whose change was in the way when it was read last.
    pub(super) behind: Option<String>,
    /// Its content, as it was at that stamp, while that is compiled.
    pub(super) compiling: Option<(Stamp, Ahead)>,
    /// Its plugin's place among those on their way, until it is known what became of the content.
    pub(super) arriving: Option<Arriving>,
}

impl File {
    /// One that was not looked at yet.
    pub(super) fn new(arriving: Arriving) -> Self {
        Self {
            seen: Stamp { bytes: u64::MAX, modified: None },
            read: None,
            plugin: None,
            error: None,
            waits: None,
            again: None,
            behind: None,
            compiling: None,
            arriving: Some(arriving),
        }
    }

    /// Whether the content at that stamp is still being compiled.
    pub(super) fn compiles(&self, stamp: Stamp) -> bool {
        self.compiling.as_ref().is_some_and(|(of, ahead)| *of == stamp && !ahead.is_done())
    }
}

/// Why the present content of a file was not loaded.
pub(super) enum NotLoaded {
    /// Until the file changes, or until somebody approves that content.
    Refused { reason: String, waits: Option<Digest> },
    /// Because another change of its plugin goes on.
    Later { reason: String, plugin: Option<String> },
    /// Because it has to be compiled, which has begun.
    Compiling(Ahead),
}

impl NotLoaded {
    pub(super) fn because(reason: impl std::fmt::Display) -> Self {
        Self::Refused { reason: reason.to_string(), waits: None }
    }
}

impl From<LoadError> for NotLoaded {
    fn from(error: LoadError) -> Self {
        match error.step {
            Step::Turn => Self::Later { reason: error.to_string(), plugin: error.plugin },
            _ => Self::because(error),
        }
    }
}
