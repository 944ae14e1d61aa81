//! `GET /moderation`: the comments that await a moderator, over all targets.

use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::comment::{Comment, Key};
use crate::select::{self, Reader};

/// A state that is not seen by everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Hidden {
    #[default]
    Held,
    Spam,
}

/// Which comments to list.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct Filter {
    /// `held` if not given, or `spam`.
    state: Option<Hidden>,
}

/// `GET /moderation`
pub fn list_hidden(
    Query(filter): Query<Filter>,
    page: Page,
    caller: Caller,
) -> Result<Listing<Comment>, Problem> {
    // A literal each, so that one prepared plan serves all values.
    let (order, state) = match filter.state.unwrap_or_default() {
        Hidden::Held => ("held", " FROM comments c WHERE c.tenant = $tenant AND c.state = 'held'"),
        Hidden::Spam => ("spam", " FROM comments c WHERE c.tenant = $tenant AND c.state = 'spam'"),
    };
    let after = page.after::<(Key,)>(order)?;
    let reader = Reader(Some(caller.subject));
    let hidden = select::page(page.limit, |limit| {
        let mut statement = select::all_columns(&reader);
        statement.push(r#", c.id AS "id:key""#).push(state);
        if let Some((Key(id),)) = &after {
            statement.push(" AND c.id > ").bind(id);
        }
        statement.push(" ORDER BY c.id LIMIT ").bind(limit + 1);
        statement
    })?;
    Ok(Listing::from_json(order, hidden))
}
