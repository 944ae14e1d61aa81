//! Versions: entity tags, and what requests say of them.

use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

/// How a version looks, and when it was made.
#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct Look {
    variant: Option<String>,
    modified_ms: Option<i64>,
}

impl Look {
    fn etag(&self, version: &str) -> ETag {
        let etag = ETag::strong(version);
        match &self.variant {
            Some(variant) => etag.variant(variant),
            None => etag,
        }
    }

    fn validators(&self, version: &str) -> Validators {
        match self.modified_ms {
            Some(modified_ms) => Validators::modified(self.etag(version), modified_ms),
            None => self.etag(version).into(),
        }
    }
}

pub fn read_version(
    Path(version): Path<String>,
    Query(look): Query<Look>,
    preconditions: Preconditions,
) -> Result<Conditional<String>, Problem> {
    preconditions.unless(look.validators(&version), || "read".to_owned())
}

pub fn change_version(
    Path(version): Path<String>,
    Query(look): Query<Look>,
    preconditions: Preconditions,
) -> Result<WithEtag<String>, Problem> {
    preconditions.check(look.validators(&version))?;
    Ok(WithEtag(look.etag(&version), "changed".to_owned()))
}

pub fn remove_version(
    Path(version): Path<String>,
    if_match: IfMatch,
) -> Result<NoContent, Problem> {
    if_match.require(&ETag::strong(version))?;
    Ok(NoContent)
}
