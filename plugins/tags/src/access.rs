//! Who may read, tag, and make tags. What curators may do is a rule of their routes.

use caplet_sdk::prelude::*;

use crate::settings::{TagsSettings, Who};

/// Who may change and remove tags, their places, synonyms and groups.
pub const CURATE: &str = "tags.curate";
/// Who may tag items where not everyone may.
pub const ASSIGN: &str = "tags.assign";
/// Who may make tags where not everyone may.
pub const CREATE: &str = "tags.create";

/// Somebody who may read.
pub struct Reader;

impl FromRequest for Reader {
    fn from_request(_request: &mut Request) -> Result<Self, Problem> {
        if settings::current::<TagsSettings>()?.public_read || identity::caller().is_some() {
            return Ok(Self);
        }
        Err(Problem::unauthorized("Tags are read with a token here."))
    }

    fn describe(operation: &mut caplet_sdk::Operation<'_>) {
        operation.reads_identity();
        operation.problem(401, "Tags are read with a token here.");
    }
}

/// Somebody who may tag.
pub struct Tagger(pub Caller);

impl FromRequest for Tagger {
    fn from_request(request: &mut Request) -> Result<Self, Problem> {
        let caller = Caller::from_request(request)?;
        if settings::current::<TagsSettings>()?.tagging == Who::Permitted {
            require_any(&[ASSIGN, CURATE])?;
        }
        Ok(Self(caller))
    }

    fn describe(operation: &mut caplet_sdk::Operation<'_>) {
        Caller::describe(operation);
        operation.problem(403, "Not everybody may tag here.");
    }
}

/// Passes for those who may make tags.
///
/// # Errors
/// 403 for others.
pub fn require_may_create(settings: &TagsSettings) -> Result<(), Problem> {
    match settings.creating {
        Who::Everyone => Ok(()),
        Who::Permitted => require_any(&[CREATE, CURATE]),
    }
}

/// Passes for those who hold one of the permissions; the first is the one that a refusal names.
fn require_any(permissions: &[&'static str]) -> Result<(), Problem> {
    if permissions.iter().any(|permission| identity::permitted(permission)) {
        return Ok(());
    }
    identity::require(permissions[0])
}
