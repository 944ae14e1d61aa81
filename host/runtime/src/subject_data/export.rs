//! A page of what a plugin keeps about a subject.

use std::collections::BTreeMap;

use caplet_abi::exports::subject_data as wire;
use caplet_store::Mode;
use serde::de::IgnoredAny;

use super::{Asked, Refusal, unknown_holding};
use crate::fault::Fault;
use crate::generation::Generation;
use crate::instance::Instance;
use crate::invocation::StoreUse;
use crate::work::{Origin, Work};

/// Bytes of a cursor.
const CURSOR_BYTES_MAX: usize = 4_096;

/// A part of what a plugin keeps about a subject, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The holding that the items are of.
    pub holding: String,
    /// A JSON array of objects.
    pub items: String,
    /// How many objects it has.
    pub n_items: usize,
    /// What the next page is asked for with; none after the last one.
    pub next: Option<String>,
}

/// The call for one page.
pub(super) struct Export {
    pub(super) asked: Asked,
    pub(super) cursor: Option<String>,
}

impl Work for Export {
    type Outcome = Result<Page, Refusal>;

    fn operation<'a>(&'a self, _generation: &'a Generation) -> &'a str {
        "subject-data.export"
    }

    fn origin(&self) -> Origin<'_> {
        self.asked.origin()
    }

    fn store_use(&self, _generation: &Generation) -> StoreUse {
        StoreUse::Allowed(Mode::Read)
    }

    async fn serve(
        &self,
        generation: &Generation,
        instance: &mut Instance,
    ) -> Result<Self::Outcome, Fault> {
        let exported = generation.subject_data_export().ok_or(Fault::Missing("subject-data"))?;
        let (subject, cursor) = (self.asked.about.subject.clone(), self.cursor.clone());
        let answered = instance.call(|store, instance| {
            let guest = exported.load(&mut *store, instance);
            Box::pin(async move { guest?.call_export(store, &subject, cursor.as_deref()).await })
        });
        match answered.await? {
            Ok(page) => self.check(page, generation).map(Ok),
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn commits(outcome: &Self::Outcome) -> bool {
        outcome.is_ok()
    }
}

impl Export {
    fn check(&self, page: wire::Page, generation: &Generation) -> Result<Page, Fault> {
        let wire::Page { holding, items, next } = page;
        if !generation.holdings().iter().any(|known| known.name == holding) {
            return Err(unknown_holding(&holding));
        }
        let limits = generation.limits();
        let (n_bytes, bytes_max) = (items.len(), limits.subject_page_bytes_max);
        if n_bytes > bytes_max {
            return Err(bad(format!("the page has {n_bytes} bytes, the limit is {bytes_max}")));
        }
        // The reader of JSON skips what it need not keep, whatever its bytes are.
        let items =
            String::from_utf8(items).map_err(|_| bad("the page is not UTF-8".to_owned()))?;
        let objects: Vec<BTreeMap<String, IgnoredAny>> = serde_json::from_str(&items)
            .map_err(|error| bad(format!("the page is no JSON array of objects: {error}")))?;
        let (n_items, records_max) = (objects.len(), limits.subject_records_max);
        if n_items > records_max {
            return Err(bad(format!("the page has {n_items} records, the limit is {records_max}")));
        }
        if let Some(next) = &next {
            self.check_cursor(next)?;
        }
        Ok(Page { holding, items, n_items, next })
    }

    fn check_cursor(&self, next: &str) -> Result<(), Fault> {
        if !(1..=CURSOR_BYTES_MAX).contains(&next.len()) {
            return Err(bad(format!(
                "the cursor has {} bytes, not 1 to {CURSOR_BYTES_MAX}",
                next.len()
            )));
        }
        if self.cursor.as_deref() == Some(next) {
            return Err(bad("the cursor of the next page is the one of this page".to_owned()));
        }
        Ok(())
    }
}

fn bad(reason: String) -> Fault {
    Fault::Answer(reason)
}
