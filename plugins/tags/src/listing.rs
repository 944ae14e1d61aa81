//! `GET /`: lists of tags, read along an index from where the page before ended.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::Reader;
use crate::select;
use crate::synonym::Key;
use crate::tag::{Stored, Tag};

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// By name.
    #[default]
    Name,
    /// Those that most items have first.
    Popular,
    /// The newest first.
    New,
}

impl Sort {
    /// The name that the list's cursors carry.
    fn order(self) -> &'static str {
        match self {
            Self::Name => "tags-name",
            Self::Popular => "tags-popular",
            Self::New => "tags-new",
        }
    }
}

/// Which tags to list: all, or those directly below one, or those at the top.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct TagsFilter {
    /// The order; `name` if not given.
    sort: Option<Sort>,
    /// The slug of a tag: only those directly below it.
    parent: Option<String>,
    /// `true`: only those at the top.
    top: Option<bool>,
    /// `true`: only those that look like another.
    flagged: Option<bool>,
}

/// The place of the last item of the page before.
enum After {
    Name(String, i64),
    Count(i64, i64),
    Id(i64),
}

/// `GET /`
pub fn list_tags(
    Query(filter): Query<TagsFilter>,
    page: Page,
    _reader: Reader,
) -> Result<Listing<Tag>, Problem> {
    let sort = filter.sort.unwrap_or_default();
    let parent = filter.parent.as_deref().map(Stored::load).transpose()?.map(|parent| parent.id);
    let after = match sort {
        Sort::Name => page.after(sort.order())?.map(|(Key(folded), id)| After::Name(folded, id)),
        Sort::Popular => page.after(sort.order())?.map(|(n_items, id)| After::Count(n_items, id)),
        Sort::New => page.after(sort.order())?.map(|(id,)| After::Id(id)),
    };
    let tags = sql::bounded_page(page.limit, |limit| {
        let mut statement = select::columns();
        statement.push(keys(sort));
        statement.push(" FROM tags t WHERE t.tenant = $tenant");
        if let Some(parent) = parent {
            statement.push(" AND t.parent = ").bind(parent);
        }
        statement.push(if filter.top == Some(true) { " AND t.parent IS NULL" } else { "" });
        let flagged = filter.flagged == Some(true);
        statement.push(if flagged { " AND t.looks_like IS NOT NULL" } else { "" });
        restrict(&mut statement, after.as_ref());
        statement.push(order_by(sort)).bind(limit + 1);
        statement
    })?;
    Ok(Listing::from_json(sort.order(), tags))
}

fn keys(sort: Sort) -> &'static str {
    match sort {
        Sort::Name => r#", t.folded AS "folded:key", t.id AS "id:key""#,
        Sort::Popular => r#", t.n_items AS "n:key", t.id AS "id:key""#,
        Sort::New => r#", t.id AS "id:key""#,
    }
}

fn order_by(sort: Sort) -> &'static str {
    match sort {
        Sort::Name => " ORDER BY t.folded, t.id LIMIT ",
        Sort::Popular => " ORDER BY t.n_items DESC, t.id DESC LIMIT ",
        Sort::New => " ORDER BY t.id DESC LIMIT ",
    }
}

fn restrict(statement: &mut Statement, after: Option<&After>) {
    match after {
        None => {}
        Some(After::Name(folded, id)) => {
            statement.push(" AND (t.folded, t.id) > (").bind(folded).push(", ").bind(*id).push(")");
        }
        Some(After::Count(n_items, id)) => {
            statement.push(" AND (t.n_items, t.id) < (").bind(*n_items);
            statement.push(", ").bind(*id).push(")");
        }
        Some(After::Id(id)) => {
            statement.push(" AND t.id < ").bind(*id);
        }
    }
}
