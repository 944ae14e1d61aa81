//! Lists of comments: those of a target, flat or as a tree, and the direct replies to one.
//!
//! Every list is read along an index, from where the page before ended, so that a page costs the
//! same wherever it is and nothing is shown twice or left out while comments are added. Under
//! `sort=best` a comment whose votes change between two pages may move across them.

use caplet_sdk::Target;
use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::comment::{Comment, Key, Stored};
use crate::select::{self, Reader};
use crate::tree;

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// The newest first.
    #[default]
    New,
    /// The oldest first.
    Old,
    /// Those with the best votes first, the newest first among equals.
    Best,
}

/// The shape of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// All comments, replies among them.
    #[default]
    Flat,
    /// The comments at the top, each with its first replies as a tree in `replies`.
    Tree,
}

/// Which comments to list.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct Filter {
    /// What the comments are about, `type:id`.
    target: Target,
    /// The order; `new` if not given.
    sort: Option<Sort>,
    /// The shape; `flat` if not given.
    view: Option<View>,
}

/// In which order to list replies.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct RepliesFilter {
    /// The order; `old` if not given.
    sort: Option<Sort>,
}

/// `GET /`
pub fn list_comments(
    Query(filter): Query<Filter>,
    page: Page,
    reader: Reader,
) -> Result<Listing<Comment>, Problem> {
    let sort = filter.sort.unwrap_or_default();
    let target = filter.target.as_str();
    match filter.view.unwrap_or_default() {
        View::Flat => Range::new(Among::All { target }, sort, &page)?.list(&reader),
        View::Tree => tree::list(&Range::new(Among::Tops { target }, sort, &page)?, &reader),
    }
}

/// `GET /{id}/replies`
pub fn list_replies(
    Path(id): Path<String>,
    Query(filter): Query<RepliesFilter>,
    page: Page,
    reader: Reader,
) -> Result<Listing<Comment>, Problem> {
    let parent = Stored::load(&id)?;
    let among = Among::Replies { target: &parent.target, parent: &parent.id };
    Range::new(among, filter.sort.unwrap_or(Sort::Old), &page)?.list(&reader)
}

/// Which comments a list is made of.
#[derive(Debug, Clone, Copy)]
pub enum Among<'a> {
    /// All of a target.
    All { target: &'a str },
    /// Those of a target that stand at the top.
    Tops { target: &'a str },
    /// Those below a comment. Its target is part of the index.
    Replies { target: &'a str, parent: &'a str },
}

/// The place of the last item of the page before.
#[derive(Debug)]
enum After {
    Id(String),
    Standing(i64, String),
}

/// A page's part of a list: which comments, in which order, from where, and how many at most.
#[derive(Debug)]
pub struct Range<'a> {
    among: Among<'a>,
    sort: Sort,
    after: Option<After>,
    pub limit: u32,
}

impl<'a> Range<'a> {
    /// # Errors
    /// 400 when the page's cursor was made for another list.
    pub fn new(among: Among<'a>, sort: Sort, page: &Page) -> Result<Self, Problem> {
        let order = order_name(among, sort);
        let after = match sort {
            Sort::Best => {
                page.after(order)?.map(|(standing, Key(id))| After::Standing(standing, id))
            }
            Sort::New | Sort::Old => page.after(order)?.map(|(Key(id),)| After::Id(id)),
        };
        Ok(Self { among, sort, after, limit: page.limit })
    }

    /// The name that the list's cursors carry.
    pub fn order_name(&self) -> &'static str {
        order_name(self.among, self.sort)
    }

    /// Reads the page.
    ///
    /// # Errors
    /// Those of the store.
    pub fn read(&self, reader: &Reader) -> Result<sql::JsonPage, Problem> {
        select::page(self.limit, |limit| {
            let mut statement = select::columns(reader);
            statement.push(match self.sort {
                Sort::Best => r#", c.standing AS "standing:key", c.id AS "id:key" FROM comments c"#,
                Sort::New | Sort::Old => r#", c.id AS "id:key" FROM comments c"#,
            });
            self.restrict(&mut statement, limit + 1);
            statement
        })
    }

    fn list(&self, reader: &Reader) -> Result<Listing<Comment>, Problem> {
        Ok(Listing::from_json(self.order_name(), self.read(reader)?))
    }

    /// Appends what comes after `FROM comments c`.
    pub fn restrict(&self, statement: &mut Statement, limit: u32) {
        statement.push(" WHERE c.tenant = $tenant AND c.target = ");
        match self.among {
            Among::All { target } => statement.bind(target).push(" AND c.shown = 1"),
            Among::Tops { target } => {
                statement.bind(target).push(" AND c.shown = 1 AND c.parent IS NULL")
            }
            Among::Replies { target, parent } => {
                statement.bind(target).push(" AND c.shown = 1 AND c.parent = ").bind(parent)
            }
        };
        match (&self.after, self.sort) {
            (None, _) => {}
            (Some(After::Id(id)), Sort::Old) => {
                statement.push(" AND c.id > ").bind(id);
            }
            (Some(After::Id(id)), _) => {
                statement.push(" AND c.id < ").bind(id);
            }
            (Some(After::Standing(standing, id)), _) => {
                let statement = statement.push(" AND (c.standing, c.id) < (").bind(*standing);
                statement.push(", ").bind(id).push(")");
            }
        }
        statement.push(match self.sort {
            Sort::New => " ORDER BY c.id DESC LIMIT ",
            Sort::Old => " ORDER BY c.id LIMIT ",
            Sort::Best => " ORDER BY c.standing DESC, c.id DESC LIMIT ",
        });
        statement.bind(limit);
    }
}

fn order_name(among: Among<'_>, sort: Sort) -> &'static str {
    match (among, sort) {
        (Among::All { .. }, Sort::New) => "new",
        (Among::All { .. }, Sort::Old) => "old",
        (Among::All { .. }, Sort::Best) => "best",
        (Among::Tops { .. }, Sort::New) => "tree-new",
        (Among::Tops { .. }, Sort::Old) => "tree-old",
        (Among::Tops { .. }, Sort::Best) => "tree-best",
        (Among::Replies { .. }, Sort::New) => "replies-new",
        (Among::Replies { .. }, Sort::Old) => "replies-old",
        (Among::Replies { .. }, Sort::Best) => "replies-best",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(sort: Sort, after: Option<After>) -> String {
        let range = Range { among: Among::All { target: "post:1" }, sort, after, limit: 25 };
        let mut statement = Statement::new("");
        range.restrict(&mut statement, 26);
        statement.text().to_owned()
    }

    #[test]
    fn the_first_page_has_no_beginning() {
        assert_eq!(
            text(Sort::New, None),
            " WHERE c.tenant = $tenant AND c.target = $1 AND c.shown = 1 \
             ORDER BY c.id DESC LIMIT $2"
        );
    }

    #[test]
    fn the_next_page_begins_behind_the_last_item() {
        let after = || Some(After::Id("c1".to_owned()));
        assert!(text(Sort::New, after()).contains("AND c.id < $2 ORDER BY c.id DESC"));
        assert!(text(Sort::Old, after()).contains("AND c.id > $2 ORDER BY c.id LIMIT"));
        let after = Some(After::Standing(5, "c1".to_owned()));
        assert!(text(Sort::Best, after).contains("AND (c.standing, c.id) < ($2, $3)"));
    }
}
