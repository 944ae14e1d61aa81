//! Where a comment stands in its tree, and the rule for replies that are too deep.

use caplet_sdk::Target;
use caplet_sdk::prelude::*;

use crate::comment::{Stored, deleted, hidden};

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

    /// The place of a reply. It is not counted there yet: see [`Place::take`].
    ///
    /// # Errors
    /// 422 when there is no such comment on the target, 409 when it is deleted or hidden.
    pub fn below(
        id: &str,
        target: &Target,
        answered: &str,
        depth_max: u8,
    ) -> Result<Self, Problem> {
        let answered = Stored::find(answered)?
            .filter(|answered| answered.target == target.as_str())
            .filter(|answered| answered.shown || answered.is_open_to_caller())
            .ok_or_else(|| {
                Problem::unprocessable_at("/parent", "is not a comment on this target")
            })?;
        if answered.deleted {
            return Err(deleted());
        }
        if !answered.state.is_approved() {
            return Err(hidden());
        }
        let reply_to = Some(answered.id.clone());
        let Some(parent) = parent_of_reply(answered, depth_max, Stored::load)? else {
            return Ok(Self { reply_to, ..Self::top(id) });
        };
        let depth = parent.depth + 1;
        Ok(Self { parent: Some(parent.id), reply_to, root: parent.root, ordinal: 0, depth })
    }

    /// Counts the comment at its parent and root, which gives it its ordinal.
    ///
    /// # Errors
    /// Those of the store.
    pub fn take(mut self) -> Result<Self, Problem> {
        if let Some(parent) = &self.parent {
            self.ordinal = count_reply(parent, &self.root)?;
        }
        Ok(self)
    }
}

/// Counts a comment that is shown again, or for the first time, and gives it an ordinal if it has
/// none. Those above it that had left their places get them back.
///
/// # Errors
/// Those of the store.
pub fn join(comment: &Stored) -> Result<(), Problem> {
    let mut joining = comment.clone();
    while let Some(parent) = joining.parent.clone() {
        let ordinal = count_reply(&parent, &joining.root)?;
        if joining.ordinal == 0 {
            let statement = "UPDATE comments SET ordinal = $2 WHERE tenant = $tenant AND id = $1";
            sql::execute(statement, params![&joining.id, ordinal])?;
        }
        let above = Stored::find(&parent)?.filter(|above| !above.shown);
        let Some(above) = above else { break };
        let statement = "UPDATE comments SET shown = 1 WHERE tenant = $tenant AND id = $1";
        sql::execute(statement, params![&above.id])?;
        joining = above;
    }
    Ok(())
}

/// Counts a comment that is not shown any more; it keeps its ordinal. Hidden ones above it that have
/// no other reply leave as well.
///
/// # Errors
/// Those of the store.
pub fn leave(comment: &Stored) -> Result<(), Problem> {
    let mut parent = comment.parent.clone();
    while let Some(left) = parent.take() {
        let statement = "UPDATE comments SET n_replies = n_replies - 1, version = version + 1, \
                         shown = CASE WHEN state = 'approved' OR n_replies > 1 THEN 1 ELSE 0 END \
                         WHERE tenant = $tenant AND id = $1 RETURNING shown, parent";
        let (shown, above): (bool, Option<String>) = sql::query_one(statement, params![left])?;
        if !shown {
            parent = above;
        }
    }
    Ok(())
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
fn count_reply(parent: &str, root: &str) -> Result<i64, Problem> {
    let statement = "UPDATE comments SET \
                     n_replies = n_replies + CASE WHEN id = $1 THEN 1 ELSE 0 END, \
                     version = version + CASE WHEN id = $1 THEN 1 ELSE 0 END, \
                     n_descendants = n_descendants + CASE WHEN id = $2 THEN 1 ELSE 0 END \
                     WHERE tenant = $tenant AND id IN ($1, $2) RETURNING id, n_descendants";
    let counted: Vec<(String, i64)> = sql::query(statement, params![parent, root])?;
    let of_root = counted.into_iter().find(|(id, _)| id == root);
    of_root.map(|(_, n_descendants)| n_descendants).ok_or_else(|| {
        log::error!("a comment has no root", id = parent);
        Problem::internal()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

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
            state: State::Approved,
            shown: true,
            ordinal: 0,
            n_replies: 0,
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
