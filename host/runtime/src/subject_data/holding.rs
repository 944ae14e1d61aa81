//! What a plugin says it keeps about people.

use std::collections::BTreeSet;
use std::sync::Arc;

use caplet_abi::exports::subject_data as wire;
use serde::Serialize;

use crate::fault::Fault;
use crate::guest::Context;
use crate::instance::{Instance, Template};
use crate::invocation::Invocation;

/// Holdings of one plugin.
const HOLDINGS_MAX: usize = 50;

/// Characters of a holding's name.
const NAME_CHARACTERS_MAX: usize = 80;

/// Characters of each of its texts.
const TEXT_CHARACTERS_MAX: usize = 1_000;

/// One kind of personal data that a plugin keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// Its name, unique in the plugin.
    pub name: String,
    /// What is kept.
    pub summary: String,
    /// What it is kept for.
    pub purpose: String,
    /// How long it is kept.
    pub retention: String,
    /// What erasing a subject does to it.
    pub erasure: Erasure,
}

/// What erasing a subject does to a holding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "does", content = "reason", rename_all = "kebab-case")]
pub enum Erasure {
    /// Its records are deleted.
    Delete,
    /// Its records stay, without anything that tells whose they were.
    Anonymise,
    /// Its records stay as they are, for this reason.
    Keep(String),
}

/// Asks a component what it keeps about people, in an instance without any right.
///
/// # Errors
/// The fault of the call, or everything that is wrong with the answer.
pub(crate) async fn describe(
    template: &Template,
    context: Arc<Context>,
    invocation: Invocation,
) -> Result<Vec<Holding>, Vec<String>> {
    let Some(exported) = template.subject_data() else { return Ok(Vec::new()) };
    let said = |fault: Fault| vec![format!("`subject-data.describe`: the plugin {fault}")];
    let mut instance = Instance::start(template, context, invocation).await.map_err(said)?;
    let described = instance
        .call(|store, instance| {
            let guest = exported.load(&mut *store, instance);
            Box::pin(async move { guest?.call_describe(store).await })
        })
        .await
        .map_err(said)?;
    let reasons = faults(&described);
    if reasons.is_empty() {
        Ok(described.into_iter().map(Holding::from).collect())
    } else {
        Err(reasons)
    }
}

/// Everything that is wrong with a description.
fn faults(holdings: &[wire::Holding]) -> Vec<String> {
    let mut reasons = Vec::new();
    if holdings.len() > HOLDINGS_MAX {
        reasons.push(format!("{} holdings, the limit is {HOLDINGS_MAX}", holdings.len()));
    }
    let mut names = BTreeSet::new();
    for holding in holdings {
        let name = holding.name.escape_debug();
        if !is_name(&holding.name) {
            reasons.push(format!(
                "holding `{name}`: a name is 1 to {NAME_CHARACTERS_MAX} of a-z, 0-9 and `-`"
            ));
        }
        if !names.insert(&holding.name) {
            reasons.push(format!("holding `{name}` is there twice"));
        }
        let reason = match &holding.erasure {
            wire::Erasure::Keep(reason) => Some(("reason to keep", reason)),
            wire::Erasure::Delete | wire::Erasure::Anonymise => None,
        };
        let texts = [
            ("summary", &holding.summary),
            ("purpose", &holding.purpose),
            ("retention", &holding.retention),
        ];
        for (what, text) in texts.into_iter().chain(reason) {
            if text.trim().is_empty() || text.chars().count() > TEXT_CHARACTERS_MAX {
                reasons.push(format!(
                    "holding `{name}`: its {what} has 1 to {TEXT_CHARACTERS_MAX} characters"
                ));
            }
        }
    }
    reasons
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

impl From<wire::Holding> for Holding {
    fn from(holding: wire::Holding) -> Self {
        let wire::Holding { name, summary, purpose, retention, erasure } = holding;
        let erasure = match erasure {
            wire::Erasure::Delete => Erasure::Delete,
            wire::Erasure::Anonymise => Erasure::Anonymise,
            wire::Erasure::Keep(reason) => Erasure::Keep(reason),
        };
        Self { name, summary, purpose, retention, erasure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(name: &str) -> wire::Holding {
        let text = || "Something.".to_owned();
        wire::Holding {
            name: name.to_owned(),
            summary: text(),
            purpose: text(),
            retention: text(),
            erasure: wire::Erasure::Delete,
        }
    }

    #[test]
    fn names_everything_that_is_wrong_with_a_description() {
        assert!(faults(&[holding("votes"), holding("votes-2")]).is_empty());
        let silent = wire::Holding { retention: " ".to_owned(), ..holding("votes") };
        let keeps = wire::Holding { erasure: wire::Erasure::Keep(String::new()), ..holding("a") };
        let reasons = faults(&[silent, holding("votes"), holding("No name"), keeps]);
        for reason in ["its retention", "there twice", "`No name`", "its reason to keep"] {
            assert!(reasons.iter().any(|it| it.contains(reason)), "{reason}: {reasons:?}");
        }
        assert_eq!(reasons.len(), 4);
        let many: Vec<_> = (0..51).map(|number| holding(&format!("h{number}"))).collect();
        assert_eq!(faults(&many).len(), 1);
    }
}
