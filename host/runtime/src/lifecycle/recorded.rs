//! The statements that the serving generations ran, written down now and then, so that an upgrade after a
//! restart is held against them too. What is lost with a host that is killed is recorded again by the next
//! request that runs it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::schema::tag;
use crate::generation::Generation;
use crate::runtime::{Inner, Runtime};

/// Between two times of writing down.
const PERIOD: Duration = Duration::from_secs(30);

/// How many statements of each generation were written down.
#[derive(Default)]
pub(crate) struct Written(Mutex<HashMap<(String, u32), usize>>);

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
    let (plugin, number) = (generation.name(), generation.number());
    let statements = database.statements_of(tag(number));
    let key = (plugin.to_owned(), number);
    let known = inner.lifecycle.written.0.lock().get(&key).copied().unwrap_or_default();
    if statements.texts.len() <= known {
        return Ok(());
    }
    let redaction = &generation.context.redaction;
    let texts = statements.texts.iter().map(|text| redaction.text(text).into()).collect::<Vec<_>>();
    inner.lifecycle.ledger.keep_statements(plugin, number, &texts).await?;
    inner.lifecycle.written.0.lock().insert(key, statements.texts.len());
    Ok(())
}
