//! Why an invocation failed, with one text for callers and one for operators.

use caplet_store as store;

/// Why an invocation did not answer. `Display` is the inside text, for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Too many invocations run and wait already, or the engine has no free instance.
    #[error("busy: {0}")]
    Busy(&'static str),
    /// The invocation used up its CPU time.
    #[error("used more than its {0} ms of CPU time")]
    Cpu(u64),
    /// The invocation used up its wall time.
    #[error("took longer than its {0} ms")]
    Wall(u64),
    /// The guest wanted more memory than it may have, and broke.
    #[error("ran out of memory: {0}")]
    Memory(String),
    /// The guest called host functions too often.
    #[error("called host functions more than {0} times")]
    HostCalls(u32),
    /// The guest trapped.
    #[error("trapped: {0}")]
    Trap(String),
    /// The guest's answer cannot be sent.
    #[error("gave an answer that cannot be sent: {0}")]
    Answer(String),
    /// The store could not begin or commit.
    #[error("store: {0}")]
    Store(store::Error),
    /// A function of the application around the host failed.
    #[error("a function of the application failed: {0}")]
    Application(String),
    /// The idempotency key was used with another request before.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// The plugin does not export what the invocation needs.
    #[error("the plugin has no {0}")]
    Missing(&'static str),
    /// The plugin needed a right that was revoked.
    #[error("needs its right to `{0}`, which was revoked")]
    Revoked(String),
    /// The host is stopping, or a later version has taken the place of the one that was asked.
    #[error("takes no more calls: the host is stopping, or a later version has taken its place")]
    Stopping,
    /// The plugin failed too often and is left alone for so many seconds more.
    #[error("in quarantine for {0} s more")]
    Quarantined(u64),
    /// The plugin has used up its share of the processors while others wanted theirs.
    #[error("over its share of the processors")]
    CpuShare,
}

impl Fault {
    /// The same fault, with each text that may come from a guest passed through `edit`.
    #[must_use]
    pub(crate) fn with_texts(self, edit: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Memory(text) => Self::Memory(edit(&text)),
            Self::Trap(text) => Self::Trap(edit(&text)),
            Self::Answer(text) => Self::Answer(edit(&text)),
            Self::Application(text) => Self::Application(edit(&text)),
            Self::Store(error) => Self::Store(error.with_text(edit)),
            other => other,
        }
    }

    /// The HTTP status it is answered with.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Busy(_) | Self::Stopping | Self::Quarantined(_) => 503,
            Self::CpuShare => 429,
            Self::Cpu(_) | Self::Wall(_) => 504,
            Self::Memory(_) | Self::HostCalls(_) | Self::Trap(_) | Self::Answer(_) => 502,
            Self::Store(store::Error::DiskFull) => 507,
            Self::Store(store::Error::Timeout(_)) => 504,
            Self::Store(_) => 503,
            Self::Application(_) => 500,
            Self::KeyReused => 422,
            Self::Missing(_) | Self::Revoked(_) => 502,
        }
    }

    /// A stable code for callers, metrics and logs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy(_) => "plugin-busy",
            Self::Cpu(_) => "plugin-cpu-exceeded",
            Self::Wall(_) => "plugin-timeout",
            Self::Memory(_) => "plugin-memory-exceeded",
            Self::HostCalls(_) => "plugin-host-calls-exceeded",
            Self::Trap(_) => "plugin-failed",
            Self::Answer(_) => "plugin-bad-answer",
            Self::Store(store::Error::DiskFull) => "storage-full",
            Self::Store(store::Error::Timeout(_)) => "storage-timeout",
            Self::Store(_) => "storage-unavailable",
            Self::Application(_) => "application-failed",
            Self::KeyReused => "idempotency-key-reused",
            Self::Missing(_) => "plugin-incomplete",
            Self::Revoked(_) => "plugin-right-revoked",
            Self::Stopping => "stopping",
            Self::Quarantined(_) => "plugin-quarantined",
            Self::CpuShare => "plugin-over-share",
        }
    }

    /// After how many seconds another attempt makes sense.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Quarantined(seconds) => Some(*seconds),
            _ => matches!(self.status(), 429 | 503).then_some(1),
        }
    }

    /// What callers are told: which side is at fault and what they can do, nothing of the inside.
    #[must_use]
    pub fn outside(&self) -> &'static str {
        match self {
            Self::Busy(_) => "The plugin is busy. Try again later.",
            Self::Cpu(_) | Self::Wall(_) => "The plugin took too long. Nothing was changed.",
            Self::Memory(_) | Self::HostCalls(_) | Self::Trap(_) | Self::Answer(_) => {
                "The plugin failed. Nothing was changed."
            }
            Self::Store(store::Error::DiskFull) => "The storage is full. Nothing was changed.",
            Self::Store(_) => "The storage did not answer in time. Nothing was changed.",
            Self::Application(_) => "The application around the host failed. Nothing was changed.",
            Self::KeyReused => "The idempotency key was used with another request before.",
            Self::Missing(_) => "The plugin does not serve this.",
            Self::Revoked(_) => "The plugin may not do this any more. Nothing was changed.",
            Self::Stopping => {
                "The host is stopping, or this came too late for its version of the plugin. Try again."
            }
            Self::Quarantined(_) => "The plugin failed too often and is left alone for a while.",
            Self::CpuShare => "The plugin is called too often. Try again later.",
        }
    }

    /// Whether the fault lies with the plugin's code, as opposed to load, storage or the caller.
    #[must_use]
    pub fn is_plugin_fault(&self) -> bool {
        matches!(
            self,
            Self::Cpu(_)
                | Self::Wall(_)
                | Self::Memory(_)
                | Self::HostCalls(_)
                | Self::Trap(_)
                | Self::Answer(_)
        )
    }
}
