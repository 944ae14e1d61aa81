//! What a plugin answers about the personal data it keeps: `holding` is what it says it keeps, asked
//! when it is loaded; `export` and `erase` are kinds of invocation. Nothing that a guest answers is
//! trusted: names, sizes and cursors are checked here. Which plugins are asked, and how often, is the
//! host's.

mod erase;
mod export;
mod holding;

use std::sync::Arc;

use caplet_abi::exports::subject_data as exports;

use crate::fault::Fault;
use crate::generation::Generation;
use crate::identity::{Identity, Kind};
use crate::redaction::Redaction;
use crate::work::Origin;

pub use erase::{Erased, Step, StepKey};
pub use export::Page;
pub(crate) use holding::describe;
pub use holding::{Erasure, Holding};

/// Who calls a plugin when the host itself does: a service without roles and scopes.
const HOST_SUBJECT: &str = "caplet-host";

/// Characters in what a plugin says of its failure; the rest is cut.
const REASON_CHARACTERS_MAX: usize = 1_000;

/// Whom an export or an erasure is about, and who wants it.
#[derive(Debug, Clone)]
pub struct About {
    /// Names the run in logs.
    pub request_id: Arc<str>,
    /// The W3C trace id, 32 hexadecimal digits.
    pub trace_id: Arc<str>,
    /// The tenant of the subject.
    pub tenant: Arc<str>,
    /// The subject, 1 to 255 characters.
    pub subject: Arc<str>,
}

/// Why a plugin did not do its part. Nothing was changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The invocation failed.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// The plugin does not know the cursor: the export has to begin again.
    #[error("does not know its own cursor")]
    Cursor,
    /// The plugin says that it cannot; its text, for operators.
    #[error("says that it failed: {0}")]
    Failed(String),
}

impl Refusal {
    fn without_secrets(self, redaction: &Redaction) -> Self {
        match self {
            Self::Failed(reason) => Self::Failed(redaction.text(&reason).into_owned()),
            other => other,
        }
    }
}

impl Generation {
    /// Whether the plugin answers for the personal data it keeps.
    #[must_use]
    pub fn answers_for_subjects(&self) -> bool {
        self.subject_data_export().is_some()
    }

    /// How to ask the plugin, if it answers.
    fn subject_data_export(&self) -> Option<&exports::GuestIndices> {
        self.program.plugin()?.subject_data()
    }

    /// What the plugin says it keeps about people; empty also when it does not answer.
    #[must_use]
    pub fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    /// A page of what the plugin keeps about a subject: the first one without a cursor.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn export_subject(
        self: Arc<Self>,
        about: About,
        cursor: Option<String>,
    ) -> Result<Page, Refusal> {
        let redaction = self.context.redaction.clone();
        let exported =
            self.perform(export::Export { asked: Asked::by_host(about), cursor }).await?;
        exported.map_err(|refusal| refusal.without_secrets(&redaction))
    }

    /// One step of an erasure. A step that is asked for again with the same key, because nobody knows
    /// whether it was done, is done once and answered as it was.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn erase_subject(
        self: Arc<Self>,
        about: About,
        key: StepKey,
    ) -> Result<Step, Refusal> {
        let redaction = self.context.redaction.clone();
        let erased = self.perform(erase::Erase { asked: Asked::by_host(about), key }).await?;
        erased.map_err(|refusal| refusal.without_secrets(&redaction))
    }

    /// Forgets the kept answers to a subject's requests and those that name it, and empties the
    /// database's log, so that its files hold nothing any more of what was erased. Returns how many
    /// answers were forgotten. Doing it again does no harm.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn forget_subject(&self, tenant: &str, subject: &str) -> caplet_store::Result<u64> {
        match &self.context.database {
            Some(database) => database.forget(tenant, subject).await,
            None => Ok(0),
        }
    }
}

/// Whom a call is about, and who makes it.
struct Asked {
    about: About,
    identity: Arc<Identity>,
}

impl Asked {
    fn by_host(about: About) -> Self {
        let identity = Identity {
            subject: HOST_SUBJECT.to_owned(),
            kind: Kind::Service,
            tenant: about.tenant.clone(),
            roles: Vec::new(),
            teams: Vec::new(),
            scopes: Vec::new(),
        };
        Self { about, identity: Arc::new(identity) }
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            request_id: &self.about.request_id,
            trace_id: &self.about.trace_id,
            identity: Some(&self.identity),
            tenant: &self.about.tenant,
        }
    }
}

impl From<caplet_abi::exports::subject_data::Error> for Refusal {
    fn from(error: caplet_abi::exports::subject_data::Error) -> Self {
        use caplet_abi::exports::subject_data::Error;
        match error {
            Error::Cursor => Self::Cursor,
            Error::Failed(reason) => {
                Self::Failed(reason.chars().take(REASON_CHARACTERS_MAX).collect())
            }
        }
    }
}

/// The fault of a holding that the plugin did not describe.
fn unknown_holding(name: &str) -> Fault {
    Fault::Answer(format!("it has no holding `{}`", name.escape_debug()))
}
