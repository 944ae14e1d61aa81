//! The statements that the serving components ran, written down now and then, so that an upgrade after a
//! restart, or after another generation of the same component, is held against them too. What is lost with a host that is killed is recorded again by the next
//! request that runs it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use caplet_store::Database;
use parking_lot::Mutex;

use super::schema::tag;
use crate::digest::Digest;
use crate::generation::Generation;
use crate::runtime::{Inner, Runtime};

/// Between two times of writing down.
const PERIOD: Duration = Duration::from_secs(30);

/// How many statements of the component that each plugin runs were written down.
#[derive(Default)]
pub(crate) struct Written(Mutex<HashMap<String, (Digest, usize)>>);

impl Runtime {
    /// Writes down statements now and then, for as long as the runtime lives.
    pub(crate) fn record_statements(&self) {
        let weak = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PERIOD).await;
                let Some(inner) = weak.upgrade() else { return };
                Self { inner }.write_statements_down().await;
            }
        });
    }

    /// Writes down what has come since the last time.
    pub(crate) async fn write_statements_down(&self) {
        let serving: Vec<Arc<Generation>> = self.table().iter().cloned().collect();
        for generation in serving {
            if let Err(error) = write_down(&self.inner, &generation).await {
                tracing::warn!(plugin = generation.name(), %error, "statements are not written down");
            }
        }
    }
}

async fn write_down(inner: &Inner, generation: &Generation) -> caplet_store::Result<()> {
    let Some(database) = &generation.context.database else { return Ok(()) };
    let (plugin, digest) = (generation.name(), generation.digest());
    let statements = database.statements_of(tag(&digest));
    let known = inner.lifecycle.written.0.lock().get(plugin).copied();
    let n_known = known.filter(|(of, _)| *of == digest).map_or(0, |(_, n_known)| n_known);
    if statements.texts.len() <= n_known {
        return Ok(());
    }
    let redaction = &generation.context.redaction;
    let texts = statements.texts.iter().map(|text| redaction.text(text).into()).collect::<Vec<_>>();
    inner.lifecycle.ledger.keep_statements(plugin, &digest, &texts).await?;
    let written = (digest, statements.texts.len());
    inner.lifecycle.written.0.lock().insert(plugin.to_owned(), written);
    Ok(())
}

/// Records again what a component ran before, where nothing is recorded of it.
pub(super) async fn remember(
    inner: &Inner,
    (plugin, digest): (&str, &Digest),
    database: &dyn Database,
) -> caplet_store::Result<()> {
    let tag = tag(digest);
    if database.statements_of(tag).texts.is_empty() {
        let texts = inner.lifecycle.ledger.statements(plugin, digest).await?;
        database.restore_statements(tag, &texts);
    }
    Ok(())
}
