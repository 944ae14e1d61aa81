//! Where a comment stands in its tree, and the rule for replies that are too deep.

use caplet_sdk::Target;
use caplet_sdk::prelude::*;

use crate::comment::{Stored, deleted};

/// The place of a new comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The comment it stands below; none at the top.
    pub parent: Option<String>,
    /// The comment it answers.
    pub reply_to: Option<String>,
    /// The top of its tree; itself at the top.
    pub root: String,
    /// Its place among all below the root; 0 for the root.
    pub ordinal: i64,
    /// Its level, 1 at the top.
    pub depth: i64,
}

impl Place {
    /// The place of a comment that answers no other.
    pub fn top(id: &str) -> Self {
        Self { parent: None, reply_to: None, root: id.to_owned(), ordinal: 0, depth: 1 }
    }

    /// Takes the place of a reply: finds its parent, and counts it there and at its root.
    ///
    /// # Errors
    /// 422 when there is no such comment on the target, 409 when it is deleted.
    pub fn take_below(
        id: &str,
        target: &Target,
        answered: &str,
        depth_max: u8,
    ) -> Result<Self, Problem> {
        let answered = Stored::find(answered)?
            .filter(|answered| answered.target == target.as_str())
            .ok_or_else(|| {
                Problem::unprocessable_at("/parent", "is not a comment on this target")
            })?;
        if answered.deleted {
            return Err(deleted());
        }
        let reply_to = Some(answered.id.clone());
        let Some(parent) = parent_of_reply(answered, depth_max, Stored::load)? else {
            return Ok(Self { reply_to, ..Self::top(id) });
        };
        let ordinal = count_reply(&parent)?;
        let depth = parent.depth + 1;
        Ok(Self { parent: Some(parent.id), reply_to, root: parent.root, ordinal, depth })
    }
}

/// The comment that a reply stands below: the answered one, or its nearest ancestor above the last
/// level. None when there is only one level.
fn parent_of_reply(
    answered: Stored,
    depth_max: u8,
    load: impl Fn(&str) -> Result<Stored, Problem>,
) -> Result<Option<Stored>, Problem> {
    let mut parent = answered;
    while parent.depth >= i64::from(depth_max) {
        match &parent.parent {
            Some(above) => parent = load(above)?,
            None => return Ok(None),
        }
    }
    Ok(Some(parent))
}

/// Counts a new reply at its parent and root, and returns its ordinal below the root.
fn count_reply(parent: &Stored) -> Result<i64, Problem> {
    let statement = "UPDATE comments SET \
                     n_replies = n_replies + CASE WHEN id = $1 THEN 1 ELSE 0 END, \
                     version = version + CASE WHEN id = $1 THEN 1 ELSE 0 END, \
                     n_descendants = n_descendants + CASE WHEN id = $2 THEN 1 ELSE 0 END \
                     WHERE tenant = $tenant AND id IN ($1, $2) RETURNING id, n_descendants";
    let counted: Vec<(String, i64)> = sql::query(statement, params![&parent.id, &parent.root])?;
    let of_root = counted.into_iter().find(|(id, _)| *id == parent.root);
    of_root.map(|(_, n_descendants)| n_descendants).ok_or_else(|| {
        log::error!("a comment has no root", id = parent.id);
        Problem::internal()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The comment at a level of a straight line of replies; its id is its level.
    fn at(depth: i64) -> Stored {
        Stored {
            id: depth.to_string(),
            target: "post:1".to_owned(),
            parent: (depth > 1).then(|| (depth - 1).to_string()),
            root: "1".to_owned(),
            depth,
            author: None,
            body: None,
            deleted: false,
            created_ms: 0,
            edited_ms: None,
            edited_by: None,
            n_edits: 0,
            n_up: 0,
            n_down: 0,
            reactions: "{}".to_owned(),
            version: 1,
        }
    }

    fn parent_when_answering(depth: i64, depth_max: u8) -> Option<String> {
        let load = |id: &str| Ok(at(id.parse().unwrap()));
        parent_of_reply(at(depth), depth_max, load).unwrap().map(|parent| parent.id)
    }

    #[test]
    fn replies_stand_below_what_they_answer() {
        assert_eq!(parent_when_answering(1, 8).unwrap(), "1");
        assert_eq!(parent_when_answering(7, 8).unwrap(), "7");
    }

    #[test]
    fn deeper_replies_join_the_last_level() {
        assert_eq!(parent_when_answering(8, 8).unwrap(), "7");
        // Written before the operator allowed fewer levels.
        assert_eq!(parent_when_answering(8, 3).unwrap(), "2");
    }

    #[test]
    fn with_one_level_all_stand_at_the_top() {
        assert_eq!(parent_when_answering(1, 1), None);
        assert_eq!(parent_when_answering(4, 1), None);
    }
}
